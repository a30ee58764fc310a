"""A small order history with every kind of day in it, and its summary worked by hand."""

from functools import cache

import pandas as pd

from clvmodel.datasets import load_cdnow
from clvmodel.tables.summarize import summarize

END = "2024-03-31"  # 2024 is a leap year: day 90 after New Year's Day
HAND_ROWS = [
    ("ann", "2024-01-01", 10.0),  # two orders on one day: one purchase of 15
    ("ann", "2024-01-01", 5.0),
    ("ann", "2024-01-11", 20.0),
    ("ann", "2024-02-10", 31.0),
    ("bob", "2024-02-20", 8.0),
    ("cem", "2024-01-31", 7.0),  # a refund on the same day: 5 is left
    ("cem", "2024-01-31", -2.0),
    ("cem", "2024-03-31", 9.0),  # on the last day of observation
    ("dee", "2024-03-01", 0.0),  # a free order is an order
    ("dee", "2024-03-02", 12.0),
    ("dee", "2024-03-03", 4.0),  # bought and returned on one day: no purchase
    ("dee", "2024-03-03", -4.0),
    ("dee", "2024-03-05", -3.0),  # only a refund: no purchase
    ("eve", "2024-03-10", 6.0),
    ("eve", "2024-04-01", 100.0),  # after the end
    ("fox", "2024-04-02", 50.0),  # a customer whom nobody knows yet
]
IDS = ["ann", "bob", "cem", "dee", "eve"]
FREQUENCY = [2, 0, 1, 1, 0]
RECENCY = [40, 0, 60, 1, 0]  # ann: 30 days of January left, 10 of February
T = [90, 40, 60, 30, 21]
MONETARY = [25.5, 0, 9, 12, 0]  # ann: (20 + 31) / 2
FIRST = [15, 8, 5, 0, 6]

ROLES = {"customer": "who", "date": "when", "value": "paid"}
CDNOW = {"customer": "customer_id", "date": "date", "value": "amount"}


def hand_orders():
    """The hand-worked orders as a pandas table."""
    frame = pd.DataFrame(HAND_ROWS, columns=["who", "when", "paid"])
    return frame.assign(when=pd.to_datetime(frame["when"]))


@cache
def cdnow_sample():
    """The CDNOW sample, read once."""
    return load_cdnow(sample=True)


def by_hand(orders, **options):
    """Summarize the hand-worked orders."""
    return summarize(orders, **{**ROLES, "end": END, **options})


def lists(summary):
    """The columns of a summary as lists."""
    names = ("frequency", "recency", "T", "monetary_value", "first_value")
    return [getattr(summary, name).tolist() for name in names]


WORKED = [FREQUENCY, RECENCY, T, MONETARY, FIRST]
