"""What all plots share: colours, quiet axes, and the way into a page as an inline SVG element."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
INK = "#000000"
COLORS = {  # Okabe & Ito: told apart by colour-blind readers
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky blue": "#56B4E9",
    "vermilion": "#D55E00",
}
MAP = "viridis"  # even in lightness, so that it survives grey printing and colour blindness
_DASHES = ("solid", (0, (6, 2.5)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1.5)))


def axes_of(ax: Axes | None) -> Axes:
    """Return the axes, or those of a new pyplot figure."""
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(9, 4.5), layout="constrained")[1]


def look(place: int) -> dict[str, Any]:
    """Colour and dashes of the line at a place among several: no two of the first thirty alike."""
    dashes = _DASHES[place // len(COLORS) % len(_DASHES)]
    return {"color": list(COLORS.values())[place % len(COLORS)], "linestyle": dashes}


def dress(ax: Axes, title: str, x: str = "", y: str = "", *, percent: str = "") -> Axes:
    """Give axes their title, labels and quiet looks; `percent` names those that are shares."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(axis="y", color=INK, alpha=0.12, linewidth=0.8)
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name in percent:
            axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        elif name == "y":
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    return ax


def legend_of(ax: Axes, handles: list[Any], names: list[str]) -> None:
    """Add a legend in which no name is taken for a formula ("$") or for private ("_")."""
    if not handles:
        return
    box = ax.legend(handles, [str(i) for i, _ in enumerate(names)], frameon=False, fontsize="small")
    for item, name in zip(box.get_texts(), names, strict=True):
        item.set_parse_math(False)
        item.set_text(name)


def day_number(day: dt.date) -> float:
    """Place of a day on a date axis."""
    return float(date2num(day))  # type: ignore[no-untyped-call]


def date_axis(ax: Axes, *, months: bool) -> None:
    """Label days in ISO style, whatever converters other packages have registered."""
    zone = dt.UTC
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    style = DateFormatter("%Y-%m" if months else "%Y-%m-%d", tz=zone)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(style)


def mark_cutoff(ax: Axes, cutoff: float) -> None:
    """Draw the cutoff, and name what lies on either side of it."""
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


def floats(values: ArrayLike) -> Array:
    """Numbers as an array, NaN for None."""
    return np.array(values, dtype=float)


def drawn(draw: Callable[[Axes], Any], *, size: tuple[float, float], name: str, text: str) -> str:
    """Return what `draw` draws on axes as an inline SVG element of `size` in inches.

    `text` describes it to those who do not see it, `name` keeps its ids apart from those of other
    plots on the page. No display and no pyplot is involved; black becomes the colour of the
    surrounding text. The same every time, whatever the user's matplotlib settings.
    """
    page = io.StringIO()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.hashsalt": name, "svg.fonttype": "path"})
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots())
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
