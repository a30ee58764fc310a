"""Checks of who the customers are: cohorts, seasons, where the history begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc, ndtri

from clvmodel.evaluate.checks import CONCERN, FEW, FINE, Check, judged, normal_interval, unknown
from clvmodel.tables.purchases import Purchases, to_day
from clvmodel.tables.summary import Summary
from clvmodel.units import days_in

Array = NDArray[np.float64]
_SEASONS = 24  # whole months of history that tell a season from chance
_STARTING = 30  # days at the start whose new customers are held against the next as many


def cohort_drift(summary: Summary, level: float) -> Check:
    """Do later customers come back as often as earlier ones?

    Share of customers who bought again within a window after the first purchase (a quarter of the
    longest history), of the later half of the customers less that of the earlier half, by day of
    the first purchase; only customers watched for the whole window count.
    """
    name = "drift between cohorts"
    what = "share who came back early, later half of customers less earlier half"
    past = summary.purchases
    age = np.rint(summary.T * days_in(summary.unit))
    window = np.floor(age.max() / 4)
    if past is None or summary.end is None or window < 1:
        return unknown(name, what, "Needs single purchases, and more than a few days of them.")
    starts = np.flatnonzero(np.diff(past.customer, prepend=-1))
    ends = np.append(starts[1:], past.day.size)
    second = np.minimum(starts + 1, past.day.size - 1)
    quick = (ends - starts > 1) & (past.day[second] - past.day[starts] <= window)
    watched = age >= window
    born = -age[watched]
    later = born > np.median(born)
    sizes = [int((~later).sum()), int(later.sum())]
    if min(sizes) < FEW:
        return unknown(name, what, "All customers joined at about the same time.", sum(sizes))
    back = quick[watched].astype(float)
    shares = [float(back[~later].mean()), float(back[later].mean())]
    error = np.sqrt(sum(s * (1 - s) / n for s, n in zip(shares, sizes, strict=True)))
    return judged(
        name,
        what,
        normal_interval(shares[1] - shares[0], float(error), level),
        null=0.0,
        matters=0.05,
        words=(
            f"Later customers come back within {window:.0f} days as often as earlier ones.",
            f"Within {window:.0f} days {shares[1]:.0%} of later customers came back, of earlier "
            f"ones {shares[0]:.0%}.",
        ),
        remedy="One model for all mixes cohorts that differ: fit on recent cohorts, or give the "
        "cohort as a covariate.",
        n=sum(sizes),
    )


def seasonality(past: Purchases, level: float) -> Check:
    """Strength of the season: how far the strongest month lies above the year's mean.

    Purchases per day of each whole calendar month, their logs less a straight trend, months
    compared by analysis of variance, which needs two years. The interval is that of the strongest.
    """
    name, what = "seasonality", "strongest calendar month, relative to the trend"
    months = past.day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    first = _month_after(to_day(past.first_day) - 1)
    last = _month_after(to_day(past.last_order)) - 1
    size = last - first + 1
    if size < _SEASONS:
        return unknown(
            name,
            what,
            f"{max(size, 0)} whole months of history cannot tell a season from a trend: two years "
            "are needed.",
            max(size, 0),
        )
    counts = np.bincount(months[(months >= first) & (months <= last)] - first, minlength=size)
    if (counts == 0).any():
        return unknown(name, what, "Some months have no purchases at all.", size)
    starts = np.arange(first, last + 2).astype("datetime64[M]").astype("datetime64[D]")
    logs, time = np.log(counts / np.diff(starts).astype(float)), np.arange(size) - (size - 1) / 2
    month = (np.arange(size) + first) % 12
    design = np.concatenate(
        [time[:, None], (month[:, None] == np.arange(12)).astype(float)], axis=1
    )
    fitted, *_ = np.linalg.lstsq(design, logs, rcond=None)
    rest = float(((logs - design @ fitted) ** 2).sum())
    line = design[:, :1] * (time @ logs / (time @ time)) + logs.mean()
    flat = float(((logs - line[:, 0]) ** 2).sum())
    free = size - 13
    ratio = ((flat - rest) / 11) / max(rest / free, 1e-300)
    chance = float(fdtrc(11, free, ratio))
    effect = fitted[1:] - fitted[1:].mean()
    top = int(np.argmax(effect))
    reach = float(ndtri(0.5 + level / 2)) * np.sqrt(rest / free / (month == top).sum())
    found = [float(np.expm1(effect[top] + s)) for s in (0.0, -reach, reach)]
    clear = chance < 1 - level
    label = np.datetime64(top, "M").astype(object).strftime("%B")
    return Check(
        name,
        what,
        found[0],
        found[1],
        found[2],
        CONCERN if clear and found[0] > 0.1 else FINE,
        f"{label} lies {found[0]:+.0%} off the year's mean"
        + (" (months differ beyond chance)." if clear else ", months differ no more than chance."),
        "Horizons that are not whole years are off by the season: forecast whole years, or scale "
        "totals by the season of the months ahead."
        if clear and found[0] > 0.1
        else "",
        size,
    )


def _month_after(day: int) -> int:
    """Number, from January 1970, of the first month that begins after a day."""
    return int(np.datetime64(day, "D").astype("datetime64[M]").astype(np.int64)) + 1


def left_truncation(past: Purchases, level: float) -> Check:
    """New customers of the first 30 days, over those of the 30 days after.

    Where the history was cut off at its start, old customers look new when they first show up: many
    do at once, then fewer. Interval: ratio of two Poisson counts, on the log scale. A shop that
    opened with a sale, or a cohort chosen by its first weeks, looks alike.
    """
    name = "cut-off start"
    what = f"new customers of the first {_STARTING} days over the next {_STARTING}"
    starts = np.flatnonzero(np.diff(past.customer, prepend=-1))
    since = past.day[starts] - past.day.min()
    counts = [int((since < _STARTING).sum()), int(((since >= _STARTING) & (since < 60)).sum())]
    if min(counts) < FEW or past.day.max() - past.day.min() < 2 * _STARTING:
        return unknown(name, what, "Too few new customers at the start to tell.", sum(counts))
    ratio = counts[0] / counts[1]
    reach = float(ndtri(0.5 + level / 2)) * np.sqrt(1 / counts[0] + 1 / counts[1])
    return judged(
        name,
        what,
        (ratio, ratio * np.exp(-reach), ratio * np.exp(reach)),
        null=1.0 if ratio > 1 else ratio,  # fewer at the start are no sign of a cut
        matters=0.25,
        words=(
            "New customers do not pile up at the start of the history.",
            "The first 30 days brought {effect:.1f} times as many new customers as the next 30.",
        ),
        remedy="If old customers are among the first, their first purchases are unknown: leave out "
        "who is seen in the first months, and begin the history after them.",
        n=sum(counts),
    )
