"""The naive forecasts, worked by hand."""

import numpy as np
import pytest
from value_cases import columns, shop

from clvmodel.errors import DataError
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT
from clvmodel.value.naive import LastPeriod, RunRate

NAIVE = pytest.mark.parametrize("naive", [RunRate(), LastPeriod()], ids=lambda n: n.name)


def test_run_rate():
    # repeat purchases / T: ann 2 / 399, cem 1 / 99; their mean repeat purchases 25 and 60
    purchases, value = columns(RunRate().fit(shop()).predict(shop(), "99D"))
    assert purchases == pytest.approx([2 * 99 / 399, 0, 1, 0])
    assert value == pytest.approx([50 * 99 / 399, 0, 60, 0])


def test_run_rate_of_a_customer_of_today():
    summary = shop([("old", 0, 1.0), ("new", 399, 5.0)])
    assert columns(RunRate().predict(summary, "1Y")) == [[0, 0], [0, 0]]


def test_last_period():
    # the last 160 days begin after day 239: dee's day 240 counts, also as a first purchase
    purchases, value = columns(LastPeriod().fit(shop()).predict(shop(), "160D"))
    assert purchases == [2, 0, 2, 1]
    assert value == [50, 0, 110, 70]
    # 159 days begin after day 240
    assert columns(LastPeriod().predict(shop(), "159D"))[0] == [2, 0, 2, 0]


def test_last_period_scales_a_history_that_is_too_short():
    purchases, value = columns(LastPeriod().predict(shop(), "1000D"))
    assert purchases == pytest.approx([2.5 * 3, 2.5, 2.5 * 2, 2.5])
    assert value == pytest.approx([2.5 * 60, 2.5 * 40, 2.5 * 110, 2.5 * 70])
    exactly = columns(LastPeriod().predict(shop(), "400D"))
    assert exactly == [[3, 1, 2, 1], [60, 40, 110, 70]]


@NAIVE
@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_the_unit_does_not_matter(naive, unit):
    for horizon in ("160D", "3Y"):
        one = columns(naive.predict(shop(), horizon))
        two = columns(naive.predict(shop(unit=unit), horizon))
        np.testing.assert_allclose(two, one, rtol=1e-12)


@NAIVE
def test_margin_and_missing_amounts(naive):
    third = naive.predict(shop(), "160D", margin=0.3)
    whole = naive.predict(shop(), "160D")
    np.testing.assert_allclose(third["expected_value"], 0.3 * whole["expected_value"])
    bare = naive.predict(shop(value=None), "160D")
    assert list(bare.columns) == ["customer_id", "expected_purchases"]
    assert bare["expected_purchases"].equals(whole["expected_purchases"])
    assert str(naive) == f"{naive.name}: {naive.assumptions}"


def test_a_summary_without_single_purchases():
    summary = Summary.from_frame(shop().frame, unit="D", end="2024-02-04")
    with pytest.raises(DataError, match="single purchases"):
        LastPeriod().fit(summary).predict(summary, "160D")
    assert columns(RunRate().predict(summary, "160D")) == columns(RunRate().predict(shop(), "160D"))
