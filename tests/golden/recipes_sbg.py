"""How the published numbers for sBG come about: two cohorts of subscribers, and rounded points."""

# ruff: noqa: ARG005 -- every recipe takes the same two arguments

from functools import cache

import clvmodel as clv
from clvmodel import SBG

# Survivors of 1,000 customers after 0, 1, ..., 12 renewals; the first seven are fitted.
SURVIVORS = {
    "highend": [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394],
    "regular": [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173],
}
FITTED = 8


@cache
def cohort(name):
    return clv.ContractSummary.from_survivors(SURVIVORS[name][:FITTED], period="Y")


@cache
def cohort_fit(name):
    return clv.fit(SBG, cohort(name))


RECIPES = {
    "sbg.highend": lambda k, e: cohort_fit("highend").model.values(),
    "sbg.regular": lambda k, e: cohort_fit("regular").model.values(),
    "sbg.pt_1_1": lambda k, e: SBG(1, 1).pmf(range(1, 8)),
    "sbg.derl_case1": lambda k, e: SBG(3.80, 15.20).residual_lifetime(0.1, range(5)),
    "sbg.derl_case2": lambda k, e: SBG(0.067, 0.267).residual_lifetime(0.1, range(5)),
}
