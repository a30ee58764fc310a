"""Values at chosen places of an order: the thresholds of scores and tiers, at any size.

In memory values are sorted. Where they are elsewhere, two passes do: the first counts them by their
leading bits, which keep the order; the second fetches those that share these bits with a value that
is wanted. So the results are the same numbers, and neither all values nor their order are held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError
from clvmodel.tables.large import LargeSummary, over_parts
from clvmodel.tables.summary import Summary

Array = NDArray[np.float64]
Keys = NDArray[np.uint64]
Tell = Callable[[Summary], Sequence[Array]]

_DROPPED = 36  # of the 64 bits of a number: sign, exponent and 16 bits of the fraction are left
_SIGN = np.uint64(1 << 63)


class Wanted(NamedTuple):
    """Which values are asked for.

    `places` in ascending order, 0 the smallest value; `shares`: the value with which the highest
    values together reach this share of the sum of all.
    """

    places: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()


def cuts(values: Array, wanted: Wanted) -> tuple[float, ...]:
    """Values at the places, then at the shares. Raises DataError for values that are missing."""
    found = np.asarray(values, float)
    if found.ndim != 1 or not found.size or np.isnan(found).any():
        raise DataError(_NONE)
    ordered, number = np.sort(found), np.ones(found.size)
    return _at_places(ordered, number, wanted.places) + _at_shares(ordered, number, wanted.shares)


def cuts_of(
    summary: Summary | LargeSummary, tell: Tell, wanted: Sequence[Wanted]
) -> list[tuple[float, ...]]:
    """Like `cuts`, of each of the arrays that a function tells of the customers of a summary."""
    if isinstance(summary, Summary):
        return [cuts(each, w) for each, w in zip(tell(summary), wanted, strict=True)]
    counted = [_merged(each) for each in zip(*over_parts(summary, _Count(tell)), strict=True)]
    chosen = [_chosen(each, w) for each, w in zip(counted, wanted, strict=True)]
    fetched = zip(*over_parts(summary, _Fetch(tell, chosen)), strict=True)
    results = []
    for known, keys, values, each in zip(counted, chosen, fetched, wanted, strict=True):
        ordered, number = _with_rest(known, keys, _merged(values))
        results.append(
            _at_places(ordered, number, each.places) + _at_shares(ordered, number, each.shares)
        )
    return results


def rounded(values: Array) -> Array:
    """Amounts to twelve digits: sums of the same amounts in another order are the same again."""
    some = np.isfinite(values) & (values != 0)
    digits = 11 - np.floor(np.log10(np.abs(values, where=some, out=np.ones_like(values))))
    scale = 10.0 ** np.clip(digits, -300, 300)
    return np.where(some, np.round(values * scale) / scale, values)


class _Counted(NamedTuple):
    """Values or keys in ascending order, how many there are of each, and their sum."""

    what: NDArray[np.generic]
    number: Array
    total: Array


@dataclass(frozen=True)
class _Count:
    tell: Tell

    def __call__(self, summary: Summary) -> list[_Counted]:
        return [_counted(_keys(values), values) for values in self.tell(summary)]


@dataclass(frozen=True)
class _Fetch:
    tell: Tell
    chosen: list[Keys]

    def __call__(self, summary: Summary) -> list[_Counted]:
        found = []
        for values, keys in zip(self.tell(summary), self.chosen, strict=True):
            some = values[np.isin(_keys(values), keys)]
            found.append(_counted(some, some))
        return found


def _keys(values: Array) -> Keys:
    """Leading bits of numbers, in the order of the numbers."""
    if np.isnan(values).any():
        raise DataError(_NONE)
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN) >> np.uint64(_DROPPED)


def _counted(what: NDArray[np.generic], values: Array) -> _Counted:
    found, where, number = np.unique(what, return_inverse=True, return_counts=True)
    return _Counted(
        found, number.astype(float), np.bincount(where, values, found.size).astype(float)
    )


def _merged(parts: Sequence[_Counted]) -> _Counted:
    what, number, total = (np.concatenate(each) for each in zip(*parts, strict=True))
    found, where = np.unique(what, return_inverse=True)
    sums = [np.bincount(where, each, found.size).astype(float) for each in (number, total)]
    return _Counted(found, *sums)


def _chosen(known: _Counted, wanted: Wanted) -> Keys:
    """Keys of the values that are wanted."""
    upto = np.cumsum(known.number)
    rows = [int(np.searchsorted(upto, place, side="right")) for place in wanted.places]
    if wanted.shares:
        rows += _reaching(known.total, wanted.shares)
    return np.asarray(known.what[np.unique(np.array(rows, int))], np.uint64)


def _with_rest(known: _Counted, keys: Keys, fetched: _Counted) -> tuple[Array, Array]:
    """The values that were fetched, in order among the means of those that were not; how many."""
    rest = ~np.isin(known.what, keys)
    mean = known.total[rest] / known.number[rest]
    values = np.concatenate([mean, fetched.what.astype(float)])
    number = np.concatenate([known.number[rest], fetched.number])
    order = np.argsort(values, kind="stable")
    return values[order], number[order]


def _at_places(ordered: Array, number: Array, places: Sequence[int]) -> tuple[float, ...]:
    upto = np.cumsum(number)
    return tuple(float(v) for v in ordered[np.searchsorted(upto, places, side="right")])


def _at_shares(ordered: Array, number: Array, shares: Sequence[float]) -> tuple[float, ...]:
    if not shares:
        return ()
    if ordered[0] < 0 or not np.isfinite(ordered).all():
        raise DataError("Shares are those of a total: values must be finite and >= 0.")
    return tuple(float(ordered[row]) for row in _reaching(ordered * number, shares))


def _reaching(total: Array, shares: Sequence[float]) -> list[int]:
    """Rows at which sums, added from the last, reach these shares of all."""
    added = np.cumsum(total[::-1])
    last = [int(np.searchsorted(added, share * added[-1] * (1 - 1e-12))) for share in shares]
    return [total.size - 1 - min(row, total.size - 1) for row in last]


_NONE = "Thresholds need the values of one customer or more, none of them missing."
