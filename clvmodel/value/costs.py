"""What winning a customer costs, for all and by group: as given, or worked from spend."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clvmodel.errors import ParameterError
from clvmodel.value.candidates import check_share

PerGroup = float | Mapping[Any, float] | None

ALL = "all"


@dataclass(frozen=True, eq=False)
class Costs:
    """Costs by group: see `UnitEconomics` for what each may be.

    `names` are all customers together, then the groups; `count` counts their new customers, where
    they are not given.
    """

    names: Sequence[str]
    cac: PerGroup
    spend: PerGroup
    new_customers: PerGroup
    conversion_rate: PerGroup
    count: Callable[[], dict[str, float]]

    def __post_init__(self) -> None:
        """Refuse numbers out of range, groups that are none, and costs given twice."""
        if self.cac is not None and (self.spend is not None or self.new_customers is not None):
            raise ParameterError("Give cac, or spend (and new_customers), not both.")
        if self.new_customers is not None and self.spend is None:
            raise ParameterError("new_customers are for a spend, and there is none: give spend.")
        for name in ("cac", "spend", "new_customers", "conversion_rate"):
            self._given(name)
        for rate in self.rates.values():
            check_share("conversion_rate", rate)

    def _given(self, name: str) -> dict[str, float]:
        """A cost per group; one number holds for all, except that money is not shared out."""
        value = getattr(self, name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            check_number(name, value, 0.0)
            alone = name in ("spend", "new_customers")
            return {ALL: float(value)} if alone else dict.fromkeys(self.names, float(value))
        known = {str(group): number for group, number in value.items()}
        for group, number in known.items():
            if group not in self.names:
                if len(self.names) == 1:
                    raise ParameterError(
                        f"{name} names the group {group!r}, and there are no groups: say by what "
                        "customers are grouped (by=, or --channel-column or --cohorts)."
                    )
                raise ParameterError.not_one_of(f"a group of {name}", group, self.names)
            check_number(f"{name}[{group!r}]", number, 0.0)
        return {group: float(number) for group, number in known.items()}

    @property
    def rates(self) -> dict[str, float]:
        """New customers per click, by group."""
        return self._given("conversion_rate")

    @cached_property
    def acquired(self) -> dict[str, float]:
        """New customers by group: as given, or counted."""
        return self._given("new_customers") if self.new_customers is not None else self.count()

    @cached_property
    def each(self) -> dict[str, float]:
        """Cost of a new customer by group; that of all from the sums, if not given."""
        if self.cac is not None:
            found = self._given("cac")
            if ALL not in found and set(found) == set(self.names[1:]):
                number = self.acquired
                whole = sum(number[g] for g in found)
                if whole:
                    found[ALL] = sum(found[g] * number[g] for g in found) / whole
            return found
        spent, number = dict(self._given("spend")), dict(self.acquired)
        for costs in (spent, number):
            if ALL not in costs and self.names[1:] and set(costs) == set(self.names[1:]):
                costs[ALL] = sum(costs.values())
        both = [group for group in spent if group in number]
        return {g: spent[g] / number[g] if number[g] else np.inf for g in both}


def check_number(name: str, value: Any, least: float | None) -> None:
    """Refuse what is no finite number, or too small."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and np.isfinite(value) and (least is None or value >= least)):
        rule = "a finite number" + ("" if least is None else f" >= {least:g}")
        raise ParameterError.out_of_range(name, value, rule)
