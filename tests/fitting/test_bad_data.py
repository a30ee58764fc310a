"""Data that cannot be fitted are refused in words that say what to mend."""

import numpy as np
import pandas as pd
import pytest

import clvmodel as clv

GOOD = {
    "BGNBD": {"frequency": [0, 2, 1], "recency": [0, 5, 3], "T": [9, 10, 8]},
    "GammaGamma": {"frequency": [0, 2, 1], "monetary_value": [0, 20.0, 35.0]},
}


def fit(model, weight=None, engine="native", **changes):
    columns = {**GOOD[model], **changes}
    kept = {name: values for name, values in columns.items() if values is not None}
    return clv.fit(getattr(clv, model), kept, weight=weight, engine=engine)


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ("BGNBD", {"recency": [0, 11, 3]}, "recency must be .* at most T; 1 rows .* row 1"),
        ("BGNBD", {"recency": [0, -1, 3]}, "recency must be >= 0"),
        ("BGNBD", {"recency": [1, 5, 3]}, "recency must be 0 where frequency is 0"),
        ("BGNBD", {"frequency": [0, 2.5, 1]}, "frequency must be a whole number.*frequency 2.5"),
        ("BGNBD", {"frequency": [0, -2, 1]}, "frequency must be a whole number"),
        ("BGNBD", {"frequency": [0, np.nan, 1]}, "frequency == nan in row 1"),
        ("BGNBD", {"T": [9, 10, np.inf]}, "T == inf in row 2"),
        ("BGNBD", {"T": [9, 10]}, "T has 2 values, frequency has 3"),
        ("BGNBD", {"frequency": [], "recency": [], "T": []}, "no customers"),
        ("BGNBD", {"weight": [0, 0, 0]}, "weight must be >= 0 everywhere and > 0 somewhere"),
        ("BGNBD", {"weight": [1, -1, 1]}, "weight must be >= 0 everywhere"),
        ("BGNBD", {"weight": [1, np.nan, 1]}, "weight == nan in row 1"),
        ("BGNBD", {"weight": [1, 1]}, "weight has 2 values"),
        ("GammaGamma", {"monetary_value": [0, -20, 35]}, "monetary_value == -20 in row 1"),
        ("GammaGamma", {"monetary_value": [0, np.nan, 35]}, "monetary_value == nan in row 1"),
        ("GammaGamma", {"frequency": [0, 2.5, 1]}, "frequency must be a whole number"),
        ("GammaGamma", {"frequency": [0, 0, 0]}, "No customer has a repeat purchase"),
        ("GammaGamma", {"monetary_value": [0, 0, 0]}, "No customer has a repeat purchase"),
    ],
)
def test_impossible_data(model, changes, words):
    with pytest.raises(clv.DataError, match=words):
        fit(model, **changes)


@pytest.mark.parametrize("make", [dict, pd.DataFrame])
def test_a_missing_column_is_named_with_a_hint(make):
    columns = {("Frequency" if k == "frequency" else k): v for k, v in GOOD["BGNBD"].items()}
    with pytest.raises(clv.ColumnError, match=r"'frequency' is not a column.*'Frequency'"):
        clv.fit(clv.BGNBD, make(columns))
    with pytest.raises(KeyError):
        fit("GammaGamma", monetary_value=None)


def test_a_summary_without_amounts_cannot_tell_spend():
    summary = clv.Summary.from_frame(pd.DataFrame(GOOD["BGNBD"]), unit="D")
    with pytest.raises(clv.ColumnError, match=r"needs amounts.*value="):
        clv.fit(clv.GammaGamma, summary)


def test_an_unknown_engine_is_refused():
    with pytest.raises(clv.ParameterError, match=r"engine == 'R', must be one of 'native', 'life"):
        fit("BGNBD", engine="R")


def test_an_unknown_unit_is_refused():
    with pytest.raises(clv.UnitError, match="unit == 'weeks'"):
        clv.fit(clv.BGNBD, GOOD["BGNBD"], unit="weeks")


@pytest.mark.parametrize("model", GOOD)
def test_lists_tables_and_integers_are_as_good(model):
    columns = {name: np.tile(values, 50) for name, values in GOOD[model].items()}
    kind = getattr(clv, model)
    expected = clv.fit(kind, columns)
    assert clv.fit(kind, pd.DataFrame(columns)) == expected
    assert clv.fit(kind, {name: list(values) for name, values in columns.items()}) == expected
    assert clv.fit(kind, {**columns, "note": ["unused"] * 150}) == expected
