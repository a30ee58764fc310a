"""The metrics as the report names, explains and prints them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clvmodel.present.words import number, percent, signed_percent


@dataclass(frozen=True)
class Measure:
    """One metric as the report names, explains and prints it."""

    key: str
    column: str
    question: str
    praise: str
    explanation: str
    show: Callable[[float | None], str]
    judge: bool = True


MEASURES = (
    Measure(
        "bias",
        "Error of total",
        "Closest total",
        "the closest total",
        "Predicted total against the actual one: 0% is perfect, minus is too low, plus too high. "
        "What a budget depends on; errors of single customers may cancel.",
        signed_percent,
    ),
    Measure(
        "mae",
        "MAE",
        "Smallest average error per customer (MAE)",
        "the smallest MAE",
        "Mean absolute error per customer; smaller is better. It favours predicting 0 where most "
        "customers buy nothing, so read it beside the error of the total.",
        number,
    ),
    Measure(
        "rmse",
        "RMSE",
        "Smallest error where large misses weigh more (RMSE)",
        "the smallest RMSE",
        "Root mean squared error per customer; smaller is better. Does not favour predicting 0, "
        "but a few customers with large values dominate it.",
        number,
    ),
    Measure(
        "top_decile",
        "Top 10% capture",
        "Best at finding the best customers",
        "the best choice of top customers",
        "Share of the actual total that fell to the tenth of customers predicted highest; larger "
        "is better, 10% is what chance gives.",
        percent,
    ),
    Measure(
        "spearman",
        "Rank correlation",
        "Best ranking",
        "the best ranking",
        "Does the order of the predictions match the order of what happened? 1 is the same order, "
        "0 no relation (Spearman); larger is better.",
        number,
        judge=False,
    ),
)
JUDGED = tuple(m for m in MEASURES if m.judge)
CHANCES = Measure(
    "brier",
    "Brier score",
    "Best chances of a purchase (Brier score)",
    "the best chances of a purchase",
    "Mean squared difference between the predicted chance of a purchase and what happened, 1 or 0; "
    "smaller is better.",
    number,
)
