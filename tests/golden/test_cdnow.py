"""Fits to the CDNOW sample: the maximum to all known digits, by two implementations."""

import numpy as np
import pytest

import clvmodel as clv

# Maxima found with 50 digits; see values/README.md for the conventions.
MAXIMA = {
    "BGNBD": ({"r": "0.24259452", "alpha": "4.41360202", "a": "0.79292202", "b": "2.42590678"}),
    "MBGNBD": {"r": "0.52484316", "alpha": "6.18308528", "a": "0.89135939", "b": "1.61400224"},
    "ParetoNBD": {
        "r": "0.55327705",
        "alpha": "10.57768346",
        "s": "0.60623999",
        "beta": "11.66873529",
    },
    "GammaGamma": {"p": "6.24957227", "q": "3.74422467", "gamma": "15.44352096"},
}
LOG_LIKELIHOODS = {
    "BGNBD": "-9582.429207",
    "MBGNBD": "-9582.135716",
    "ParetoNBD": "-9594.976179",
    "GammaGamma": "-4055.917695",
}
# Per customer, of purchases in the 39 weeks held out: mean absolute, root of mean square.
HOLDOUT_ERRORS = {
    "BGNBD": ("0.785454", "1.607982"),
    "MBGNBD": ("0.764779", "1.607183"),
    "ParetoNBD": ("0.754523", "1.602848"),
}
MODELS = pytest.mark.parametrize("name", MAXIMA)


def test_the_data(cdnow, cdnow_whole):
    repeats = cdnow.frequency > 0
    held_out = cdnow_whole.frequency - cdnow.frequency
    assert (len(cdnow), repeats.sum(), cdnow.frequency.sum()) == (2357, 946, 2457)
    assert (cdnow.T.min(), cdnow.T.max()) == (27.0, 272 / 7)
    assert held_out.sum() == 1882


@MODELS
def test_native_fit_to_all_digits(name, cdnow):
    fit = clv.fit(getattr(clv, name), cdnow)
    for parameter, digits in MAXIMA[name].items():
        assert f"{fit.parameters[parameter]:.8f}" == digits
    assert f"{fit.log_likelihood:.6f}" == LOG_LIKELIHOODS[name]
    assert fit.converged
    assert fit.gradient < 1e-9


@MODELS
def test_lifetimes_agrees(name, cdnow):
    native = clv.fit(getattr(clv, name), cdnow)
    other = clv.fit(getattr(clv, name), cdnow, engine="lifetimes")
    assert other.engine == "lifetimes"
    near = 5e-3 if name == "ParetoNBD" else 1e-4  # there its search begins at random, ends early
    assert other.model.values() == pytest.approx(native.model.values(), rel=near)
    assert other.log_likelihood == pytest.approx(native.log_likelihood, abs=1e-4)
    assert other.customers == native.customers


@pytest.mark.parametrize("name", HOLDOUT_ERRORS)
def test_holdout_errors(name, cdnow, cdnow_whole):
    model = clv.fit(getattr(clv, name), cdnow).model
    expected = model.expected_purchases(39, cdnow.frequency, cdnow.recency, cdnow.T)
    error = expected - (cdnow_whole.frequency - cdnow.frequency)
    assert f"{np.abs(error).mean():.6f}" == HOLDOUT_ERRORS[name][0]
    assert f"{np.sqrt((error**2).mean()):.6f}" == HOLDOUT_ERRORS[name][1]
