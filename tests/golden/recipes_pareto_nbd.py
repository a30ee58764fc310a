"""How the published numbers for Pareto/NBD come about: from CDNOW, or at known points."""

# ruff: noqa: ARG005 -- every recipe takes the same two arguments

from functools import cache

import numpy as np
from reference import COPY, published

import clvmodel as clv
from clvmodel import ParetoNBD
from clvmodel.value.discounting import discounted

# Where BTYD's own search ended, begun anew, and where others took it to end.
VIGNETTE = ParetoNBD(0.553371025230202, 10.5795196344365, 0.605907381772719, 11.658116182064)
ROUNDED = ParetoNBD(0.5534, 10.5802, 0.6061, 11.6562)
WEEKS = range(20, 26)


@cache
def fitted(k):
    return clv.fit(ParetoNBD, k.cdnow)


def standard_errors(k, e):
    return np.sqrt(np.diag(fitted(k).covariance)) * fitted(k).model.values()


def forecast_by_frequency(k, e):
    history = k.cdnow.frequency, k.cdnow.recency, k.cdnow.T
    return k.by_frequency(fitted(k).model.expected_purchases(39, *history))


def first_fit_alive(k, e):
    first = published(COPY)["pnbd.cdnow.params"]["second_implementation"]["BTYD"]
    return ParetoNBD(**first).p_alive(0, 0, 39)


def residual(x, t_x):
    """Discounted purchases for ever after T = 77.86: beyond 15,000 weeks nothing counts."""

    def recipe(k, e):
        model = ParetoNBD(*e["given"]["params"])
        history = [np.array(column, float) for column in np.broadcast_arrays(x, t_x, 77.86)]
        return discounted(lambda u: model.expected_purchases(u, *history), 15_000, 0.0027)

    return recipe


def quickstart(k):
    return k.quickstart(published(COPY)["pymc.bgnbd.cet1"]["given"]["rows"])


def purchases(t):
    return lambda k, e: ROUNDED.expected_purchases(t, *quickstart(k))


def log_densities(k, e):
    others = (0.55, 10.58, 0.61, 11.67), (0.45, 10.58, 0.61, 11.67), (0.45, 10.58, 0.71, 11.67)
    histories = (1, 1.5, 12), (4, 5.3, 10), (2, 6, 8)
    one = [ParetoNBD(*values).log_likelihood(1, 1.5, 12) for values in others]
    return one + [ParetoNBD(0.55, 11.67, 0.61, 10.58).log_likelihood(*h) for h in histories]


RECIPES = {
    **{f"pnbd.{who}.params": lambda k, e: fitted(k).model.values() for who in ("cdnow", "btyd")},
    **{f"pnbd.{who}.loglik": lambda k, e: fitted(k).log_likelihood for who in ("cdnow", "btyd")},
    "pnbd.clvtools.params": lambda k, e: fitted(k).model.values(),
    "pnbd.clvtools.se": standard_errors,
    "pnbd.btyd.cum20_25": lambda k, e: k.expected_by_week(WEEKS, fitted(k).model),
    "pnbd.btyd.inc20_25": lambda k, e: np.diff(k.expected_by_week(range(19, 26), fitted(k).model)),
    "pnbd.btyd.cet_by_freq": forecast_by_frequency,
    "pnbd.btyd.expectation52": lambda k, e: VIGNETTE.expected_purchases(52),
    "pnbd.btyd.cet1516": lambda k, e: VIGNETTE.expected_purchases(52, 26, 216 / 7, 31),
    "pnbd.btyd.palive1516": lambda k, e: VIGNETTE.p_alive(26, 216 / 7, 31),
    "pnbd.btyd.cet_x10_25": lambda k, e: VIGNETTE.expected_purchases(52, [10, 15, 20, 25], 20, 39),
    "pnbd.btyd.palive_x0": first_fit_alive,
    "pnbd.btyd.dert_example": residual(7, 35),
    "pnbd.btyd.dert_vector": residual(range(1, 11), 30),
    "pnbd.lifetimes.underflow": lambda k, e: ParetoNBD(0.55, 10.58, 0.61, 11.67).expected_purchases(
        10, [132, 133], 200, 200
    ),
    "pnbd.lifetimes.expectation_1_9": lambda k, e: VIGNETTE.expected_purchases(np.arange(1, 10)),
    **{f"pymc.pnbd.cet{t}": purchases(t) for t in (1, 3, 6)},
    "pymc.pnbd.palive": lambda k, e: ROUNDED.p_alive(*quickstart(k)),
    "pymc.pnbd.new": lambda k, e: ROUNDED.expected_purchases([1, 3, 6]),
    "pymc.pnbd.cond_pmf1": lambda k, e: ROUNDED.pmf(1, 1, *quickstart(k)),
    "pymc.pnbd.cond_pmf2": lambda k, e: ROUNDED.pmf(2, 2, *quickstart(k)),
    "pymc.pnbd.cond_pmf0": lambda k, e: ROUNDED.pmf(0, 0, 2, 30.43, 38.86),
    "pymc.pnbd.logp": log_densities,
}
