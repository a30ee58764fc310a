"""The command line in processes of its own: streams, exit codes, and the same bytes twice."""

import json
import subprocess
import sys

import pytest

ORDERS = "customer_id,date,amount\n" + "".join(
    f"c{i:02},2024-{1 + (i * k) % 12:02}-{1 + (7 * i + k) % 28:02},{10 + (3 * i + k) % 17}.5\n"
    for i in range(40)
    for k in range(1, 2 + i % 5)
)


def call(folder, *arguments):
    command = [sys.executable, "-m", "clvmodel", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    return tmp_path


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_report_twice_gives_the_same_bytes(folder):
    one = call(folder, "report", "orders.csv", "--out", "report")
    first = files(folder / "report")
    two = call(folder, "report", "orders.csv", "--out", "report")
    assert (one.returncode, two.returncode) == (0, 0), one.stderr
    assert one.stdout == two.stdout == "report/report.html\n"
    assert one.stderr == two.stderr
    assert "columns guessed" in one.stderr
    assert set(first) == {"report.html", "comparison.json", "model.json", "scores.csv"}
    assert files(folder / "report") == first


def test_stdout_is_json_alone(folder):
    found = call(folder, "compare", "orders.csv", "--json")
    assert found.returncode == 0, found.stderr
    assert {s["target"] for s in json.loads(found.stdout)["scores"]} == {"purchases", "value"}
    assert "fitting" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["score", "orders.csv", "--out", "s.csv", "--end", "2999-01-01"], 1, "future"),
        (["score", "orders.csv", "--out", "s.csv", "--customer", "who"], 2, "'who'"),
        (["score", "nothing.csv", "--out", "s.csv"], 1, "does not exist"),
        (["bogus"], 2, "bogus"),
    ],
    ids=str,
)
def test_errors(folder, arguments, code, words):
    found = call(folder, *arguments)
    assert (found.returncode, found.stdout) == (code, "")
    assert words in found.stderr
    assert "Traceback" not in found.stderr
    assert list(files(folder)) == ["orders.csv"]
