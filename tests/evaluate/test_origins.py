"""Where cutoffs lie."""

import datetime as dt
import itertools

import pytest

from clvmodel.errors import ClvError, DataError, ParameterError
from clvmodel.evaluate.origins import holdouts

FIRST, LAST = dt.date(2024, 1, 1), dt.date(2024, 12, 31)  # 366 days


def cuts(**options):
    return [(c.isoformat(), d) for c, d in holdouts(FIRST, LAST, **options)]


def test_holdouts_adjoin_and_end_with_the_orders():
    found = holdouts(FIRST, LAST, n_cutoffs=3, horizon="60D")
    assert [d for _, d in found] == [60, 60, 60]
    assert found[-1][0] + dt.timedelta(days=60) == LAST
    for (cut, days), (after, _) in itertools.pairwise(found):
        assert cut + dt.timedelta(days=days) == after


def test_step_lets_them_overlap():
    assert cuts(n_cutoffs=2, horizon="60D", step="30D") == [("2024-10-02", 60), ("2024-11-01", 60)]


def test_defaults():
    assert cuts() == [("2024-07-01", 183)]
    assert [d for _, d in cuts(n_cutoffs=3)] == [61, 61, 61]
    assert cuts(cutoffs="2024-06-30") == [("2024-06-30", 184)]
    # two years and more: a holdout of a year
    assert holdouts(dt.date(2020, 1, 1), LAST)[0][1] == 365


def test_several_horizons_stand_at_the_same_cutoffs():
    assert cuts(n_cutoffs=2, horizon=["30D", "60D"]) == [
        ("2024-09-02", 30),
        ("2024-09-02", 60),
        ("2024-11-01", 30),
        ("2024-11-01", 60),
    ]
    assert cuts(cutoffs=["2024-03-31", "2024-06-30"], horizon=["1M", "90D"])[1:3] == [
        ("2024-03-31", 90),
        ("2024-06-30", 30),
    ]


def test_cutoffs_are_sorted():
    found = cuts(cutoffs=[dt.date(2024, 6, 30), "2024-03-31"], horizon="30D")
    assert [c for c, _ in found] == ["2024-03-31", "2024-06-30"]


def test_min_history():
    assert cuts(n_cutoffs=2, horizon="60D", min_history="240D")[0][0] == "2024-09-02"
    with pytest.raises(DataError, match="Only 246 days of history lie before the cutoff"):
        cuts(n_cutoffs=2, horizon="60D", min_history="250D")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"n_cutoffs": 0}, ParameterError),
        ({"n_cutoffs": 1.5}, ParameterError),
        ({"n_cutoffs": True}, ParameterError),
        ({"n_cutoffs": 2, "cutoffs": ["2024-06-30"]}, ParameterError),
        ({"cutoffs": []}, ParameterError),
        ({"cutoffs": ["2024-06-30", dt.date(2024, 6, 30)]}, ParameterError),
        ({"horizon": []}, ParameterError),
        ({"cutoffs": ["2024-06-30"], "horizon": ["30D", "30D"]}, ParameterError),
        ({"n_cutoffs": 7, "horizon": "60D"}, DataError),
        ({"cutoffs": ["2023-12-31"]}, DataError),
        ({"cutoffs": ["2024-12-31"]}, DataError),
        ({"cutoffs": ["2024-06-30"], "horizon": "1Y"}, DataError),
        ({"n_cutoffs": 2, "horizon": "2024-12-31"}, ClvError),
        ({"n_cutoffs": 2, "step": "soon"}, ClvError),
    ],
    ids=str,
)
def test_errors(options, error):
    with pytest.raises(error):
        cuts(**options)
