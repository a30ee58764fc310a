"""The unit of a fit is the unit of its summary; another unit is the same law rescaled."""

import numpy as np
import pytest

import clvmodel as clv
from clvmodel.datasets import load_cdnow


@pytest.fixture(scope="module")
def weeks():
    return summary("W")


def summary(unit):
    return clv.summarize(
        load_cdnow(sample=True),
        customer="customer_id",
        date="date",
        value="amount",
        end="1997-09-30",
        unit=unit,
    )


def test_days_are_weeks_rescaled(weeks):
    in_weeks, in_days = (clv.fit(clv.BGNBD, data) for data in (weeks, summary("D")))
    assert (in_weeks.unit, in_days.unit) == ("W", "D")
    expected = in_weeks.model.rescaled(7).values()
    assert in_days.model.values() == pytest.approx(expected, rel=1e-8)
    np.testing.assert_allclose(in_days.covariance, in_weeks.covariance, rtol=1e-6)
    jacobian = weeks.frequency.sum() * np.log(7)
    assert in_days.log_likelihood == pytest.approx(in_weeks.log_likelihood - jacobian, rel=1e-11)


def test_money_knows_no_time(weeks):
    in_weeks, in_days = (clv.fit(clv.GammaGamma, data) for data in (weeks, summary("D")))
    assert in_days.model == in_weeks.model
    assert in_weeks.customers + in_weeks.left_out == len(weeks)


def test_arrays_are_days_unless_said(weeks):
    arrays = {"frequency": weeks.frequency, "recency": weeks.recency, "T": weeks.T}
    assert clv.fit(clv.BGNBD, arrays).unit == "D"
    assert clv.fit(clv.BGNBD, arrays, unit="W") == clv.fit(clv.BGNBD, weeks)
    assert "time in weeks" in str(clv.fit(clv.BGNBD, weeks))


def test_a_fit_of_a_frame_is_a_fit_of_its_summary(weeks):
    assert clv.fit(clv.BGNBD, weeks.frame, unit="W") == clv.fit(clv.BGNBD, weeks)
