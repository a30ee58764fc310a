"""Cohorts as a heat map and as curves; what a model continues is told apart from what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodel.present.style import axes_of
from clvmodel.value.cohorts import MEASURES, Cohorts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SEEN, _AHEAD = 1.0, 0.55  # opacity of cells
_MOST_LABELS = 24


def plot_cohort_heatmap(
    cohorts: Cohorts, measure: str = "retention", ax: Axes | None = None
) -> Axes:
    """Draw cohorts (rows) by months since acquisition; paler cells are forecast.

    Draws on `ax`, or on a new pyplot figure; returns the axes. Retention leaves out month 0, which
    is 100% by definition.
    """
    ax = axes_of(ax)
    values = np.asarray(getattr(cohorts, measure), float).copy()
    if measure == "retention":
        values[:, 0] = np.nan
    opacity = np.where(cohorts.forecast, _AHEAD, _SEEN)
    opacity[np.isnan(values)] = 0.0
    image = ax.imshow(values, aspect="auto", cmap="viridis", alpha=opacity, origin="upper")
    rows = _some(len(cohorts.names))
    labels = [f"{cohorts.names[i]} ({cohorts.customers[i]:,})" for i in rows]
    ax.set_yticks(rows, labels)
    ax.set_xticks(_some(values.shape[1]))
    ax.set_xlabel("Months since acquisition (paler: forecast)")
    ax.set_title(_title(measure), loc="left", fontsize="medium")
    bar = ax.figure.colorbar(image, ax=ax)
    bar.ax.yaxis.set_major_formatter(_number(measure))
    return ax


def plot_cohort_curves(cohorts: Cohorts, measure: str = "revenue", ax: Axes | None = None) -> Axes:
    """Draw a line per cohort, older ones darker; dashed where it is forecast.

    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    values = np.asarray(getattr(cohorts, measure), float)
    months, size = np.arange(values.shape[1]), len(cohorts.names)
    first = 1 if measure == "retention" else 0
    for i, name in enumerate(cohorts.names):
        color = (0.0, 0.35 + 0.4 * i / size, 0.7 - 0.3 * i / size)
        seen = np.where(cohorts.forecast[i], np.nan, values[i])
        known = np.flatnonzero(np.isfinite(seen))
        joint = cohorts.forecast[i].copy()
        if known.size:
            joint[known[-1]] = True  # so that the dashes begin where the line ends
        ahead = np.where(joint, values[i], np.nan)
        ax.plot(months[first:], seen[first:], color=color, linewidth=1.4, label=name)
        ax.plot(months[first:], ahead[first:], color=color, linewidth=1.0, linestyle=(0, (4, 2)))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="black", alpha=0.12, linewidth=0.8)
    ax.yaxis.set_major_formatter(_number(measure))
    ax.set_xlabel("Months since acquisition (dashed: forecast)")
    ax.set_title(_title(measure), loc="left", fontsize="medium")
    ax.set_ylim(bottom=0)
    return ax


def _title(measure: str) -> str:
    return MEASURES[measure][:1].upper() + MEASURES[measure][1:]


def _number(measure: str) -> Any:
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    if measure == "revenue":
        return FuncFormatter(lambda value, _: f"{value:,.10g}")
    return PercentFormatter(1.0, decimals=0)


def _some(size: int) -> list[int]:
    return list(range(0, size, max(1, -(-size // _MOST_LABELS))))
