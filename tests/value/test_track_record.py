"""Chances of single numbers, and expected tables of frequencies."""

import numpy as np
import pytest
from value_cases import cdnow_model, cdnow_weeks, fitted_at

import clvmodel as clv


def test_purchase_chances_are_the_model_s():
    summary, model = cdnow_weeks(), cdnow_model().purchases.model
    n = np.arange(len(summary)) % 5
    history = summary.frequency, summary.recency, summary.T
    exactly, upto = cdnow_model().purchase_chances(summary, n, "39W")
    assert exactly == pytest.approx(model.pmf(n, 39, *history), rel=1e-10)
    assert upto == pytest.approx(model.cdf(n, 39, *history), rel=1e-10)
    days, _ = cdnow_model().purchase_chances(summary.in_unit("D"), n, "273D")
    assert days == pytest.approx(exactly, rel=1e-9)


def test_expected_frequencies_are_those_of_simulated_customers():
    """Four standard errors of 200,000 simulated customers."""
    model = clv.BGNBD(0.6, 8.0, 0.7, 2.8)
    rng = np.random.default_rng(1)
    T = rng.integers(10, 40, 200_000).astype(float)
    drawn = model.simulate(T, seed=2)
    frame = {"frequency": drawn.x, "recency": drawn.t_x, "T": T}
    import pandas as pd

    summary = clv.Summary.from_frame(pd.DataFrame(frame), unit="W")
    expected = fitted_at(model, unit="W").expected_frequencies(summary, 7)
    actual = np.bincount(np.minimum(drawn.x, 7).astype(int), minlength=8)
    assert expected.sum() == pytest.approx(len(summary))
    assert np.all(np.abs(actual - expected) < 4 * np.sqrt(expected))


def test_expected_frequencies_of_the_papers():
    """Observed 1411, 439, 214, 100, 62, 38, 29, 64; the fit's chi-square is about 4.8."""
    expected = cdnow_model().expected_frequencies(cdnow_weeks())
    actual = np.array([1411, 439, 214, 100, 62, 38, 29, 64])
    assert ((actual - expected) ** 2 / expected).sum() == pytest.approx(4.82, abs=0.6)
