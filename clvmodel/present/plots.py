"""Plots of a comparison, and (from their own file) of cohorts; global settings stay untouched."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from clvmodel.evaluate.comparison import Comparison
from clvmodel.present.cohort_plots import plot_cohort_curves as plot_cohort_curves
from clvmodel.present.cohort_plots import plot_cohort_heatmap as plot_cohort_heatmap

INK = "#000000"
COLORS = {  # Okabe & Ito: told apart by colour-blind readers
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky blue": "#56B4E9",
    "vermilion": "#D55E00",
}
_MODEL_COLORS = ("blue", "vermilion", "green", "purple", "orange", "sky blue")
_FORMULA_COLORS = ("orange", "green", "purple", "sky blue", "vermilion", "blue")
_DASHES = ((6.0, 2.5), (1.5, 1.5), (6.0, 2.0, 1.5, 2.0), (3.0, 1.5), (9.0, 2.0, 3.0, 2.0))
_SAME = 0.005  # lines closer than this share of the largest value are one line to the eye
Array = NDArray[np.float64]


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
    ax = _axes(ax)
    days = [dt.date.fromisoformat(day) for day in comparison.tracking["dates"]]
    lines = tracking_lines(comparison)
    _draw(ax, np.array([_day_number(day) for day in days]), lines, legend)
    _date_axis(ax, months=bool(days) and (days[-1] - days[0]).days > 150)
    ax.set_ylabel("Repeat purchases so far")
    ax.set_title("Repeat purchases of known customers", loc="left", fontsize="medium")
    ax.set_ylim(bottom=0)
    _mark_cutoff(ax, _day_number(comparison.cutoff))
    return ax


def plot_by_frequency(
    comparison: Comparison, ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw mean holdout purchases per customer, by the number of repeat purchases before.

    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = _axes(ax)
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
    """Return a plot as an inline SVG element of `size` in inches, described by `text`.

    No display and no pyplot is involved. Black becomes the colour of the surrounding text, and
    `name` keeps the ids apart from those of other plots on the page. The same every time, whatever
    the user's matplotlib settings.
    """
    page = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": name, "svg.fonttype": "path"})
        figure = Figure(figsize=size, layout="constrained")
        plot(comparison, figure.subplots(), legend=False)
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(page, format="svg", transparent=True, metadata=nothing)
    return _inline(page.getvalue(), name, text)


def _inline(page: str, name: str, text: str) -> str:
    body = page[page.index("<svg") :]
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    head, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    rest = re.sub(r'\bid="', f'id="{name}-', rest)
    rest = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", rest)
    rest = re.sub(r"\s*\n\s*", "\n", rest.replace(INK, "currentColor"))
    label = escape(text, quote=True)
    opening = f'<svg {box[0] if box else ""} fill="currentColor" role="img" aria-label="{label}">'
    return opening + rest.strip()


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(9, 4.5), layout="constrained")[1]


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
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    ax.margins(x=0.02)
    if legend:
        box = ax.legend(handles, [str(place) for place, _ in enumerate(lines)], frameon=False)
        # Set afterwards, so that no name is taken for a formula ("$") or for private ("_").
        for item, line in zip(box.get_texts(), lines, strict=True):
            item.set_parse_math(False)
            item.set_text(line.label)


def _day_number(day: dt.date) -> float:
    return float(date2num(day))  # type: ignore[no-untyped-call]


def _date_axis(ax: Axes, *, months: bool) -> None:
    """Label days in ISO style, whatever converters other packages have registered."""
    zone = dt.UTC
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    style = DateFormatter("%Y-%m" if months else "%Y-%m-%d", tz=zone)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(style)


def _mark_cutoff(ax: Axes, cutoff: float) -> None:
    ax.axvline(cutoff, color=INK, alpha=0.5, linewidth=1, linestyle=(0, (2, 2)))
    for side, word, shift in (("right", "calibration", -4), ("left", "holdout", 4)):
        ax.annotate(
            word,
            xy=(cutoff, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(shift, 0),
            textcoords="offset points",
            ha=side,
            color=INK,
            alpha=0.75,
            fontsize="small",
        )


def _lines(comparison: Comparison, source: Mapping[str, Any]) -> list[Line]:
    """What happened and every candidate; those that coincide share a line."""
    actual = _floats(source["actual"])
    lines = [Line(("Actual",), actual, INK, "thick", 2.6)]
    known = [(n, _floats(v)) for n, v in source["predicted"].items()]
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
    if not np.array_equal(known, np.isfinite(other)):
        return False
    return bool(np.abs(one[known] - other[known]).max(initial=0.0) <= near)


def _floats(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=float)
