"""Blends: weights that are best where they were chosen, and chosen in the past only."""

import numpy as np
import pandas as pd
import pytest
from comparison_cases import Twice, compare, sample, score, twice
from scipy.optimize import minimize

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.blend import Blend, best_weights
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.rules import Mean
from clvmodel.value.value_model import ValueModel

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}


@pytest.mark.parametrize("seed", range(6))
def test_weights_are_the_minimum_on_the_simplex(seed):
    rng = np.random.default_rng(seed)
    errors = rng.normal(rng.normal(0, 1, 4), rng.gamma(2, 1, 4), (300, 4)) + rng.normal(
        0, 1, (300, 1)
    )
    weights = best_weights(errors)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    found = minimize(
        lambda w: np.square(errors @ w).mean(),
        np.full(4, 0.25),
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert weights == pytest.approx(found.x, abs=2e-5)
    assert np.square(errors @ weights).mean() <= found.fun * (1 + 1e-7)


def test_weights_by_hand():
    # errors +1 and -1 cancel half and half; +1 and -3 cancel at 3/4 and 1/4
    assert best_weights(np.tile([1.0, -1.0], (5, 1))) == pytest.approx([0.5, 0.5])
    assert best_weights(np.tile([1.0, -3.0], (5, 1))) == pytest.approx([0.75, 0.25])
    assert best_weights(np.tile([1.0, 2.0], (5, 1))) == pytest.approx([1, 0])
    assert best_weights(np.zeros((5, 2))) == pytest.approx([0.5, 0.5])


@pytest.fixture(scope="module")
def summary():
    return summarize(sample(), **ROLES, end="1997-12-31")


def test_it_mixes_its_candidates(summary):
    found = Blend([Mean(), RunRate()]).fit(summary, horizon="90D")
    weights = found.weights["value"]
    said = found.predict(summary, "90D", margin=0.5)
    parts = [c.predict(summary, "90D")["expected_value"] for c in (Mean(), RunRate())]
    mixed = 0.5 * (weights[0] * parts[0] + weights[1] * parts[1])
    assert said["expected_value"].tolist() == pytest.approx(mixed.tolist())
    assert 0 < weights[0] < 1
    assert set(found.weights) == {"purchases", "value"}
    assert "90 days after 1997-10-02" in found.assumptions


def test_chances_are_blended_where_all_have_them(summary):
    found = Blend([ValueModel(), Blend([ValueModel()])]).fit(summary, horizon="90D")
    assert "active" in found.weights
    chance = found.predict(summary, "90D")["p_purchase"]
    own = ValueModel().fit(summary).predict(summary, "90D")["p_purchase"]
    assert chance.tolist() == pytest.approx(own.tolist())


def test_weights_do_not_know_what_came_after(summary):
    """The same past, another future: the weights, chosen before the cutoff, stay."""
    changed = sample().copy()
    later = changed["date"] > "1997-12-31"
    changed.loc[later, "amount"] *= 7
    again = summarize(changed, **ROLES, end="1997-12-31")
    one, two = (Blend([Mean(), RunRate()]).fit(s, horizon="90D") for s in (summary, again))
    assert one.weights == two.weights


def test_every_earlier_cutoff_is_seen_with_its_own_past_only():
    seen = []

    class Watch(Twice):
        def fit(self, summary):
            seen.append((str(summary.end), int(summary.purchases.day.max())))
            return self

    past = summarize(sample(), **ROLES, end="1997-12-31")
    found = Blend([Watch(twice)], n_cutoffs=2).fit(past, horizon="60D")
    ends = [end for end, _ in seen]
    assert ends == ["1997-09-02", "1997-11-01", "1997-12-31"]
    for end, last in seen:
        assert last <= np.datetime64(end).astype(int)
    assert found.weights["purchases"] == (1.0,)


def test_a_short_history_is_halved():
    past = summarize(sample(), **ROLES, end="1997-03-31")
    assert Blend([Mean()]).fit(past, horizon="1Y").days == 45
    assert Blend([Mean()]).fit(past).days == 45


def test_it_is_a_candidate():
    blend = Blend([Mean(), LastPeriod()])
    found = compare([blend, Mean(), LastPeriod()], bootstrap=20)
    assert blend.name == "Blend of Mean, Last period"
    assert found.results[0].kind == "blend"
    assert score(found, blend.name)["rmse"] < score(found, "Mean")["rmse"]
    assert "Blend of Mean, Last period" in found.tracking["predicted"]


def test_a_candidate_that_fails_fails_the_blend():
    def fails(summary, horizon):
        raise ZeroDivisionError("no luck")

    found = compare([Blend([Mean(), Twice(fails)]), Mean()], bootstrap=0)
    assert found.results[0].error == "ZeroDivisionError: no luck"


@pytest.mark.parametrize(
    "make", [lambda: Blend([]), lambda: Blend([Mean]), lambda: Blend([Mean()], n_cutoffs=0)]
)
def test_errors(make):
    with pytest.raises(ParameterError):
        make()


def test_it_needs_single_purchases():
    table = pd.DataFrame({"frequency": [1.0], "recency": [3.0], "T": [9.0]})
    with pytest.raises(DataError, match="single purchases"):
        Blend([Mean()]).fit(Summary.from_frame(table, unit="D"))
