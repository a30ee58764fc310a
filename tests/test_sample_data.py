"""The files in data/sample: written again byte for byte, and true to what they say."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clvmodel.fitting.estimate import fit
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
PRESETS = ROOT / "tests" / "data" / "presets"
SHOP = SAMPLE / "shop_orders.csv"
ROLES = {"customer": "customer_email", "date": "ordered_at", "value": "amount"}


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    return pd.read_csv(SHOP, keep_default_na=False)


@pytest.fixture(scope="module")
def clean(orders: pd.DataFrame) -> pd.DataFrame:
    """The shop without repeated rows, guests and refunds."""
    once = orders.drop_duplicates()
    return once[(once["customer_email"] != "") & (once["refund_of"] == "")]


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return json.loads((SAMPLE / "shop_orders_truth.json").read_text())


@pytest.fixture(scope="module")
def shop() -> Summary:
    return summarize(SHOP, **ROLES)


@pytest.mark.parametrize(
    ("script", "folder", "names"),
    [
        ("make_cdnow_sample.py", SAMPLE, {"cdnow_orders.csv"}),
        ("make_shop_orders.py", SAMPLE, {"shop_orders.csv", "shop_orders_truth.json"}),
        ("make_preset_samples.py", PRESETS, {path.name for path in PRESETS.iterdir()}),
    ],
)
def test_script_writes_the_committed_bytes(
    script: str, folder: Path, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(ROOT / "scripts" / script)
    monkeypatch.setattr("sys.argv", [path, str(tmp_path)])
    runpy.run_path(path, run_name="__main__")
    assert {written.name for written in tmp_path.iterdir()} == names
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_cdnow_is_the_sample_of_the_papers() -> None:
    table = pd.read_csv(SAMPLE / "cdnow_orders.csv", dtype={"customer_id": str})
    assert list(table) == ["customer_id", "date", "quantity", "amount"]
    assert len(table) == 6_919
    assert table["customer_id"].nunique() == 2_357
    assert (table["date"].min(), table["date"].max()) == ("1997-01-01", "1998-06-30")


def test_shop_is_small_sorted_and_invented(orders: pd.DataFrame, truth: dict[str, Any]) -> None:
    assert SHOP.stat().st_size < 600_000
    assert orders["ordered_at"].is_monotonic_increasing
    days = orders["ordered_at"].str[:10]
    assert (days.min(), days.max()) == (truth["first_day"], truth["last_day"])
    emails = orders.loc[orders["customer_email"] != "", "customer_email"]
    assert emails.str.fullmatch(r"[a-z]+\.[a-z]+\d+@example\.(com|org|net)").all()


def test_shop_is_as_clean_underneath_as_the_truth_says(
    clean: pd.DataFrame, truth: dict[str, Any]
) -> None:
    purchases = clean.groupby(["customer_email", clean["ordered_at"].str[:10]])["amount"].sum()
    assert clean["customer_email"].nunique() == truth["clean"]["customers"]
    assert len(purchases) == truth["clean"]["purchases"]
    assert purchases.sum() == pytest.approx(truth["clean"]["value"], abs=0.005)


def test_refunds_name_an_order_of_the_same_customer(
    orders: pd.DataFrame, truth: dict[str, Any]
) -> None:
    mess = truth["mess"]
    refunds = orders[orders["refund_of"] != ""]
    once = orders.drop_duplicates().set_index("order_id")
    refunded = once.loc[refunds["refund_of"]].reset_index()
    refunds = refunds.reset_index(drop=True)
    assert (orders["amount"] < 0).sum() == len(refunds)
    assert (refunds["customer_email"] == refunded["customer_email"]).all()
    assert (refunds["ordered_at"] > refunded["ordered_at"]).all()
    assert (refunds["amount"] + refunded["amount"] >= 0).all()
    same_day = refunds["ordered_at"].str[:10] == refunded["ordered_at"].str[:10]
    full = refunds["amount"] == -refunded["amount"]
    assert (same_day & full).sum() == mess["same_day_full_refunds"]
    assert (same_day & ~full).sum() == mess["same_day_partial_refunds"]
    assert (~same_day).sum() == mess["later_day_refunds"]


def test_other_mess_is_as_counted(orders: pd.DataFrame, truth: dict[str, Any]) -> None:
    mess = truth["mess"]
    assert len(orders) == truth["rows"]
    assert orders.duplicated().sum() == mess["duplicated_rows"]
    assert orders["order_id"].duplicated().sum() == mess["duplicated_rows"]
    assert (orders["customer_email"] == "").sum() == mess["guest_rows"]
    assert (orders["amount"] == 0).sum() == mess["free_orders"]


def test_shop_summary_accounts_for_every_row(shop: Summary, truth: dict[str, Any]) -> None:
    account, mess = shop.reconciliation, truth["mess"]
    assert account is not None
    left_out = {e.reason: e.rows for e in account.excluded}
    assert account.rows == truth["rows"]
    assert account.rows == account.purchases + account.merged + sum(left_out.values())
    assert account.purchases == truth["clean"]["purchases"] - mess["same_day_full_refunds"]
    assert account.zero == mess["free_orders"]
    assert account.merged == (
        mess["split_purchases"] + mess["duplicated_rows"] + mess["same_day_partial_refunds"]
    )
    assert left_out == {
        "no customer id": mess["guest_rows"],
        "refunds, no positive net that day": mess["later_day_refunds"]
        + 2 * mess["same_day_full_refunds"],
    }
    assert len(shop) == truth["clean"]["customers"] - mess["customers_refunded_away"]


def test_shop_summary_accounts_for_every_euro(shop: Summary, orders: pd.DataFrame) -> None:
    account = shop.reconciliation
    assert account is not None
    left_out = sum(e.amount for e in account.excluded)
    assert account.amount + left_out == pytest.approx(orders["amount"].sum(), abs=0.005)


def test_timing_of_the_messy_shop_tells_the_truth(shop: Summary, truth: dict[str, Any]) -> None:
    found = fit(BGNBD, shop)
    assert found.converged
    for name, (low, high) in found.interval(0.999).items():
        assert low < truth["bg_nbd"][name] < high, name


def test_values_of_the_clean_shop_tell_the_truth(
    clean: pd.DataFrame, truth: dict[str, Any]
) -> None:
    # Free orders are no draws of the model, and repeated rows and refunds are no purchases.
    found = fit(GammaGamma, summarize(clean[clean["amount"] > 0], **ROLES))
    assert found.converged
    for name, (low, high) in found.interval(0.999).items():
        assert low < truth["gamma_gamma"][name] < high, name
