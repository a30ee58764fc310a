"""Fits with covariates: what they accept, what they refuse and in which words, and hard data."""

import json
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from cases import POINTS, Case
from covariate_cases import BOTH, Known, fitted

import clvmodel as clv
from clvmodel.fitting import engine
from clvmodel.fitting.estimate import likelihood_of, natural_position
from clvmodel.fitting.likelihood import WALL

SIZE = 500
SHOPPERS = Known(Case(*POINTS["BGNBD"][1]))
SPENDERS = Known(Case(*POINTS["GammaGamma"][0]))
DATA = SHOPPERS.data(SIZE, seed=1)
ALPHA = {"alpha": BOTH}


def fit(data=None, covariates=ALPHA, **options):
    return clv.fit(clv.BGNBD, {**DATA, **(data or {})}, covariates=covariates, **options)


@pytest.fixture(scope="module")
def plain():
    return fit()


def shop(names):
    """The column of shops with these names for north and south."""
    return np.where(DATA["shop"] == "north", *names)


def assert_same(one, other):
    assert list(one.parameters.values()) == pytest.approx(
        list(other.parameters.values()), rel=1e-9, abs=1e-12
    )
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)


KINDS = {
    "lists": lambda d: {name: column.tolist() for name, column in d.items()},
    "pandas": pd.DataFrame,
    "pandas, shuffled index": lambda d: pd.DataFrame(d).set_index(np.arange(SIZE)[::-1] % 7),
    "pandas, nullable": lambda d: pd.DataFrame(d).convert_dtypes(),
    "pandas, category": lambda d: pd.DataFrame(d).astype({"shop": "category"}),
    "pandas, objects": lambda d: pd.DataFrame(d).astype({"shop": object}),
    "polars": pl.DataFrame,
    "polars, category": lambda d: pl.DataFrame(d).with_columns(pl.col("shop").cast(pl.Categorical)),
    "polars, columns": lambda d: {name: pl.Series(column) for name, column in d.items()},
    "summary": lambda d: clv.Summary.from_frame(pd.DataFrame(d), unit="D"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_tables_of_every_kind_give_the_same_fit(kind, plain):
    table = KINDS[kind](DATA)
    got = clv.fit(clv.BGNBD, table, covariates=ALPHA)
    assert got == plain
    for one, other in zip(got.model.at(table).values(), plain.model.at(DATA).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_ways_to_name_columns():
    every = dict.fromkeys(("alpha", "a", "b"), BOTH)
    same = [BOTH, tuple(BOTH), np.array(BOTH), pd.Index(BOTH), iter(BOTH), every, [*BOTH, "age"]]
    first, *others = [fit(covariates=covariates) for covariates in same]
    assert all(other == first for other in others)
    one = fit(covariates="age")
    assert one == fit(covariates=["age"]) == fit(covariates=dict.fromkeys(every, "age"))
    assert list(one.parameters)[4:] == ["alpha: age", "a: age", "b: age"]


def test_no_covariates_are_none():
    bare = clv.fit(clv.BGNBD, DATA)
    for covariates in ((), [], {}, {"alpha": []}, {"alpha": (), "a": []}, None, iter([])):
        assert fit(covariates=covariates) == bare
    assert isinstance(bare.model, clv.BGNBD)


def test_a_boolean_is_zero_or_one():
    numbers = fit({"vip": (DATA["shop"] == "south").astype(int)}, ["vip"])
    for kind in (bool, "boolean", "Int8", "Float64"):
        vip = pd.Series(DATA["shop"] == "south").astype(kind)
        assert_same(fit({"vip": vip}, ["vip"]), numbers)
    words = fit(covariates=["shop"])
    assert list(words.parameters.values()) == pytest.approx(
        list(numbers.parameters.values()), rel=1e-7
    )


def test_names_rows_and_words(plain):
    names = ["r", "alpha", "a", "b", "alpha: age", "alpha: shop[south]"]
    assert list(plain.parameters) == names == list(plain.table().index)
    assert [row["parameter"] for row in plain.rows()] == names
    assert plain.covariance.shape == (6, 6)
    assert plain.aic == 12 - 2 * plain.log_likelihood
    assert plain.bic == pytest.approx(6 * np.log(SIZE) - 2 * plain.log_likelihood)
    text = str(plain)
    assert text.startswith(f"BGNBD, {SIZE} customers, time in days\n")
    assert all(f"\n{name} " in text for name in names)
    assert plain.model.title == "BG/NBD with age, shop"
    assert plain.model.family is clv.BGNBD
    assert "alpha: shop[south]" in plain._repr_html_()


def test_coefficients_show_their_interval_however_small():
    """One of 1e-9 is not "without bound" at 1e-2."""
    text = str(fit({"age": np.random.default_rng(3).normal(size=SIZE) * 1e9}, {"alpha": "age"}))
    row = next(line for line in text.splitlines() if line.startswith("alpha: age"))
    assert "no bound" not in row
    assert len(row.split()) == 6


def test_hostile_names_are_text():
    data = {"shop": shop(["<b>a", "<script>b"])}
    assert "<script" not in fit(data, {"alpha": "shop"})._repr_html_()


def test_plain_data_and_back(plain):
    data = json.loads(plain.to_json())
    assert data["model"]["covariates"] == {"age": "number", "shop": ["north", "south"]}
    assert [entry[:2] for entry in data["model"]["coefficients"]] == [
        ["alpha", "age"],
        ["alpha", "shop[south]"],
    ]
    assert "cells" not in data
    assert len(plain.to_json()) < 3000
    assert clv.Fit.from_dict(data) == plain == pickle.loads(pickle.dumps(plain))
    assert hash(clv.Fit.from_dict(data).model) == hash(plain.model)


@pytest.mark.parametrize(
    "change",
    [
        {"coefficients": [["alpha", "age"]]},
        {"coefficients": [["alpha", "height", 1.0]]},
        {"coefficients": [["alpha", "age", "much"]]},
        {"coefficients": [["alpha", "age", 1.0]]},
        {"coefficients": [["alpha", "age", 1.0], ["r", "age", 1.0]]},
        {"coefficients": 3},
        {"covariates": [1]},
        {"covariates": {"age": 3}},
    ],
    ids=str,
)
def test_a_damaged_fit(plain, change):
    data = plain.to_dict()
    data["model"] = {**data["model"], **change}
    with pytest.raises(clv.DataError):
        clv.Fit.from_dict(data)


def test_order_of_columns_and_of_parameters():
    """Coefficients follow the model's order of parameters, and the user's of columns."""
    got = fit(covariates={"b": ["shop"], "alpha": ["shop", "age"]})
    assert list(got.parameters)[4:] == ["alpha: shop[south]", "alpha: age", "b: shop[south]"]
    assert_same(fit(covariates={"alpha": ["shop", "age"], "b": "shop"}), got)
    loaded = clv.Fit.from_json(got.to_json())
    assert loaded.model.effects == got.model.effects == likelihood_of(got).effects


def test_rows_without_weight_or_value_take_no_part():
    data = SPENDERS.data(SIZE, seed=2)
    some = data["monetary_value"] > 0
    few = {name: column[some] for name, column in data.items()}
    assert_same(SPENDERS.fit(data), SPENDERS.fit(few))
    assert SPENDERS.fit(data).left_out == SIZE - some.sum()
    weight = np.where(np.arange(SIZE) < 100, 0, 1)
    rest = {name: column[100:] for name, column in DATA.items()}
    assert_same(fit(weight=weight), clv.fit(clv.BGNBD, rest, covariates=ALPHA))


def test_what_takes_no_covariates_says_so():
    with pytest.raises(clv.ParameterError, match=r"a key of covariates == 'r', must be one of"):
        fit(covariates={"r": ["age"]})
    with pytest.raises(clv.ParameterError, match="'gamma'"):
        clv.fit(clv.GammaGamma, SPENDERS.data(50, seed=1), covariates={"p": ["age"]})
    case = Case(*POINTS["BGBB"][0])
    with pytest.raises(clv.ParameterError, match="BGBB takes no covariates"):
        clv.fit(clv.BGBB, {**case.data(50, seed=1), "age": np.ones(50)}, covariates=["age"])
    with pytest.raises(clv.ParameterError, match=r"lifetimes.* covariates"):
        fit(engine="lifetimes")


def test_columns_that_cannot_be_used():
    with pytest.raises(clv.ColumnError, match=r"'Age' is not a column.*Did you mean 'age'"):
        fit(covariates=["Age"])
    with pytest.raises(clv.DataError, match="age is missing in 1 rows"):
        fit({"age": np.where(np.arange(SIZE) == 7, np.nan, 1.0 * np.arange(SIZE))})
    with pytest.raises(clv.DataError, match=r"age == inf in row 7"):
        fit({"age": np.where(np.arange(SIZE) == 7, np.inf, 1.0 * np.arange(SIZE))})
    with pytest.raises(clv.DataError, match=r"age is .* for every customer"):
        fit({"age": np.full(SIZE, 3)})
    with pytest.raises(clv.DataError, match="more than 50"):
        fit({"shop": [f"customer {i}" for i in range(SIZE)]})
    with pytest.raises(clv.ColumnError, match="must hold numbers or"):
        fit({"age": np.datetime64("2024-01-01") + np.arange(SIZE)})


@pytest.mark.parametrize("size", [0, 1, SIZE - 1, SIZE + 1])
def test_columns_of_another_length(size):
    values = np.arange(size) % 7.0 + (size == 1)
    with pytest.raises(clv.DataError, match=r"age (has|is)"):
        fit({"age": values}, ["age"])
    with pytest.raises(clv.DataError, match=f"shop has {SIZE} values, age has {size}|age is"):
        fit({"age": values}, BOTH)


def test_customers_of_other_kinds_are_refused(plain):
    with pytest.raises(clv.DataError, match=r"in 2 rows: 'moon', 'South'\. Known are 'north'"):
        plain.model.at({"age": [1, 2, 3], "shop": ["moon", "north", "South"]})
    with pytest.raises(clv.ColumnError, match="'shop' is not a column"):
        plain.model.at({"age": [1]})
    with pytest.raises(clv.DataError, match="shop has 1 values, age has 2"):
        plain.model.at({"age": [1, 2], "shop": ["north"]})
    with pytest.raises(clv.ColumnError, match="put it into a list"):
        plain.model.at({"age": [1], "shop": "north"})
    with pytest.raises(clv.DataError, match="shop is missing in 1 rows"):
        plain.model.at({"age": [1, 2], "shop": ["north", None]})


@pytest.mark.parametrize("age", [1e5, -1e5])
def test_customers_too_far_from_all_others(plain, age):
    words = rf"alpha would be .* for a customer with age {age:g}, shop\[south\] 1: too far".replace(
        "+", r"\+"
    )
    with pytest.raises(clv.DataError, match=words):
        plain.model.at({"age": [40, age], "shop": ["south", "south"]})


def test_one_customer_and_none(plain):
    one = plain.model.at({"age": [30.0], "shop": ["south"]})
    coefficients = dict(list(plain.parameters.items())[4:])
    move = 30 * coefficients["alpha: age"] + coefficients["alpha: shop[south]"]
    assert one.alpha == pytest.approx(plain.parameters["alpha"] * np.exp(-move))
    assert one.r == plain.parameters["r"]
    nobody = plain.model.at(pd.DataFrame(DATA).iloc[:0])
    assert nobody.expected_purchases(np.empty(0)).shape == (0,)


def test_columns_alike_share_one_effect():
    """Each alone is unbounded, and so says its error; together they are as one."""
    alone, twins = fit(covariates={"alpha": "age"}), fit({"twin": DATA["age"]}, {"alpha": BOTH[:1]})
    assert alone == twins
    twins = fit({"twin": DATA["age"]}, {"alpha": ["age", "twin"]})
    assert twins.converged
    assert twins.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-12)
    total = twins.parameters["alpha: age"] + twins.parameters["alpha: twin"]
    assert total == pytest.approx(alone.parameters["alpha: age"], rel=1e-6)
    errors = np.sqrt(np.diag(twins.covariance))
    assert np.isfinite(errors).all()
    assert errors[-2:].min() > 100 * abs(total)
    assert errors[:4] == pytest.approx(np.sqrt(np.diag(alone.covariance))[:4], rel=1e-4)
    assert np.linalg.eigvalsh(twins.covariance).min() > 0


LONE = {
    "bought once": DATA["frequency"] == 0,
    "bought often": DATA["frequency"] > 5,
    "bought today": (DATA["frequency"] > 0) & (DATA["recency"] > 0.9 * DATA["T"]),
}


@pytest.mark.parametrize("kind", LONE)
@pytest.mark.parametrize("covariates", [{"alpha": "shop"}, "shop"], ids=str)
def test_a_category_of_one_customer(kind, covariates):
    """No crash, finite numbers, and the others' parameters hardly notice."""
    words = DATA["shop"].astype(object)
    words[np.flatnonzero(LONE[kind])[0]] = "zoo"
    got = fit({"shop": words}, covariates)
    assert got.converged, got.message
    numbers = [*got.model.values(), *got.covariance.ravel(), got.log_likelihood]
    assert np.isfinite(numbers).all()
    assert np.linalg.eigvalsh(got.covariance).min() > 0
    others = fit(covariates=covariates)
    for name, value in list(others.parameters.items())[:4]:
        assert got.parameters[name] == pytest.approx(value, rel=0.3)
    model = got.model.at({"shop": ["zoo", "north"]})
    assert np.isfinite(model.expected_purchases(np.array([365.0, 365.0]))).all()
    assert clv.Fit.from_json(got.to_json()) == got


def test_an_effect_of_nobody_who_counts_stays_at_zero():
    """A shop none of whose customers bought again says nothing about spend."""
    data = SPENDERS.data(SIZE, seed=3)
    quiet = data["monetary_value"] == 0
    words = np.where(quiet, "zoo", data["shop"])
    got = clv.fit(clv.GammaGamma, {**data, "shop": words}, covariates="shop")
    assert got.converged
    assert got.parameters["gamma: shop[zoo]"] == pytest.approx(0, abs=1e-9)
    assert got.interval()["gamma: shop[zoo]"][1] > 100


def rare(kind, seed, size=6000):
    """Many customers, and three kinds of them that are rare."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["most", "b", "c", "d"], size, p=[0.994, 0.003, 0.002, 0.001])
    alpha = 8 * np.exp(0.5 * (kinds == "b") - 0.5 * (kinds == "c"))
    x, t_x, T, *_ = kind(1.0, alpha, 0.8, 2.5).simulate(rng.uniform(20, 40, size), seed=seed)
    return {"frequency": x, "recency": t_x, "T": T, "kind": kinds}


@pytest.mark.parametrize(("kind", "seed"), [(clv.BGNBD, 3), (clv.MBGNBD, 6)])
def test_rare_categories_find_their_maximum(kind, seed):
    """A step that is small for most is not too long for a few: nor does the truth lead higher."""
    got = clv.fit(kind, rare(kind, seed), covariates="kind")
    likelihood, natural = likelihood_of(got), natural_position(got)
    truth = np.concatenate([np.log([1.0, 8.0, 0.8, 2.5]), np.zeros(likelihood.size - 4)])
    _, local = engine.climb(likelihood, likelihood.position(truth))
    height = likelihood.value(likelihood.position(natural))
    assert likelihood.total * (local.value - height) < 1e-4


def test_a_sample_without_the_rare_is_no_harm(monkeypatch):
    data = rare(clv.BGNBD, 5)
    whole = clv.fit(clv.BGNBD, data, covariates="kind")
    monkeypatch.setattr(engine, "_MANY", 100)
    monkeypatch.setattr(engine, "_SAMPLE", 300)
    sampled = clv.fit(clv.BGNBD, data, covariates="kind")
    assert sampled.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-4)


def test_numbers_far_from_zero_say_what_to_do():
    """A base of e^800 is no number: a year of birth is, an effect per day since 1970 is not."""
    year = 1984 + DATA["age"] - DATA["age"].mean()
    got = fit({"age": year / 4}, {"alpha": "age"})
    assert got.converged
    assert np.isfinite(list(got.parameters.values())).all()
    with pytest.raises(clv.DataError, match=r"age lies so far from 0.* subtract"):
        fit({"age": 1e5 + DATA["age"]}, {"alpha": "age"})


def test_a_wall_is_not_left():
    for known in (SHOPPERS, SPENDERS):
        got = fitted(known, SIZE)
        position = likelihood_of(got).position(natural_position(got))
        assert np.abs(position).max() < WALL
