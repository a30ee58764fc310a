"""`clvmodel audit` says what the package says, and its exit code what was asked of it."""

import json

import pandas as pd
import pytest

from clvmodel.tables.audit import audit

ROLES = {"customer": "customer_id", "date": "date", "value": "amount"}


@pytest.fixture
def broken(orders, tmp_path):
    """Orders of which one amount cannot be read."""
    frame = pd.read_csv(orders, dtype=str)
    frame.loc[3, "amount"] = "twelve"
    frame.to_csv(tmp_path / "broken.csv", index=False)
    return tmp_path / "broken.csv"


def test_text_on_stdout(run, orders):
    code, out, err = run("audit", orders)
    assert (code, out) == (0, f"{audit(orders, **ROLES)!r}\n")
    assert "columns guessed" in err


def test_json_on_stdout_and_in_a_file(run, orders, tmp_path):
    path = tmp_path / "audit.json"
    code, out, err = run("audit", orders, "--json", "-q", "--out", path, "--unit", "W")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads(path.read_text())
    assert json.loads(out) == audit(orders, **ROLES, unit="W").to_dict()


def test_errors_are_findings_and_strictness_an_option(run, broken):
    code, out, _ = run("audit", broken, "-q")
    assert code == 0
    assert "unreadable_amounts" in out
    strict, same, _ = run("audit", broken, "-q", "--strict")
    assert (strict, same) == (1, out)


def test_strict_without_errors(run, orders):
    assert run("audit", orders, "-q", "--strict")[0] == 0


def test_further_columns(run, orders):
    code, out, _ = run("audit", orders, "-q", "--order-id", "quantity", "--json")
    assert code == 0
    assert "order_ids_reused" in {f["name"] for f in json.loads(out)["findings"]}
    assert "several_currencies" in run("audit", orders, "-q", "--currency", "quantity")[1]


def test_wrong_calls(run, orders, tmp_path):
    assert run("audit", orders, "--out", tmp_path / "audit.csv")[0] == 2
    assert run("audit", orders, "--currency", "money")[0] == 2
    assert run("audit", tmp_path / "none.csv")[0] == 1
