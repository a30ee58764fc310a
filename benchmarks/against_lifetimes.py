"""Time this package and lifetimes in turn, in one process, on the same customers.

    python benchmarks/against_lifetimes.py [customers ...]

Customers are simulated (BG/NBD, seed 1) over 730 whole days; the first line is the CDNOW sample.
`fit` is BG/NBD from bare arrays, collapse included; `predict` is the expected purchases of the next
365 days, from bare arrays, nothing collapsed. Medians of three runs each, alternating. lifetimes is
left out above 1,000,000 customers.
"""

import statistics
import sys
import time
import warnings

import numpy as np

import clvmodel as clv

RUNS = 3
LARGEST_FOR_LIFETIMES = 1_000_000


def simulated(customers):
    """Histories of so many customers, times in days."""
    x, t_x, T, *_ = clv.BGNBD(0.25, 30.0, 0.8, 2.5).simulate(np.full(customers, 730.0), seed=1)
    return {"frequency": x, "recency": np.ceil(t_x), "T": T}


def cdnow():
    """Histories of the CDNOW sample, times in weeks."""
    orders = clv.datasets.load_cdnow(sample=True)
    summary = clv.summarize(orders, customer="customer_id", date="date", end="1997-09-30", unit="W")
    return {"frequency": summary.frequency, "recency": summary.recency, "T": summary.T}


def timed(action):
    """Seconds an action takes, and what it returns."""
    start = time.perf_counter()
    result = action()
    return time.perf_counter() - start, result


def compare(data):
    """Medians in seconds: (our fit, their fit, our prediction, their prediction)."""
    from lifetimes import BetaGeoFitter

    columns = list(data.values())
    both = columns[0].size <= LARGEST_FOR_LIFETIMES
    times = [[], [], [], []]
    for _ in range(RUNS):
        seconds, ours = timed(lambda: clv.fit(clv.BGNBD, data))
        times[0].append(seconds)
        times[2].append(timed(lambda ours=ours: ours.model.expected_purchases(365.0, *columns))[0])
        if both:
            seconds, theirs = timed(lambda: BetaGeoFitter().fit(*columns))
            times[1].append(seconds)
            predict = theirs.conditional_expected_number_of_purchases_up_to_time
            times[3].append(timed(lambda predict=predict: predict(365.0, *columns))[0])
    return [statistics.median(t) if t else None for t in times]


def main():
    """Print a line per number of customers."""
    warnings.simplefilter("ignore")
    sizes = [int(argument) for argument in sys.argv[1:]] or [100_000, 1_000_000]
    print(f"{'customers':>12}{'fit':>10}{'lifetimes':>11}{'ratio':>8}", end="")
    print(f"{'predict':>12}{'lifetimes':>11}{'ratio':>8}")
    for data in [cdnow(), *(simulated(size) for size in sizes)]:
        fit, their_fit, predict, their_predict = compare(data)
        cells = [f"{data['T'].size:>12,}"]
        for ours, theirs, width in ((fit, their_fit, 10), (predict, their_predict, 12)):
            known = theirs is not None
            cells.append(f"{ours:>{width - 2}.3f} s" + (f"{theirs:>9.3f} s" if known else " " * 11))
            cells.append(f"{theirs / ours:>8.1f}" if known else " " * 8)
        print("".join(cells))


if __name__ == "__main__":
    main()
