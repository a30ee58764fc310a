"""Covariates as numbers: learned from any column, checked when read again."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from order_cases import by_hand, hand_orders

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.design import MOST_LEVELS, Covariate, Design
from clvmodel.tables.summary import Summary

AGE = [30, 20, 50, 20]
SHOP = ["west", "east", "west", "north"]
CODES = [2.0, 0.0, 2.0, 1.0]  # east, north, west


def both(data):
    """The codes of age and shop."""
    design = Design.learn(["age", "shop"], data)
    return [code.tolist() for code in design.codes(data)]


TABLES = {
    "dict of lists": dict,
    "dict of tuples": lambda columns: {name: tuple(c) for name, c in columns.items()},
    "dict of arrays": lambda columns: {name: np.array(c) for name, c in columns.items()},
    "dict of objects": lambda columns: {name: np.array(c, object) for name, c in columns.items()},
    "dict of pandas": lambda columns: {name: pd.Series(c) for name, c in columns.items()},
    "dict of polars": lambda columns: {name: pl.Series(c) for name, c in columns.items()},
    "dict of arrow": lambda columns: {name: pa.chunked_array([c]) for name, c in columns.items()},
    "pandas": pd.DataFrame,
    "pandas, other index": lambda columns: pd.DataFrame(columns, index=[9, 2, 2, 0]),
    "pandas, nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas, arrow": lambda columns: pd.DataFrame(columns).convert_dtypes(dtype_backend="pyarrow"),
    "pandas, objects": lambda columns: pd.DataFrame(columns).astype({"shop": object}),
    "pandas, categories": lambda columns: pd.DataFrame(columns).astype({"shop": "category"}),
    "polars": pl.DataFrame,
    "polars, lazy": lambda columns: pl.DataFrame(columns).lazy(),
    "polars, categories": lambda columns: pl.DataFrame(columns).cast({"shop": pl.Categorical}),
    "arrow": pa.table,
    "arrow, dictionary": lambda c: pa.table({**c, "shop": pa.array(SHOP).dictionary_encode()}),
    "arrow, large": lambda c: pa.table({**c, "shop": pa.array(SHOP, pa.large_string())}),
    "arrow, views": lambda c: pa.table({**c, "shop": pa.array(SHOP, pa.string_view())}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_every_kind_say_the_same(kind):
    table = TABLES[kind]({"age": AGE, "shop": SHOP, "other": [None] * 4})
    design = Design.learn(["age", "shop"], table)
    assert design == Design((Covariate("age"), Covariate("shop", ("east", "north", "west"))))
    assert both(table) == [AGE, CODES]


NUMBERS = {
    "whole": AGE,
    "small": np.array(AGE, np.int8),
    "unsigned": np.array(AGE, np.uint64),
    "single": np.array(AGE, np.float32),
    "half": np.array(AGE, np.float16),
    "decimal": [decimal.Decimal(age) for age in AGE],
    "nullable": pd.array(AGE, dtype="Int64"),
    "strided": np.repeat(AGE, 2)[::2],
    "backwards": np.array(AGE[::-1])[::-1],
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_every_kind(kind):
    design = Design.learn(["age"], {"age": NUMBERS[kind]})
    (code,) = design.codes({"age": NUMBERS[kind]})
    assert design.to_dict() == {"age": "number"}
    assert code.dtype == np.float64
    assert code.tolist() == AGE


@pytest.mark.parametrize(
    "column",
    [[True, False], np.array([True, False]), pd.array([True, False], dtype="boolean"), [1, 0]],
    ids=str,
)
def test_booleans_are_numbers(column):
    design = Design.learn(["vip"], {"vip": column})
    assert design.labels == ("vip",)
    assert design.codes({"vip": column})[0].tolist() == [1, 0]
    assert design.codes({"vip": [0, 0.0, 1]})[0].tolist() == [0, 0, 1]


def test_categories_that_are_numbers_are_categories():
    """In the order of their digits, as every category: the first is the reference."""
    design = Design.learn(["zone"], {"zone": pd.Categorical([2, 10, 1])})
    assert design.labels == ("zone[10]", "zone[2]")
    assert design.codes({"zone": [10, 2, 1, 2]})[0].tolist() == [1, 2, 0, 2]


def test_categories_that_nobody_has_are_no_levels():
    column = pd.Categorical(["b", "a"], categories=["b", "z", "a"], ordered=True)
    assert Design.learn(["shop"], {"shop": column}).labels == ("shop[b]",)
    assert Design.learn(["s"], {"s": pl.Series(["b", "a"], dtype=pl.Enum(["b", "z", "a"]))}) == (
        Design((Covariate("s", ("a", "b")),))
    )


def test_levels_are_sorted_whatever_their_order():
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        words = np.array(["Zürich", "amsterdam", "Bern"])[order]
        assert Design.learn(["city"], {"city": words}).labels == ("city[Zürich]", "city[amsterdam]")


def test_the_matrix_by_hand():
    design = Design.learn(["shop", "age"], {"age": AGE, "shop": SHOP})
    assert design.names == ("shop", "age")
    assert design.labels == ("shop[north]", "shop[west]", "age")
    assert design.matrix(design.codes({"age": AGE, "shop": SHOP})).tolist() == [
        [0, 1, 30],
        [0, 0, 20],
        [0, 1, 50],
        [1, 0, 20],
    ]
    assert design.places(["age"]) == (2,)
    assert design.places(["shop"]) == (0, 1)
    assert design.places(["age", "shop"]) == (0, 1, 2)


def test_matrices_of_some_or_no_customers():
    design = Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP})
    one = design.matrix(design.codes({"age": [7], "shop": ["west"]}))
    assert one.tolist() == [[7, 0, 1]]
    nobody = pd.DataFrame({"age": AGE, "shop": SHOP}).iloc[:0]
    assert design.matrix(design.codes(nobody)).shape == (0, 3)


def test_plain_data_and_back():
    design = Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP})
    assert design.to_dict() == {"age": "number", "shop": ["east", "north", "west"]}
    assert Design.from_dict(design.to_dict()) == design
    assert hash(design) == hash(Design.from_dict(design.to_dict()))


def test_attributes_of_a_summary():
    customers = pd.DataFrame({"who": ["eve", "dee", "cem", "bob", "ann"], "age": [5, 4, 3, 2, 1]})
    summary = by_hand(hand_orders()).join(customers, customer="who")
    design = Design.learn(["age", "first_value"], summary)
    assert [c.tolist() for c in design.codes(summary)] == [[1, 2, 3, 4, 5], [15, 8, 5, 0, 6]]
    assert design.codes(summary.in_unit("W"))[0].tolist() == [1, 2, 3, 4, 5]


def test_a_summary_without_attributes_says_where_they_come_from():
    history = pd.DataFrame({"frequency": [1, 0], "recency": [3.0, 0], "T": [9.0, 9]})
    with pytest.raises(ColumnError, match=r"add them with summary\.join"):
        Design.learn(["age"], Summary.from_frame(history, unit="D"))
    with pytest.raises(ColumnError, match="'age' is not a column; the columns are 'first_value'"):
        Design.learn(["age"], by_hand(hand_orders()))


def test_a_column_called_attributes_is_a_column():
    table = pd.DataFrame({"attributes": AGE, "covariates": SHOP})
    assert Design.learn(["attributes", "covariates"], table).labels[0] == "attributes"


def test_a_missing_column_and_a_hint():
    with pytest.raises(ColumnError, match=r"covariates='Age' .* Did you mean 'age'\?"):
        Design.learn(["Age"], {"age": AGE, "shop": SHOP})
    design = Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP})
    with pytest.raises(ColumnError, match="covariates='shop' is not a column"):
        design.codes(pl.DataFrame({"age": AGE}))


GAPS = [
    [None, "a", "b", None],
    ["x", "a", float("nan"), None],
    np.array([None, "a", "b", np.nan], object),
    pd.Series([None, "a", "b", None]),
    pd.array([None, "a", "b", None], dtype="string"),
    pd.Categorical([None, "a", "b", None]),
    pl.Series([None, "a", "b", None]),
    [1.0, None, 2.0, None],
    [1.0, np.nan, 2.0, np.nan],
    np.array([1.0, np.nan, np.nan, 3.0]),
    pl.Series([1.0, float("nan"), None, 3.0]),
    pd.array([1, None, 2, None], dtype="Int64"),
    pd.array([True, None, False, None], dtype="boolean"),
    np.ma.masked_array([1.0, 2.0, 3.0, 4.0], mask=[False, True, True, False]),
    [None, 1, None, 2],
]


@pytest.mark.parametrize("column", GAPS, ids=range(len(GAPS)))
def test_missing_values_are_counted(column):
    with pytest.raises(DataError, match=r"it is missing in 2 rows, the first is row \d: fill it"):
        Design.learn(["it"], {"it": column})


def test_nothing_at_all_is_missing_everywhere():
    with pytest.raises(DataError, match="missing in 3 rows, the first is row 0"):
        Design.learn(["it"], {"it": [None, None, None]})


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1.7976931348623157e308, -1e200])
def test_numbers_beyond_all_measure(value):
    with pytest.raises(DataError, match=r"it == .* in row 2, must be finite"):
        Design.learn(["it"], {"it": [1.0, 2.0, value]})
    design = Design.learn(["it"], {"it": [1.0, 2.0]})
    with pytest.raises(DataError, match="in row 0"):
        design.codes({"it": [value]})


@pytest.mark.parametrize(
    "column",
    [
        [dt.date(2024, 1, 1), dt.date(2024, 1, 2)],
        pd.to_datetime(["2024-01-01", "2024-01-02"]),
        np.array(["2024-01-01", "2024-01-02"], "datetime64[D]"),
        pd.to_timedelta([1, 2], unit="D"),
        pl.Series([dt.time(1), dt.time(2)]),
        np.array([b"a", b"b"]),
        [[1], [2]],
        [{"a": 1}, {"a": 2}],
    ],
    ids=str,
)
def test_what_is_neither_number_nor_category(column):
    with pytest.raises(ColumnError, match="must hold numbers or"):
        Design.learn(["it"], {"it": column})


@pytest.mark.parametrize("column", [3, 2.5, "west", None, np.ones((2, 2)), ["a", 1], object()])
def test_what_is_no_column(column):
    with pytest.raises(ColumnError, match="it is no column of numbers or categories"):
        Design.learn(["it"], {"it": column})


@pytest.mark.parametrize(
    ("column", "value"), [([5, 5, 5], "5"), (["a", "a"], "'a'"), ([True, True], "1"), ([2.5], "2")]
)
def test_what_never_varies_explains_nothing(column, value):
    with pytest.raises(DataError, match=f"it is .*{value}.* for every customer"):
        Design.learn(["it"], {"it": column})
    assert Design((Covariate("it"),)).codes({"it": [7, 7]})[0].tolist() == [7, 7]


def test_too_many_categories_are_an_id():
    words = [f"shop {i}" for i in range(MOST_LEVELS + 1)]
    with pytest.raises(DataError, match=r"it has 51 categories, more than 50: .* is it an id\?"):
        Design.learn(["it"], {"it": words})
    assert len(Design.learn(["it"], {"it": words[1:]}).labels) == MOST_LEVELS - 1


def test_unknown_categories_are_named_and_counted():
    design = Design.learn(["shop"], {"shop": SHOP})
    with pytest.raises(DataError) as caught:
        design.codes({"shop": ["west", "south", "East", "south", ""]})
    text = str(caught.value)
    assert "shop has values that the fit has not seen, in 4 rows: 'south', 'East', ''." in text
    assert "Known are 'east', 'north', 'west'" in text
    with pytest.raises(DataError, match="in 12 rows: '0', '1', '2', '3', '4'\\. Known"):
        design.codes({"shop": [str(i) for i in range(12)]})


def test_a_number_where_the_fit_had_categories_and_the_reverse():
    design = Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP})
    with pytest.raises(DataError, match="not seen"):
        design.codes({"age": AGE, "shop": AGE})
    with pytest.raises(ColumnError, match=r"age holds .*string, must hold numbers"):
        design.codes({"age": SHOP, "shop": SHOP})


def test_columns_of_several_lengths():
    with pytest.raises(DataError, match=r"shop has 3 values, age has 4"):
        Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP[1:]})
    design = Design.learn(["age", "shop"], {"age": AGE, "shop": SHOP})
    with pytest.raises(DataError, match=r"shop has 1 values, age has 2"):
        design.codes({"age": [1, 2], "shop": ["west"]})


def test_two_regressors_of_one_name():
    """A number that is called like the level of a category would be taken for it."""
    data = {"shop": ["a", "b"], "shop[b]": [1.0, 2.0]}
    with pytest.raises(ColumnError, match=r"Two covariates would be called 'shop\[b\]'"):
        Design.learn(["shop", "shop[b]"], data)
    assert Design.learn(["shop[b]"], data).labels == ("shop[b]",)


def test_no_column_is_changed():
    age, shop = np.array(AGE), np.array(SHOP)
    for column in (age, shop):
        column.setflags(write=False)
    design = Design.learn(["age", "shop"], {"age": age, "shop": shop})
    for code in design.codes({"age": age, "shop": shop}):
        code += 1
    assert (age.tolist(), shop.tolist()) == (AGE, SHOP)
