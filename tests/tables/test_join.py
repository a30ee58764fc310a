"""Columns of customers join a summary by id: every customer once, and none silently lost."""

import dataclasses

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import IDS, by_hand, hand_orders, lists

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_IN_UNIT

SHOPS = {"eve": "east", "dee": "west", "cem": "east", "bob": "west", "ann": "north", "zoe": "east"}
AGES = {"eve": 50, "dee": 40, "cem": 30, "bob": 20, "ann": 10, "zoe": 99}
KINDS = [pd.DataFrame, pl.DataFrame, pa.table]


def people(make=pd.DataFrame, name="who"):
    """Customers in another order than the summary's, and one whom it does not know."""
    return make({name: list(SHOPS), "shop": list(SHOPS.values()), "age": list(AGES.values())})


def joined(**options):
    return by_hand(hand_orders(), **options).join(people(), customer="who")


def attributes(summary):
    return {name: column.to_pylist() for name, column in summary.attributes.items()}


EXPECTED = {"shop": [SHOPS[i] for i in IDS], "age": [AGES[i] for i in IDS]}


@pytest.mark.parametrize("make", KINDS)
def test_rows_find_their_customers(orders, make):
    table = people(make)
    summary = by_hand(orders).join(table, customer="who")
    assert attributes(summary) == EXPECTED
    frame = pa.table(summary.frame)
    assert frame["age"].to_pylist() == EXPECTED["age"]
    assert frame.column_names[-2:] == ["shop", "age"]


@pytest.mark.parametrize("make", KINDS)
def test_neither_summary_nor_table_changes(orders, make):
    table, summary = people(make), by_hand(orders)
    before = pa.table(table)
    summary.join(table, customer="who")
    assert pa.table(table).equals(before)
    assert attributes(summary) == {}
    assert "shop" not in summary.frame.columns


def test_everything_else_stays(orders):
    plain, summary = by_hand(orders), joined()
    assert lists(summary) == lists(plain)
    assert (summary.unit, summary.end, summary.kind) == (plain.unit, plain.end, plain.kind)
    assert summary.reconciliation == plain.reconciliation
    assert summary.ids.equals(plain.ids)
    assert repr(summary) == repr(plain)
    pd.testing.assert_frame_equal(summary.frame[list(plain.frame)], plain.frame)


def test_a_shuffled_or_named_index_is_no_column(orders):
    table = people().set_index(pd.Index([5, 3, 1, 0, 2, 4], name="row")).sort_index()
    summary = by_hand(orders).join(table, customer="who")
    assert attributes(summary) == EXPECTED
    filtered = people()[people()["age"] > 5].sample(frac=1, random_state=1)
    assert attributes(by_hand(orders).join(filtered, customer="who")) == EXPECTED


@pytest.mark.parametrize("make", KINDS)
def test_the_default_name_and_a_frame_of_any_kind(make):
    kind = make({"customer_id": [7, 8], "frequency": [1, 0], "recency": [3.0, 0], "T": [9.0, 9]})
    summary = Summary.from_frame(kind, unit="W").join(
        pd.DataFrame({"customer_id": [8, 7], "age": [1.5, 2.5]})
    )
    assert type(summary.frame) is type(kind)
    assert pa.table(summary.frame)["age"].to_pylist() == [2.5, 1.5]


def test_chunks_do_not_matter(orders):
    whole = people(pa.table)
    chunked = pa.concat_tables([whole.slice(0, 1), whole.slice(1, 3), whole.slice(4)])
    assert chunked["who"].num_chunks == 3
    assert attributes(by_hand(orders).join(chunked, customer="who")) == EXPECTED


def test_a_lazy_frame_is_read(orders):
    summary = by_hand(orders).join(people(pl.DataFrame).lazy(), customer="who")
    assert attributes(summary) == EXPECTED


def test_joins_add_up_and_a_later_one_replaces(orders):
    summary = joined().join(people()[["who"]].assign(vip=True), customer="who")
    assert list(summary.attributes) == ["shop", "age", "vip"]
    again = summary.join(people()[["who", "age"]].assign(age=1), customer="who")
    assert list(again.attributes) == ["shop", "age", "vip"]
    assert attributes(again)["age"] == [1] * 5
    assert attributes(summary)["age"] == EXPECTED["age"]


def test_a_table_of_ids_alone_adds_nothing(orders):
    assert attributes(by_hand(orders).join(people()[["who"]], customer="who")) == {}


def test_what_is_missing_in_a_column_stays_missing(orders):
    table = people().assign(age=[None, 40.0, None, 20.0, 10.0, 1.0], shop=[None] * 6)
    got = attributes(by_hand(orders).join(table, customer="who"))
    assert got == {"shop": [None] * 5, "age": [10.0, 20.0, None, 40.0, None]}


def test_types_are_kept(orders):
    table = people().astype({"shop": "category", "age": "Int64"})
    table = table.assign(since=pd.Timestamp("2024-01-01"), vip=[True, False] * 3)
    frame = by_hand(orders).join(table, customer="who").frame
    assert isinstance(frame["shop"].dtype, pd.CategoricalDtype)
    assert frame["age"].dtype == np.int64
    assert frame["vip"].tolist() == [True, False, True, False, True]
    assert frame["since"].dtype.kind == "M"


@pytest.mark.parametrize("unit", DAYS_IN_UNIT)
def test_another_unit_keeps_them(unit):
    summary = joined().in_unit(unit)
    assert attributes(summary) == EXPECTED
    direct = joined(unit=unit)
    assert summary.frame["age"].tolist() == direct.frame["age"].tolist() == EXPECTED["age"]


def test_a_frame_with_them_makes_the_same_summary_again():
    summary = joined()
    again = Summary.from_frame(summary.frame, unit="D", end=summary.end)
    assert attributes(again) == EXPECTED
    assert again.frame.equals(summary.frame)


@pytest.mark.parametrize("make", KINDS)
def test_from_frame_keeps_further_columns(make):
    columns = {"frequency": [1, 0], "recency": [3.0, 0.0], "T": [9.0, 9.0]}
    frame = make({"shop": ["a", "b"], **columns, "age": [1, 2]})
    summary = Summary.from_frame(frame, unit="W")
    assert attributes(summary) == {"shop": ["a", "b"], "age": [1, 2]}
    assert attributes(summary.in_unit("D")) == attributes(summary)
    assert pa.table(summary.frame)["shop"].to_pylist() == ["a", "b"]


def test_changing_the_table_afterwards_changes_nothing(orders):
    table = people()
    summary = by_hand(orders).join(table, customer="who")
    table.loc[:, "age"] = 0
    assert attributes(summary) == EXPECTED


def test_first_value_and_attributes_may_explain(orders):
    summary = joined()
    assert list(summary.covariates) == ["first_value", "shop", "age"]
    assert list(by_hand(orders, value=None).covariates) == []


@pytest.mark.parametrize("many", [1, 3, 5])
def test_customers_without_a_row_are_counted(orders, many):
    table = people()[~people()["who"].isin(IDS[:many])]
    with pytest.raises(DataError, match=rf"{many} of 5 customers are not .* first is 'ann'"):
        by_hand(orders).join(table, customer="who")


def test_customers_with_two_rows_are_counted(orders):
    table = pd.concat([people(), people().iloc[2:4], people().iloc[2:3]])
    with pytest.raises(DataError, match=r"2 customers stand .* more than once.*'cem'"):
        by_hand(orders).join(table, customer="who")


def test_a_stranger_with_two_rows_is_told_too(orders):
    """Which of the two is meant is nobody's guess, even before it matters."""
    with pytest.raises(DataError, match="'zoe'"):
        by_hand(orders).join(pd.concat([people(), people().iloc[5:]]), customer="who")


def test_no_rows_at_all(orders):
    with pytest.raises(DataError, match="5 of 5 customers"):
        by_hand(orders).join(people().iloc[:0], customer="who")


def numbered(ids):
    """A summary whose ids are these."""
    day = pd.Timestamp("2024-01-01")
    orders = pd.DataFrame({"who": ids, "when": [day] * len(ids), "paid": [1.0] * len(ids)})
    return summarize(orders, customer="who", date="when", value="paid", end="2024-03-01")


@pytest.mark.parametrize(
    "ids", [[3, 1, 2], [3.0, 1.0, 2.0], ["3", "1", "2"], np.array([3, 1, 2], np.int8)], ids=str
)
@pytest.mark.parametrize("kind", [int, str])
def test_numbers_and_their_digits_are_one_id(ids, kind):
    summary = numbered([kind(i) for i in (1, 2, 3)])
    got = summary.join(pd.DataFrame({"who": ids, "age": [30, 10, 20]}), customer="who")
    assert attributes(got) == {"age": [10, 20, 30]}


@pytest.mark.parametrize("ids", [["x", "y", "z"], [1.5, 2.0, 3.0]], ids=str)
def test_ids_of_another_kind(ids):
    table = pd.DataFrame({"who": ids, "age": [1, 2, 3]})
    with pytest.raises(DataError, match=r"who holds .*, the summary's ids are int64"):
        numbered([1, 2, 3]).join(table, customer="who")


def test_digits_that_become_one_number():
    table = pd.DataFrame({"who": ["1", "01", "2"], "age": [1, 2, 3]})
    with pytest.raises(DataError, match="more than once, the first is 1"):
        numbered([1, 2]).join(table, customer="who")


@pytest.mark.parametrize("name", ["frequency", "recency", "T", "monetary_value", "first_value"])
def test_names_of_the_summary_are_taken(orders, name):
    with pytest.raises(ColumnError, match=f"{name} of customers: a summary has"):
        by_hand(orders).join(people().rename(columns={"age": name}), customer="who")


def test_more_names_that_are_taken(orders):
    table = people().assign(customer_id=1, last_purchase=2, first_purchase=3)
    with pytest.raises(ColumnError, match="customer_id, first_purchase, last_purchase of"):
        by_hand(orders).join(table, customer="who")


def test_a_column_that_is_not_there(orders):
    with pytest.raises(ColumnError, match=r"customer='who_' is not .* Did you mean 'who'"):
        by_hand(orders).join(people(), customer="who_")
    with pytest.raises(ColumnError, match="customer='customer_id'"):
        by_hand(orders).join(people())


@pytest.mark.parametrize("wrong", [None, 3, "people.csv", {"who": ["ann"]}, [("ann", 1)]], ids=str)
def test_what_is_no_table(orders, wrong):
    with pytest.raises(DataError, match="customers is a"):
        by_hand(orders).join(wrong, customer="who")


def test_columns_that_share_a_name(orders):
    twice = pd.concat([people(), people()[["age"]]], axis=1)
    with pytest.raises(ColumnError, match="customers share a name"):
        by_hand(orders).join(twice, customer="who")


def test_a_joined_summary_is_locked():
    summary = joined()
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.attributes = {}
    with pytest.raises(ValueError, match="read-only"):
        summary.frequency[0] = 7


def test_a_notebook_shows_hostile_attributes_as_text(orders):
    table = people().assign(shop="<script>alert(1)</script>")
    html = by_hand(orders).join(table, customer="who")._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
