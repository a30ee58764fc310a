"""`segment` and `tier`: customers of a summary of any kind into segments, and into tiers."""

from __future__ import annotations

from typing import Any

from clvmodel.errors import ParameterError
from clvmodel.tables.large import LargeSummary
from clvmodel.tables.summary import Summary
from clvmodel.value.candidates import check_customers, check_fitted, check_share
from clvmodel.value.drift import warn_of_drift
from clvmodel.value.large_decisions import (
    LargeSegmentation,
    LargeTiering,
    Segmenting,
    large_tiering,
)
from clvmodel.value.rfm import RFM, FittedRFM
from clvmodel.value.segment_rules import TABLES, SegmentRules
from clvmodel.value.segments import Segmentation, segmented
from clvmodel.value.tiering import Tiering, tiering
from clvmodel.value.tiers import Tiers


def segment(
    summary: Summary | LargeSummary,
    model: Any = None,
    *,
    rules: str | SegmentRules = "eleven",
    rfm: RFM | FittedRFM | None = None,
    horizon: Any = "365D",
    discount_rate: float = 0.10,
    margin: Any = 1.0,
) -> Segmentation | LargeSegmentation:
    """Put every customer of a summary into one segment by recency, frequency and money.

    `rules` is a `SegmentRules` or the name of a table: "eleven" (the widely copied one of 125
    codes), "ten" (the grid of R and F of most tutorials, money ignored), "three" (shop style:
    scores 1 to 3, tiers by their sum). `rfm` says how to score (default: `RFM(levels=...)`,
    quantiles of these customers), or holds thresholds found before. With a fitted `model` the
    tables say what each segment is predicted to be worth within `horizon`, after `margin`.

    Customers who are alike are in the same segment, whatever the order of the rows. Of a summary
    in a file or in Spark the customers stay there (`to` and, in Spark, `frame` give their rows),
    and the tables hold the same numbers; `margin` is the same for all there. Raises DataError or
    ParameterError.
    """
    check_customers(summary)
    if isinstance(rules, str):
        if rules not in TABLES:
            raise ParameterError.not_one_of("rules", rules, TABLES)
        rules = TABLES[rules]
    if not isinstance(rules, SegmentRules):
        raise ParameterError(f"rules == {rules!r}, must be a SegmentRules or a table's name.")
    rfm = RFM(levels=rules.levels) if rfm is None else rfm
    fitted = rfm.fit(summary) if isinstance(rfm, RFM) else rfm
    if not isinstance(fitted, FittedRFM):
        raise ParameterError(f"rfm == {rfm!r}, must be an RFM or what its fit returned.")
    if fitted.levels != rules.levels:
        raise ParameterError(
            f"rfm has {fitted.levels} levels, and the rules are of {rules.levels}."
        )
    check_share("margin", margin)
    if model is not None:
        check_fitted(model)
    if isinstance(summary, LargeSummary):
        _check_model(model, summary, margin)
        asked = Segmenting(fitted, rules, model, horizon, discount_rate, margin)
        return LargeSegmentation(summary, asked)
    return segmented(summary, fitted, rules, model, horizon, discount_rate, margin)


def tier(
    summary: Summary | LargeSummary,
    model: Any,
    *,
    kind: str = "vip",
    tiers: Tiers | None = None,
    past_tiers: Tiers | None = None,
    vips: Tiers | None = None,
    horizon: Any = "365D",
    margin: Any = 1.0,
    predictions: Any = None,
) -> Tiering | LargeTiering:
    """Put every customer into a tier by the value that a fitted model predicts within `horizon`.

    `kind`: "vip" (the top tenth and the others), "deciles" ("1" the best), "abc" (those who make up
    80%, 95% and all of the predicted value), "heavy" (top 20%, next 30%, rest). All cuts are
    conventions. `tiers` reuses thresholds found before; so do, for the lists, `past_tiers` and
    `vips`, whose first tiers are the VIPs by past and by predicted value (default: the top tenth).

    `predictions` is the table of `model.predict(summary, horizon, margin=margin)`, where that has
    been made already. Without amounts, purchases take the place of value. See `LISTS` for the
    lists: whom to treat as a VIP from now on, whom to win back, who is asleep.

    Of a summary in a file or in Spark the customers stay there: see `segment`. Raises DataError or
    ParameterError.
    """
    check_customers(summary)
    check_share("margin", margin)
    for name, given in (("tiers", tiers), ("past_tiers", past_tiers), ("vips", vips)):
        if given is not None and not isinstance(given, Tiers):
            raise ParameterError(f"{name} is a {type(given).__name__}; give Tiers, or a kind=.")
    kept: dict[str, Any] = {"kind": kind, "tiers": tiers, "past_tiers": past_tiers, "vips": vips}
    if isinstance(summary, LargeSummary):
        if predictions is not None:
            raise ParameterError("predictions are of customers in memory: leave them out here.")
        check_fitted(model)
        _check_model(model, summary, margin)
        return large_tiering(summary, model, horizon, margin, **kept)
    if predictions is None:
        check_fitted(model)
        predictions = model.predict(summary, horizon, margin=margin)
    return tiering(summary, predictions, **kept, horizon=horizon, margin=margin)


def _check_model(model: Any, summary: LargeSummary, margin: Any) -> None:
    """Refuse what cannot be asked about parts; warn once where customers are unlike the fit's."""
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        raise ParameterError.out_of_range("margin", margin, "a number, the same for all")
    if model is not None:
        warn_of_drift(model, summary)
