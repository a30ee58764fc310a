"""Should a first purchase inform what a customer is expected to spend? docs/first_purchase.md.

python benchmarks/first_purchase.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import page

import clvmodel as clv

COMMAND = "python benchmarks/first_purchase.py"
SHOP = Path(__file__).resolve().parents[1] / "data" / "sample" / "shop_orders.csv"
CDNOW = {"customer": "customer_id", "date": "date", "value": "amount"}
CASES: dict[str, dict[str, Any]] = {
    "CDNOW sample": {**CDNOW, "cutoffs": ["1997-09-30"], "horizon": "39W"},
    "CDNOW": {**CDNOW, "cutoffs": ["1997-09-30"], "horizon": "39W"},
    "shop_orders (simulated)": {
        "customer": "customer_email",
        "date": "ordered_at",
        "value": "amount",
        "cutoffs": ["2025-06-30"],
        "horizon": "184D",
    },
}
COLUMNS = ["history", "first purchase", "total", "MAE", "RMSE", "behind"]
TEXT = """
The literature fits Gamma-Gamma to repeat purchases only: a first purchase may be unlike later ones
(a welcome offer, a try). `ValueModel(spend_includes_first=True)` counts it like any other, which
tells something about customers with one purchase, most of a base. Value in the holdout, of all
customers together (*total*: expected over actual, less 1) and per customer, from `clv.backtest`;
*behind* is how much larger the mean absolute error is than the better candidate's, with its paired
95% interval over customers.
"""


def orders(name: str) -> Any:
    """The order history of a case."""
    if name.startswith("CDNOW"):
        return clv.datasets.load_cdnow(sample=name == "CDNOW sample")
    return SHOP


def rows() -> list[list[str]]:
    """Two lines per history: without and with the first purchase."""
    lines = []
    for history, options in CASES.items():
        candidates = [clv.ValueModel(), clv.ValueModel(spend_includes_first=True)]
        result = clv.backtest(orders(history), candidates, **options)
        found = {s["candidate"]: s for s in result.scores if s["target"] == "value"}
        apart = {d["candidate"]: d for d in result.differences if d["target"] == "value"}
        for candidate, words in zip(candidates, ("left out", "counts"), strict=True):
            score = found[candidate.name]
            total = f"{score['bias']:+.1%}"
            errors = [page.short(score[name]) for name in ("mae", "rmse")]
            lines.append([history, words, total, *errors, behind(apart.get(candidate.name))])
    return lines


def behind(gap: dict[str, Any] | None) -> str:
    """How much larger the mean absolute error is than the best one's, with its interval."""
    if gap is None or gap["candidate"] == gap["reference"]:
        return "best"
    return f"{gap['difference']:+.3g} ({gap['low']:+.3g} to {gap['high']:+.3g})"


def main() -> None:
    """Write the page."""
    names = ("clvmodel", "numpy", "scipy")
    versions = {name: page.version_of(name) for name in names}
    table = page.table(COLUMNS, rows(), left=2)
    head = page.header("First purchases", COMMAND, versions, TEXT)
    print(page.write("first_purchase.md", [head, table]))


if __name__ == "__main__":
    main()
