"""How the published numbers for BG/BB come about: all from the donations, or at rounded points."""

# ruff: noqa: ARG005 -- every recipe takes the same two arguments

from functools import cache

import numpy as np

import clvmodel as clv
from clvmodel import BGBB
from clvmodel.datasets import load_donations

ROUNDED = BGBB(1.2035, 0.7497, 0.6567, 2.7834)
# The donors that others tested with, (x, t_x) of each, n = 6; one of them stands there twice.
DONORS = [(0, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 6), (1, 6), (2, 2), (2, 3), (2, 4), (2, 5)]
DONORS += [(2, 6), (3, 3), (3, 4), (3, 5), (3, 6), (4, 4), (4, 5), (4, 6), (5, 5), (5, 6), (6, 6)]


@cache
def donations():
    return {name: column.to_numpy() for name, column in load_donations().items()}


@cache
def donations_fit():
    return clv.fit(BGBB, donations())


def model():
    return donations_fit().model


def expected_in_five_years(k, e):
    cells = donations()
    history = cells["frequency"], cells["recency"], cells["n"]
    return cells["weight"] @ model().expected_purchases(5, *history)


def log_likelihoods(k, e):
    return model().log_likelihood(*(e["given"][name] for name in ("x", "t_x", "n")))


def purchases(t):
    return lambda k, e: ROUNDED.expected_purchases(t, *np.transpose(DONORS), 6)


def alive(ahead):
    return lambda k, e: ROUNDED.p_alive_next(*np.transpose(DONORS), 6, ahead=ahead)


RECIPES = {
    "bgbb.donations.params": lambda k, e: model().values(),
    "bgbb.donations.loglik": lambda k, e: donations_fit().log_likelihood,
    "bgbb.excel.logp": log_likelihoods,
    "bgbb.excel.expectation": lambda k, e: model().expected_purchases(np.arange(1, 12)),
    "bgbb.palive_table6": lambda k, e: model().p_alive_next([0, 2, 6], [0, 4, 6], 6),
    "bgbb.cet_total5": expected_in_five_years,
    "bgbb.insample": lambda k, e: donations()["weight"].sum() * model().pmf([0, 6], 6),
    "bgbb.btyd.expectation10": lambda k, e: model().expected_purchases(10),
    "bgbb.btyd.cet": lambda k, e: model().expected_purchases(10, [0, 4], [0, 5], 6),
    "bgbb.btyd.annual": lambda k, e: (
        donations()["weight"].sum() * np.diff(model().expected_purchases(np.arange(12)))
    ),
    **{f"pymc.bgbb.cet{t}": purchases(t) for t in (1, 3, 6)},
    **{f"pymc.bgbb.palive{t}": alive(t) for t in (1, 3, 6)},
}
