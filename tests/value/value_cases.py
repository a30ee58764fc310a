"""Histories to predict from: CDNOW, and a shop of four customers worked by hand."""

import datetime as dt
from functools import cache

import pandas as pd

from clvmodel.datasets import load_cdnow
from clvmodel.fitting.fit import Fit
from clvmodel.tables.summarize import summarize
from clvmodel.value.fitted import FittedValueModel
from clvmodel.value.value_model import ValueModel

CDNOW = {"customer": "customer_id", "date": "date", "value": "amount"}
ROLES = {"customer": "who", "date": "when", "value": "paid"}

# A history of 400 days: day 0 is 2023-01-01, observation ends with day 399, 2024-02-04.
START, END = dt.date(2023, 1, 1), dt.date(2024, 2, 4)
HAND = [
    ("ann", 0, 10.0),
    ("ann", 250, 20.0),
    ("ann", 380, 30.0),
    ("bob", 100, 40.0),
    ("cem", 300, 50.0),
    ("cem", 350, 60.0),
    ("dee", 240, 70.0),
]
# Purchases 7, revenue 280, customers 4; times from first to last purchase 380, 0, 50, 0 days.


def shop(rows=HAND, unit="D", end=END, **options):
    """Summarize (customer, day, amount) rows."""
    frame = pd.DataFrame(rows, columns=["who", "when", "paid"])
    frame["when"] = [START + dt.timedelta(days=day) for day in frame["when"]]
    return summarize(frame, **{**ROLES, "end": end, "unit": unit, **options})


def columns(table, *names):
    """Columns of a prediction as lists."""
    return [table[f"expected_{name}"].tolist() for name in names or ("purchases", "value")]


@cache
def cdnow_weeks():
    """The first 39 weeks of the CDNOW sample, in weeks."""
    return summarize(load_cdnow(sample=True), **CDNOW, end="1997-09-30", unit="W")


@cache
def cdnow_model():
    """The model fitted to them."""
    return ValueModel().fit(cdnow_weeks())


def fitted_at(model, spend=None, unit="D", **options):
    """A fitted value model whose parameters are known, not estimated."""

    def known(point):
        k = len(point.names())
        small = tuple(tuple(1e-8 * (i == j) for j in range(k)) for i in range(k))
        return Fit(point, 0.0, small, 1.0, 0.0, unit, True, 0.0, "Known.")

    return FittedValueModel(known(model), None if spend is None else known(spend), **options)
