"""Candidates that others bring: what the protocol asks for, and what becomes of failures."""

import json

import numpy as np
import pandas as pd
import pytest
from comparison_cases import Twice, compare, score, twice

from clvmodel.errors import ClvError
from clvmodel.value.naive import RunRate


def test_a_candidate_by_the_protocol():
    found = compare([Twice(twice), RunRate()])
    own = score(found, "Twice")
    assert own["predicted_total"] == 2 * 2457
    assert found.results[0].kind == "model"
    assert [s["candidate"] for s in found.scores] == ["Twice", "Run rate", "Run rate"]
    assert found.tracking["predicted"]["Twice"][-1] == 2457 + 2 * 2457


def test_same_names_are_told_apart():
    found = compare([Twice(twice), Twice(twice), Twice(twice)])
    assert [r.name for r in found.results] == ["Twice", "Twice (2)", "Twice (3)"]


def test_progress():
    steps = []
    compare([RunRate(), Twice(twice)], progress=steps.append)
    assert steps == ["reading orders", "fitting Run rate", "fitting Twice", "scoring"]


def fails(summary, horizon):
    raise ZeroDivisionError("no luck")


def replaced(**columns):
    """A candidate whose table is right but for these columns."""
    return lambda s, h: twice(s, h).assign(**columns)


WRONG = {
    "raises": (fails, "ZeroDivisionError: no luck"),
    "too few rows": (lambda s, h: twice(s, h).iloc[:-1], "2356 rows for 2357 customers"),
    "too many rows": (lambda s, h: pd.concat([twice(s, h)] * 2), "4714 rows"),
    "another order": (lambda s, h: twice(s, h).iloc[::-1], "another order"),
    "other customers": (replaced(customer_id="x"), "another order"),
    "not a number": (replaced(expected_purchases=np.nan), "not finite for 2,357"),
    "text": (replaced(expected_purchases="many"), "many"),
    "nothing": (lambda s, h: twice(s, h)[["customer_id"]], "neither"),
    "no table": (lambda *_: None, "NoneType"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_failing_candidate_is_a_result(kind):
    answer, words = WRONG[kind]
    found = compare([Twice(answer), RunRate()])
    assert words in found.results[0].error
    assert found.results[1].error is None
    assert {s["candidate"] for s in found.scores} == {"Run rate"}
    assert list(found.tracking["predicted"]) == ["Run rate"]
    assert f"Twice: failed, {found.results[0].error}" in str(found)
    assert "orders is a" not in found.results[0].error


def test_a_candidate_that_fails_for_shorter_horizons_only():
    """The curve over time asks for more horizons than the score does."""

    def picky(summary, horizon):
        return twice(summary, horizon) if horizon == "273D" else fails(summary, horizon)

    found = compare([Twice(picky), RunRate()])
    assert score(found, "Run rate")["mae"] > 0
    assert "Run rate" in found.tracking["predicted"]


def test_when_everybody_fails():
    found = compare([Twice(fails)])
    assert (found.scores, found.targets) == ((), ())
    json.dumps(found.to_dict())
    with pytest.raises(ClvError):
        found.winner()
