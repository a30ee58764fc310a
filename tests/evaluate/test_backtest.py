"""`backtest`: published errors on CDNOW, no look into the future, and candidates that fail."""

import datetime as dt
import html
import json

import numpy as np
import pandas as pd
import pytest
from comparison_cases import Twice, cdnow, compare, sample, score, twice

from clvmodel.errors import ClvError, DataError, ParameterError
from clvmodel.evaluate.backtest import default_candidates
from clvmodel.evaluate.metrics import METRICS
from clvmodel.value.formulas import ChurnFormula, StoreFormula
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.value_model import ValueModel


def test_errors_of_the_papers():
    bg_nbd = score(cdnow(), "BG/NBD + Gamma-Gamma")
    assert f"{bg_nbd['mae']:.6f}" == "0.785454"
    assert f"{bg_nbd['rmse']:.6f}" == "1.607982"
    assert bg_nbd["actual_total"] == 1882


def test_purchases_by_frequency():
    table = cdnow().by_frequency
    assert table["groups"] == ["0", "1", "2", "3", "4", "5", "6", "7+"]
    assert table["customers"] == [1411, 439, 214, 100, 62, 38, 29, 64]
    expected = [
        *(0.2250893, 0.5231364, 1.044126, 1.520256),
        *(2.163824, 2.653789, 3.503957, 6.157036),
    ]
    assert table["predicted"]["BG/NBD + Gamma-Gamma"] == pytest.approx(expected, rel=2e-4)
    assert np.dot(table["actual"], table["customers"]) == pytest.approx(1882)


def test_two_engines_agree():
    native, other = (
        score(cdnow(), f"BG/NBD + Gamma-Gamma{e}", "value") for e in ("", " (lifetimes)")
    )
    for metric in METRICS:
        assert other[metric] == pytest.approx(native[metric], rel=1e-3)


def test_every_candidate_is_there_once_per_target():
    names = [r.name for r in cdnow().results]
    assert len(names) == len(set(names)) == len(default_candidates()) == 7
    assert [s["candidate"] for s in cdnow().scores] == names * 2
    assert [d["candidate"] for d in cdnow().differences] == names * 2
    assert not any(r.error for r in cdnow().results)
    assert {r.kind for r in cdnow().results} == {"model", "formula", "naive"}
    assert all(r.assumptions for r in cdnow().results)


def test_what_it_says_of_the_data():
    data = cdnow().data
    assert (data["rows"], data["customers"], data["repeat_customers"]) == (6919, 2357, 946)
    assert (data["first"], data["last"]) == ("1997-01-01", "1998-06-30")
    assert (data["late_customers"], data["late_purchases"], data["late_value"]) == (0, 0, 0.0)
    assert (data["actual_purchases"], data["has_value"]) == (1882, True)
    later = sample().loc[sample()["date"] > "1997-09-30", "amount"].sum()
    assert data["actual_value"] == pytest.approx(later)
    assert (cdnow().cutoff, cdnow().end, cdnow().days) == (
        dt.date(1997, 9, 30),
        dt.date(1998, 6, 30),
        273,
    )


def test_winner_and_ranking():
    for target in ("purchases", "value"):
        for metric in METRICS:
            ranking = cdnow().ranking(target, metric)
            values = [row[metric] for row in ranking if row[metric] is not None]
            assert all(row[metric] is None for row in ranking[len(values) :])
            up = metric in ("spearman", "top_decile", "gini")
            key = abs if metric == "bias" else float
            assert values == sorted(values, key=key, reverse=up)
            assert cdnow().winner(target, metric) == ranking[0]["candidate"]
    assert cdnow().winner("purchases", "rmse").startswith("BG/NBD")
    with pytest.raises(ParameterError, match="metric == 'mse'"):
        cdnow().winner(metric="mse")
    with pytest.raises(ParameterError, match="target == 'clv'"):
        cdnow().winner("clv")


def test_nobody_has_the_metric():
    everyone_alike = compare([StoreFormula()])
    with pytest.raises(DataError, match="No candidate has a spearman"):
        everyone_alike.winner("value", "spearman")


def test_the_reference_of_differences_is_the_best():
    for row in cdnow().differences:
        assert row["reference"] == cdnow().winner(row["target"], "mae")
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["difference"] >= 0
        assert (row["difference"] == 0) == (row["candidate"] == row["reference"])
        best, own = (
            score(cdnow(), row[name], row["target"])["mae"] for name in ("reference", "candidate")
        )
        assert row["difference"] == pytest.approx(own - best, abs=1e-12)


def test_metrics_is_a_table_of_the_scores():
    table = cdnow().metrics
    assert list(table.columns[:4]) == ["candidate", "target", "actual_total", "predicted_total"]
    assert list(table.columns[4:]) == list(METRICS)
    assert len(table) == 14


def test_plain_data_is_json_and_the_same_twice():
    candidates = [ValueModel(), StoreFormula(), RunRate(), Twice(twice)]
    one, two = (compare(candidates).to_dict() for _ in range(2))
    text = json.dumps(one, allow_nan=False)
    assert text == json.dumps(two, allow_nan=False)
    assert json.dumps(json.loads(text)) == text
    shuffled = compare(candidates, sample().sample(frac=1, random_state=1)).to_dict()
    assert json.dumps(shuffled) == text


def test_it_prints_and_escapes():
    class Hostile(Twice):
        name = "<b>me</b>"

    found = compare([Hostile(twice)])
    assert "<b>" not in found._repr_html_()
    assert "&lt;b&gt;" in html.unescape(found._repr_html_())  # a page within an attribute
    for result in cdnow().results:
        assert result.name[:28] in str(cdnow())


def altered_after(cutoff):
    """The same past, another future."""
    rng = np.random.default_rng(5)
    orders = sample().copy()
    future = orders["date"] > cutoff
    orders.loc[future, "amount"] = rng.gamma(2, 100, future.sum())
    orders.loc[future, "customer_id"] = rng.permutation(orders.loc[future, "customer_id"])
    return pd.concat([orders[future][::3], orders[~future], orders[future].tail(1)])


def test_another_future_does_not_change_the_predictions():
    candidates = [ValueModel(), StoreFormula(), ChurnFormula(), RunRate(), LastPeriod()]
    one = compare(candidates)
    two = compare(candidates, altered_after("1997-09-30"), end="1998-06-30")
    assert [s["predicted_total"] for s in two.scores] == [s["predicted_total"] for s in one.scores]
    assert two.by_frequency["predicted"] == one.by_frequency["predicted"]
    assert two.by_frequency["actual"] != one.by_frequency["actual"]
    assert two.tracking["predicted"] == one.tracking["predicted"]
    assert two.results == one.results
    assert two.data["fingerprint"] != one.data["fingerprint"]


def test_without_amounts():
    found = compare([ValueModel(), LastPeriod()], value=None)
    assert found.targets == ("purchases",)
    assert (found.data["actual_value"], found.data["has_value"]) == (None, False)
    assert found.winner("purchases") == "BG/NBD + Gamma-Gamma"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cutoffs": ["1997-09-30", "1997-09-30"]}, ParameterError),
        ({"cutoffs": ["1997-06-30"], "n_cutoffs": 2}, ParameterError),
        ({"cutoffs": None, "n_cutoffs": 0}, ParameterError),
        ({"cutoffs": None, "n_cutoffs": 3}, DataError),
        ({"min_history": "300D"}, DataError),
        ({"horizon": []}, ParameterError),
        ({"horizon": ["13W", "91D"]}, ParameterError),
        ({"groups": ["cohort", "cohort"]}, ParameterError),
        ({"groups": ["chanel"]}, ClvError),
        ({"reference": "nobody"}, ParameterError),
        ({"bootstrap": -1}, ParameterError),
        ({"level": 1.0}, ParameterError),
        ({"cutoffs": []}, ParameterError),
        ({"candidates": []}, ParameterError),
        ({"cutoffs": ["1998-06-30"]}, DataError),
        ({"horizon": "40W"}, DataError),
        ({"value": "amout"}, ClvError),
        ({"unit": "w"}, ClvError),
    ],
    ids=str,
)
def test_errors(options, error):
    with pytest.raises(error):
        compare(
            options.get("candidates", [RunRate()]),
            **{k: v for k, v in options.items() if k != "candidates"},
        )


@pytest.mark.parametrize("customers", [1, 2])
def test_very_few_customers(customers):
    orders = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "b"],
            "date": ["2024-01-01", "2024-02-01", "2024-05-01", "2024-01-09", "2024-05-30"],
            "amount": [10.0, 20.0, 30.0, 5.0, 7.0],
        }
    ).head(3 if customers == 1 else 5)
    candidates = [RunRate(), LastPeriod(), StoreFormula()]
    found = compare(candidates, orders, cutoffs=["2024-03-01"], horizon=None)
    assert found.data["customers"] == customers
    assert [r.error for r in found.results] == [None] * 3
    json.dumps(found.to_dict(), allow_nan=False)
    str(found)
