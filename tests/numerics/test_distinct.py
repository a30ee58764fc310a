"""`distinct` against np.unique over rows, `by_distinct` against the function itself."""

import numpy as np
import pytest

from clvmodel.numerics.distinct import by_distinct, counted, distinct, whole_codes

KINDS = {
    "counts": lambda rng, n: rng.poisson(1.0, n).astype(float),
    "negative": lambda rng, n: rng.integers(-7, 4, n).astype(float),
    "sevenths": lambda rng, n: rng.integers(0, 30, n) / 7,
    "months": lambda rng, n: rng.integers(-5, 60, n) / 30.4375,
    "years": lambda rng, n: rng.integers(0, 900, n) / 365.25,
    "whole but one": lambda rng, n: np.append(rng.poisson(1.0, n - 1).astype(float), 0.3),
    "one number": lambda _, n: np.broadcast_to(0.3, n),
    "integers": lambda rng, n: rng.integers(-3, 3, n),
    "single precision": lambda rng, n: rng.choice(np.float32([2**24, 2**24 - 1, -1]), n),
    "thirtieths": lambda rng, n: rng.integers(0, 30, n) / 30,
    "floats": lambda rng, n: rng.choice(rng.normal(size=8), n),
    "all different": lambda rng, n: rng.normal(size=n),
    "just below the limit": lambda rng, n: rng.choice([1e9 - 1, 1e9 - 2, 0.0], n),
    "above the limit": lambda rng, n: rng.choice([1e9, 1e9 + 1, -3.0], n),
    "huge": lambda rng, n: rng.choice([1e300, -1e300, 1e17, 1e17 + 16], n),
    "tiny": lambda rng, n: rng.integers(0, 9, n) * 1e-9,
    "tiny sevenths": lambda rng, n: rng.integers(0, 9, n) * 1e-12 / 7,
    "nearly whole": lambda rng, n: rng.choice([1.0, 1.0 + 1e-9, 2.0], n),
    "infinite": lambda rng, n: rng.choice([np.inf, -np.inf, 2.0], n),
    "constant": lambda _, n: np.full(n, 2.5),
    "zero": lambda rng, n: rng.choice([0.0, -0.0], n),
}


def assert_distinct(columns):
    """One first row of each kind, every kind once, and every row's own kind; nothing written."""
    columns = [np.asarray(column) for column in columns]
    before = [column.copy() for column in columns]
    first, where = distinct(columns)
    rows = np.stack(columns, axis=1) + 0.0  # -0.0 is 0.0
    kinds = np.unique(rows, axis=0)
    assert first.shape == (len(kinds),)
    assert where.shape == (len(rows),)
    assert (first.dtype, where.dtype) == (np.intp, np.intp)
    np.testing.assert_array_equal(rows[first][where], rows)
    earliest = np.full(len(kinds), len(rows))
    np.minimum.at(earliest, where, np.arange(len(rows)))
    np.testing.assert_array_equal(first, earliest)
    of_kind, number = counted(columns)
    order = np.lexsort(of_kind[::-1])
    np.testing.assert_array_equal(number[order], np.unique(rows, axis=0, return_counts=True)[1])
    for got, expected in zip(of_kind, kinds.T, strict=True):
        np.testing.assert_allclose(got[order], expected, rtol=1e-15)
    for column, copy in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, copy)


@pytest.mark.parametrize("size", [1, 2, 300])
@pytest.mark.parametrize("kind", KINDS)
def test_one_column(kind, size):
    for seed in range(5):
        assert_distinct([KINDS[kind](np.random.default_rng(seed), size)])


@pytest.mark.parametrize("size", [1, 40, 3000])
@pytest.mark.parametrize("seed", range(20))
def test_columns_of_any_kind_together(seed, size):
    rng = np.random.default_rng([seed, size])
    kinds = rng.choice(list(KINDS), rng.integers(2, 6))
    assert_distinct([KINDS[kind](rng, size) for kind in kinds])


@pytest.mark.parametrize("columns", [1, 2, 5])
def test_no_rows(columns):
    first, where = distinct([np.empty(0)] * columns)
    assert first.shape == where.shape == (0,)
    of_kind, number = counted([np.empty(0)] * columns)
    assert number.shape == (0,)
    assert [column.shape for column in of_kind] == [(0,)] * columns


@pytest.mark.parametrize("values", [2, 1000])
@pytest.mark.parametrize("columns", [3, 7, 8, 12, 40])
def test_many_columns_do_not_overflow(columns, values):
    """Forty columns with 2e9 possible codes each would need a key of 1,237 bits."""
    rng = np.random.default_rng([columns, values])
    ends = np.append(rng.integers(-(10**9) + 1, 10**9, values - 2), [1 - 1e9, 1e9 - 1])
    rows = rng.choice(ends, (200, columns))
    repeated = rows[rng.integers(0, 200, 1000)]
    assert_distinct(list(repeated.T))


def test_a_small_column_after_two_that_fill_the_key():
    """Keys are numbered anew, and then so few that they go into a table."""
    rng = np.random.default_rng(8)
    large = rng.choice([1 - 1e9, 0.0, 1e9 - 1], (2, 500))
    for size in (2, 3, 15):
        assert_distinct([*large, rng.integers(0, size, 500).astype(float)])


def test_rows_that_differ_in_one_column_differ():
    """Each row is the one before it but for one column, the first, the last or one between."""
    rows = np.tril(np.ones((13, 12)), -1) * (1e9 - 1)
    assert len(distinct(list(rows.T))[0]) == 13
    assert_distinct(list(np.tile(rows, (3, 1)).T))


@pytest.mark.parametrize("size", [10, 160, 161, 5000])
def test_a_table_of_keys_and_sorting_agree(size):
    """A few possible keys per row go into a table, more are sorted."""
    rng = np.random.default_rng(size)
    for top in [k * size + i for k in (1, 2, 4, 8, 16, 32) for i in (-1, 0, 1)]:
        column = np.append(rng.integers(0, top, size - 1), top - 1).astype(float)
        assert_distinct([np.roll(column, 3)])


def test_not_a_number_is_a_kind_of_its_own():
    column = np.array([np.nan, 1.0, np.nan, 0.5, 1.0])
    first, where = distinct([column])
    np.testing.assert_array_equal(column[first][where], column)


def test_rounding_does_not_tell_days_apart():
    """Days in weeks, however they were computed."""
    days = np.arange(2000.0)
    weeks = np.concatenate([days / 7, days * (1 / 7), (days + 7) / 7 - 1])
    first, where = distinct([weeks + 1])
    assert len(first) == len(counted([weeks + 1])[1]) == 2000
    np.testing.assert_array_equal(where, np.tile(np.arange(2000), 3))


@pytest.mark.parametrize(
    "column",
    [
        [],
        [np.nan],
        [1.0, np.nan],
        [np.inf],
        [0.5],
        [1e9],
        [-1e9],
        [0.0, 1e-8],
        [1e-300],
        [1 + 1e-8],
    ],
    ids=str,
)
def test_what_has_no_codes(column):
    assert whole_codes(np.array(column)) is None


def test_codes_are_differences_in_days():
    code, size, _ = whole_codes(np.array([3.0, -2.0, 0.0]))
    assert (code.tolist(), size) == ([5, 0, 2], 6)
    code, size, _ = whole_codes(np.array([3.0, 22 / 7, 1.0]))
    assert (code.tolist(), size) == ([14, 15, 0], 16)


def smooth(*columns):
    return sum(np.sin((i + 1) * column) for i, column in enumerate(columns))


@pytest.mark.parametrize("size", [1, 255, 256, 257, 4000])
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("huge", "infinite")])
def test_by_distinct_is_the_function(kind, size):
    rng = np.random.default_rng([3, size])
    columns = [KINDS[kind](rng, size), KINDS["counts"](rng, size), KINDS["sevenths"](rng, size)]
    expected = smooth(*columns)
    before = [column.copy() for column in columns]
    for column in columns:
        column.setflags(write=False)
    np.testing.assert_allclose(by_distinct(smooth, *columns), expected, rtol=1e-12, atol=1e-15)
    for column, copy in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, copy)


@pytest.mark.parametrize("kind", ["tiny", "nearly whole", "sevenths", "thirtieths"])
def test_by_distinct_loses_no_digits(kind):
    """Relative to the argument itself, also where all of them are tiny."""
    column = KINDS[kind](np.random.default_rng(4), 1000)
    result = by_distinct(lambda t: 1.0 * t, column)
    np.testing.assert_allclose(result, column, rtol=1e-12, atol=0)


def test_views_of_other_arrays():
    table = np.random.default_rng(5).integers(0, 5, (1000, 6)).astype(float)
    views = [
        table[:, 1],
        table[::-1, 2],
        np.broadcast_to(table[0, 0], 1000),
        np.asfortranarray(table)[:, 3],
        np.repeat(table[:, 4], 2)[::2],
    ]
    assert_distinct(views)
    np.testing.assert_array_equal(by_distinct(smooth, *views), smooth(*(v.copy() for v in views)))


def test_functions_of_several_rows():
    column = np.random.default_rng(6).integers(0, 9, 1000).astype(float)

    def powers(k):
        return np.stack([k, k**2, k**3])

    np.testing.assert_array_equal(by_distinct(powers, column), powers(column))


@pytest.mark.parametrize("shape", [(), (1,), (40, 50), (1, 2000), (2000, 1)])
def test_other_shapes_are_computed_as_they_are(shape):
    column = np.ones(shape)
    result = by_distinct(smooth, column, column)
    assert result.shape == shape
    np.testing.assert_array_equal(result, smooth(column, column))


def test_equal_rows_are_computed_once():
    seen = []

    def count(x, t):
        seen.append(x.size)
        return x + t

    rng = np.random.default_rng(7)
    by_distinct(count, rng.integers(0, 5, 10_000) / 7, rng.integers(0, 4, 10_000) * 1.0)
    assert seen == [20]
