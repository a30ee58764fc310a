"""Assumption checks: silent at the stated rate where the assumption holds, loud where not."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from comparison_cases import sample
from test_views import simulated_orders

import clvmodel as clv
from clvmodel.errors import ColumnError, DataError, ParameterError
from clvmodel.evaluate.checks_base import cohort_drift, left_truncation, seasonality
from clvmodel.evaluate.checks_fit import certain, flat_directions, holdout_pit
from clvmodel.evaluate.checks_rhythm import (
    outliers,
    rate_trend,
    regularity,
    spend_and_frequency,
    value_trend,
)
from clvmodel.tables.purchases import Purchases

ROLES = {"customer": "who", "date": "when", "value": "paid"}
DAY = pd.Timestamp("2024-01-01")
LONG_AGO = pd.DateOffset(years=4)  # so that three years lie in the past
NAMES = [
    "spend and frequency",
    "regularity",
    "value over time",
    "rate over time",
    "seasonality",
    "cut-off start",
    "drift between cohorts",
    "certainly alive",
    "flat directions",
    "outliers",
    "holdout distribution",
]


def summary_of(orders, end="2025-12-31"):
    return clv.summarize(orders, **ROLES, end=end)


def frame(who, day, paid=None):
    paid = np.full(len(who), 10.0) if paid is None else paid
    return pd.DataFrame(
        {"who": who, "when": DAY + pd.to_timedelta(np.floor(day), "D"), "paid": paid}
    )


CHECKS = {
    "spend and frequency": lambda s: spend_and_frequency(s, 0.95, 0),
    "regularity": lambda s: regularity(s.purchases, 0.95),
    "value over time": lambda s: value_trend(s.purchases, 0.95),
    "rate over time": lambda s: rate_trend(s.purchases, 0.95),
    "drift between cohorts": lambda s: cohort_drift(s, 0.95),
    "cut-off start": lambda s: left_truncation(s.purchases, 0.95),
}


@pytest.fixture(scope="module")
def shops():
    """A hundred shops for which the models hold."""
    return [summary_of(simulated_orders(800, 1000 + seed)) for seed in range(100)]


@pytest.mark.parametrize("name", CHECKS)
def test_silent_where_the_assumption_holds(name, shops):
    """The interval misses in 5 of 100 shops (at most 11, with chance 99%)."""
    found = [CHECKS[name](shop) for shop in shops]
    known = [c for c in found if c.status != "unknown"]
    assert len(known) > 60  # some have too few new customers at the start
    assert sum(c.status != "fine" for c in known) <= 11
    effects = np.array([c.effect for c in known])
    null = {"regularity": 1.0, "rate over time": 0.5, "cut-off start": 1.0}.get(name, 0.0)
    slack = {"regularity": 0.02, "cut-off start": 0.05}.get(name, 0.004)  # ratios: Jensen's
    error = effects.std(ddof=1) / np.sqrt(effects.size)
    assert effects.mean() == pytest.approx(null, abs=3 * error + slack)


def test_the_holdout_distribution_holds_at_the_stated_rate(shops):
    found = []
    for shop in shops[:40]:
        model = clv.ValueModel(spend=None).fit(shop)
        found.append(holdout_pit(model, shop, 0.95, 0))
    assert sum(c.status == "fine" for c in found) >= 34
    assert all(c.low <= c.effect <= c.high for c in found)


def test_spend_that_rises_with_frequency():
    rng = np.random.default_rng(1)
    orders = simulated_orders(2000, 1)
    count = orders.groupby("who")["who"].transform("size")
    orders["paid"] = rng.gamma(4, 5 * np.sqrt(count))
    check = spend_and_frequency(summary_of(orders), 0.95, 0)
    assert (check.status, check.low > 0.1) == ("concern", True)
    assert "frequency band" in check.remedy


@pytest.mark.parametrize("k", [0.5, 2.0, 3.0])
def test_regular_and_bursty_gaps(k):
    """Erlang gaps of shape k, customers of different pace: k comes out within its interval."""
    rng = np.random.default_rng(int(10 * k))
    n = 3000
    pace = rng.gamma(3, 10, n)
    gaps = rng.gamma(k, 1 / k, (n, 12)) * pace[:, None]
    day = np.cumsum(np.concatenate([rng.uniform(0, 300, (n, 1)), gaps + 1], axis=1), axis=1)
    keep = day < 731
    orders = frame(np.repeat(np.arange(n), 13).reshape(n, 13)[keep], day[keep])
    check = regularity(summary_of(orders).purchases, 0.99)
    assert check.status == "concern"
    assert check.effect == pytest.approx(k, rel=0.25)
    assert (check.low < 1) == (k < 1)


def test_prices_that_rise():
    orders = simulated_orders(2000, 2)
    years = (orders["when"] - DAY).dt.days / 365.25
    orders["paid"] *= 1.2**years
    check = value_trend(summary_of(orders).purchases, 0.95)
    assert check.status == "concern"
    assert check.low < 0.2 < check.high


def test_customers_who_slow_down():
    rng = np.random.default_rng(3)
    n = 1000
    day = 700 * rng.random((n, 6)) ** 1.6
    first = np.zeros((n, 1))
    orders = frame(np.repeat(np.arange(n), 7), np.concatenate([first, day], axis=1).ravel())
    check = rate_trend(summary_of(orders).purchases, 0.95)
    assert check.status == "concern"
    assert check.high < 0.5


def test_cohorts_that_differ():
    rng = np.random.default_rng(4)
    n = 3000
    joined = rng.integers(0, 500, n)
    back = rng.random(n) < np.where(joined < 250, 0.5, 0.3)
    who = np.concatenate([np.arange(n), np.flatnonzero(back)])
    later = joined[back] + rng.integers(1, 100, back.sum())
    check = cohort_drift(summary_of(frame(who, np.concatenate([joined, later]))), 0.95)
    assert check.status == "concern"
    assert check.low < -0.2 < check.high


@pytest.mark.parametrize(("peak", "status"), [(2.0, "concern"), (1.0, "fine")])
def test_seasons(peak, status):
    rng = np.random.default_rng(5)
    day = rng.integers(0, 3 * 365, 40_000)
    month = (DAY + pd.to_timedelta(day, "D")).month
    kept = rng.random(day.size) < np.where(month == 12, peak, 1.0) / peak
    orders = frame(rng.integers(0, 5000, kept.sum()), day[kept])
    orders["when"] -= LONG_AGO
    summary = clv.summarize(orders, **ROLES)
    check = seasonality(summary.purchases, 0.95)
    assert check.status == status
    if peak > 1:
        assert check.verdict.startswith("December")
        assert check.effect == pytest.approx(12 / 13 * 2 ** (12 / 12) - 1, abs=0.2)


def bought(who, day):
    """The purchases that these orders are, as `summarize` would find them."""
    first = int((DAY - LONG_AGO - pd.Timestamp("1970-01-01")).days)
    customer, when = np.unique(np.stack([who, first + day]), axis=1)
    ids, customer = np.unique(customer, return_inverse=True)
    last = dt.date(1970, 1, 1) + dt.timedelta(days=int(when.max()))
    return Purchases(pa.array(ids), customer, when, np.full(when.size, 10.0), last, None, "pandas")


def test_seasons_are_found_by_chance_no_more_than_stated():
    rng, found = np.random.default_rng(6), 0
    for number in range(200):
        who, day = rng.integers(0, 900, 4000), rng.integers(0, 3 * 365, 4000)
        past = bought(who, day)
        check = seasonality(past, 0.95)
        if number < 3:
            orders = frame(who, day)
            orders["when"] -= LONG_AGO
            assert check == seasonality(clv.summarize(orders, **ROLES).purchases, 0.95)
        found += "beyond chance" in check.verdict
    assert found <= 20  # 10 expected


def test_seasons_need_two_years():
    check = seasonality(summary_of(simulated_orders(300, 1), "2025-06-30").purchases, 0.95)
    assert check.status == "unknown"
    assert "two years" in check.verdict


def test_a_history_cut_off_at_its_start():
    orders = simulated_orders(6000, 7)
    cut = orders[orders["when"] >= "2025-07-01"]
    check = left_truncation(summary_of(cut).purchases, 0.95)
    assert check.low > 1
    assert check.status == "concern"


def test_one_purchase_customers_are_certain_of_bg_nbd_only(shops):
    bg, pareto = (
        clv.ValueModel(purchases=m, spend=None).fit(shops[0]) for m in (clv.BGNBD, clv.ParetoNBD)
    )
    check = certain(bg, shops[0], 0.95)
    assert check.effect == pytest.approx((shops[0].frequency == 0).mean())
    assert (check.status, check.low < check.effect < check.high) == ("concern", True)
    assert certain(pareto, shops[0], 0.95).status == "fine"


def test_flat_directions(shops):
    found = clv.ValueModel(spend=None).fit(shops[0])
    assert flat_directions(found).status == "fine"
    few = clv.ValueModel(spend=None).fit(shops[0].take(np.arange(25)))
    check = flat_directions(few)
    assert check.status == "concern"
    assert few.purchases.message in check.verdict


def test_a_whale(shops):
    assert outliers(shops[0], 0.95, 0).status == "fine"
    orders = simulated_orders(800, 1000)
    whale = frame(["999999"], [10], [orders["paid"].sum()])
    both = pd.concat([orders.astype({"who": str}), whale])
    check = outliers(summary_of(both), 0.95, 0)
    assert check.status == "concern"
    assert check.effect > 0.5


def test_by_hand_the_share_of_the_top():
    orders = frame(np.arange(200), np.zeros(200), np.repeat([100.0, 1.0], [2, 198]))
    check = outliers(summary_of(orders), 0.95, 0)
    assert check.effect == pytest.approx(200 / 398)
    assert check.low < check.effect <= check.high


def test_a_holdout_in_which_customers_buy_less():
    orders = simulated_orders(3000, 8)
    rng = np.random.default_rng(8)
    first = orders.groupby("who")["when"].transform("min")
    later = (orders["when"] > "2024-12-31") & (orders["when"] > first)
    thinned = orders[~later | (rng.random(len(orders)) < 0.3)]
    shop = summary_of(thinned)
    check = holdout_pit(clv.ValueModel(spend=None).fit(shop), shop, 0.95, 0)
    assert check.status == "concern"
    assert "less than their predicted" in check.verdict


def test_the_public_face():
    roles = {"customer": "customer_id", "date": "date", "value": "amount"}
    summary = clv.summarize(sample(), **roles)
    model = clv.ValueModel().fit(summary)
    one, two = clv.diagnose(model, summary), clv.diagnose(model, sample(), **roles)
    assert one == two
    assert [c.name for c in one] == NAMES
    text = json.dumps(one.to_dict(), allow_nan=False)
    assert json.loads(text)["level"] == 0.95
    assert list(one.table["name"]) == NAMES
    assert {c.name for c in one.concerns} == {c.name for c in one if c.status == "concern"}
    for check in one:
        assert check.verdict[-1] == "."
        assert bool(check.remedy) == (check.status == "concern")
        assert check.name in repr(one)
    assert one["seasonality"].status == "unknown"
    assert one["certainly alive"].status == "concern"
    assert "<pre>" in one._repr_html_()
    with pytest.raises(ParameterError, match="check == 'season'"):
        one["season"]


def test_a_summary_without_single_purchases():
    roles = {"customer": "customer_id", "date": "date", "value": "amount"}
    whole = clv.summarize(sample(), **roles, end="1997-09-30")
    bare = clv.Summary.from_frame(whole.frame, unit="D", end="1997-09-30")
    found = clv.diagnose(clv.ValueModel().fit(bare), bare)
    assert [c.name for c in found] == NAMES
    assert {c.name for c in found if c.status == "unknown"} == {
        "regularity",
        "value over time",
        "rate over time",
        "seasonality",
        "cut-off start",
        "drift between cohorts",
        "holdout distribution",
    }


def test_very_few_customers():
    orders = frame([1, 1, 2, 2, 3], [0, 30, 10, 90, 200], [5.0, 6.0, 7.0, 5.0, 9.0])
    shop = summary_of(orders, "2024-12-31")
    found = clv.diagnose(clv.ValueModel().fit(shop), shop)
    assert [c.name for c in found] == NAMES
    json.dumps(found.to_dict(), allow_nan=False)


def test_errors(shops):
    model = clv.ValueModel(spend=None).fit(shops[0])
    with pytest.raises(DataError, match="give a fitted one"):
        clv.diagnose(clv.ValueModel(), shops[0])
    with pytest.raises(ParameterError, match="columns"):
        clv.diagnose(model, sample())
    with pytest.raises(ParameterError, match="level == 2"):
        clv.diagnose(model, shops[0], level=2)
    with pytest.raises(ColumnError):
        clv.diagnose(model, sample(), customer="id", date="date")
