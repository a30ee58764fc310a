"""Rolling origin: every cutoff, horizon and group; books that reconcile; a winner that says how."""

import datetime as dt
import json
import pickle

import numpy as np
import pandas as pd
import pytest
from comparison_cases import Twice, compare, sample, twice
from test_tracking import END, ROLES, purchase_days, shop

from clvmodel.evaluate.backtest import backtest
from clvmodel.evaluate.comparison import Winner
from clvmodel.evaluate.metrics import CHANCE_METRICS, METRICS
from clvmodel.value.naive import LastPeriod, RunRate
from clvmodel.value.value_model import ValueModel


class NeedsTime(Twice):
    """Fails where there is less than half a year of history."""

    name = "Needs time"

    def fit(self, summary):
        if summary.T.max() < 180:
            raise ValueError("too young")
        return self


@pytest.fixture(scope="module")
def orders():
    return shop(customers=400)


@pytest.fixture(scope="module")
def found(orders):
    candidates = [ValueModel(), LastPeriod(), RunRate(), NeedsTime(twice)]
    return backtest(
        orders, candidates, **ROLES, n_cutoffs=3, horizon=["60D", "30D"], end=END, bootstrap=50
    )


def test_a_fold_for_each_cutoff_and_horizon(found):
    assert [(f["cutoff"], f["days"]) for f in found.folds] == [
        (str(END - dt.timedelta(days=b)), d) for b in (180, 120, 60) for d in (60, 30)
    ]
    assert (str(found.cutoff), found.days) == ("2024-11-01", 60)
    assert found.tracking == found.folds[4]["tracking"]
    assert found.by_frequency == found.folds[4]["by_frequency"]


def test_the_books_of_every_fold_reconcile_with_the_orders(orders, found):
    bought = purchase_days(orders)
    first = bought.groupby("who")["when"].min()
    for fold in found.folds:
        cut = dt.date.fromisoformat(fold["cutoff"])
        end = cut + dt.timedelta(days=fold["days"])
        books = fold["books"]
        parts = [line for name, line in books.items() if name != "all"]
        for column in ("purchases", "value"):
            total = sum(line[column] for line in parts)
            assert total == pytest.approx(books["all"][column])
        assert books["all"]["purchases"] == len(bought)
        assert books["all"]["value"] == pytest.approx(bought["paid"].sum())
        inside = bought[(bought["when"] > cut) & (bought["when"] <= end)]
        late = inside[inside["who"].isin(first[first > cut].index)]
        assert books["late joiners in the holdout"] == {
            "customers": late["who"].nunique(),
            "purchases": len(late),
            "value": pytest.approx(late["paid"].sum()),
        }
        assert books["known customers in the holdout"]["purchases"] == len(inside) - len(late)


def rows(found, **wanted):
    return [m for m in found.measures if all(m[k] == v for k, v in wanted.items())]


def test_groups_partition_the_customers_and_their_errors_add_up(found):
    for fold in found.folds:
        at = {"cutoff": fold["cutoff"], "days": fold["days"], "candidate": "Last period"}
        for target in ("purchases", "value"):
            whole = rows(found, grouping="all", metric="mae", target=target, **at)[0]
            assert whole["customers"] == fold["customers"]
            for kind in ("history", "past value", "cohort"):
                parts = rows(found, grouping=kind, metric="mae", target=target, **at)
                assert sum(p["customers"] for p in parts) == fold["customers"]
                total = sum(p["customers"] * p["value"] for p in parts)
                assert total == pytest.approx(whole["value"] * whole["customers"])


def test_the_top_tenth_is_a_tenth(found):
    fold = found.folds[0]
    top = rows(found, cutoff=fold["cutoff"], days=fold["days"], group="top tenth")[0]
    assert top["customers"] == pytest.approx(fold["customers"] / 10, abs=1)


def test_the_same_as_one_cutoff_at_a_time(orders, found):
    alone = backtest(
        orders,
        [ValueModel(), LastPeriod()],
        **ROLES,
        cutoffs=["2024-09-02"],
        horizon="60D",
        end=END,
    )
    for score in alone.scores:
        for metric in METRICS:
            row = rows(
                found,
                cutoff="2024-09-02",
                days=60,
                grouping="all",
                candidate=score["candidate"],
                target=score["target"],
                metric=metric,
            )[0]
            assert row["value"] == score[metric]


def test_overall_is_the_mean_over_cutoffs(found):
    for row in found.overall:
        each = [
            m["value"]
            for m in rows(
                found,
                grouping="all",
                **{k: row[k] for k in ("days", "candidate", "target", "metric")},
            )
        ]
        known = [v for v in each if v is not None]
        assert row["cutoffs"] == len(known)
        if len(known) == 3:
            assert row["mean"] == pytest.approx(np.mean(each))
            assert row["lowest"] <= row["mean"] <= row["highest"]
        else:
            assert row["mean"] is None


def test_a_candidate_that_fails_at_one_cutoff_is_a_row_there_and_no_winner(found):
    assert [len(f["failures"]) for f in found.folds] == [0, 0, 0, 0, 0, 0]
    young = backtest(
        shop(customers=200),
        [LastPeriod(), NeedsTime(twice)],
        **ROLES,
        cutoffs=["2024-03-31", "2024-09-30"],
        horizon="60D",
        end=END,
        bootstrap=20,
    )
    assert [f["failures"] for f in young.folds] == [
        [{"candidate": "Needs time", "reason": "ValueError: too young"}],
        [],
    ]
    mine = [o for o in young.overall if o["candidate"] == "Needs time" and o["metric"] == "mae"]
    assert (mine[0]["cutoffs"], mine[0]["mean"]) == (1, None)
    assert young.winner("purchases") == "Last period"
    assert [r["mae"] for r in young.ranking("purchases")][-1] is None


def test_metrics_has_a_row_for_each_fold(found):
    table = found.metrics
    assert list(table.columns[:4]) == ["cutoff", "days", "candidate", "target"]
    assert {*METRICS, *CHANCE_METRICS, "log_score"} <= set(table.columns)
    assert len(table) == 6 * (4 + 3 + 1)
    assert len(found.table) == len(found.measures)


def test_it_prints_the_latest_and_says_so(found):
    text = str(found)
    assert text.startswith("60 days after 2024-11-01")
    assert text.endswith("groups in .table.")
    assert "The latest of 6 holdouts" in text


def test_winner_says_whether_it_is_clear(found):
    for contest in found.contests:
        winner = found.winner(contest["target"], contest["metric"], contest["days"])
        assert isinstance(winner, Winner)
        assert winner == contest["leader"]
        unclear = [r["candidate"] for r in contest["rivals"] if r["verdict"] != "worse"]
        assert list(winner.unclear) == unclear
        if contest["rivals"]:
            assert winner.clear == (not unclear)
    assert (
        "no clear difference from"
        in Winner(
            "A", "value", "mae", {"rivals": [{"candidate": "B", "verdict": "no clear difference"}]}
        ).words
    )
    again = pickle.loads(pickle.dumps(found.winner("purchases")))
    assert (again, again.clear, again.unclear) == (
        found.winner("purchases"),
        found.winner("purchases").clear,
        found.winner("purchases").unclear,
    )


def test_a_copy_of_itself_shows_no_difference():
    class Copy(RunRate):
        name = "Copy"

    both = compare([RunRate(), Copy(), LastPeriod()], bootstrap=50)
    mine = [m for m in both.measures if m["candidate"] == "Copy" and m["difference"] is not None]
    assert len(mine) > 50
    for row in mine:
        assert (row["difference"], row["low"], row["high"]) == (0.0, 0.0, 0.0)
        assert row["verdict"] == "no clear difference"
    winner = both.winner("purchases", "mae")
    assert {winner, *winner.unclear} >= {"Run rate", "Copy"}


def test_a_reference_of_choice(orders):
    found = backtest(
        orders, [LastPeriod(), RunRate()], **ROLES, end=END, reference="Run rate", bootstrap=30
    )
    assert {m["reference"] for m in found.measures} == {"Run rate"}
    assert found.options["reference"] == "Run rate"


def test_groups_of_a_column(orders):
    customers = pd.DataFrame({"who": sorted(orders["who"].unique())})
    customers["channel"] = np.where(np.arange(len(customers)) % 3 == 0, "web", "shop")
    found = backtest(
        orders,
        [LastPeriod()],
        **ROLES,
        end=END,
        customers=customers,
        groups=["channel"],
        bootstrap=0,
    )
    parts = rows(found, grouping="channel", metric="bias", target="purchases")
    assert [p["group"] for p in parts] == ["shop", "web"]
    assert sum(p["customers"] for p in parts) == found.data["customers"]
    assert all(p["low"] is None for p in parts)
    assert found.winner("purchases").clear is None


def test_plain_data_is_json_and_the_same_twice(orders, found):
    candidates = [ValueModel(), LastPeriod(), RunRate(), NeedsTime(twice)]
    again = backtest(
        orders.sample(frac=1, random_state=2),
        candidates,
        **ROLES,
        n_cutoffs=3,
        horizon=["60D", "30D"],
        end=END,
        bootstrap=50,
    )
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert text == json.dumps(again.to_dict(), allow_nan=False)
    assert '"inf"' in text  # run rate says 0 for customers who then buy: an infinite deviance


def test_another_future_changes_no_forecast_at_any_cutoff():
    """Predictions at the first cutoff must not know what the second one does."""
    changed = sample().copy()
    later = changed["date"] > "1997-06-30"
    changed.loc[later, "amount"] = 1.0
    changed.loc[later, "date"] = (
        changed.loc[later, "date"].sample(frac=1, random_state=1).to_numpy()
    )
    options = {"cutoffs": ["1997-06-30", "1997-09-30"], "horizon": "90D", "end": "1998-06-30"}
    one, two = (
        compare([ValueModel(), LastPeriod()], o, **options, bootstrap=0).folds[0]
        for o in (sample(), changed)
    )
    assert one["by_frequency"]["predicted"] == two["by_frequency"]["predicted"]
    assert (
        one["deciles"]["value"]["Last period"]["predicted"]
        == (two["deciles"]["value"]["Last period"]["predicted"])
    )
    assert one["tracking"]["predicted"] == two["tracking"]["predicted"]
    assert one["by_frequency"]["actual"] != two["by_frequency"]["actual"]


def test_progress_names_the_cutoff(orders):
    steps = []
    backtest(orders, [RunRate()], **ROLES, n_cutoffs=2, end=END, bootstrap=0, progress=steps.append)
    assert steps[1] == "fitting Run rate, cutoff 2024-07-02, 91 days"
    assert steps[-1] == "scoring"
