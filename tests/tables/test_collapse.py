"""`collapse` against a dictionary."""

import numpy as np
import pytest

from clvmodel.tables.cells import collapse


def by_dictionary(columns, weight):
    cells = {}
    for row, w in zip(zip(*(c.tolist() for c in columns), strict=True), weight, strict=True):
        cells[row] = cells.get(row, 0.0) + w
    return cells


KINDS = {
    "integers": lambda rng, n: rng.integers(0, 6, n).astype(float),
    "negative integers": lambda rng, n: rng.integers(-9, 3, n).astype(float),
    "sevenths": lambda rng, n: rng.integers(0, 40, n) / 7,
    "other fractions": lambda rng, n: rng.integers(0, 40, n) / 30.4375,
    "floats": lambda rng, n: rng.choice(rng.normal(size=9), n),
    "cents": lambda rng, n: rng.integers(0, 300, n) / 100,
    "distinct floats": lambda rng, n: rng.normal(size=n),
    "large": lambda rng, n: rng.choice([1e12, 1e12 + 1, 3.0], n),
    "constant": lambda _, n: np.full(n, 2.5),
    "far apart": lambda rng, n: rng.choice([-9e8, 0.0, 9e8], n),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("first", KINDS)
@pytest.mark.parametrize("second", KINDS)
def test_against_a_dictionary(first, second, weighted):
    rng = np.random.default_rng([list(KINDS).index(first), list(KINDS).index(second)])
    columns = [KINDS[kind](rng, 200) for kind in (first, second, "far apart", first)]
    weight = rng.integers(1, 5, 200) / 4 if weighted else np.ones(200)
    cells = collapse(columns, weight if weighted else None)
    expected = by_dictionary(columns, weight)
    rows = list(zip(*(c.tolist() for c in cells.columns), strict=True))
    assert dict(zip(rows, cells.weight.tolist(), strict=True)) == pytest.approx(expected)
    assert len(rows) == len(expected)
    for column, of_cell in zip(columns, cells.columns, strict=True):
        np.testing.assert_array_equal(of_cell[cells.where], column)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_without_rows_the_cells_are_the_same(kind, weighted):
    rng = np.random.default_rng([7, list(KINDS).index(kind)])
    columns = [
        KINDS[kind](rng, 500),
        rng.poisson(1.0, 500).astype(float),
        KINDS["sevenths"](rng, 500),
    ]
    before = [column.copy() for column in columns]
    weight = rng.integers(1, 5, 500) / 4 if weighted else None
    expected, got = collapse(columns, weight), collapse(columns, weight, rows=False)
    for column, other in zip(got.columns, expected.columns, strict=True):
        np.testing.assert_allclose(column, other, rtol=1e-15, atol=0)
    np.testing.assert_array_equal(got.weight, expected.weight)
    assert got.where.size == 0
    for column, copy in zip(columns, before, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_many_columns_do_not_overflow():
    rng = np.random.default_rng(2)
    columns = [rng.integers(0, 10**8, 50).astype(float) for _ in range(8)]
    columns = [np.concatenate([c, c]) for c in columns]
    for rows in (True, False):
        cells = collapse(columns, rows=rows)
        assert len(cells.weight) == 50
        assert (cells.weight == 2).all()


@pytest.mark.parametrize("gap", [1e-9, 1e-8])
def test_values_that_differ_by_little_are_not_merged_with_a_loss(gap):
    """Whole numbers up to rounding count as one; what is spread back stays that close."""
    column = np.array([1.0, 1.0 + gap, 2.0])
    cells = collapse([column])
    np.testing.assert_allclose(cells.columns[0][cells.where], column, atol=1e-7)


def test_read_only_columns_come_back_unchanged():
    column, weight = np.array([3.0, 1.0, 3.0]), np.array([0.5, 2.0, 1.0])
    for array in (column, weight):
        array.flags.writeable = False
    cells = collapse([column, column], weight)
    assert cells.weight.tolist() == [2.0, 1.5]
    assert cells.where.tolist() == [1, 0, 1]


def test_nothing():
    for rows in (True, False):
        cells = collapse([np.array([]), np.array([])], rows=rows)
        assert cells.weight.size == cells.where.size == cells.columns[0].size == 0
