"""Formulas and rules for single customers, worked by hand on a history of four."""

import numpy as np
import pytest
from value_cases import HAND, columns, shop

from clvmodel.errors import DataError, ParameterError, UnitError
from clvmodel.tables.summary import Summary
from clvmodel.value.rules import (
    AnnuityFormula,
    CohortFormula,
    HiatusRule,
    HistoricValue,
    Mean,
    TenureFormula,
)

MONTH = 365.25 / 12
RULES = [Mean(), HiatusRule(), HistoricValue(), TenureFormula(), AnnuityFormula(), CohortFormula()]
# ann: first day 0, T 399, x 2 (20, 30); bob T 299; cem T 99, x 1 (60); dee T 159


def test_mean():
    # the last 99 days (300..399] hold ann's third and cem's second purchase
    purchases, value = columns(Mean().fit(shop()).predict(shop(), "99D"))
    assert purchases == pytest.approx([2 / 4] * 4)
    assert value == pytest.approx([(30 + 60) / 4] * 4)


def test_mean_of_a_short_history_is_scaled_up():
    purchases, _ = columns(Mean().predict(shop(), "800D"))
    assert purchases == pytest.approx([2 * 7 / 4] * 4)


def test_hiatus_rule():
    found = HiatusRule("100D").fit(shop())
    table = found.predict(shop(), "200D")
    # silent: ann 19 days, bob 299, cem 49, dee 159
    assert table["p_purchase"].tolist() == [1, 0, 1, 0]
    purchases, value = columns(table)
    assert purchases == pytest.approx([2 / 399 * 200, 0, 1 / 99 * 200, 0])
    assert value == pytest.approx([2 / 399 * 200 * 25, 0, 1 / 99 * 200 * 60, 0])
    assert "100D" in found.assumptions


def test_hiatus_rule_gives_one_purchase_customers_the_rate_of_the_active():
    table = HiatusRule("160D").predict(shop(), "100D")
    rate = 3 / (399 + 99 + 159)
    assert columns(table, "purchases")[0][3] == pytest.approx(100 * rate)
    assert columns(table, "value")[0][3] == pytest.approx(100 * rate * 70)


def test_historic_value():
    purchases, value = columns(HistoricValue().predict(shop(), "200D"))
    assert purchases == pytest.approx([1.5, 0.5, 1, 0.5])
    assert value == pytest.approx([30, 20, 55, 35])


def test_tenure_formula():
    mean = (399 + 299 + 99 + 159) / 4
    purchases, value = columns(TenureFormula().predict(shop(), "100D"))
    assert purchases == pytest.approx([0, 0, 2 / 99 * 100, 1 / 159 * (mean - 159)])
    assert value == pytest.approx([0, 0, 110 / 99 * 100, 70 / 159 * (mean - 159)])


def test_annuity_formula():
    n, d = 12, 0.01
    factor = np.sqrt(1 + d) * ((1 + d) ** n - 1) / (d * (1 + d) ** n)
    purchases, value = columns(AnnuityFormula().predict(shop(), "12M"))
    assert value[0] == pytest.approx(60 / (399 / MONTH) * factor)
    assert purchases[0] == pytest.approx(3 / (399 / MONTH) * 12)
    plain = columns(AnnuityFormula(0).predict(shop(), "12M"), "value")[0]
    assert plain[1] == pytest.approx(40 / (299 / MONTH) * 12)
    near = columns(AnnuityFormula(1e-9).predict(shop(), "12M"), "value")[0]
    assert near == pytest.approx(plain, rel=1e-7)


def test_annuity_formula_counts_a_month_at_least():
    rows = [*HAND, ("new", 398, 90.0)]
    value = columns(AnnuityFormula(0).predict(shop(rows), "1M"), "value")[0]
    assert value[-1] == pytest.approx(90)


def test_cohort_curve_of_customers_of_one_age():
    """Two customers, one month of age each: the increments are means over both."""
    rows = [("a", 0, 5.0), ("b", 0, 5.0), ("a", 10, 7.0), ("b", 45, 9.0), ("b", 50, 2.0)]
    rows += [("z", 91, 1.0)]
    summary = shop(rows, end=None)
    found = CohortFormula().fit(summary)
    watched = (92, 92, 1)  # days of a, b and z, the first included

    def exposure(month):
        return sum(min(max(days - month * MONTH, 0), MONTH) for days in watched) / MONTH

    assert found.purchases[1] == pytest.approx(1 / exposure(0))
    assert found.purchases[2] - found.purchases[1] == pytest.approx(2 / exposure(1))
    assert found.value[2] - found.value[1] == pytest.approx(11 / exposure(1))
    purchases = columns(found.predict(summary, "1M"), "purchases")[0]
    assert purchases[2] == pytest.approx(found.purchases[1])  # z is new


def test_cohort_curve_goes_on_at_the_last_pace():
    found = CohortFormula().fit(shop())
    near, far = (columns(found.predict(shop(), h), "purchases")[0][0] for h in ("6M", "12M"))
    assert far - near == pytest.approx(6 * found.paces[0])
    # months 10 to 12: ann's third purchase, on day 380; ann was watched for all of them, bob not
    assert found.purchases.size - 1 == 13
    assert found.paces[0] == pytest.approx(1 / 3)
    assert "13 months" in found.assumptions


def test_cohort_curve_adds_up_over_steady_customers():
    """Everybody buys every 10 days: so does the forecast, whatever the age."""
    rows = [(f"c{j}", d, 2.0) for j in range(20) for d in range(j * 13, 400, 10)]
    summary = shop(rows)
    purchases, value = columns(CohortFormula().fit(summary).predict(summary, "90D"))
    assert purchases == pytest.approx([9.0] * 20, rel=0.06)
    assert value == pytest.approx([2 * p for p in purchases])


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_the_protocol(rule):
    found = rule.fit(shop())
    one, two = (found.predict(shop(), "90D", margin=m) for m in (1.0, 0.5))
    assert one["customer_id"].tolist() == ["ann", "bob", "cem", "dee"]
    assert two["expected_value"].tolist() == pytest.approx((one["expected_value"] / 2).tolist())
    assert (one["expected_purchases"] >= 0).all()
    assert found.assumptions[-1] == "."
    assert rule.kind in ("naive", "formula")
    weeks = found.predict(shop(unit="W"), "90D")
    assert weeks["expected_purchases"].tolist() == pytest.approx(one["expected_purchases"].tolist())
    without = shop(value=None)
    assert "expected_value" not in rule.fit(without).predict(without, "90D")
    with pytest.raises(UnitError):
        found.predict(shop(), "soon")
    with pytest.raises(DataError):
        rule.fit(shop()).predict("no summary", "90D")


@pytest.mark.parametrize("rule", [Mean(), CohortFormula()], ids=lambda r: r.name)
def test_a_summary_without_single_purchases(rule):
    table = Summary.from_frame(shop().frame.drop(columns=["first_purchase"]), unit="D")
    with pytest.raises(DataError, match="single purchases"):
        rule.fit(table).predict(table, "90D")


def test_a_rate_out_of_range():
    with pytest.raises(ParameterError, match="monthly_rate"):
        AnnuityFormula(-0.1).predict(shop(), "1M")
