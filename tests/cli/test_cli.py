"""The command line, run in this process: what goes where, and the exit codes."""

import csv
import gzip
import json

import pyarrow.parquet as pq
import pytest

from clvmodel.tables.summarize import summarize
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel

GUESSED = "columns guessed: customer=customer_id, date=date, value=amount"
ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", ["summary.csv", "summary.parquet", "new/summary.csv"])
def test_summarize(run, orders, tmp_path, name):
    out = tmp_path / name
    code, stdout, stderr = run("summarize", orders, "--out", out, "--end", "1998-01-31")
    assert (code, stdout) == (0, f"{out}\n")
    assert GUESSED in stderr
    summary = summarize(orders, **ROLES, end="1998-01-31")
    rows = read_csv(out) if name.endswith("csv") else pq.read_table(out).to_pylist()
    assert [r["customer_id"] for r in rows] == summary.ids.to_pylist()
    assert [float(r["T"]) for r in rows] == summary.T.tolist()
    assert [float(r["monetary_value"]) for r in rows] == summary.monetary_value.tolist()
    assert names(out.parent) == [out.name]


def test_units(run, orders, tmp_path):
    run("summarize", orders, "--out", tmp_path / "d.csv")
    run("summarize", orders, "--out", tmp_path / "w.csv", "--unit", "W")
    for day, week in zip(read_csv(tmp_path / "d.csv"), read_csv(tmp_path / "w.csv"), strict=True):
        assert float(week["T"]) == pytest.approx(float(day["T"]) / 7)


def test_fit(run, orders, tmp_path):
    code, stdout, stderr = run("fit", orders, "--out", tmp_path / "m.json", "--unit", "W")
    assert (code, stdout) == (0, f"{tmp_path / 'm.json'}\n")
    assert "log-likelihood" in stderr
    assert load(tmp_path / "m.json") == ValueModel().fit(summarize(orders, **ROLES, unit="W"))


def test_a_saved_model_scores_like_a_fresh_one(run, orders, tmp_path):
    assert run("fit", orders, "--out", tmp_path / "m.json")[0] == 0
    code, stdout, _ = run(
        *("score", orders, "--out", tmp_path / "a.csv", "--model", tmp_path / "m.json")
    )
    assert (code, stdout) == (0, f"{tmp_path / 'a.csv'}\n")
    assert run("score", orders, "--out", tmp_path / "b.csv")[0] == 0
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    rows = read_csv(tmp_path / "a.csv")
    assert list(rows[0]) == [
        *("customer_id", "p_alive", "p_churn", "p_purchase", "expected_purchases"),
        *("expected_spend", "expected_value", "clv", "historic_value", "lifetime_value"),
    ]
    assert rows[0]["customer_id"] == "0001"


def test_the_options_of_score(run, orders, tmp_path):
    run("fit", orders, "--out", tmp_path / "m.json")
    command = ("score", orders, "-q", "--model", tmp_path / "m.json", "--out")
    run(*command, tmp_path / "a.csv", "--horizon", "52W", "--margin", "0.5", "--discount-rate", "0")
    model, summary = load(tmp_path / "m.json"), summarize(orders, **ROLES)
    expected = model.predict(summary, "364D", margin=0.5, discount_rate=0)
    found = read_csv(tmp_path / "a.csv")
    assert [float(r["clv"]) for r in found] == pytest.approx(expected["clv"].tolist())
    assert [float(r["expected_value"]) for r in found] == pytest.approx(expected["clv"].tolist())


@pytest.mark.parametrize("name", ["c.json", "c.csv", None])
def test_compare(run, orders, tmp_path, name):
    out = () if name is None else ("--out", tmp_path / name)
    code, stdout, stderr = run("compare", orders, "--cutoff", "1997-09-30", *out)
    assert code == 0
    assert stdout.startswith("270 days after 1997-09-30")
    assert "fitting Store formula" in stderr
    assert names(tmp_path) == ([] if name is None else [name])
    if name == "c.json":
        plain = json.loads((tmp_path / name).read_text())
        assert plain["data"]["source"] == "orders.csv"
        assert plain["options"]["command"].startswith("clvmodel compare")
        assert "--cutoff 1997-09-30" in plain["options"]["command"]
    if name == "c.csv":
        assert len(read_csv(tmp_path / name)) == 14


@pytest.mark.parametrize(
    ("command", "extra", "key"),
    [
        ("summarize", ["--out", "s.csv"], "customers"),
        ("fit", ["--out", "m.json"], "purchases"),
        ("score", ["--out", "s.csv"], "customers"),
        ("total", ["--out", "t.parquet"], "totals"),
        ("explain", ["--id", "0001"], "sentence"),
        ("compare", ["--horizon", "20W"], "scores"),
        ("report", ["--out", "folder"], "report"),
    ],
)
def test_json_and_quiet(run, orders, tmp_path, monkeypatch, command, extra, key):
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = run(command, orders, *extra, "--json", "--quiet")
    assert (code, stderr) == (0, "")
    assert key in json.loads(stdout)


def test_report(run, orders, tmp_path):
    folder = tmp_path / "new" / "report"
    code, stdout, stderr = run("report", orders, "--out", folder, "--cutoff", "1997-12-31")
    assert (code, stdout) == (0, f"{folder / 'report.html'}\n")
    assert GUESSED in stderr
    assert names(folder) == ["comparison.json", "model.json", "report.html", "scores.csv"]
    assert len(read_csv(folder / "scores.csv")) == len(summarize(orders, **ROLES))
    assert json.loads((folder / "comparison.json").read_text())["days"] == 178  # to the last order
    assert load(folder / "model.json") == ValueModel().fit(summarize(orders, **ROLES))


def test_built_in_orders(run, tmp_path):
    code, _, stderr = run("summarize", "cdnow-sample", "--out", tmp_path / "s.csv")
    assert (code, len(read_csv(tmp_path / "s.csv"))) == (0, 2357)
    assert "summarizing cdnow-sample" in stderr


def test_columns_may_be_named(run, tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("K,Tag,Wert,date\na,31.12.2023,5,x\na,01.02.2024,7,y\n")
    named = ("--customer", "K", "--date", "Tag", "--value", "Wert", "--date-format", "%d.%m.%Y")
    code, _, stderr = run("summarize", path, "--out", tmp_path / "s.csv", *named)
    assert code == 0
    assert "guessed" not in stderr
    assert read_csv(tmp_path / "s.csv")[0]["recency"] == "32"


FILES = {
    "empty.csv": b"",
    "header.csv": b"customer_id,date,amount\n",
    "notes.txt": b"some notes",
    "binary.csv": bytes(range(256)) * 20,
    "prose.parquet": b"Dear all, " * 20,
    "letters.csv": b"customer_id,date,amount\na,2024-01-01,1\nb,2024-01-01,two\n",
    "dates.csv": b"customer_id,date,amount\na,01/02/2024,1\n",
    "late.csv.gz": gzip.compress(b"customer_id,date,amount\n") + b"rubbish",
    "missing.csv": None,
}
COMMANDS = {
    "total": ["--out", "out/t.csv"],
    "explain": ["--id", "a"],
    "summarize": ["--out", "out/s.csv"],
    "score": ["--out", "out/s.parquet"],
    "report": ["--out", "out"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FILES)
def test_orders_that_cannot_be_read_are_code_1(run, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    if FILES[name] is not None:
        (tmp_path / name).write_bytes(FILES[name])
    code, stdout, stderr = run(command, name, *COMMANDS[command], "-q")
    assert (code, stdout) == (1, "")
    assert stderr.startswith("clvmodel: ")
    assert stderr.count("\n") == 1
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["summarize", "{orders}", "--out", "out/s.csv", "--end", "2999-01-01"], 1, "future"),
        (["summarize", "{orders}", "--out", "out/s.csv", "--end", "1990-01-01"], 1, "before"),
        (["summarize", "{folder}", "--out", "out/s.csv"], 1, "is a directory"),
        (["summarize", "{orders}", "--out", "{folder}"], 2, "must end in"),
        (["summarize", "{orders}", "--out", "{orders}/s.csv"], 1, "cannot be written"),
        (["fit", "{orders}", "--out", "{folder}"], 2, "must end in .json"),
        (["score", "{orders}", "--out", "out/s.csv", "--model", "{orders}"], 1, "not JSON"),
        (["score", "{orders}", "--out", "out/s.csv", "--model", "no.json"], 1, "no.json"),
        (["compare", "{orders}", "--cutoff", "1998-06-30"], 1, "does not fit"),
        (["summarize", "{orders}", "--out", "out/s.csv", "--value", "amuont"], 2, "Did you mean"),
        (["summarize", "{orders}", "--out", "out/s.csv", "--value", "date"], 2, "date column"),
        (["summarize", "{orders}", "--out", "out/s.csv", "--unit", "w"], 2, "unit == 'w'"),
        (["summarize", "{orders}", "--out", "out/s.csv", "--end", "soon"], 2, "not a date"),
        (["score", "{orders}", "--out", "out/s.csv", "--horizon", "soon"], 2, "horizon"),
        (["score", "{orders}", "--out", "out/s.csv", "--margin", "nan"], 2, "margin"),
        (["score", "{orders}", "--out", "out/s.csv", "--discount-rate", "-1"], 2, "discount_rate"),
        (["score", "{orders}", "--out", "out/s.csv", "--quantiles", "5,95"], 2, "0.05,0.5,0.95"),
        (["score", "{orders}", "--out", "out/s.csv", "--quantiles", "half"], 2, "--quantiles"),
        (["score", "{orders}", "--out", "out/s.csv", "--silent-until", "soon"], 2, "silent-until"),
        (["score", "{orders}", "--out", "out/s.csv", "--silent-until", "1997-12-01"], 2, "after"),
        (["score", "{orders}", "--out", "out/s.csv", "--parameter-uncertainty"], 2, "--quantiles"),
        (["total", "{orders}", "--out", "out/t.txt"], 2, ".csv or .parquet"),
        (["total", "{orders}", "--horizon", "inf"], 2, "finite"),
        (["total", "{orders}", "--quantiles", "0.1;0.9"], 2, "separated by commas"),
        (["total", "{orders}", "--by", "region"], 2, "the columns are 'cohort'"),
        (["total", "{orders}", "--model", "no.json"], 1, "no.json"),
        (["explain", "{orders}", "--id", "1"], 2, "Did you mean '0001'?"),
        (["explain", "{orders}", "--id", "0001", "--model", "no.json"], 1, "no.json"),
        (["compare", "{orders}", "--out", "out/c.txt"], 2, ".txt"),
        (["compare", "{orders}", "--cutoff", "soon"], 2, "cutoff"),
        (["report", "{orders}", "--out", "out", "--horizon", "soon"], 2, "horizon"),
        (["report", "{orders}", "--out", "{orders}"], 2, "is a file"),
    ],
    ids=str,
)
def test_errors_are_one_line(run, orders, tmp_path, monkeypatch, arguments, code, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    content = orders.read_bytes()
    given = [a.format(orders=orders, folder=tmp_path / "out") for a in arguments]
    found, stdout, stderr = run(*given, "--quiet")
    assert (found, stdout) == (code, "")
    assert stderr.startswith("clvmodel: ")
    assert stderr.count("\n") == 1
    assert words in stderr
    assert names(tmp_path / "out") == []
    assert orders.read_bytes() == content


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["summarize"],
        ["summarize", "orders.csv"],
        ["summarize", "orders.csv", "--out", "s.csv", "--bogus", "1"],
        ["score", "orders.csv", "--out", "s.csv", "--margin", "half"],
        ["explain", "orders.csv"],
        ["compare", "orders.csv", "more.csv"],
    ],
    ids=str,
)
def test_wrong_calls_are_code_2(run, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (2, "")
    assert "Usage" in stderr
    assert names(tmp_path) == []


def test_help(run):
    code, stdout, _ = run("--help")
    assert code == 0
    for command in ("summarize", "fit", "score", "total", "explain", "compare", "report"):
        assert command in stdout
        assert run(command, "--help")[0] == 0


def test_unwritable_endings_are_refused_before_the_work(run, orders, tmp_path):
    for command in ("summarize", "score"):
        code, _, stderr = run(command, orders, "--out", tmp_path / "s.txt")
        assert code in (1, 2)
        assert ".csv or .parquet" in stderr
        assert "customers" not in stderr
    assert names(tmp_path) == []
