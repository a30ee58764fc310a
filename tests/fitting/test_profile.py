"""Profile intervals: ends where the best of all other parameters has lost just so much."""

import pickle

import numpy as np
import pytest
from cases import POINTS, Case, cases
from covariate_cases import Known, fitted
from scipy.optimize import minimize
from scipy.stats import binom, chi2

import clvmodel as clv
from clvmodel.fitting import profile as module
from clvmodel.models import MODELS

SIZE = 2000
CDNOW = Case(*POINTS["BGNBD"][0])
DOLLARS = Case(*POINTS["GammaGamma"][0])
first_points = pytest.mark.parametrize("case", [c for c in cases(MODELS) if c.id.endswith("-0")])
purchases_and_spend = pytest.mark.parametrize("case", [CDNOW, DOLLARS], ids=["BGNBD", "GammaGamma"])
with_covariates = pytest.mark.parametrize(
    "known", [Known(CDNOW), Known(DOLLARS)], ids=["BGNBD", "GammaGamma"]
)


def fit_of(case, size=SIZE, seed=1, **options):
    return clv.fit(type(case.model), case.data(size, seed), **options)


def profile(fit, level=0.95):
    return fit.interval(level, method="profile")


def assert_same(got, expected, rel):
    assert list(got) == list(expected)
    for name, ends in expected.items():
        assert got[name] == pytest.approx(ends, rel=rel), name


@first_points
def test_the_estimate_lies_within_and_levels_are_nested(case):
    fit = fit_of(case, size=400)
    wide, narrow = profile(fit, 0.9), profile(fit, 0.5)
    for name, value in fit.parameters.items():
        assert 0 < wide[name][0] < narrow[name][0] < value
        assert value < narrow[name][1] <= wide[name][1]
        assert narrow[name][1] < wide[name][1] or narrow[name][1] == np.inf


@purchases_and_spend
def test_much_data_make_it_the_delta_interval(case):
    """The gap falls with the number of customers: a few percent of an error at a million."""
    fit = fit_of(case, weight=np.full(SIZE, 500.0))
    error = np.sqrt(np.diag(fit.covariance))
    pairs = zip(profile(fit).values(), fit.interval().values(), error, strict=True)
    for ends, delta, size in pairs:
        assert np.abs(np.log(ends) - np.log(delta)).max() < 0.05 * size


@first_points
def test_other_units_of_time_and_money(case):
    data, kind = case.data(400, seed=2), type(case.model)
    fit = clv.fit(kind, data)
    factor = 7.0 if kind.scaled else 1.0
    other = {k: v * factor if k in kind.scaled else v for k, v in data.items()}
    lows, highs = zip(*profile(fit, 0.6).values(), strict=True)
    expected = []
    for ends in (lows, highs):
        inner = [v if 0 < v < np.inf else 1.0 for v in ends]
        moved = np.array(kind(*inner).rescaled(factor).values()) / inner
        expected.append(np.array(ends) * moved)
    got = np.array(list(profile(clv.fit(kind, other), 0.6).values())).T
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def value_of(kind, data, penalty=0.0):
    """Minus the objective in log-parameters, from the model's own density."""
    columns = [np.asarray(data[name], float) for name in kind.columns]
    total = len(columns[0])
    scale = columns[-1].mean()
    unit = np.log(kind.from_log(np.zeros(len(kind.names()))).rescaled(scale).values())

    def objective(logs):
        value = kind.from_log(logs).log_likelihood(*columns).sum()
        return -value + penalty * total * ((logs - unit) ** 2).sum()

    return objective


def best(objective, start, held, value):
    """The least objective with one coordinate held: another optimiser, without derivatives."""
    free = np.arange(len(start)) != held

    def inner(x):
        full = np.array(start)
        full[free], full[held] = x, value
        return objective(full)

    x = np.array(start)[free]
    for _ in range(2):
        options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000}
        x = minimize(inner, x, method="Nelder-Mead", options=options).x
    return inner(x)


@pytest.mark.parametrize("penalty", [0.0, 0.02])
@purchases_and_spend
def test_ends_lose_what_chi_squared_allows(case, penalty):
    """Against an optimiser that knows nothing of the engine, or of gradients."""
    kind, data = type(case.model), case.data(1000, seed=3)
    some = data[kind.columns[-1]] > 0
    data = {name: column[some] for name, column in data.items()}
    fit = clv.fit(kind, data, penalty=penalty)
    objective, top = value_of(kind, data, penalty), np.log(fit.model.values())
    for i, ends in enumerate(profile(fit, 0.5).values()):
        for end in ends:
            loss = 2 * (best(objective, top, i, np.log(end)) - objective(top))
            assert loss == pytest.approx(chi2(1).ppf(0.5), abs=2e-4)


@with_covariates
def test_ends_lose_what_chi_squared_allows_with_covariates(known):
    """With one parameter held, no other direction of the rest gains: the end is on the profile."""
    fit = fitted(known)
    data = known.data(2000, seed=1)
    columns = [data[name].copy() for name in known.kind.columns]
    columns[0][columns[-1] == 0] = 0
    names = len(known.case.model.names())

    def height(vector):
        base = known.kind(*np.exp(vector[:names]))
        pairs = zip(fit.model.coefficients, vector[names:], strict=True)
        entries = tuple((parameter, label, float(v)) for (parameter, label, _), v in pairs)
        model = clv.CovariateModel(base, fit.model.design, entries)
        return float(model.at(data).log_likelihood(*columns).sum())

    values = np.array(fit.model.values())
    top = np.concatenate([np.log(values[:names]), values[names:]])
    covariance, quantile = fit.covariance, chi2(1).ppf(0.5)
    ends = profile(fit, 0.5)
    for i in (1, names, names + 1):
        free = np.arange(top.size) != i
        for end in list(ends.values())[i]:
            end = np.log(end) if i < names else end
            line = top + covariance[:, i] / covariance[i, i] * (end - top[i])
            root = np.linalg.cholesky(np.linalg.inv(np.linalg.inv(covariance)[free][:, free]))

            def loss(x, line=line, root=root, free=free):
                moved = line.copy()
                moved[free] += root @ x
                return 2 * (fit.log_likelihood - height(moved))

            found = minimize(loss, np.zeros(free.sum()), method="BFGS", options={"gtol": 1e-3})
            assert found.fun == pytest.approx(quantile, abs=1e-3)


@with_covariates
def test_units_and_origin_of_a_covariate(known):
    """However far from 0 it is counted; its coefficient is per unit."""
    data, fit = known.data(500, seed=1), fitted(known, 500)
    moved = {**data, "age": 12 * (data["age"] + 80)}
    got, expected = profile(known.fit(moved), 0.5), profile(fit, 0.5)
    base = next(iter(known.chosen))
    for name, ends in expected.items():
        factor = 12 if name.endswith(": age") else 1
        if name != base:
            assert np.array(got[name]) * factor == pytest.approx(ends, rel=1e-5)
    low, high = got[base]
    assert 0 < low < known.fit(moved).parameters[base] < high < np.inf


def loyal():
    """Customers who never leave, with different rates."""
    rng = np.random.default_rng(1)
    T = rng.uniform(50, 100, 300)
    x = rng.poisson(rng.gamma(1, 0.05, 300) * T).astype(float)
    return {"frequency": x, "recency": np.where(x > 0, T * rng.beta(x + 1e-9, 1), 0), "T": T}


def test_open_where_nobody_leaves():
    ends = profile(clv.fit(clv.BGNBD, loyal()))
    assert (ends["a"], ends["b"]) == ((0, np.inf), (0, np.inf))
    for name in ("r", "alpha"):
        assert 0 < ends[name][0] < ends[name][1] < np.inf


def test_open_above_where_nobody_differs():
    """Rates alike: r and alpha are bounded from below only."""
    rng = np.random.default_rng(5)
    T = rng.uniform(50, 100, 300)
    x = rng.poisson(0.05 * T).astype(float)
    recency = np.where(x > 0, T * rng.beta(x + 1e-9, 1), 0)
    ends = profile(clv.fit(clv.BGNBD, {"frequency": x, "recency": recency, "T": T}))
    for name in ("r", "alpha"):
        assert ends[name][0] > 1
        assert ends[name][1] == np.inf


def test_open_everywhere_where_nobody_buys_again():
    zeros = np.zeros(300)
    data = {"frequency": zeros, "recency": zeros, "T": np.linspace(10, 300, 300)}
    assert set(profile(clv.fit(clv.BGNBD, data)).values()) == {(0, np.inf)}


def test_two_columns_alike_are_both_open():
    data = CDNOW.data(400, seed=6)
    data["age"] = np.random.default_rng(6).normal(size=400)
    data["twin"] = data["age"]
    fit = clv.fit(clv.BGNBD, data, covariates={"alpha": ["age", "twin"]})
    ends = profile(fit)
    assert ends["alpha: age"] == ends["alpha: twin"] == (-np.inf, np.inf)
    alone = profile(clv.fit(clv.BGNBD, data, covariates={"alpha": ["age"]}))
    assert ends["r"] == pytest.approx(alone["r"], rel=1e-5)


def test_a_category_of_one_customer_who_never_bought_again():
    """Less and less likely to buy: open below, bounded above, and the others as without."""
    data = CDNOW.data(400, seed=7)
    shop = np.full(400, "north", dtype=object)
    shop[np.flatnonzero(data["frequency"] == 0)[0]] = "lone"
    fit = clv.fit(clv.BGNBD, {**data, "shop": shop}, covariates={"alpha": "shop"})
    low, high = profile(fit)["alpha: shop[north]"]  # the reference is "lone"
    assert -np.inf < low < high == np.inf


def test_a_penalty_closes_what_is_open():
    for lows, highs in profile(clv.fit(clv.BGNBD, loyal(), penalty=0.01)).values():
        assert 0 < lows < highs < np.inf


@with_covariates
def test_a_penalty_acts_alike_with_covariates(known):
    """The interval is about the fit, wherever the covariate is counted from."""
    data = known.data(400, seed=8)
    fit = known.fit(data, penalty=0.05)
    moved = known.fit({**data, "age": data["age"] - 40}, penalty=0.05)
    for name, (low, high) in profile(fit, 0.1).items():
        assert low < fit.parameters[name] < high
        if name != next(iter(known.chosen)):
            assert profile(moved, 0.1)[name] == pytest.approx((low, high), rel=1e-5)


def test_much_data_take_no_more_turns(monkeypatch):
    """Rounding in a sum over 20 million customers is no reason to go on."""
    turns, climb = [], module.climb
    monkeypatch.setattr(module, "climb", lambda *a, **k: turns.append(1) or climb(*a, **k))
    profile(fit_of(CDNOW, size=300, weight=np.full(300, 7e4)))
    assert len(turns) < 8 * 10


def test_the_same_from_another_engine():
    """lifetimes finds the maximum to a few digits, and its profile is this package's."""
    native, foreign = fit_of(CDNOW), fit_of(CDNOW, engine="lifetimes")
    assert_same(profile(foreign), profile(native), rel=5e-3)


def test_a_fit_without_its_data_has_no_profile():
    fit = fit_of(DOLLARS, size=200)
    for again in (clv.Fit.from_json(fit.to_json()), pickle.loads(pickle.dumps(fit))):
        assert again.interval() == fit.interval()
        with pytest.raises(clv.DataError, match="fit again"):
            profile(again)
    for level in (0, 1, np.nan, -0.5):
        with pytest.raises(clv.ParameterError, match="level"):
            profile(fit, level)
    with pytest.raises(clv.ParameterError, match="method == 'bootstrap'"):
        fit.interval(method="bootstrap")


@pytest.mark.parametrize(
    ("case", "fits"),
    [(Case(*POINTS["BGNBD"][1]), 40), (DOLLARS, 60)],
    ids=["BGNBD", "GammaGamma"],
)
def test_nine_of_ten_intervals_hold_the_truth(case, fits):
    """Of either kind, for each parameter: a true law fails one time in 10,000 per parameter."""
    truth = dict(zip(case.model.names(), case.model.values(), strict=True))
    held = dict.fromkeys([(name, m) for name in truth for m in ("delta", "profile")], 0)
    for seed in range(fits):
        fit = fit_of(case, size=400, seed=1000 + seed)
        for method in ("delta", "profile"):
            for name, (low, high) in fit.interval(0.9, method=method).items():
                held[name, method] += low < truth[name] < high
    low, high = binom(fits, 0.9).ppf([5e-5, 1 - 5e-5])
    assert all(low <= count <= high for count in held.values()), held
