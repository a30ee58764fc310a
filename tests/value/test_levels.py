"""Formulas per segment and per customer: by hand, and adding up to the whole base."""

import numpy as np
import pytest
from value_cases import CDNOW, HAND, columns, shop

from clvmodel.datasets import load_cdnow
from clvmodel.errors import ParameterError
from clvmodel.tables.summarize import summarize
from clvmodel.value.churn_formulas import ChurnFormula, RetentionFormula
from clvmodel.value.formulas import CourseFormula, ProfitRetention, StoreFormula
from clvmodel.value.levels import segment_of
from clvmodel.value.rfm import RFM
from clvmodel.value.segment_rules import ELEVEN

YEARS = 400 / 365.25
MONTH = 365.25 / 12
FORMULAS = [StoreFormula, ProfitRetention, CourseFormula, ChurnFormula, RetentionFormula]


@pytest.fixture(scope="module")
def cdnow():
    return summarize(load_cdnow(sample=True), **CDNOW, end="1997-09-30")


def test_store_formula_per_customer_by_hand():
    """Own revenue and orders over the history of 400 days, lifespan of the base."""
    found = StoreFormula(level="customer").fit(shop())
    assert found.name == "Store formula per customer"
    purchases, value = columns(found.predict(shop(), "1Y"))
    assert purchases == pytest.approx([3 / YEARS, 1 / YEARS, 2 / YEARS, 1 / YEARS])
    assert value == pytest.approx([v / YEARS for v in (60, 40, 110, 70)])


def test_profit_retention_per_customer_by_hand():
    found = ProfitRetention(2, level="customer").fit(shop())
    year = 365.25 / 365.25
    value = columns(found.predict(shop(), "1Y"), "value")[0]
    # the last 365 days leave out ann's first purchase
    assert value == pytest.approx([v / year for v in (50, 40, 110, 70)], rel=2e-3)


def test_course_formula_by_hand():
    found = CourseFormula().fit(shop())
    # 7 orders of 4 customers, 2 of whom came back: churn 1/2, a lifespan of two histories
    assert found.lifespan == pytest.approx(2 * YEARS)
    assert found.lifetime_value == pytest.approx(280 / 4 / 0.5)
    assert columns(found.predict(shop(), "1Y"), "value")[0] == pytest.approx([70 / YEARS] * 4)
    assert "churn 50%" in found.assumptions


def test_course_formula_without_churn_lasts_for_ever():
    found = CourseFormula().fit(shop([("a", 0, 1.0), ("a", 9, 1.0)]))
    assert found.lifespan == np.inf
    assert found.lifetime_value == np.inf


def test_lifespan_from_churn():
    rows = [("a", 0, 1.0), ("a", 250, 1.0), ("b", 10, 1.0), ("c", 0, 1.0), ("c", 399, 2.0)]
    # of those who bought in the first 200 days (a, b, c), a and c bought in the last 200
    found = StoreFormula("churn").fit(shop(rows))
    annual = 1 - (2 / 3) ** (365.25 / 200)
    assert found.lifespan == pytest.approx(1 / annual)


def test_retention_formula_by_hand():
    rows = [("old", 0, 1.0), *[(n, 250, 10.0) for n in "abcd"], ("a", 350, 20.0), ("b", 399, 40.0)]
    found = RetentionFormula(discount_rate=0.1).fit(shop(rows))
    months = 90 / MONTH
    r = 0.5 ** (1 / months)  # two of four are kept over 90 days
    d = 1.1 ** (1 / 12) - 1
    m = 60 / 2 / months
    assert found.lifetime_value == pytest.approx(m * r / (1 + d - r))
    at_once = RetentionFormula(discount_rate=0.1, immediate=True).fit(shop(rows))
    assert at_once.lifetime_value == pytest.approx(m * r / (1 + d - r) + m)
    value = columns(found.predict(shop(rows), "2M"), "value")[0]
    k = r / (1 + d)
    assert value == pytest.approx([m * (k + k**2)] * 2 + [0, 0, 0])
    given = RetentionFormula(monthly_retention=0.8).fit(shop(rows))
    assert given.lifetime_value == pytest.approx(m * 0.8 / 0.2)


def test_the_churn_formula_is_the_retention_formula_with_the_margin_at_once():
    one = ChurnFormula().fit(shop()).predict(shop(), "7M")
    other = RetentionFormula(immediate=True).fit(shop()).predict(shop(), "7M")
    assert one.equals(other)


@pytest.mark.parametrize("formula", [StoreFormula, CourseFormula])
@pytest.mark.parametrize("level", ["segment", "customer"])
def test_levels_add_up_to_the_base(formula, level, cdnow):
    """Within the lifespan, parts of the base are the base; each customer's share differs."""
    whole = formula().fit(cdnow).predict(cdnow, "90D")
    parts = formula(level=level).fit(cdnow).predict(cdnow, "90D")
    for name in ("expected_purchases", "expected_value"):
        assert parts[name].sum() == pytest.approx(whole[name].sum())
        assert parts[name].nunique() > 5 > whole[name].nunique()


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("level", ["segment", "customer"])
def test_each_segment_is_the_base_of_its_own(formula, level, cdnow):
    """A base of one segment, or one customer, that knows the same lifespan forecasts alike."""
    found = formula(level=level).fit(cdnow)
    table = found.predict(cdnow, "90D")
    assert (table["expected_purchases"] >= 0).all()
    assert np.isfinite(table["expected_value"]).all()
    if level == "segment":
        code = segment_of(RFM().fit(cdnow), cdnow)
        active = np.asarray(cdnow.T - cdnow.recency) < 90
        for segment in np.unique(code):
            for some in (active, ~active):
                chosen = table["expected_value"][(code == segment) & some]
                assert chosen.nunique() <= 1
    assert found.assumptions.startswith(f"per {'RFM segment' if level == 'segment' else level}")


@pytest.mark.parametrize("formula", FORMULAS)
def test_an_unknown_level(formula):
    with pytest.raises(ParameterError, match="level == 'cohort'"):
        formula(level="cohort").fit(shop())


@pytest.mark.parametrize(
    "formula",
    [RetentionFormula(monthly_retention=1.0), RetentionFormula(discount_rate=-0.1)],
)
def test_rates_out_of_range(formula):
    with pytest.raises(ParameterError):
        formula.fit(shop())


def test_scores_and_segments_by_hand():
    """Five customers apart in everything: one for each score."""
    rows = [("e", 399, 100.0)] + [("e", d, 100.0) for d in (10, 20, 30, 40)]
    rows += [("d", d, 20.0) for d in (300, 200, 150, 100)]
    rows += [("c", d, 10.0) for d in (250, 120, 110)]
    rows += [("b", d, 5.0) for d in (160, 130)] + [("a", 50, 1.0)]
    summary = shop(rows)
    rfm = RFM().fit(summary)
    assert [s.tolist() for s in rfm.scores(summary)] == [[1, 2, 3, 4, 5]] * 3
    named = [ELEVEN.names[c] for c in segment_of(rfm, summary)]
    assert named == ["Lost", "Hibernating", "Potential Loyalist", "Loyal", "Champions"]


def test_customers_alike_share_a_segment(cdnow):
    rfm = RFM().fit(cdnow)
    codes = segment_of(rfm, cdnow)
    order = np.random.default_rng(0).permutation(len(cdnow))
    assert (segment_of(rfm, cdnow.take(order)) == codes[order]).all()


def test_without_amounts_money_is_the_number_of_purchases():
    summary = shop(HAND, value=None)
    counted = shop([(who, day, 1.0) for who, day, _ in HAND])
    rfm = RFM().fit(counted)
    assert (segment_of(rfm, summary) == segment_of(rfm, counted)).all()
    assert "expected_value" not in StoreFormula(level="segment").fit(summary).predict(summary, "1M")
