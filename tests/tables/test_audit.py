"""What the audit says of clean orders, and of each kind of dirt."""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from order_cases import CDNOW, ROLES

from clvmodel.errors import ColumnError, DataError, FileError, ParameterError, UnitError
from clvmodel.tables.audit import audit
from clvmodel.tables.findings import SEVERITIES

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"
SHOP = {"customer": "customer_email", "date": "ordered_at", "value": "amount"}
FIRST = dt.date(2022, 1, 1)


def steady(customers=120, days=400, seed=1):
    """A clean history: customers join evenly and buy every 20 to 60 days, at about noon."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(customers):
        day = i * (days - 40) // customers
        while day < days:
            rows.append((f"c{i:03}", day, round(float(rng.uniform(5, 50)), 2)))
            day += int(rng.integers(20, 60))
    frame = pd.DataFrame(rows, columns=["who", "day", "paid"]).sort_values("day", kind="stable")
    when = pd.to_datetime(FIRST) + pd.to_timedelta(frame.pop("day"), unit="D")
    return frame.assign(when=when + pd.Timedelta("12h")).reset_index(drop=True)


@pytest.fixture(scope="module")
def clean():
    return steady()


def found(frame, **options):
    """The findings by name."""
    return {f.name: f for f in audit(frame, **{**ROLES, **options}).findings}


def changed(frame, rows, **values):
    """The frame with other values in some rows, whose numbers (from 1) come back, too."""
    frame = frame.astype(dict.fromkeys([c for c in values if c != "paid"], object))
    for column, value in values.items():
        frame.loc[rows, column] = value
    return frame


def more(frame, rows):
    """The frame with further rows of (who, day, paid) at its end."""
    extra = pd.DataFrame(rows, columns=["who", "day", "paid"])
    when = pd.to_datetime(FIRST) + pd.to_timedelta(extra.pop("day"), unit="D")
    return pd.concat([frame, extra.assign(when=when)], ignore_index=True)


def test_nothing_is_found_in_clean_orders(clean):
    labelled = clean.assign(id=[f"o{i}" for i in range(len(clean))], money="EUR")
    result = audit(labelled, **ROLES, order_id="id", currency="money")
    assert result.findings == ()
    assert result.ok
    assert "0 errors, 0 warnings, 0 notes" in repr(result)
    assert len(result.table) == 0
    assert list(result.table.columns[:3]) == ["name", "severity", "message"]


# Dirt in rows 3, 10 and 20 (counted from 0): its name, its severity, the rows found.
ROWS = [3, 10, 20]
DIRT = [
    ({"who": None}, "missing_ids", "warning"),
    ({"who": "  "}, "missing_ids", "warning"),
    ({"when": None}, "missing_dates", "warning"),
    ({"when": pd.Timestamp("2999-01-01")}, "future_dates", "error"),
    ({"when": pd.Timestamp("1970-01-01")}, "dates_far_before", "warning"),
    ({"when": pd.Timestamp("1900-01-01")}, "dates_far_before", "warning"),
    ({"paid": np.nan}, "missing_amounts", "warning"),
    ({"paid": -np.inf}, "infinite_amounts", "warning"),
    ({"paid": 0.0}, "zero_amounts", "note"),
    ({"paid": -5.0}, "refunds_later", "warning"),
]


@pytest.mark.parametrize(("values", "name", "severity"), DIRT, ids=str)
def test_dirty_rows_are_found(clean, values, name, severity):
    frame = changed(clean, ROWS, **values)
    before = frame.copy()
    findings = found(frame)
    assert set(findings) == {name}
    finding = findings[name]
    assert finding.severity == severity
    assert (finding.rows, finding.examples) == (3, (4, 11, 21))
    assert finding.remedy
    pd.testing.assert_frame_equal(frame, before)


TEXT = [
    ({"when": "31.12.2022"}, "unreadable_dates", "date_format='%d.%m.%Y'"),
    ({"when": "12/31/2022 8:26"}, "unreadable_dates", "date_format='%m/%d/%Y %H:%M'"),
    ({"when": "2022-02-30"}, "unreadable_dates", "Mend"),
    ({"paid": "12 EUR"}, "unreadable_amounts", "1234.50"),
]


@pytest.mark.parametrize(("values", "name", "remedy"), TEXT, ids=str)
def test_text_that_cannot_be_read_is_an_error(clean, values, name, remedy):
    text = clean.astype(str)
    assert found(text) == {}
    (finding,) = found(changed(text, ROWS, **values)).values()
    assert (finding.name, finding.severity, finding.rows) == (name, "error", 3)
    assert finding.examples == (4, 11, 21)
    assert str(next(iter(values.values()))) in finding.message
    assert remedy in finding.remedy


def test_dates_that_read_both_ways(clean):
    slashes = clean.assign(when=clean["when"].dt.strftime("%d/%m/%Y"))
    assert found(slashes, date_format="%d/%m/%Y") == {}
    early = slashes[clean["when"].dt.day <= 12]
    finding = found(early, date_format="%d/%m/%Y")["ambiguous_dates"]
    assert finding.severity == "warning"
    assert finding.rows == (early["when"].str[:2] != early["when"].str[3:5]).sum()
    both = changed(slashes, [5], when="01/31/2022")
    assert found(both, date_format="%d/%m/%Y")["dates_of_two_forms"].severity == "error"


def test_dates_without_a_form_get_one_proposed(clean):
    finding = found(clean.assign(when=clean["when"].dt.strftime("%m/%d/%Y")))["unreadable_dates"]
    assert finding.rows == len(clean)
    assert "'%m/%d/%Y'" in finding.remedy


@pytest.mark.parametrize(
    ("offsets", "severity"),
    [
        (["+01:00"], None),
        (["Z", "+00:00"], None),
        (["+01:00", "+02:00"], "note"),
        (["+01:00", "-05:00"], "warning"),
        (["Z", ""], "warning"),
    ],
)
def test_time_zones(clean, offsets, severity):
    ends = np.resize(offsets, len(clean))
    text = clean.assign(when=clean["when"].dt.strftime("%Y-%m-%dT%H:%M:%S") + ends)
    findings = found(text)
    assert {f.severity for f in findings.values()} == ({severity} if severity else set())
    assert set(findings) <= {"time_zones"}


def test_ids_that_differ_only_by_case_or_space(clean):
    finding = found(changed(clean, [0], who="C000 "))["ids_alike"]
    assert (finding.customers, finding.rows) == (2, (clean["who"] == "c000").sum())
    assert "'C000 '" in finding.message


def test_many_customers_in_one(clean):
    rows = [("shop", day, 9.0 + day / 100) for day in range(400)]
    for frame in (
        more(clean, rows),  # on every day
        more(clean, [(who, i // 8, paid) for i, (who, _, paid) in enumerate(rows[:96])]),  # rate
    ):
        finding = found(frame)["many_in_one"]
        assert (finding.customers, finding.rows) == (1, (frame["who"] == "shop").sum())
        assert "'shop'" in finding.message
    faithful = [("fan", day, 9.0 + day / 100) for day in range(0, 400, 10)]
    assert found(more(clean, faithful)) == {}


def test_order_lines_are_no_crowd(clean):
    lines = pd.concat([clean.assign(id=range(len(clean)), line=k) for k in range(6)])
    assert "many_in_one" not in found(lines, order_id="id")
    assert "order_ids_reused" not in found(lines, order_id="id")
    assert "repeated_rows" not in found(lines, order_id="id")


def test_refunds_are_told_apart(clean):
    frame = more(
        clean,
        [
            ("a", 10, 20.0),
            ("a", 10, -5.0),  # netted
            ("a", 60, 30.0),
            ("a", 60, -30.0),  # nothing left
            ("a", 90, 12.5),
            ("a", 95, -12.5),  # in full, later
            ("a", 96, -1.0),  # in part, later
        ],
    )
    findings = found(frame)
    assert set(findings) == {"refunds_same_day", "refunds_later"}
    same, later = findings["refunds_same_day"], findings["refunds_later"]
    assert (same.rows, same.amount) == (2, -35.0)
    assert "1 netted with them, 1 on a day" in same.message
    assert (later.rows, later.amount, later.customers) == (2, -13.5, 1)
    assert "overstated by 13.50" in later.message
    assert "1 equal an earlier order" in later.message
    n = len(frame)
    ids = [f"o{i}" for i in range(n)]
    ids[n - 1] = ids[n - 3]
    paired = found(frame.assign(id=ids), order_id="id")
    assert (paired["refunds_later"].rows, paired["refunds_paired"].rows) == (1, 1)
    assert paired["refunds_paired"].amount == -1.0


def test_repeated_rows(clean):
    frame = pd.concat([clean, clean.loc[[7, 7, 9]]], ignore_index=True)
    finding = found(frame)["repeated_rows"]
    assert (finding.severity, finding.rows) == ("warning", 3)
    assert finding.amount == pytest.approx(clean.loc[[7, 7, 9], "paid"].sum())
    assert finding.examples == tuple(len(clean) + i for i in (1, 2, 3))
    days = frame.assign(when=frame["when"].dt.normalize())
    assert found(days)["repeated_rows"].severity == "note"  # may be two orders of a day
    assert found(frame.assign(line=range(len(frame)))) == {}
    assert found(frame.assign(WHO=range(len(frame)), Paid=1)) == {}  # names but for their case


def test_order_ids_on_several_days_or_customers(clean):
    ids = np.arange(len(clean))
    frame = clean.assign(id=np.where(ids == 5, 4, ids))
    finding = found(frame, order_id="id")["order_ids_reused"]
    assert (finding.rows, finding.examples) == (2, (5, 6))
    assert found(frame) == {}


def test_currencies(clean):
    money = np.where(np.arange(len(clean)) < 4, "usd", "EUR")
    finding = found(clean.assign(money=money), currency="money")["several_currencies"]
    assert (finding.severity, finding.rows) == ("error", 4)
    assert "USD 4" in finding.message
    blank = found(clean.assign(money=np.where(money == "usd", "", "EUR")), currency="money")
    assert (blank["missing_currencies"].severity, blank["missing_currencies"].rows) == (
        "warning",
        4,
    )
    assert found(clean.assign(money=np.where(money == "usd", "eur", "EUR")), currency="money") == {}


def test_a_running_number_is_no_amount(clean):
    number = clean.assign(paid=np.arange(len(clean)) + 1000)
    assert set(found(number)) == {"amounts_like_ids"}
    assert found(number.iloc[::-1]) == {}


def test_few_large_purchases(clean):
    finding = found(changed(clean, [8], paid=5000.0))["few_large_purchases"]
    assert (finding.rows, finding.customers, finding.examples) == (1, 1, (9,))
    assert finding.amount >= 5000


@pytest.mark.parametrize("start", ["2022-06-01", "2022-07-01", "2022-08-01"])
def test_a_history_that_begins_in_the_middle(clean, start):
    later = clean[clean["when"] >= pd.Timestamp(start)]
    finding = found(later)["begins_in_the_middle"]
    assert finding.severity == "warning"
    assert finding.customers > 30


def test_a_gap_in_the_calendar(clean):
    days = (clean["when"] - pd.Timestamp("2022-01-01")).dt.days
    finding = found(clean[(days < 200) | (days >= 230)])["gap"]
    assert "30 days without any order between 2022-07-19 and 2022-08-19" in finding.message
    silent = found(clean, end="2023-05-31")["silent_end"]
    assert "end='2023-02-04'" in silent.remedy


def test_too_little(clean):
    few = found(clean[clean["who"] < "c050"])
    assert "50 customers" in few["few_customers"].message
    once = found(clean.drop_duplicates("who"))
    assert once["no_repeats"].severity == "error"
    short = clean[clean["when"] < "2022-03-01"]
    assert "8.29 weeks" in found(short, unit="W")["short_history"].message
    assert "short_history" not in found(clean)


def test_the_end(clean):
    late = found(clean, end="2022-12-31")["after_end"]
    assert late.rows == (clean["when"] >= "2023-01-01").sum()
    assert found(clean, end="2020-12-31")["end_before_first"].severity == "error"
    future = found(clean, end=dt.date.today() + dt.timedelta(days=9))
    assert future["end_in_future"].severity == "error"


# The sample files.


def test_the_shop_has_the_mess_that_was_planted():
    truth = json.loads((SAMPLE / "shop_orders_truth.json").read_text())
    mess, clean = truth["mess"], truth["clean"]
    result = audit(SAMPLE / "shop_orders.csv", **SHOP, order_id="order_id")
    findings = {f.name: f for f in result.findings}
    rows = {a.reason: a.rows for a in result.rows}
    assert result.ok
    assert set(findings) == {
        "missing_ids",
        "refunds_later",
        "repeated_rows",
        "zero_amounts",
        "refunds_same_day",
    }
    assert findings["missing_ids"].rows == mess["guest_rows"]
    assert findings["repeated_rows"].rows == mess["duplicated_rows"]
    assert findings["zero_amounts"].rows == mess["free_orders"]
    assert findings["refunds_later"].rows == mess["later_day_refunds"]
    part, full = mess["same_day_partial_refunds"], mess["same_day_full_refunds"]
    assert findings["refunds_same_day"].rows == part + full
    assert f"{part} netted with them, {full} on a day" in findings["refunds_same_day"].message
    merged = rows["merged into a purchase of the same day"]
    assert merged - mess["duplicated_rows"] - part == mess["split_purchases"]
    assert rows["purchases"] == clean["purchases"] - full
    assert result.customers == clean["customers"] - mess["customers_refunded_away"]
    assert (result.first, result.last) == (truth["first_day"], truth["last_day"])


def test_cdnow_is_clean_but_for_what_is_known(cdnow):
    result = audit(cdnow, **CDNOW)
    assert {f.name: (f.severity, f.rows) for f in result.findings} == {
        "zero_amounts": ("note", 8),
        "repeated_rows": ("note", int(cdnow.duplicated().sum())),
    }
    assert [a.rows for a in result.rows] == [6696, 223]


# The object, and wrong calls.


def test_the_audit_is_shown_and_plain_data(clean):
    frame = changed(clean, [0], who="<b>&")
    frame = changed(frame, [4], who="<B>&")
    text = frame["paid"].astype(str)
    result = audit(frame.assign(paid=text.mask(frame.index == 9, "x")), **ROLES)
    text, html = repr(result), result._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;&amp;" in html
    order = [text.index(f"  {f.severity}: {f.name}") for f in result.findings]
    assert order == sorted(order)
    ranks = [SEVERITIES.index(f.severity) for f in result.findings]
    assert ranks == sorted(ranks)
    assert max(map(len, text.splitlines())) < 100
    plain = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert plain["ok"] is False
    assert [f["name"] for f in plain["findings"]] == result.table["name"].tolist()


def test_without_amounts(clean):
    result = audit(clean, customer="who", date="when")
    assert [(a.reason, a.rows, a.amount) for a in result.rows] == [("purchases", len(clean), None)]
    assert result.findings == ()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"customer": "whom"}, ColumnError),
        ({"order_id": "id"}, ColumnError),
        ({"currency": "money"}, ColumnError),
        ({"value": "when"}, ColumnError),
        ({"end": "soon"}, UnitError),
        ({"unit": "days"}, UnitError),
        ({"date_format": "day"}, ParameterError),
    ],
)
def test_wrong_calls(clean, options, error):
    with pytest.raises(error):
        audit(clean, **{**ROLES, **options})


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(FileError):
        audit(tmp_path / "none.csv", **ROLES)
    with pytest.raises(DataError, match="is a list"):
        audit([1, 2], **ROLES)
