"""Peak memory of a fit and of a prediction, in multiples of the arrays that go in.

    python benchmarks/memory.py [customers]

Each figure is measured in a process of its own by tracemalloc, which sees every array: the highest
sum of what the call allocated while it ran, its result included, the input left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import page

from clvmodel.models import PURCHASE_MODELS

CUSTOMERS = 1_000_000
KINDS = ("one T", "T varies", "times not rounded")
PARAMETERS = {
    "BGNBD": (0.25, 30.0, 0.8, 2.5),
    "MBGNBD": (0.45, 40.0, 1.0, 2.6),
    "ParetoNBD": (0.4, 60.0, 0.6, 200.0),
}


def customers(model: str, size: int, kind: str, seed: int = 1) -> dict[str, np.ndarray]:
    """Simulated histories, in days: T = 730 for all, or whole days 1 to 730."""
    T = np.full(size, 730.0)
    if kind != "one T":
        T = np.random.default_rng(seed).integers(1, 731, size).astype(float)
    x, t_x, T, *_ = PURCHASE_MODELS[model](*PARAMETERS[model]).simulate(T, seed=seed)
    if kind == "times not rounded":
        return {"frequency": x, "recency": t_x, "T": T}
    return {"frequency": x, "recency": np.ceil(t_x), "T": T}


def peak(action: Callable[[], object]) -> int:
    """Bytes allocated at the worst moment of an action."""
    tracemalloc.start()
    action()
    worst = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return worst


def measure(model: str, size: int, kind: str, what: str) -> float:
    """Peak of one call in multiples of its three columns, in this process."""
    import clvmodel as clv

    family = PURCHASE_MODELS[model]
    data = customers(model, size, kind)
    small = {name: column[:2000] for name, column in data.items()}
    fitted = clv.fit(family, small).model  # everything is imported
    fitted.expected_purchases(365.0, *small.values())
    calls = {
        "fit": lambda: clv.fit(family, data),
        "predict": lambda: family(*PARAMETERS[model]).expected_purchases(365.0, *data.values()),
    }
    return peak(calls[what]) / sum(column.nbytes for column in data.values())


def apart(model: str, size: int, kind: str, what: str) -> float:
    """Return the same, in a process of its own."""
    command = [sys.executable, __file__, "--one", model, str(size), kind, what]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.strip().splitlines()[-1]))


def rows(size: int = CUSTOMERS) -> list[list[str]]:
    """A line per model and kind of customers: fit, predict."""
    lines = []
    for model in PURCHASE_MODELS:
        if model in PARAMETERS:
            for kind in KINDS:
                peaks = [apart(model, size, kind, what) for what in ("fit", "predict")]
                lines.append([f"{model}, {kind}", *(f"{value:.1f}" for value in peaks)])
                print(lines[-1], file=sys.stderr)
    return lines


def main() -> None:
    """Print one figure, or the table."""
    if sys.argv[1:2] == ["--one"]:
        model, size, kind, what = sys.argv[2:]
        print(json.dumps(measure(model, int(size), kind, what)))
    else:
        size = int(sys.argv[1]) if sys.argv[1:] else CUSTOMERS
        print(page.table(["", "fit", "predict"], rows(size)))


if __name__ == "__main__":
    main()
