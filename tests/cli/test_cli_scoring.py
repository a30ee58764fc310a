"""`score`, `total` and `explain` say what the package says, and where."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from clvmodel.datasets import load_cdnow
from clvmodel.tables.summarize import summarize
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}
AS_TEXT = {"customer_id": str}


@pytest.fixture(scope="module")
def summary(orders):
    return summarize(orders, **ROLES)


@pytest.fixture(scope="module")
def saved(summary, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.json"
    ValueModel().fit(summary).save(path)
    return path


@pytest.fixture
def score(run, orders, saved, tmp_path):
    """Score with options; the table that was written."""

    def call(*options):
        out = tmp_path / "scores.parquet"
        found = run("score", orders, "--model", saved, "--out", out, "-q", *options)
        assert found == (0, f"{out}\n", "")
        return pd.read_parquet(out)

    return call


def test_quantiles(score, saved, summary):
    table = score("--quantiles", "0.05,0.5, .975", "--horizon", "26W")
    expected = load(saved).predict(summary, "26W", quantiles=(0.05, 0.5, 0.975))
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert "value_q975" in table.columns


def test_parameters_may_be_uncertain_in_quantiles(score, saved, summary, monkeypatch):
    monkeypatch.setattr("clvmodel.value.predictions.DRAWS", 3)
    table = score("--quantiles", "0.9", "--parameter-uncertainty")
    expected = load(saved).predict(summary, "365D", quantiles=(0.9,), parameter_uncertainty=True)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert (table["value_q90"] != score("--quantiles", "0.9")["value_q90"]).any()


def test_a_horizon_without_end(score, saved, summary):
    table = score("--horizon", "inf")
    expected = load(saved).predict(summary, np.inf)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize("silence", [(), ("--silent-until", "1998-08-31")])
def test_dates_stand_beside_the_scores(score, saved, summary, silence):
    table = score("--dates", *silence)
    model, then = load(saved), summary
    if silence:
        then = summary.after_silence(silence[1])
    dates = model.predict_dates(then).drop(columns="customer_id")
    scores = model.predict(summary, "365D", silent_until=silence[1] if silence else None)
    assert list(table.columns) == [*scores.columns, *dates.columns]
    pd.testing.assert_frame_equal(table[scores.columns], scores, check_dtype=False)
    pd.testing.assert_frame_equal(table[dates.columns], dates, check_dtype=False)


def test_the_first_purchase_may_inform_the_spend(run, orders, summary, tmp_path):
    path = tmp_path / "m.json"
    assert run("fit", orders, "--out", path, "--spend-includes-first", "-q")[0] == 0
    assert load(path) == ValueModel(spend_includes_first=True).fit(summary)


def test_total_of_all_goes_down_the_page(run, orders, saved, summary):
    code, stdout, stderr = run("total", orders, "--model", saved, "--horizon", "26W")
    assert code == 0
    assert "adding up" in stderr
    expected = load(saved).predict_total(summary, "26W")
    found = dict(line.split() for line in stdout.splitlines())
    assert list(found) == list(expected.columns)
    assert found["customers"] == f"{len(summary)}"
    assert found["value_q95"] == f"{expected['value_q95'][0]:,.1f}"


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_total_by_cohort_goes_across(run, saved, tmp_path, name):
    sample = load_cdnow(sample=True)
    orders = tmp_path / "orders.csv"
    pd.concat([sample.head(99), sample.tail(99)]).to_csv(orders, index=False)
    summary = summarize(orders, **ROLES)
    command = ("total", orders, "--model", saved, "--by", "cohort", "--quantiles", "0.1,0.9")
    code, stdout, _ = run(*command, "--margin", "0.4", "--out", tmp_path / name)
    expected = load(saved).predict_total(
        summary, "365D", by="cohort", margin=0.4, quantiles=(0.1, 0.9)
    )
    assert code == 0
    head, *rows = stdout.splitlines()
    assert head.split() == list(expected.columns)
    assert [row.split()[0] for row in rows] == expected["cohort"].tolist()
    assert len(rows) > 1
    assert len({len(line) for line in (head, *rows)}) == 1
    read = pd.read_csv if name.endswith("csv") else pd.read_parquet
    pd.testing.assert_frame_equal(read(tmp_path / name), expected, check_dtype=False)


def test_total_as_json(run, orders, saved, summary):
    _, stdout, _ = run("total", orders, "--model", saved, "--by", "cohort", "--json", "-q")
    found = json.loads(stdout)
    expected = load(saved).predict_total(summary, "365D", by="cohort")
    assert (found["horizon"], found["by"]) == ("365D", "cohort")
    pd.testing.assert_frame_equal(pd.DataFrame(found["totals"]), expected, check_dtype=False)


def test_explain(run, orders, saved, summary):
    explanation = load(saved).explain(summary, "0004")
    command = ("explain", orders, "--model", saved, "--id", "0004", "-q")
    assert run(*command) == (0, f"{explanation}\n", "")
    found = json.loads(run(*command, "--json")[1])
    assert found["customer"] == "0004"
    assert found["sentence"] == explanation.sentence
    assert found["rows"] == explanation.rows
    assert found["history"]["first_purchase"] == "1997-01-01"
    assert found["history"]["purchases"] == explanation.history["purchases"]


def test_an_id_may_be_a_number(run, orders, saved, tmp_path):
    path = tmp_path / "numbered.parquet"
    pd.read_csv(orders).to_parquet(path)
    code, stdout, _ = run("explain", path, "--model", saved, "--id", "4", "-q")
    assert code == 0
    assert stdout.startswith("Customer 4 bought")
    code, _, stderr = run("explain", path, "--model", saved, "--id", "0004", "-q")
    assert (code, stderr) == (
        2,
        "clvmodel: customer == '0004' is no customer of this summary. Did you mean 4?\n",
    )


def test_what_json_has_no_number_for_is_text(run, orders, saved, tmp_path):
    """Where spend has no mean, JSON says so in a text that every parser reads."""
    model = json.loads(saved.read_text())
    model["spend"]["model"]["q"] = 0.9
    (tmp_path / "m.json").write_text(json.dumps(model))
    command = ("explain", orders, "--model", tmp_path / "m.json", "--id", "0004", "--json", "-q")
    code, stdout, _ = run(*command)
    assert code == 0
    assert json.loads(stdout, parse_constant=pytest.fail)["rows"][2]["population"] == "inf"


def test_drift_is_one_line_on_stderr(orders, saved, tmp_path):
    """Amounts in cents: in a process of its own, which shows warnings as users see them."""
    dear = pd.read_csv(orders, dtype=AS_TEXT)
    dear.assign(amount=dear["amount"] * 100).to_csv(tmp_path / "cents.csv", index=False)
    command = f"score cents.csv --model {saved} --out s.csv -q"
    found = subprocess.run(
        [sys.executable, "-m", "clvmodel", *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (found.returncode, found.stdout) == (0, "s.csv\n")
    assert found.stderr.startswith("clvmodel: warning: These customers are unlike those")
    assert "currency" in found.stderr
    assert found.stderr.count("\n") == 1
    assert len(pd.read_csv(tmp_path / "s.csv")) > 100


def test_drift_does_not_stop_where_warnings_are_errors(run, orders, saved, tmp_path):
    dear = pd.read_csv(orders, dtype=AS_TEXT)
    dear.assign(amount=dear["amount"] * 100).to_csv(tmp_path / "cents.csv", index=False)
    code, stdout, stderr = run(
        *("score", tmp_path / "cents.csv", "--model", saved, "--out", tmp_path / "s.csv"),
        *("--json", "-q"),
    )
    assert code == 0
    assert json.loads(stdout)["customers"] > 100
    assert stderr.startswith("clvmodel: warning: ")
    assert stderr.count("\n") == 1
