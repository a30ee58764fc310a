"""Tiers of customers by value, with thresholds that are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.tables.files import write_text
from clvmodel.value.cuts import Wanted, cuts
from clvmodel.value.rfm import read_json

Array = NDArray[np.float64]

FORMAT = "clvmodel.tiers/1"
KINDS = ("vip", "deciles", "abc", "heavy")


@dataclass(frozen=True)
class Tiers:
    """Tiers, best first, and the `thresholds` between them, descending: a value is in the first
    tier whose threshold it reaches, else in the last. Equal values always share a tier.

    Keep and reuse them (`save`, `load`): tiers found anew on each date drift with the base.
    """

    names: tuple[str, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse what are no tiers."""
        if len(self.names) != len(self.thresholds) + 1 or len(set(self.names)) != len(self.names):
            raise ParameterError(
                f"{len(self.names)} tiers need other names each and {len(self.names) - 1} "
                f"thresholds; these are {self.names} and {self.thresholds}."
            )
        values = np.asarray(self.thresholds, float)
        if np.isnan(values).any() or (values[1:] > values[:-1]).any():
            rule = "numbers that do not rise"
            raise ParameterError.out_of_range("thresholds", self.thresholds, rule)

    @classmethod
    def top(cls, values: Array, shares: Mapping[str, float], rest: str = "Others") -> Tiers:
        """Tiers by shares of the customers: {"VIP": 0.1} is the tenth with the highest values.

        Shares add up from the top. Ties go up: a tier holds all who equal its last customer.
        """
        names, wanted = _top(shares, rest, np.size(values))
        return cls(names, cuts(values, wanted))

    @classmethod
    def deciles(cls, values: Array) -> Tiers:
        """Tenths of the customers, "1" the one with the highest values."""
        return cls.by("deciles", values)

    @classmethod
    def abc(cls, values: Array, a: float = 0.8, b: float = 0.95) -> Tiers:
        """Classes by cumulative value: A make up the first 80% of the total, B go on to 95%, C.

        The shares are the usual ones, a judgement. Values must be >= 0 and finite. A class ends
        with the customer with whom its share is reached.
        """
        if not 0 < a < b <= 1:
            raise ParameterError.out_of_range("a, b", (a, b), "0 < a < b <= 1")
        return cls(("A", "B", "C"), cuts(values, Wanted(shares=(a, b))))

    @classmethod
    def by(cls, kind: str, values: Array) -> Tiers:
        """Tiers of a kind: "vip" (top 10%), "deciles", "abc", "heavy" (top 20%, next 30%, rest)."""
        names, wanted = wanted_by(kind, np.size(values))
        return cls(names, cuts(values, wanted))

    def of(self, values: Array) -> NDArray[np.intp]:
        """Place of each value's tier in `names`."""
        cuts = -np.asarray(self.thresholds, float)
        return np.searchsorted(cuts, -np.asarray(values, float), side="left")

    def to_dict(self) -> dict[str, Any]:
        """Return names and thresholds as plain data."""
        return {"format": FORMAT, "names": list(self.names), "thresholds": list(self.thresholds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Tiers:
        """Make what `to_dict` described. Raises DataError."""
        if data.get("format") != FORMAT:
            raise DataError(f"These are no tiers: format == {data.get('format')!r}.")
        try:
            return cls(tuple(map(str, data["names"])), tuple(map(float, data["thresholds"])))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"These tiers are damaged: {error}") from error

    def save(self, path: Any) -> None:
        """Write the tiers as JSON, whole or not at all. Raises FileError."""
        write_text(path, json.dumps(self.to_dict(), indent=2) + "\n")

    @classmethod
    def load(cls, path: Any) -> Tiers:
        """Read what `save` wrote. Raises FileError or DataError."""
        return cls.from_dict(read_json(path))


def wanted_by(kind: str, n: int) -> tuple[tuple[str, ...], Wanted]:
    """Names of the tiers of a kind, and the places of their thresholds among n customers."""
    if kind not in KINDS:
        raise ParameterError.not_one_of("kind", kind, KINDS)
    if kind == "abc":
        return ("A", "B", "C"), Wanted(shares=(0.8, 0.95))
    if kind == "deciles":
        return _top({str(i): 0.1 for i in range(1, 10)}, "10", n)
    if kind == "heavy":
        return _top({"Heavy": 0.2, "Medium": 0.3}, "Light", n)
    return _top({"VIP": 0.1}, "Others", n)


def _top(shares: Mapping[str, float], rest: str, n: int) -> tuple[tuple[str, ...], Wanted]:
    """Names of tiers by shares from the top, and the places of their last customers among n."""
    given = np.array(list(shares.values()), float)
    if not (given.size and (given > 0).all() and given.sum() < 1 + 1e-12):
        raise ParameterError.out_of_range("shares", dict(shares), "> 0 and at most 1 together")
    last = np.ceil(np.cumsum(given) * n - 1e-9).astype(int)
    return (*shares, rest), Wanted(tuple((n - np.clip(last, 1, max(n, 1))).tolist()))
