"""Fit to the donations: the maximum to all known digits, by two implementations."""

import numpy as np
import pandas as pd
import pytest

import clvmodel as clv
from clvmodel.datasets import load_donations

# The maximum found with 50 digits; see values/README.md for the conventions.
MAXIMUM = {
    "alpha": "1.2035223516",
    "beta": "0.749716358173",
    "gamma": "0.656718208442",
    "delta": "2.78344223258",
}
LOG_LIKELIHOOD = "-33225.5812743"


@pytest.fixture(scope="module")
def donations():
    return load_donations()


@pytest.fixture(scope="module")
def fit(donations):
    return clv.fit(clv.BGBB, donations)


def test_the_data(donations):
    assert isinstance(donations, pd.DataFrame)
    assert list(donations) == ["frequency", "recency", "n", "weight"]
    assert all(kind == np.int64 for kind in donations.dtypes)
    assert (len(donations), donations["weight"].sum()) == (22, 11_104)
    assert (donations["n"] == 6).all()
    given = donations["weight"] @ donations["frequency"]
    assert given == 24_615  # gifts from 1996 to 2001
    assert not donations.duplicated(["frequency", "recency"]).any()


def test_every_possible_history_is_there(donations):
    """22 of them: none, or x <= t_x <= 6 gifts."""
    seen = set(zip(donations["frequency"], donations["recency"], strict=True))
    assert seen == {(0, 0)} | {(x, t_x) for t_x in range(1, 7) for x in range(1, t_x + 1)}


def test_native_fit_to_all_digits(fit):
    for parameter, digits in MAXIMUM.items():
        shown = f"{fit.parameters[parameter]:.12g}"
        assert float(shown) == pytest.approx(float(digits), rel=3e-11)
    assert f"{fit.log_likelihood:.7f}" == LOG_LIKELIHOOD
    assert fit.converged
    assert fit.gradient < 1e-9
    assert fit.customers == 11_104


def test_lifetimes_agrees(fit, donations):
    other = clv.fit(clv.BGBB, donations, engine="lifetimes")
    assert other.engine == "lifetimes"
    assert other.model.values() == pytest.approx(fit.model.values(), rel=1e-3)
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-3)
    assert other.customers == fit.customers


def test_donors_one_by_one_give_the_same_fit(fit, donations):
    """As a summary of 11,104 rows."""
    rows = donations.loc[donations.index.repeat(donations["weight"])].drop(columns="weight")
    summary = clv.OpportunitySummary.from_frame(rows, period="Y", end="2001-12-31")
    again = clv.fit(clv.BGBB, summary)
    assert len(summary.cells.weight) == 22
    assert again.model.values() == pytest.approx(fit.model.values(), rel=1e-10)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-13)
