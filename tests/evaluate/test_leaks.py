"""A candidate that looks into the future is caught; honest ones pass; the past stays."""

import numpy as np
import pandas as pd
import pytest
from comparison_cases import Twice, compare, sample, twice

from clvmodel.evaluate.backtest import default_candidates
from clvmodel.evaluate.blend import Blend
from clvmodel.evaluate.trees import BoostedTrees
from clvmodel.tables.renamed import under_other_names
from clvmodel.tables.summarize import summarize
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.rules import CohortFormula, HiatusRule, Mean


def peek(summary, horizon):
    """Look customers up in all orders, those after the cutoff included."""
    orders = sample()
    later = orders[orders["date"] > pd.Timestamp(summary.end)]
    count = later.groupby("customer_id").size()
    found = [float(count.get(i, 0)) for i in summary.ids.to_pylist()]
    return twice(summary, horizon).assign(expected_purchases=found)


def peek_by_row(summary, horizon):
    """The same by place, ids or not."""
    orders = sample()
    later = orders[orders["date"] > pd.Timestamp(summary.end)].groupby("customer_id").size()
    ids = sorted(orders["customer_id"].unique())
    found = later.reindex(ids).fillna(0).to_numpy(float)[: len(summary)]
    return twice(summary, horizon).assign(expected_purchases=found)


class Leaky(Twice):
    name = "Leaky"


@pytest.mark.parametrize("answer", [peek, peek_by_row])
def test_a_planted_leak_is_caught(answer):
    trusting = compare([Leaky(answer), RunRate()], bootstrap=20)
    assert trusting.winner("purchases", "spearman") == "Leaky"
    found = compare([Leaky(answer), RunRate()], check_leaks=True, bootstrap=20)
    assert found.results[0].error.startswith("looks beyond the past it was given")
    assert found.winner("purchases", "spearman") == "Run rate"
    assert found.folds[0]["failures"][0]["candidate"] == "Leaky"


def test_one_that_stumbles_over_new_names_is_caught():
    known = set(sample()["customer_id"])

    def fussy(summary, horizon):
        assert known.issuperset(summary.ids.to_pylist()), "who is that?"
        return twice(summary, horizon)

    found = compare([Leaky(fussy)], check_leaks=True, bootstrap=0)
    assert "who is that?" in found.results[0].error


def test_honest_candidates_pass():
    candidates = [
        *(c for c in default_candidates() if "lifetimes" not in c.name),
        Mean(),
        HiatusRule(),
        CohortFormula(),
        BoostedTrees(iterations=30),
        Blend([LastPeriod(), RunRate()]),
        Twice(twice),
    ]
    found = compare(candidates, check_leaks=True, bootstrap=0)
    assert [r.error for r in found.results] == [None] * len(candidates)


def test_other_names_are_the_same_customers():
    roles = {"customer": "customer_id", "date": "date", "value": "amount"}
    summary = summarize(sample(), **roles, end="1997-09-30", unit="W")
    again, order = under_other_names(summary, 3)
    for name in ("frequency", "recency", "T", "first_value", "monetary_value"):
        old, new = getattr(summary, name), getattr(again, name)
        assert new == pytest.approx(old[order], rel=1e-12)
    assert not set(again.ids.to_pylist()) & set(summary.ids.to_pylist())
    assert again.ids.to_pylist() == sorted(again.ids.to_pylist())
    assert (order != np.arange(len(order))).any()
    numbers = sample().assign(customer_id=lambda f: f["customer_id"].astype(int))
    again, _ = under_other_names(summarize(numbers, **roles), 3)
    assert again.ids.type == "int64"


def test_the_past_holds_no_trace_of_the_future():
    """What a candidate is handed ends at the cutoff, and cannot be written to."""
    seen = []

    def look(summary, horizon):
        seen.append(summary)
        return twice(summary, horizon)

    compare([Twice(look)], bootstrap=0)
    past = seen[0]
    assert str(past.end) == "1997-09-30"
    assert past.purchases.day.max() <= np.datetime64("1997-09-30").astype(int)
    assert past.purchases.day.base is None
    assert str(past.purchases.last_order) <= "1997-09-30"
    assert past.reconciliation is None
    with pytest.raises(ValueError, match="read-only"):
        past.frequency[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        past.purchases.value[0] = 5
