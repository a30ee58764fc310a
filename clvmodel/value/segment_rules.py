"""Rule tables of segments, proved when they are made: every code has exactly one segment.

Many tables in circulation overlap, so that a later rule never applies, or leave codes out, so that
customers fall through. Such a table is no `SegmentRules`: it is refused with the codes at fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import DataError, ParameterError
from clvmodel.value.rfm import MOST_LEVELS

_SHOWN = 40
_PART = re.compile(r"\[([1-9])-([1-9])\]|\[([1-9]+)\]|([1-9])-([1-9])(?=/|$)|([1-9])|(\*)")


@dataclass(frozen=True, repr=False)
class SegmentRules:
    """Segments of RFM codes, a partition: every code of `levels`^3 lies in exactly one.

    `rules` maps each segment to its codes, R first, 1 the worst score: codes such as "545" (or
    545), or patterns of them: "5*[4-5]", "[123]55", and with slashes "4-5/1/*". Patterns of two
    parts are of R and F, whatever M. `levels` is the number of scores (default 5).

    With `first_match=True` the rules are read in their order and a code belongs to the first that
    holds it, as tables of "if ... else if ..." mean; without, no code may be in two.

    Raises DataError if codes are in no segment or in several, or a segment has none (its codes all
    lie in earlier ones), naming them; ParameterError for what is no code of these levels.
    """

    rules: Mapping[str, Iterable[Any]]
    levels: int = 5
    first_match: bool = False
    _of: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prove the partition."""
        if not (isinstance(self.levels, int) and 2 <= self.levels <= MOST_LEVELS):
            rule = f"a whole number from 2 to {MOST_LEVELS}"
            raise ParameterError.out_of_range("levels", self.levels, rule)
        if not isinstance(self.rules, Mapping) or not self.rules:
            raise ParameterError("rules must map the names of segments to their codes.")
        held: dict[str, list[str]] = {}
        for name, patterns in self.rules.items():
            if not isinstance(name, str) or not name:
                raise ParameterError(f"A segment is called {name!r}; give it a text as its name.")
            alone = isinstance(patterns, str | int)
            if not (alone or isinstance(patterns, Iterable)):
                raise ParameterError(f"{name}: {patterns!r} is no code, and no list of codes.")
            several = [patterns] if alone else list(patterns)
            codes = {code for p in several for code in self._codes(name, p)}
            for code in sorted(codes):
                held.setdefault(code, []).append(name)
        self._prove(held)
        object.__setattr__(self, "_of", {code: names[0] for code, names in held.items()})
        exact = {name: tuple(c for c, names in held.items() if names[0] == name) for name in self}
        object.__setattr__(self, "rules", {n: tuple(sorted(codes)) for n, codes in exact.items()})
        object.__setattr__(self, "first_match", False)

    def _codes(self, name: str, pattern: Any) -> list[str]:
        """Codes of a pattern."""
        text, at = str(pattern).strip(), 0
        parts: list[str] = []
        every = "".join(map(str, range(1, self.levels + 1)))
        while at < len(text):
            match = _PART.match(text, at)
            if not match:
                break
            low, high, some, start, stop, one, _ = match.groups()
            low, high = low or start, high or stop
            span = "".join(map(str, range(int(low), int(high) + 1))) if low else ""
            parts.append(span if low else some or one or every)
            at = match.end()
            if len(parts) < 3 and text[at : at + 1] == "/":
                at += 1
        good = at == len(text) and len(parts) in (2, 3)
        if not good or any(not p or not set(p) <= set(every) for p in parts):
            raise ParameterError(
                f"{name}: {pattern!r} is no code of scores 1 to {self.levels}, such as '121', "
                "'[1-2]1*' or '1-2/1/*'."
            )
        return ["".join(code) for code in product(*parts, *([every] * (3 - len(parts))))]

    def _prove(self, held: Mapping[str, list[str]]) -> None:
        """Raise DataError unless every code is held once."""
        every = self.codes
        missing = [code for code in every if code not in held]
        twice = [code for code in every if len(held.get(code, ())) > 1]
        taken = {names[0] for names in held.values()}
        empty = [name for name in self.rules if name not in taken]
        faults = []
        if missing:
            gap = f"{len(missing)} of {len(every)} codes are in no segment"
            faults.append(f"{gap}: {_some(missing)}")
        if twice and not self.first_match:
            shown = [f"{code} ({', '.join(held[code])})" for code in twice]
            faults.append(f"{len(twice)} codes are in several: {_some(shown)}")
        if empty:
            lost = "no code is left (none was given, or others hold them all)"
            faults.append(f"{', '.join(empty)}: {lost}")
        if faults:
            raise DataError(
                "These rules are no partition of the codes. " + "; ".join(faults) + ". Put every "
                "code into exactly one segment."
            )

    def __repr__(self) -> str:
        """Return how many codes each segment has."""
        sizes = ", ".join(f"{name}: {len(tuple(codes))}" for name, codes in self.rules.items())
        return f"SegmentRules of {len(self.codes)} codes of {self.levels} levels ({sizes})"

    def __iter__(self) -> Any:
        """Iterate over the names of the segments, in their order."""
        return iter(self.rules)

    def __len__(self) -> int:
        """Return the number of segments."""
        return len(self.rules)

    @property
    def codes(self) -> list[str]:
        """Every code, ascending."""
        digits = "".join(map(str, range(1, self.levels + 1)))
        return ["".join(code) for code in product(digits, repeat=3)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments, in their order."""
        return tuple(self.rules)

    def of(self, code: Any) -> str:
        """Segment of a code. Raises ParameterError if there is no such code."""
        if str(code) not in self._of:
            rule = f"three scores from 1 to {self.levels}"
            raise ParameterError.out_of_range("code", code, rule)
        return self._of[str(code)]

    def places(self) -> NDArray[np.intp]:
        """Place among `names` of every code, in the order of `codes`."""
        at = {name: i for i, name in enumerate(self.names)}
        return np.array([at[self.of(code)] for code in self.codes])

    @classmethod
    def by_sum(cls, tiers: Mapping[str, tuple[int, int]], levels: int = 3) -> SegmentRules:
        """Segments by the sum R + F + M: name -> (smallest, largest sum), both included."""
        digits = "".join(map(str, range(1, levels + 1)))
        codes = ["".join(code) for code in product(digits, repeat=3)]
        rules = {
            name: [c for c in codes if low <= sum(map(int, c)) <= high]
            for name, (low, high) in tiers.items()
        }
        return cls(rules, levels)


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ELEVEN = SegmentRules(
    {
        "Champions": _words("555 554 544 545 454 455 445"),
        "Loyal": _words("543 444 435 355 354 345 344 335"),
        "Potential Loyalist": _words(
            "553 551 552 541 542 533 532 531 452 451 442 441 431 453 433 432 423 353 352 351 342 "
            "341 333 323"
        ),
        "New Customers": _words("512 511 422 421 412 411 311"),
        "Promising": _words("525 524 523 522 521 515 514 513 425 424 413 414 415 315 314 313"),
        "Need Attention": _words("535 534 443 434 343 334 325 324"),
        "About To Sleep": _words("331 321 312 221 213 231 241 251"),
        "At Risk": _words(
            "255 254 245 244 253 252 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 "
            "124"
        ),
        "Cannot Lose Them": _words("155 154 144 214 215 115 114 113"),
        "Hibernating": _words("332 322 233 232 223 222 132 123 122 212 211"),
        "Lost": _words("111 112 121 131 141 151"),
    }
)
"""The widely copied table of 125 codes and eleven segments."""

TEN = SegmentRules(
    {
        "Champions": "5[4-5]",
        "Loyal Customers": "[3-4][4-5]",
        "Potential Loyalists": "[4-5][2-3]",
        "New Customers": "51",
        "Promising": "41",
        "Need Attention": "33",
        "About To Sleep": "3[1-2]",
        "Cannot Lose Them": "[1-2]5",
        "At Risk": "[1-2][3-4]",
        "Hibernating": "[1-2][1-2]",
    }
)
"""The grid of R and F used in most tutorials: money is ignored."""

THREE = SegmentRules.by_sum({"High": (8, 9), "Medium": (6, 7), "Low": (3, 5)})
"""Shop style: scores 1 to 3, tiers by their sum. Where the sums are cut is a judgement."""

TABLES: dict[str, SegmentRules] = {"eleven": ELEVEN, "ten": TEN, "three": THREE}
"""Rule tables by name."""
