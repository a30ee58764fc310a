"""Boosted trees: trained on the past of the past, the same every time, and no fool."""

import builtins

import numpy as np
import pandas as pd
import pytest
from comparison_cases import compare, sample, score

from clvmodel.errors import DataError, MissingDependencyError
from clvmodel.evaluate.trees import BoostedTrees, features
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.value.rules import Mean

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}
TREES = BoostedTrees(iterations=40)


@pytest.fixture(scope="module")
def summary():
    return summarize(sample(), **ROLES, end="1997-12-31", unit="W")


def test_features_by_hand():
    rows = [("a", "2024-01-01", 5.0), ("a", "2024-03-01", 7.0), ("b", "2024-03-11", 2.0)]
    orders = pd.DataFrame(rows, columns=["customer_id", "date", "amount"])
    found = features(summarize(orders, **ROLES, end="2024-03-31"))
    # repeats, first to last, age, silence, total, mean, first; then 30, 90, 180, 365 days
    assert found[0].tolist() == [1, 60, 90, 30, 12, 7, 5, 0, 0, 1, 7, 2, 12, 2, 12]
    assert found[1].tolist() == [0, 0, 20, 20, 2, 0, 2, 1, 2, 1, 2, 1, 2, 1, 2]


def test_it_learns_from_the_past_alone(summary):
    changed = sample().copy()
    later = changed["date"] > "1997-12-31"
    changed.loc[later, "amount"] *= 7
    again = summarize(changed, **ROLES, end="1997-12-31", unit="W")
    one, two = (TREES.fit(s, horizon="90D").predict(s, "90D") for s in (summary, again))
    assert one.equals(two)
    assert TREES.fit(summary, horizon="90D").cutoff == "1997-10-02"


def test_what_it_learned_is_what_followed_the_earlier_cutoff(summary):
    """A Poisson loss keeps the total: predictions for the earlier customers add up to theirs."""
    found = TREES.fit(summary, horizon="90D")
    past, _ = summary.purchases.until(np.datetime64("1997-10-02").astype(int))
    then = Summary.from_purchases(past, pd.Timestamp("1997-10-02").date(), "W")
    count, value = summary.purchases.within(
        *(np.datetime64(d).astype(int) for d in ("1997-10-02", "1997-12-31"))
    )
    said = found.predict(then, "90D")
    assert said["expected_purchases"].sum() == pytest.approx(count.sum(), rel=0.02)
    assert said["expected_value"].sum() == pytest.approx(value.sum(), rel=0.02)
    assert said["p_purchase"].mean() == pytest.approx((count > 0).mean(), rel=0.02)


def test_other_lengths_are_in_proportion(summary):
    found = TREES.fit(summary, horizon="90D")
    one, two = (found.predict(summary, h, margin=0.5) for h in ("90D", "45D"))
    for name in ("expected_purchases", "expected_value"):
        assert (one[name] / 2).tolist() == pytest.approx(two[name].tolist())
    assert "p_purchase" not in two


def test_it_is_a_candidate_and_the_same_twice():
    one, two = (compare([TREES, Mean()], horizon="90D", bootstrap=0) for _ in range(2))
    assert one.to_dict() == two.to_dict()
    assert score(one, "Boosted trees")["rmse"] < score(one, "Mean")["rmse"]
    assert one.results[0].kind == "learner"
    assert one.winner("active", "brier") == "Boosted trees"


def test_without_amounts(summary):
    bare = summarize(sample(), customer="customer_id", date="date", end="1997-12-31")
    assert "expected_value" not in TREES.fit(bare, horizon="90D").predict(bare, "90D")


def test_errors():
    once = pd.DataFrame({"customer_id": ["a", "b"], "date": ["2024-01-01"] * 2, "amount": [1, 2]})
    with pytest.raises(DataError, match="nothing to learn"):
        TREES.fit(summarize(once, **ROLES, end="2024-03-01"))
    with pytest.raises(DataError, match="2 days of history"):
        TREES.fit(summarize(once, **ROLES, end="2024-01-01"))


def test_without_scikit_learn(summary, monkeypatch):
    real = builtins.__import__

    def fail(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError("No module named 'sklearn'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(MissingDependencyError, match="scikit-learn"):
        TREES.fit(summary)
