"""All plots: of a comparison here, the others from their own files. Settings stay untouched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes

from clvmodel.evaluate.comparison import Comparison
from clvmodel.present.cohort_plots import plot_cohort_curves, plot_cohort_heatmap
from clvmodel.present.model_plots import (
    plot_customer_timelines,
    plot_dropout_rate_heterogeneity,
    plot_expected_repeat_purchases,
    plot_frequency_recency_matrix,
    plot_history_alive,
    plot_probability_alive_matrix,
    plot_spend_density,
    plot_transaction_rate_heterogeneity,
)
from clvmodel.present.style import (
    COLORS,
    INK,
    Array,
    axes_of,
    date_axis,
    day_number,
    drawn,
    dress,
    floats,
    legend_of,
    mark_cutoff,
)
from clvmodel.present.view_plots import (
    plot_calibration_purchases_vs_holdout_purchases,
    plot_cumulative_transactions,
    plot_decile_calibration,
    plot_gain_curve,
    plot_incremental_transactions,
    plot_interval_coverage,
    plot_period_transactions,
    plot_reliability,
)

__all__ = [
    "frequency_lines",
    "plot_by_frequency",
    "plot_calibration_purchases_vs_holdout_purchases",
    "plot_cohort_curves",
    "plot_cohort_heatmap",
    "plot_cumulative_transactions",
    "plot_customer_timelines",
    "plot_decile_calibration",
    "plot_dropout_rate_heterogeneity",
    "plot_expected_repeat_purchases",
    "plot_frequency_recency_matrix",
    "plot_gain_curve",
    "plot_history_alive",
    "plot_incremental_transactions",
    "plot_interval_coverage",
    "plot_period_transactions",
    "plot_probability_alive_matrix",
    "plot_reliability",
    "plot_spend_density",
    "plot_tracking",
    "plot_transaction_rate_heterogeneity",
    "svg",
    "tracking_lines",
]

_MODEL_COLORS = ("blue", "vermilion", "green", "purple", "orange", "sky blue")
_FORMULA_COLORS = ("orange", "green", "purple", "sky blue", "vermilion", "blue")
_DASHES = ((6.0, 2.5), (1.5, 1.5), (6.0, 2.0, 1.5, 2.0), (3.0, 1.5), (9.0, 2.0, 3.0, 2.0))
_SAME = 0.005  # lines closer than this share of the largest value are one line to the eye


@dataclass(frozen=True)
class Line:
    """One line of a plot: the candidates it stands for, its numbers (NaN for none), its looks."""

    names: tuple[str, ...]
    values: Array
    color: str
    color_name: str
    width: float
    dashes: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        """The names it stands for; several where their lines would hide each other."""
        more = f" (same line: {', '.join(self.names[1:])})" if len(self.names) > 1 else ""
        return self.names[0] + more

    @property
    def looks(self) -> str:
        """How it looks, in words."""
        return f"{'dashed' if self.dashes else 'solid'} {self.color_name} line"

    def style(self) -> dict[str, Any]:
        """Return the arguments of `Axes.plot`."""
        dashes = (0, self.dashes) if self.dashes else "solid"
        return {"color": self.color, "linewidth": self.width, "linestyle": dashes}


class Plot(Protocol):
    """What both plots are, to `svg`."""

    def __call__(
        self, comparison: Comparison, ax: Axes | None = None, *, legend: bool = True
    ) -> Axes:
        """Draw and return the axes."""


def tracking_lines(comparison: Comparison) -> list[Line]:
    """Lines of `plot_tracking`: what happened, then the candidates that say something."""
    return _lines(comparison, comparison.tracking)


def frequency_lines(comparison: Comparison) -> list[Line]:
    """Lines of `plot_by_frequency`: what happened, then the candidates that say something."""
    return _lines(comparison, comparison.by_frequency)


def plot_tracking(comparison: Comparison, ax: Axes | None = None, *, legend: bool = True) -> Axes:
    """Draw cumulative repeat purchases, actual against every candidate, with the cutoff marked.

    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    days = [dt.date.fromisoformat(day) for day in comparison.tracking["dates"]]
    lines = tracking_lines(comparison)
    _draw(ax, np.array([day_number(day) for day in days]), lines, legend)
    date_axis(ax, months=bool(days) and (days[-1] - days[0]).days > 150)
    ax.set_ylabel("Repeat purchases so far")
    ax.set_title("Repeat purchases of known customers", loc="left", fontsize="medium")
    ax.set_ylim(bottom=0)
    mark_cutoff(ax, day_number(comparison.cutoff))
    return ax


def plot_by_frequency(
    comparison: Comparison, ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw mean holdout purchases per customer, by the number of repeat purchases before.

    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    groups, customers = comparison.by_frequency["groups"], comparison.by_frequency["customers"]
    _draw(ax, np.arange(len(groups), dtype=float), frequency_lines(comparison), legend, marker="o")
    labels = [f"{group}\n{count:,}" for group, count in zip(groups, customers, strict=True)]
    ax.set_xticks(range(len(groups)), labels)
    ax.set_xlabel("Repeat purchases before the cutoff (below: customers)")
    ax.set_ylabel("Purchases per customer")
    ax.set_title("Mean purchases in the holdout", loc="left", fontsize="medium")
    ax.set_ylim(bottom=0)
    return ax


def svg(
    plot: Plot, comparison: Comparison, *, size: tuple[float, float], name: str, text: str
) -> str:
    """Return a plot of a comparison as an inline SVG element: see `style.drawn`."""
    return drawn(lambda ax: plot(comparison, ax, legend=False), size=size, name=name, text=text)


def _draw(
    ax: Axes, x: Array, lines: Sequence[Line], legend: bool, marker: str | None = None
) -> None:
    """Draw the lines, what happened on top, and quiet axes."""
    handles = [
        ax.plot(
            x,
            line.values,
            marker=marker,
            markersize=4.5 if place == 0 else 3,
            zorder=3 if place == 0 else 2.5,
            **line.style(),
        )[0]
        for place, line in enumerate(lines)
    ]
    dress(ax, "")
    ax.margins(x=0.02)
    if legend:
        legend_of(ax, handles, [line.label for line in lines])


def merged_lines(comparison: Comparison, values: Mapping[str, Any]) -> list[Line]:
    """Lines of candidates, in their usual looks, by their values; those that coincide share one."""
    return _lines(comparison, {"actual": [], "predicted": values})[1:]


def _lines(comparison: Comparison, source: Mapping[str, Any]) -> list[Line]:
    """What happened and every candidate; those that coincide share a line."""
    actual = floats(source["actual"])
    lines = [Line(("Actual",), actual, INK, "thick", 2.6)]
    known = [(n, floats(v)) for n, v in source["predicted"].items()]
    known = [(name, values) for name, values in known if np.isfinite(values).any()]
    every = np.concatenate([actual, *(values for _, values in known)])
    near = _SAME * float(np.nanmax(np.abs(every), initial=0.0))
    looks = _looks(comparison)
    for name, values in known:
        twin = next(
            (k for k, line in enumerate(lines[1:], 1) if _twins(line.values, values, near)), 0
        )
        if twin:
            first = lines[twin]
            lines[twin] = Line((*first.names, name), first.values, *_style_of(first))
        else:
            lines.append(Line((name,), values, *looks.get(name, (INK, "black", 1.0, ()))))
    return lines


Looks = tuple[str, str, float, tuple[float, ...]]


def _style_of(line: Line) -> Looks:
    return line.color, line.color_name, line.width, line.dashes


def _looks(comparison: Comparison) -> dict[str, Looks]:
    """Colour, its name, width and dashes per candidate: the same in every plot."""
    looks: dict[str, Looks] = {}
    models = formulas = 0
    for result in comparison.results:
        if result.kind == "model":
            color = _MODEL_COLORS[models % len(_MODEL_COLORS)]
            looks[result.name] = (COLORS[color], color, 2.0, ())
            models += 1
        else:
            color = _FORMULA_COLORS[formulas % len(_FORMULA_COLORS)]
            looks[result.name] = (COLORS[color], color, 1.5, _DASHES[formulas % len(_DASHES)])
            formulas += 1
    return looks


def _twins(one: Array, other: Array, near: float) -> bool:
    known = np.isfinite(one)
    if one.size != other.size:
        return False
    if not np.array_equal(known, np.isfinite(other)):
        return False
    return bool(np.abs(one[known] - other[known]).max(initial=0.0) <= near)
