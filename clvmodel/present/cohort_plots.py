"""Cohorts as a heat map and as curves; what a model continues is told apart from what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clvmodel.errors import ParameterError
from clvmodel.present.basis import check_parts
from clvmodel.present.style import INK, Array, axes_of
from clvmodel.value.cohorts import Cohorts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TITLES = {  # short: they must fit a phone
    "retention": "Share of the cohort that buys in the month",
    "repeat_rate": "Share with two purchases or more so far",
    "revenue": "Revenue so far per customer",
}
_OLDEST, _YOUNGEST = (0.0, 0.35, 0.7), (0.0, 0.75, 0.4)  # stand out on white and on black
_MOST_ROWS, _MOST_MONTHS, _MOST_KEYS = 24, 13, 6  # labels


def plot_cohort_heatmap(
    cohorts: Cohorts, measure: str = "retention", ax: Axes | None = None
) -> Axes:
    """Draw cohorts (rows) by months since acquisition; hatched cells are forecast.

    Draws on `ax`, or on a new pyplot figure; returns the axes. Retention leaves out month 0, which
    is 100% by definition. Raises ParameterError for a measure that there is not.
    """
    values = _values(cohorts, measure)
    ax = axes_of(ax)
    if measure == "retention":
        values[:, 0] = np.nan
    image = ax.imshow(values, aspect="auto", cmap="viridis", origin="upper")
    ahead = cohorts.forecast & np.isfinite(values)
    _hatch(ax, ahead)
    rows = _some(len(cohorts.names), _MOST_ROWS)
    labels = [f"{cohorts.names[i]} ({cohorts.customers[i]:,})" for i in rows]
    ax.set_yticks(rows, labels)
    ax.set_xticks(_some(values.shape[1], _MOST_MONTHS))
    ax.set_xlabel("Months since acquisition" + (" (hatched: forecast)" if ahead.any() else ""))
    ax.set_title(_TITLES[measure], loc="left", fontsize="medium")
    bar = ax.figure.colorbar(image, ax=ax)
    bar.ax.yaxis.set_major_formatter(_number(measure))
    return ax


def plot_cohort_curves(
    cohorts: Cohorts, measure: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a line per cohort, in the colour that the bar gives its month; dashed: forecast.

    `measure` is revenue by default, or retention where there are no amounts. Draws on `ax`, or on a
    new pyplot figure; returns the axes. Raises ParameterError for a measure that there is not.
    """
    check_parts({"cohorts": cohorts})
    if measure is None:
        measure = "revenue" if cohorts.revenue is not None else "retention"
    values = _values(cohorts, measure)
    ax = axes_of(ax)
    months = np.arange(values.shape[1])
    first = 1 if measure == "retention" else 0
    colors = _key(ax, cohorts.names)
    for i, name in enumerate(cohorts.names):
        seen = np.where(cohorts.forecast[i], np.nan, values[i])
        known = np.flatnonzero(np.isfinite(seen))
        joint = cohorts.forecast[i].copy()
        if known.size:
            joint[known[-1]] = True  # so that the dashes begin where the line ends
        ahead = np.where(joint, values[i], np.nan)
        how: dict[str, Any] = {"color": colors[i]}
        ax.plot(months[first:], seen[first:], linewidth=1.4, label=name, **how)
        ax.plot(months[first:], ahead[first:], linewidth=1.0, linestyle=(0, (4, 2)), **how)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    ax.yaxis.set_major_formatter(_number(measure))
    dashed = " (dashed: forecast)" if cohorts.forecast.any() else ""
    ax.set_xlabel(f"Months since acquisition{dashed}")
    ax.set_title(_TITLES[measure], loc="left", fontsize="medium")
    ax.set_ylim(bottom=0)
    return ax


def _values(cohorts: Cohorts, measure: str) -> Array:
    """A copy of the table of a measure, or ParameterError."""
    check_parts({"cohorts": cohorts})
    if measure not in cohorts.measures:
        raise ParameterError.not_one_of("measure", measure, cohorts.measures)
    return np.array(getattr(cohorts, measure), float)


def _hatch(ax: Axes, ahead: Any) -> None:
    """Hatch the marked cells, which keep their colours, and draw a line around them."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Rectangle

    for i, row in enumerate(ahead):
        ends = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]])))
        for start, stop in ends.reshape(-1, 2):
            cells = Rectangle((start - 0.5, i - 0.5), stop - start, 1, fill=False, hatch="///")
            cells.set(edgecolor=(1, 1, 1, 0.6), linewidth=0)
            ax.add_patch(cells)
    inside = np.pad(ahead, 1)
    above = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1]) - 0.5
    left = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1]) - 0.5
    edges = [[(k, i), (k + 1, i)] for i, k in above] + [[(k, i), (k, i + 1)] for i, k in left]
    ax.add_collection(LineCollection(edges, colors="white", linewidths=1.2), autolim=False)


def _key(ax: Axes, names: tuple[str, ...]) -> Any:
    """Colours of the cohorts, oldest first, with a bar that says which is which."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, ListedColormap

    size = len(names)
    colors = np.linspace(_OLDEST, _YOUNGEST, size)
    norm = BoundaryNorm(np.arange(size + 1) - 0.5, size)
    shades = ScalarMappable(norm, ListedColormap(colors.tolist()))
    bar = ax.figure.colorbar(shades, ax=ax, label="Month of the first purchase", fraction=0.06)
    shown = sorted({round(i) for i in np.linspace(0, size - 1, min(size, _MOST_KEYS))})
    bar.set_ticks([float(i) for i in shown], labels=[names[i] for i in shown])
    bar.minorticks_off()
    bar.ax.invert_yaxis()  # as in a table, the oldest on top
    return colors


def _number(measure: str) -> Any:
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    if measure == "revenue":
        return FuncFormatter(lambda value, _: f"{value:,.10g}")
    return PercentFormatter(1.0, decimals=0)


def _some(size: int, most: int) -> list[int]:
    return list(range(0, size, max(1, -(-size // most))))
