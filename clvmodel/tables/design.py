"""Covariates of customers as numbers: what was learned when fitting, and checked when scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clvmodel.errors import ColumnError, DataError
from clvmodel.tables.frames import read_frame
from clvmodel.tables.summary import Summary

Array = NDArray[np.float64]

_LARGEST = 1e100  # squares of it are still numbers
MOST_LEVELS = 50  # a column with more categories is taken for an id: a judgement


@dataclass(frozen=True)
class Covariate:
    """A number (`levels` is None), or a category whose first level is the reference."""

    name: str
    levels: tuple[str, ...] | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its regressors: the column, or "column[level]" for every level but the first."""
        if self.levels is None:
            return (self.name,)
        return tuple(f"{self.name}[{level}]" for level in self.levels[1:])

    def codes(self, column: pa.Array) -> Array:
        """Numbers as they are; categories as the place of their level."""
        if self.levels is None:
            return _numbers(self.name, column)
        words = pc.cast(column, pa.string())
        place = pc.index_in(words, pa.array(self.levels, pa.string()))
        if place.null_count:
            unknown = pc.unique(words.filter(pc.is_null(place))).to_pylist()
            raise DataError(
                f"{self.name} has values that the fit has not seen, in {place.null_count:,} rows: "
                f"{', '.join(map(repr, unknown[:5]))}. Known are "
                f"{', '.join(map(repr, self.levels))}: map the new ones to these, or fit again."
            )
        return np.asarray(place.to_numpy(zero_copy_only=False), float)

    def regressors(self, codes: Array) -> list[Array]:
        """Columns of the design: the number, or an indicator of each level but the first."""
        if self.levels is None:
            return [codes]
        return [(codes == place).astype(float) for place in range(1, len(self.levels))]


@dataclass(frozen=True)
class Design:
    """Covariates, in order, with the categories that each of them had when the fit was made."""

    covariates: tuple[Covariate, ...]

    @classmethod
    def learn(cls, names: Sequence[str], data: Any) -> Design:
        """Look at the columns of these names: numbers and booleans count, strings are categories.

        Levels are sorted, and the first is the reference. Raises ColumnError or DataError.
        """
        columns = _columns(names, data)
        design = cls(tuple(_learned(name, column) for name, column in columns.items()))
        twice = sorted({label for label in design.labels if design.labels.count(label) > 1})
        if twice:
            raise ColumnError(f"Two covariates would be called {twice[0]!r}: rename one.")
        return design

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(covariate.name for covariate in self.covariates)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the regressors."""
        return tuple(label for covariate in self.covariates for label in covariate.labels)

    def places(self, names: Sequence[str]) -> tuple[int, ...]:
        """Where the regressors of these columns stand."""
        owners = [c.name for c in self.covariates for _ in c.labels]
        return tuple(i for i, owner in enumerate(owners) if owner in names)

    def codes(self, data: Any) -> list[Array]:
        """One number per customer and covariate, checked: from a table, mapping or Summary."""
        columns = _columns(self.names, data)
        return [c.codes(columns[c.name]) for c in self.covariates]

    def matrix(self, codes: Sequence[Array]) -> Array:
        """Regressors (customers, regressors) of coded covariates."""
        parts = [
            regressor
            for covariate, code in zip(self.covariates, codes, strict=True)
            for regressor in covariate.regressors(np.asarray(code, float))
        ]
        return np.stack(parts, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return {column: "number" or list of levels}."""
        return {c.name: "number" if c.levels is None else list(c.levels) for c in self.covariates}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Design:
        """Make the design that `to_dict` described."""
        return cls(
            tuple(
                Covariate(name, None if levels == "number" else tuple(map(str, levels)))
                for name, levels in data.items()
            )
        )


def _columns(names: Sequence[str], data: Any) -> dict[str, pa.Array]:
    source = data.covariates if isinstance(data, Summary) else data
    if not isinstance(source, Mapping):
        table = read_frame(source, what="covariates")[0]
        source = {name: table[name] for name in table.column_names}
    if not source and names:
        raise ColumnError(
            f"covariates {', '.join(map(repr, names))}: this summary has no columns of customers; "
            "add them with summary.join(customers)."
        )
    for name in names:
        if name not in source:
            raise ColumnError.missing("covariates", name, source)
    columns = {name: _arrow(name, source[name]) for name in names}
    for name, column in columns.items():
        if len(column) != len(columns[names[0]]):
            raise DataError(
                f"{name} has {len(column)} values, {names[0]} has {len(columns[names[0]])}."
            )
    return columns


def _arrow(name: str, values: Any) -> pa.Array:
    """One array without missing values, categories decoded."""
    try:
        column = values if isinstance(values, pa.Array | pa.ChunkedArray) else _from_any(values)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ColumnError(f"{name} is no column of numbers or categories: {error}") from error
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        words = pc.cast(column.dictionary, pa.string())
        column = pa.DictionaryArray.from_arrays(column.indices, words).dictionary_decode()
    missing = pc.is_null(column, nan_is_null=True)
    if pc.any(missing).as_py():
        rows = np.flatnonzero(missing.to_numpy(zero_copy_only=False))
        raise DataError(
            f"{name} is missing in {rows.size:,} rows, the first is row {rows[0]}: fill it in, for "
            "instance with a category of its own, or leave it out of the covariates."
        )
    return column


def _from_any(values: Any) -> pa.Array:
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if isinstance(values, str):
        raise TypeError(f"{values!r} is one value; put it into a list")
    if isinstance(values, np.ndarray) and values.dtype.kind in "US":
        return pa.array(values.tolist())
    return pa.array(values, from_pandas=True)


def _learned(name: str, column: pa.Array) -> Covariate:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        levels = sorted(pc.unique(pc.cast(column, pa.string())).to_pylist())
        if len(levels) > MOST_LEVELS:
            raise DataError(
                f"{name} has {len(levels):,} categories, more than {MOST_LEVELS}: merge the rare "
                "ones into one, or is it an id?"
            )
        if len(levels) == 1:
            raise _constant(name, levels[0])
        return Covariate(name, tuple(levels))
    values = _numbers(name, column)
    if values.size and np.min(values) == np.max(values):
        raise _constant(name, values[0])
    return Covariate(name)


def _constant(name: str, value: Any) -> DataError:
    return DataError(f"{name} is {value!r} for every customer: it can explain nothing; leave it.")


def _numbers(name: str, column: pa.Array) -> Array:
    kind = column.type
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if not (number or pa.types.is_boolean(kind)):
        raise ColumnError(
            f"{name} holds {kind}, must hold numbers or, where the fit had them, categories."
        )
    values = np.array(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False))
    usual = np.abs(values) < _LARGEST
    if not usual.all():
        row = int(np.argmin(usual))
        raise DataError(
            f"{name} == {values[row]} in row {row}, must be finite and below {_LARGEST:g}."
        )
    return values
