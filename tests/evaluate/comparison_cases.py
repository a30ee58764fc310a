"""One way to compare on the CDNOW sample, and a candidate that anybody could write."""

from functools import cache

import pandas as pd

from clvmodel.datasets import load_cdnow
from clvmodel.evaluate.backtest import backtest

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}
CUT = {"cutoffs": ["1997-09-30"], "horizon": "39W"}


@cache
def sample():
    return load_cdnow(sample=True)


def compare(candidates=None, orders=None, **options):
    return backtest(
        sample() if orders is None else orders, candidates, **{**ROLES, **CUT, **options}
    )


@cache
def cdnow():
    """All default candidates on the holdout of the papers."""
    return compare()


def score(comparison, candidate, target="purchases"):
    """The row of scores of one candidate."""
    rows = comparison.scores
    return next(s for s in rows if (s["candidate"], s["target"]) == (candidate, target))


class Twice:
    """What somebody else may bring: the protocol in a few lines."""

    def __init__(self, answer):
        self.answer = answer

    def fit(self, summary):  # noqa: ARG002 - the protocol's signature
        return self

    def predict(self, summary, horizon):
        return self.answer(summary, horizon)


def twice(summary, horizon):
    """Everyone buys twice as often again."""
    return pd.DataFrame(
        {"customer_id": summary.ids.to_pylist(), "expected_purchases": 2.0 * summary.frequency}
    )
