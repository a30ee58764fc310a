"""Posteriors whose law is known: normal, skewed, bent, flat, with far or heavy tails.

A quantile of n draws, worth m independent ones, misses its level by about the square root of
level (1 - level) (1 / m + 1 / n). 4.5 of these standard errors are allowed; seeds are fixed.
"""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import gammainc, ndtr

import clvmodel as clv
import clvmodel.fitting.posterior as engine
from clvmodel.errors import MissingDependencyError, ParameterError
from clvmodel.fitting.posterior import Posterior, laplace_posterior, sample_posterior
from clvmodel.tables.cells import collapse

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def as_they_are(points):
    return points


def sample(log_density, mode, covariance, bounds=50.0, n=4000, seed=1, to_natural=as_they_are):
    names = [f"p{i}" for i in range(len(mode))]
    return sample_posterior(log_density, mode, covariance, bounds, n, seed, names, to_natural)


def normal(points):
    return -np.sum(points**2, axis=1) / 2


def student(points):
    """Multivariate t with 2 degrees of freedom: no variance, tails that no proposal covers."""
    return -(2 + points.shape[1]) / 2 * np.log1p(np.sum(points**2, axis=1) / 2)


def assert_law(posterior, *chances):
    """Each parameter has its distribution function, within Monte Carlo error."""
    variance = 1 / posterior.effective_size + 1 / len(posterior.draws)
    for name, chance in zip(posterior.names, chances, strict=True):
        for level in LEVELS:
            error = np.sqrt(level * (1 - level) * variance)
            assert abs(chance(np.quantile(posterior[name], level)) - level) < 4.5 * error


@pytest.mark.parametrize("spread", [0.2, 1.0, 5.0])
def test_a_normal_whatever_the_covariance_says(spread):
    factor = np.array([[1.0, 0, 0], [-2.0, 0.3, 0], [0.5, 0.1, 10.0]])
    inverse = np.linalg.inv(factor)
    centre = np.array([1.0, -2.0, 3.0])
    posterior = sample(
        lambda p: normal((p - centre) @ inverse.T),
        centre,
        spread**2 * factor @ factor.T,
        bounds=200.0,
        to_natural=lambda p: (p - centre) @ inverse.T,
    )
    assert posterior.method == "psis"
    assert posterior.trusted
    assert posterior.khat < 0.5
    assert_law(posterior, ndtr, ndtr, ndtr)
    standard_error = 1 / np.sqrt(posterior.effective_size)
    np.testing.assert_allclose(posterior.draws.mean(axis=0), 0, atol=4.5 * standard_error)
    covariance = np.cov(posterior.draws.T)
    np.testing.assert_allclose(covariance, np.eye(3), atol=4.5 * np.sqrt(2) * standard_error)


def test_a_normal_needs_few_duplicates():
    posterior = sample(normal, np.zeros(4), np.eye(4))
    assert posterior.effective_size > 0.75 * 6000
    assert len(np.unique(posterior.draws, axis=0)) > 0.97 * 4000


@pytest.mark.parametrize("shape", [0.2, 2.0, 30.0])
def test_a_gamma_on_the_log_scale(shape):
    posterior = sample(
        lambda p: np.sum(shape * p - np.exp(p), axis=1),
        np.full(2, np.log(shape)),
        np.eye(2) / shape,
        to_natural=np.exp,
    )
    assert posterior.method == "psis"
    assert_law(posterior, *[lambda q: gammainc(shape, q)] * 2)
    assert (posterior.draws > 0).all()


def test_a_banana():
    posterior = sample(
        lambda p: normal(np.column_stack([p[:, 0], p[:, 1] - p[:, 0] ** 2])),
        np.zeros(2),
        np.eye(2),
        to_natural=lambda p: np.column_stack([p[:, 0], p[:, 1] - p[:, 0] ** 2]),
    )
    assert posterior.trusted
    assert_law(posterior, ndtr, ndtr)


def test_a_ridge_up_to_the_walls():
    """A normal peak on a winding ridge, which holds a sixth of the posterior."""
    wall, low = 13.8, np.exp(-4)
    peak = np.sqrt(2 * np.pi)

    def log_density(points):
        along, across = points.T
        ridge = np.logaddexp(-(along**2) / 2, -4)
        return ridge - (across - np.sin(along)) ** 2 / (2 * 0.3**2)

    def chance(q):
        return (peak * ndtr(q) + low * (q + wall)) / (peak + 2 * low * wall)

    posterior = sample(
        log_density,
        np.zeros(2),
        0.3 * np.eye(2),
        bounds=wall,
        to_natural=lambda p: np.column_stack([p[:, 0], (p[:, 1] - np.sin(p[:, 0])) / 0.3]),
    )
    assert posterior.trusted
    assert_law(posterior, chance, ndtr)
    assert posterior.at_wall == ("p0",)
    assert "do not bound p0" in posterior.message


def test_a_flat_direction_in_a_box():
    posterior = sample(
        lambda p: -(p[:, 0] ** 2) / 2, np.zeros(2), np.diag([1.0, 1e8]), bounds=np.array([50, 3])
    )
    assert posterior.method == "psis"
    assert np.abs(posterior["p1"]).max() <= 3
    assert_law(posterior, ndtr, lambda q: (q + 3) / 6)
    assert posterior.at_wall == ("p1",)


def test_a_mode_at_the_wall():
    """Density exp(p0) below the wall, where the covariance knows nothing."""
    posterior = sample(
        lambda p: p[:, 0] - p[:, 1] ** 2 / 2, [5.0, 0.0], np.diag([1e6, 1.0]), bounds=5.0
    )
    assert_law(posterior, lambda q: np.exp(q - 5), ndtr)


def test_a_mode_in_the_corner():
    posterior = sample(lambda p: np.sum(p, axis=1), np.full(4, 5.0), 1e6 * np.eye(4), bounds=5.0)
    assert_law(posterior, *[lambda q: np.exp(q - 5)] * 4)


def test_a_box_of_any_size():
    assert_law(sample(normal, np.zeros(2), np.eye(2), bounds=np.inf), ndtr, ndtr)


def test_heavy_tails_are_left_to_markov_chains():
    posterior = sample(student, np.zeros(4), np.eye(4), bounds=1e4, n=1000)
    assert posterior.method == "mcmc"
    assert posterior.khat > 0.7
    assert posterior.r_hat < 1.05
    assert posterior.effective_size > 400
    assert posterior.trusted
    assert_law(posterior, *[lambda q: 0.5 + q / (2 * np.sqrt(2 + q * q))] * 4)
    assert f"k-hat {posterior.khat:.2f}" in posterior.message
    assert f"R-hat {posterior.r_hat:.3f}" in posterior.message


@pytest.fixture
def never_sure(monkeypatch):
    """No k-hat is good enough."""
    monkeypatch.setattr(engine, "SURE", -np.inf)
    monkeypatch.setattr(engine, "trusted_below", lambda _: -np.inf)


@pytest.mark.usefixtures("never_sure")
def test_markov_chains_of_a_normal():
    posterior = sample(normal, np.zeros(2), np.eye(2), n=4000)
    assert posterior.method == "mcmc"
    assert posterior.trusted
    assert_law(posterior, ndtr, ndtr)
    chains = posterior["p0"].reshape(-1, posterior.chains)
    assert np.mean(chains[1:] == chains[:-1]) > 0.05  # draw i and draw i + chains: the same walker


@pytest.mark.usefixtures("never_sure")
def test_chains_that_have_not_mixed_are_called_so(monkeypatch):
    monkeypatch.setattr(engine, "_DOUBLINGS", 1)
    monkeypatch.setattr(engine, "MIXED", 1.0)
    posterior = sample(normal, np.zeros(2), np.eye(2), n=100)
    assert not posterior.trusted
    assert "have not mixed" in str(posterior)


@pytest.mark.parametrize("n", [1, 10, 333])
@pytest.mark.parametrize("way", ["", "never_sure"])
def test_any_number_of_draws(n, way, request):
    if way:
        request.getfixturevalue(way)
    posterior = sample(normal, np.zeros(2), np.eye(2), n=n)
    assert posterior.draws.shape == (n, 2)
    assert posterior.method == ("mcmc" if way else "psis")


def test_more_proposals_where_many_are_wasted():
    """Twenty skewed parameters: a proposal that covers them all is far wider than they are."""
    posterior = sample(lambda p: 3 * np.sum(p - np.exp(p), axis=1), np.zeros(20), np.eye(20) / 3)
    assert posterior.method == "psis"
    assert posterior.effective_size > 1000
    assert_law(posterior, *[lambda q: gammainc(3, 3 * np.exp(q))] * 20)


def test_blocks_of_draws():
    sizes = []

    def log_density(points):
        sizes.append(len(points))
        return normal(points)

    names = ("a", "b")
    posterior = sample_posterior(
        log_density, np.zeros(2), np.eye(2), 9.0, 1000, 1, names, np.exp, block=7
    )
    assert max(sizes) == 7
    whole = sample_posterior(normal, np.zeros(2), np.eye(2), 9.0, 1000, 1, names, np.exp)
    np.testing.assert_array_equal(posterior.draws, whole.draws)


def test_nobody_is_asked_outside_the_box():
    def log_density(points):
        assert (np.abs(points) <= 1.5).all()
        return normal(points)

    posterior = sample(log_density, np.zeros(2), np.eye(2), bounds=1.5)
    assert_law(posterior, *[lambda q: (ndtr(q) - ndtr(-1.5)) / (1 - 2 * ndtr(-1.5))] * 2)


@pytest.mark.parametrize("way", ["", "never_sure"])
def test_seeds(way, request):
    if way:
        request.getfixturevalue(way)
    one, same, other = (
        sample(normal, np.zeros(2), np.eye(2), n=500, seed=seed).draws
        for seed in (7, np.random.default_rng(7), 8)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


CASES = {
    "n": ({"n": 0}, "n == 0"),
    "half a draw": ({"n": 1.5}, "n == 1.5"),
    "mode outside": ({"mode": [9.0, 0.0]}, "mode"),
    "mode unknown": ({"mode": [np.nan, 0.0]}, "mode"),
    "covariance of three": ({"covariance": np.eye(3)}, "covariance"),
    "covariance unknown": ({"covariance": np.full((2, 2), np.nan)}, "covariance"),
    "names": ({"names": ["a"]}, "names"),
    "nan": ({"log_density": lambda p: np.where(p[:, 0] > 1, np.nan, 0.0)}, "log_density == .*nan"),
    "inf": ({"log_density": lambda p: np.where(p[:, 0] > 1, np.inf, 0.0)}, "log_density == .*inf"),
    "no density": ({"log_density": lambda p: np.full(len(p), -np.inf)}, "at the mode"),
}


@pytest.mark.parametrize(("wrong", "words"), CASES.values(), ids=CASES)
def test_refusals(wrong, words):
    right = {
        "log_density": normal,
        "mode": np.zeros(2),
        "covariance": np.eye(2),
        "bounds": 5.0,
        "n": 100,
        "seed": 1,
        "names": ["a", "b"],
        "to_natural": as_they_are,
    }
    with pytest.raises(ParameterError, match=words):
        sample_posterior(**right | wrong)


def test_laplace():
    factor = np.array([[1.0, 0.0], [0.8, 0.6]])
    posterior = laplace_posterior(
        [1.0, 2.0], factor @ factor.T, 50.0, 4000, 1, ["a", "b"], lambda p: p - [1.0, 2.0]
    )
    assert posterior.method == "laplace"
    assert np.isnan(posterior.khat)
    assert not posterior.trusted
    assert "not checked" in posterior.message
    assert_law(posterior, ndtr, ndtr)
    assert np.corrcoef(posterior.draws.T)[0, 1] == pytest.approx(0.8, abs=0.03)


def test_laplace_stays_in_the_box():
    posterior = laplace_posterior(
        [3.0, 0.0], np.diag([1e9, 1.0]), 3.0, 500, 1, ["a", "b"], as_they_are
    )
    assert np.abs(posterior.draws).max() <= 3
    assert len(np.unique(posterior.draws, axis=0)) == 500


@pytest.fixture(scope="module")
def cdnow():
    """Draws of BG/NBD for the CDNOW sample, in weeks, with the fit."""
    orders = clv.datasets.load_cdnow(sample=True)
    summary = clv.summarize(orders, customer="customer_id", date="date", end="1997-09-30", unit="W")
    fit = clv.fit(clv.BGNBD, summary)
    cells = collapse([summary.frequency, summary.recency, summary.T])

    def log_density(points):
        each = clv.BGNBD.from_log(points.T[:, :, None]).log_likelihood(*cells.columns)
        return each @ cells.weight

    mode = np.log(fit.model.values())
    names = clv.BGNBD.names()
    return fit, sample_posterior(
        log_density, mode, fit.covariance, 16.0, 4000, 1, names, lambda p: np.exp(p)
    )


def test_cdnow(cdnow):
    """Much data: nearly normal on the log scale, in nearly independent draws."""
    fit, posterior = cdnow
    assert posterior.method == "psis"
    assert posterior.khat < 0.3
    assert posterior.effective_size > 4000
    assert posterior.at_wall == ()
    spread = np.log(posterior.draws).std(axis=0)
    np.testing.assert_allclose(spread, np.sqrt(np.diag(fit.covariance)), rtol=0.15)
    for name, (low, high) in posterior.interval(0.9).items():
        assert low < fit.parameters[name] < high


def test_what_a_posterior_shows(cdnow):
    posterior = cdnow[1]
    np.testing.assert_array_equal(posterior["alpha"], posterior.draws[:, 1])
    assert list(posterior) == ["r", "alpha", "a", "b"]
    assert dict(posterior).keys() == {"r", "alpha", "a", "b"}
    low, high = posterior.interval(0.8)["a"]
    assert ((posterior["a"] >= low) & (posterior["a"] <= high)).mean() == pytest.approx(
        0.8, abs=1e-3
    )
    table = posterior.table(0.8)
    assert list(table.index) == ["r", "alpha", "a", "b"]
    assert list(table.columns) == ["mean", "median", "std", "low", "high"]
    assert table.loc["a", "low"] == low
    assert posterior.rows(0.8)[2]["high"] == high
    text = str(posterior)
    assert "alpha" in text
    assert f"4,000 draws by importance sampling: Pareto k-hat {posterior.khat:.2f}" in text
    assert "<pre>" in posterior._repr_html_()
    with pytest.raises(ParameterError, match="parameter == 'gamma'"):
        posterior["gamma"]
    with pytest.raises(ParameterError, match="level"):
        posterior.interval(95)


def test_draws_are_read_only_and_travel(cdnow):
    posterior = cdnow[1]
    with pytest.raises(ValueError, match="read-only"):
        posterior.draws[0, 0] = 1
    again = pickle.loads(pickle.dumps(posterior))
    np.testing.assert_array_equal(again.draws, posterior.draws)
    assert again.message == posterior.message


def posterior_of(n, chains):
    draws = np.arange(2.0 * n).reshape(n, 2)
    method = "psis" if chains == 1 else "mcmc"
    return Posterior(("a", "b"), draws, method, 0.1, float(n), 1.0, chains)


@pytest.mark.parametrize("version", ["0.17.1", "0.23.4", "1.3.0"])
def test_to_arviz(monkeypatch, version):
    def from_dict(data=None, *, posterior=None):
        return posterior if version < "1" else data["posterior"]

    monkeypatch.setitem(
        sys.modules, "arviz", SimpleNamespace(__version__=version, from_dict=from_dict)
    )
    one = posterior_of(6, 1).to_arviz()
    np.testing.assert_array_equal(one["a"], [[0, 2, 4, 6, 8, 10]])
    three = posterior_of(7, 3).to_arviz()
    np.testing.assert_array_equal(three["b"], [[1, 7], [3, 9], [5, 11]])
    assert posterior_of(2, 32).to_arviz()["a"].shape == (2, 1)


@pytest.mark.filterwarnings("ignore:(?s).*ArviZ is undergoing:FutureWarning")  # once a day
def test_to_the_arviz_that_is_installed():
    data = posterior_of(8, 2).to_arviz()["posterior"]
    assert data["a"].dims == ("chain", "draw")
    np.testing.assert_array_equal(data["a"].values, [[0, 4, 8, 12], [2, 6, 10, 14]])


def test_without_arviz(monkeypatch):
    monkeypatch.setitem(sys.modules, "arviz", None)
    with pytest.raises(MissingDependencyError, match="to_arviz"):
        posterior_of(4, 1).to_arviz()
