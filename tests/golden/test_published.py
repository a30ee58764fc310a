"""Every number that others have printed for these models on known data."""

# ruff: noqa: ARG005 -- every recipe takes the same two arguments

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recipes_bg_bb import RECIPES as BG_BB
from recipes_pareto_nbd import RECIPES as PARETO_NBD
from recipes_sbg import RECIPES as SBG
from reference import COPY, SOURCES, over_sources, published

import clvmodel as clv
from clvmodel import BGNBD, MBGNBD
from clvmodel.tables.summarize import summarize

COMPUTED = 1e-9  # `computed` has 12 digits
DIFFERENCES = {"pnbd.clvtools.se": 5e-9}  # computed from differences of the log-likelihood
ROUNDED = BGNBD(0.243, 4.414, 0.793, 2.426)
ROUNDED_MBG = MBGNBD(0.525, 6.183, 0.891, 1.614)


class Known:
    """What the published numbers were computed from."""

    def __init__(self, cdnow, whole, orders, bg_nbd, gamma_gamma):
        self.cdnow, self.whole, self.orders = cdnow, whole, orders
        self.fit, self.spend_fit = bg_nbd, gamma_gamma
        self.model, self.spend = bg_nbd.model, gamma_gamma.model

    def by_frequency(self, values):
        group = np.minimum(self.cdnow.frequency, 7).astype(int)
        return np.bincount(group, weights=values) / np.bincount(group)

    def expected_by_week(self, weeks, model=None):
        """Expected repeat purchases of all customers by the end of each week of 1997."""
        birth = self.cdnow.T.max() - self.cdnow.T
        since = np.maximum(np.asarray(weeks)[:, None] - birth, 0)
        return (model or self.model).expected_purchases(since).sum(axis=1)

    def bought_by_week(self, weeks):
        day = (self.orders["date"] - self.orders["date"].min()).dt.days
        days = pd.DataFrame({"customer": self.orders["customer_id"], "day": day}).drop_duplicates()
        first = days.groupby("customer")["day"].transform("min")
        repeats = days["day"][days["day"] > first]
        return [(repeats < 7 * week).sum() for week in weeks]

    def quickstart(self, rows):
        """Histories with times rounded to two decimals, as in the file others tested with."""
        return [
            np.round(column[rows], 2)
            for column in (self.cdnow.frequency, self.cdnow.recency, self.cdnow.T)
        ]


@pytest.fixture(scope="session")
def known(cdnow, cdnow_whole, orders, bg_nbd, gamma_gamma):
    return Known(cdnow, cdnow_whole, orders, bg_nbd, gamma_gamma)


def vignette(e):
    return BGNBD(*e["given"]["params"])


def first_customers(k, e):
    given = e["given"]
    recency = np.round(7 * np.array(given["t_x_printed"])) / 7
    return k.model.log_likelihood(given["x"], recency, 272 / 7)


def first_spend(k, e):
    cents = np.floor(100 * k.cdnow.monetary_value[:10] + 0.5 + 1e-9)  # halves up, as others did
    return k.spend.expected_spend(k.cdnow.frequency[:10], cents / 100)


def example_month(k, e):
    folder = Path(find_spec("lifetimes").origin).parent / "datasets"
    days = summarize(folder / "example_transactions.csv", customer="id", date="date")
    first = np.argsort([int(customer) for customer in days.ids.to_pylist()])[:5]
    history = (column[first] for column in (days.frequency, days.recency, days.T))
    return clv.fit(BGNBD, days).model.expected_purchases(30, *history)


def quickstart_rows():
    return published(COPY)["pymc.bgnbd.cet1"]["given"]["rows"]


def quickstart(horizon, model=ROUNDED):
    return lambda k, e: model.expected_purchases(horizon, *k.quickstart(quickstart_rows()))


def quickstart_alive(model):
    return lambda k, e: model.p_alive(*k.quickstart(quickstart_rows()))


def log_densities(k, e):
    others = (0.55, 10.58, 0.61, 11.67), (0.45, 10.58, 0.61, 11.67), (0.45, 10.58, 0.71, 11.67)
    histories = (1, 1.5, 12), (4, 5.3, 10), (2, 6, 8)
    one = [MBGNBD(*values).log_likelihood(1, 1.5, 12) for values in others]
    return one + [MBGNBD(0.55, 11.67, 0.61, 10.58).log_likelihood(*h) for h in histories]


def holdout_by_frequency(k, e):
    return k.by_frequency(k.whole.frequency - k.cdnow.frequency)


def forecast_by_frequency(k, e):
    history = k.cdnow.frequency, k.cdnow.recency, k.cdnow.T
    return k.by_frequency(k.model.expected_purchases(39, *history))


def spreadsheet(k, e):
    return BGNBD(*(e["given"][name] for name in BGNBD.names())).expected_purchases(
        *(e["given"][name] for name in ("t", "x", "t_x", "T"))
    )


WEEKS = range(20, 26)
RECIPES = {
    **BG_BB,
    **SBG,
    **PARETO_NBD,
    "bgnbd.cdnow.params": lambda k, e: k.model.values(),
    "bgnbd.cdnow.loglik": lambda k, e: k.fit.log_likelihood,
    "bgnbd.cdnow.cet_example": spreadsheet,
    "bgnbd.cdnow.expectation_table": lambda k, e: k.model.expected_purchases(
        [0.1429, 1, 3, 31.8571, 32, 78]
    ),
    "bgnbd.cdnow.loglik_customers": first_customers,
    "bgnbd.pmf.t2.x10": lambda k, e: vignette(e).pmf(10, 2),
    "bgnbd.pmf.t39.x0": lambda k, e: vignette(e).pmf(0, 39),
    "bgnbd.pmf.t30": lambda k, e: vignette(e).pmf(np.arange(11, 21), 30),
    "bgnbd.btyd.params": lambda k, e: k.model.values(),
    "bgnbd.btyd.loglik": lambda k, e: k.fit.log_likelihood,
    "bgnbd.btyd.expectation52": lambda k, e: vignette(e).expected_purchases(52),
    "bgnbd.btyd.cet1516": lambda k, e: vignette(e).expected_purchases(52, 26, 216 / 7, 31),
    "bgnbd.btyd.palive1516": lambda k, e: vignette(e).p_alive(26, 216 / 7, 31),
    "bgnbd.btyd.cet_x10_25": lambda k, e: vignette(e).expected_purchases(
        52, [10, 15, 20, 25], 20, 39
    ),
    "bgnbd.btyd.cet_by_freq": forecast_by_frequency,
    "cdnow.holdout_by_freq": holdout_by_frequency,
    "cdnow.count_by_freq": lambda k, e: np.bincount(np.minimum(k.cdnow.frequency, 7).astype(int)),
    "bgnbd.btyd.cum20_25": lambda k, e: k.expected_by_week(WEEKS),
    "bgnbd.btyd.inc20_25": lambda k, e: np.diff(k.expected_by_week(range(19, 26))),
    "cdnow.cum_actual20_25": lambda k, e: k.bought_by_week(WEEKS),
    "gg.cdnow.params": lambda k, e: k.spend.values(),
    "gg.cdnow.loglik": lambda k, e: k.spend_fit.log_likelihood,
    "gg.cdnow.cond_spend10": first_spend,
    "pymc.bgnbd.cet1": quickstart(1),
    "pymc.bgnbd.cet3": quickstart(3),
    "pymc.bgnbd.cet6": quickstart(6),
    "pymc.bgnbd.palive": quickstart_alive(ROUNDED),
    "mbgnbd.cdnow.params": lambda k, e: clv.fit(MBGNBD, k.cdnow).model.values(),
    "pymc.mbgnbd.cet1": quickstart(1, ROUNDED_MBG),
    "pymc.mbgnbd.cet3": quickstart(3, ROUNDED_MBG),
    "pymc.mbgnbd.cet6": quickstart(6, ROUNDED_MBG),
    "pymc.mbgnbd.palive": quickstart_alive(ROUNDED_MBG),
    "pymc.mbgnbd.new": lambda k, e: ROUNDED_MBG.expected_purchases([1, 3, 6]),
    "pymc.mbgnbd.logp": log_densities,
    "pymc.bgnbd.new": lambda k, e: ROUNDED.expected_purchases([1, 3, 6]),
    "lifetimes.clv_example": example_month,
}
ENTRIES = over_sources(lambda folder: published(folder).items())


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_the_copy_equals_every_source(source):
    assert published(COPY) == published(source)


def test_every_entry_has_a_recipe():
    assert set(RECIPES) == set(published(COPY))


@pytest.mark.parametrize("entry", [e for _, e in ENTRIES], ids=[name for name, _ in ENTRIES])
def test_published(entry, known):
    got = np.asarray(RECIPES[entry["id"]](known, entry), float)
    exact = DIFFERENCES.get(entry["id"], COMPUTED)
    np.testing.assert_allclose(got, entry["computed"], rtol=exact)
    if not entry["status"].startswith("NOT"):
        np.testing.assert_allclose(got, entry["value"], **tolerance(entry))


def tolerance(entry):
    """How near the print must be, by the status of the entry."""
    status = entry["status"]
    if "within relative" in status:
        return {"rtol": float(status.split("within relative ")[1].split()[0]), "atol": 0}
    units = 1.5 if "1.5 units" in status else 0.5
    return {"rtol": 0, "atol": units * entry["rounding_unit"] * (1 + 1e-6)}
