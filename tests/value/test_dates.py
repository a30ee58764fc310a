"""`predict_dates`: the day of the next purchase, and how long to wait for it."""

import datetime as dt
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pytest
from value_cases import CDNOW, END, cdnow_model, cdnow_weeks, shop

import clvmodel as clv
from clvmodel.datasets import load_cdnow
from clvmodel.errors import DataError, ParameterError, UnitError
from clvmodel.units import DAYS_IN_UNIT
from clvmodel.value.dates import FARTHEST, predict_dates

STANDARD_ERRORS = 4.0
FAMILIES = (clv.BGNBD, clv.MBGNBD, clv.ParetoNBD)
every_family = pytest.mark.parametrize("family", FAMILIES)


@cache
def people():
    """Histories in days, of two shops."""
    rng = np.random.default_rng(3)
    south = rng.random(300) < 0.5
    timing = clv.BGNBD(0.9, np.where(south, 20.0, 50.0), 0.8, 2.5)
    x, t_x, T, *_ = timing.simulate(rng.integers(50, 400, 300).astype(float), seed=1)
    return pd.DataFrame(
        {
            "customer_id": np.arange(300),
            "frequency": x,
            "recency": np.minimum(np.ceil(t_x), T),
            "T": T,
            "shop": np.where(south, "south", "north"),
        }
    )


def summary(unit="D", frame=None):
    frame = people() if frame is None else frame
    return clv.Summary.from_frame(frame, unit="D", end="2024-12-31").in_unit(unit)


@cache
def fitted(family=clv.BGNBD, covariates=()):
    return clv.ValueModel(purchases=family, spend=None, covariates=covariates).fit(summary())


def days(table, name, end=dt.date(2024, 12, 31)):
    """Days from the end of observation to a column of dates; inf where there is none."""
    return (table[name] - pd.Timestamp(end)).dt.days.fillna(np.inf).to_numpy()


def history():
    return [people()[name].to_numpy() for name in ("frequency", "recency", "T")]


def test_columns_and_kinds():
    table = predict_dates(cdnow_model(), cdnow_weeks())
    dated = ["next_purchase_q10", "next_purchase_q50", "next_purchase_q90", "act_by"]
    numbers = ["customer_id", "days_silent", "overdue_ratio", "p_ever"]
    assert list(table.columns) == numbers + dated
    assert table["customer_id"].tolist() == cdnow_weeks().ids.to_pylist()
    for name in dated:
        assert table[name].dtype == cdnow_weeks().frame["last_purchase"].dtype
    q10, q50, q90 = (table[name] for name in dated[:3])
    assert (pd.Timestamp("1997-09-30") < q10).all()
    assert ((q10 <= q50) & (q50 <= q90)).all()
    assert q90.max() <= pd.Timestamp("1997-09-30") + dt.timedelta(days=FARTHEST)
    assert (table["act_by"] >= pd.Timestamp("1997-09-30")).all()


def test_silence_by_hand():
    """Ann bought on days 0, 250, 380 of 0 to 399; bob and dee once; cem on days 300 and 350."""
    table = predict_dates(cdnow_model(), shop()).set_index("customer_id")
    assert table["days_silent"].to_dict() == {"ann": 19, "bob": 299, "cem": 49, "dee": 159}
    assert table.loc["ann", "overdue_ratio"] == pytest.approx(19 / 190, rel=1e-12)
    assert table.loc["cem", "overdue_ratio"] == pytest.approx(49 / 50, rel=1e-12)
    assert table.loc[["bob", "dee"], "overdue_ratio"].isna().all()
    # without amounts, or with several purchases on the first day and no gap
    frame = pd.DataFrame({"frequency": [2.0], "recency": [0.0], "T": [9.0]})
    assert predict_dates(fitted(), summary(frame=frame))["overdue_ratio"].isna().all()


@pytest.mark.parametrize("family", FAMILIES[:2])
def test_the_wait_of_the_alive_is_lomax(family):
    """P(wait > t | alive) = ((alpha + T) / (alpha + T + t))^(r + x), cut at 100 years."""
    levels = (0.05, 0.5, 0.975)
    table = predict_dates(fitted(family), summary(), quantiles=levels)
    model, (x, t_x, T) = fitted(family).purchases.model, history()
    shape, scale = model.r + x, model.alpha + T
    ever = -np.expm1(-shape * np.log1p(FARTHEST / scale))
    for level, name in zip(levels, ("q05", "q50", "q975"), strict=True):
        wait = scale * np.expm1(-np.log1p(-level * ever) / shape)
        np.testing.assert_array_equal(days(table, f"next_purchase_{name}"), np.ceil(wait))
    np.testing.assert_allclose(table["p_ever"], model.p_alive(x, t_x, T) * ever, rtol=1e-12)


def test_the_wait_of_the_alive_is_simulated():
    """Pareto/NBD: the share of simulated first purchases by the day itself and by the day before.

    4 standard errors of a share of those who buy again in 100 years.
    """
    table = predict_dates(fitted(clv.ParetoNBD), summary())
    model, (x, _, T) = fitted(clv.ParetoNBD).purchases.model, history()
    rng, size = np.random.default_rng(1), 200_000
    for i in (0, 1, 2, int(np.argmax(x)), int(np.argmax(T))):
        rate = rng.gamma(model.r + x[i], 1 / (model.alpha + T[i]), size)
        left = rng.exponential(1, size) / rng.gamma(model.s, 1 / (model.beta + T[i]), size)
        wait = rng.exponential(1, size) / rate
        wait = wait[(wait < left) & (wait <= FARTHEST)]
        for level, name in ((0.1, "q10"), (0.5, "q50"), (0.9, "q90")):
            day = days(table, f"next_purchase_{name}")[i]
            room = STANDARD_ERRORS * np.sqrt(level * (1 - level) / wait.size)
            assert (wait <= day).mean() >= level - room
            assert (wait <= day - 1).mean() < level + room


@every_family
@pytest.mark.parametrize(("threshold", "within"), [(0.1, "365D"), (0.5, "90D"), (0.02, "2W")])
def test_act_by_is_the_last_day_above_the_threshold(family, threshold, within):
    """P(a purchase in (s, s + w] | none by s) from chances at T alone, not from the update at s."""
    table = predict_dates(fitted(family), summary(), threshold=threshold, within=within)
    model, span = fitted(family).purchases.model, {"365D": 365, "90D": 90, "2W": 14}[within]

    def chance(silent):
        none, longer = (1 - model.p_purchase(t, *history()) for t in (silent, silent + span))
        return 1 - longer / none

    last = days(table, "act_by")
    assert (last >= 0).all()
    above = chance(np.zeros(len(last))) >= threshold
    assert (last[~above] == 0).all()
    assert (chance(last)[above] >= threshold - 1e-9).all()
    assert (chance(last + 1.0) < threshold + 1e-9).all()
    assert above.any()
    assert (last > 0).any()


@every_family
def test_the_chance_falls_with_silence(family):
    """So that there is one such day; also where those who stay are the ones who stay long."""
    models = [fitted(family).purchases.model]
    if family is clv.ParetoNBD:
        models += [clv.ParetoNBD(50, 500, 0.05, 0.1), clv.ParetoNBD(0.01, 0.1, 20, 1.0)]
    silent = np.append(0, np.geomspace(1e-2, FARTHEST, 300))
    for model in models:
        for x, t_x, T in ((0, 0, 1), (0, 0, 300), (3, 50, 60), (40, 300, 301)):
            ahead = model.update(x, T + silent).p_purchase(30)
            chance = model.p_alive(x, t_x, T, silent) * ahead
            assert (np.diff(chance) <= 1e-11 * chance[:-1]).all()


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
@every_family
def test_units_do_not_matter(family, unit):
    expected = predict_dates(fitted(family), summary())
    got = predict_dates(fitted(family), summary(unit))
    assert got["act_by"].equals(expected["act_by"])
    assert got["next_purchase_q50"].equals(expected["next_purchase_q50"])
    assert got["days_silent"].equals(expected["days_silent"])
    np.testing.assert_allclose(got["overdue_ratio"], expected["overdue_ratio"], rtol=1e-9)
    # the same law in another unit of its own
    fit = fitted(family).purchases
    changes = {"model": fit.model.rescaled(1 / DAYS_IN_UNIT[unit]), "unit": unit}
    other = clv.FittedValueModel(clv.Fit(**{**vars(fit), **changes}), None)
    assert predict_dates(other, summary())["act_by"].equals(expected["act_by"])
    # a number of `within` counts the summary's unit
    number = 730.5 / DAYS_IN_UNIT[unit]
    pd.testing.assert_frame_equal(
        predict_dates(fitted(family), summary(unit), within=number),
        predict_dates(fitted(family), summary(unit), within="2Y"),
    )


@every_family
def test_each_customer_has_their_own_point(family):
    known = fitted(family, ("shop",))
    table = predict_dates(known, summary(), threshold=0.4, within="60D")
    fit = known.purchases
    for i in (0, 1, 2, 50, 299):
        one = people().iloc[[i]]
        point = type(fit.model.base)(*(float(np.ravel(v)[0]) for v in fit.model.at(one).values()))
        alone = clv.FittedValueModel(clv.Fit(**{**vars(fit), "model": point}), None)
        expected = predict_dates(alone, summary(frame=one), threshold=0.4, within="60D")
        got = table.iloc[[i]].reset_index(drop=True)
        pd.testing.assert_frame_equal(got, expected, rtol=1e-9)
    south = people()["shop"] == "south"
    assert table["p_ever"][south].mean() != pytest.approx(table["p_ever"][~south].mean())


def test_a_hundred_years_and_no_further():
    """Nobody leaves before a second purchase: after s days the chance is about 730 / s."""
    loyal = clv.BGNBD(2.0, 1.0, 1e-3, 1e3)
    fit = clv.FittedValueModel(clv.Fit(**{**vars(fitted().purchases), "model": loyal}), None)
    frame = pd.DataFrame({"frequency": [0.0], "recency": [0.0], "T": [1000.0]})
    late = clv.Summary.from_frame(frame, unit="D", end="2250-01-01")
    never = predict_dates(fit, late, threshold=0.01, quantiles=(0.999,))
    assert never["act_by"].isna().all()
    assert never["next_purchase_q999"][0] > pd.Timestamp("2300-01-01")
    once = predict_dates(fit, late, threshold=0.03)["act_by"][0]
    silent = 365 / ((1 - 0.03) ** -0.5 - 1) - 1001
    assert once == pd.Timestamp("2250-01-01") + dt.timedelta(days=int(silent))
    assert once > pd.Timestamp("2262-04-11")  # the last day in nanoseconds


def test_those_who_have_left_have_no_date():
    frame = pd.DataFrame({"frequency": [5000.0], "recency": [50.0], "T": [36000.0]})
    table = predict_dates(fitted(), summary(frame=frame))
    assert table["p_ever"][0] == 0
    assert table["next_purchase_q50"].isna().all()
    assert table["act_by"][0] == pd.Timestamp("2024-12-31")


def test_no_quantiles_or_one():
    plain = predict_dates(cdnow_model(), shop(), quantiles=())
    assert list(plain.columns)[-2:] == ["p_ever", "act_by"]
    one = predict_dates(cdnow_model(), shop(), quantiles=0.5)
    assert "next_purchase_q50" in one
    assert plain["act_by"].equals(one["act_by"])


def test_patience_and_thresholds():
    """A lower threshold, or a longer time to come back, is a later day."""
    waits = [
        days(predict_dates(fitted(), summary(), threshold=t), "act_by") for t in (0.5, 0.1, 0.01)
    ]
    waits.append(days(predict_dates(fitted(), summary(), threshold=0.01, within="2Y"), "act_by"))
    for sooner, later in pairwise(waits):
        assert (sooner <= later).all()
        assert (sooner < later).mean() > 0.8


def test_a_polars_summary_gives_polars_dates():
    orders = pl.from_pandas(load_cdnow(sample=True))
    summary = clv.summarize(orders, **CDNOW, end="1997-09-30", unit="W")
    table = predict_dates(cdnow_model(), summary)
    assert isinstance(table, pl.DataFrame)
    assert table["act_by"].dtype == pl.Datetime("ms")
    expected = predict_dates(cdnow_model(), cdnow_weeks())
    assert table["act_by"].to_list() == expected["act_by"].dt.to_pydatetime().tolist()


def test_dates_need_an_end_of_observation():
    table = clv.Summary.from_frame(people(), unit="D")
    with pytest.raises(DataError, match=r"end of observation.*end='"):
        predict_dates(fitted(), table)
    with pytest.raises(DataError, match="DataFrame"):
        predict_dates(fitted(), people())


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, np.nan, None, "0.1", True], ids=repr)
def test_thresholds_that_are_none(value):
    with pytest.raises(ParameterError, match="threshold"):
        predict_dates(fitted(), shop(), threshold=value)


@pytest.mark.parametrize("value", [(0.5, 1.0), (0,), (np.nan,), None, "half"], ids=repr)
def test_quantiles_that_are_none(value):
    with pytest.raises(ParameterError, match="quantiles"):
        predict_dates(fitted(), shop(), quantiles=value)


@pytest.mark.parametrize("value", ["soon", 0, -3, np.inf, "101Y", 40_000, None, END], ids=repr)
def test_durations_that_are_none(value):
    with pytest.raises(UnitError, match="within"):
        predict_dates(fitted(), shop(), within=value)
