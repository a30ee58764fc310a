"""Plots of one holdout beside the forecasts: the views in `Comparison.folds`, as plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from clvmodel.present.style import (
    COLORS,
    INK,
    axes_of,
    date_axis,
    day_number,
    dress,
    floats,
    legend_of,
    look,
    mark_cutoff,
)

Looks = Mapping[str, Mapping[str, Any]] | None
"""How to draw each name, as arguments of `Axes.plot`; by default in turn."""
_ACTUAL: dict[str, Any] = {"color": INK, "linewidth": 2.6, "zorder": 3}
_EVEN: dict[str, Any] = {"color": INK, "linewidth": 1, "alpha": 0.6, "linestyle": (0, (2, 2))}


def plot_period_transactions(
    frequencies: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    legend: bool = True,
    looks: Looks = None,
) -> Axes:
    """Draw customers by repeat purchases up to the cutoff: bars, and what models expect: points.

    `frequencies` as in `Comparison.folds`: "groups", "actual" and "expected" (model -> list).
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    x = np.arange(len(frequencies["groups"]))
    handles: list[Any] = [ax.bar(x, floats(frequencies["actual"]), color=INK, alpha=0.3)]
    expected = frequencies["expected"]
    for place, (name, values) in enumerate(expected.items()):
        style = _look(looks, name, place) | {"linestyle": "none", "marker": "os^Dv"[place % 5]}
        handles += ax.plot(x, floats(values), **style)
    ax.set_xticks(x, frequencies["groups"])
    _legend(ax, legend, handles, ["Actual", *expected])
    return dress(ax, "Customers by repeat purchases", "Repeat purchases", "Customers")


def plot_calibration_purchases_vs_holdout_purchases(
    table: Mapping[str, Any], ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw mean purchases in the holdout by the number of repeat purchases before it.

    `table` as `Comparison.by_frequency`: "groups", "customers", "actual", "predicted" (candidate ->
    list). Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    x = np.arange(len(table["groups"]))
    handles = ax.plot(x, floats(table["actual"]), marker="o", **_ACTUAL)
    for place, values in enumerate(table["predicted"].values()):
        handles += ax.plot(x, floats(values), marker="o", markersize=3, **look(place))
    pairs = zip(table["groups"], table["customers"], strict=True)
    ax.set_xticks(x, [f"{group}\n{count:,}" for group, count in pairs])
    ax.set_ylim(bottom=0)
    _legend(ax, legend, handles, ["Actual", *table["predicted"]])
    label = "Repeat purchases before the cutoff (below: customers)"
    return dress(ax, "Mean purchases in the holdout", label, "Purchases per customer")


def plot_cumulative_transactions(
    tracking: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    cutoff: Any = None,
    legend: bool = True,
) -> Axes:
    """Draw repeat purchases so far, actual against every candidate.

    `tracking` as `Comparison.tracking`: "dates", "actual", "predicted" (candidate -> list, None
    where it says nothing). `cutoff`, a date, is marked. Draws on `ax`, or on a new pyplot figure;
    returns the axes.
    """
    ax = axes_of(ax)
    days = _days(tracking["dates"])
    handles = ax.plot(days, floats(tracking["actual"]), **_ACTUAL)
    for place, values in enumerate(tracking["predicted"].values()):
        handles += ax.plot(days, floats(values), linewidth=1.6, **look(place))
    return _over_time(ax, tracking, cutoff, handles, legend, "Repeat purchases so far")


def plot_incremental_transactions(
    tracking: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    cutoff: Any = None,
    legend: bool = True,
) -> Axes:
    """Draw repeat purchases per week, actual against every candidate: how `tracking` grows.

    Each stretch between two of the dates is one step, at its mean pace: what was added, over its
    length in weeks. Arguments as `plot_cumulative_transactions`.
    """
    ax = axes_of(ax)
    days = _days(tracking["dates"])
    weeks = np.diff(days) / 7
    steps = {"Actual": tracking["actual"], **tracking["predicted"]}
    handles: list[Any] = []
    for place, values in enumerate(steps.values()):
        style = _ACTUAL if place == 0 else {"linewidth": 1.6, **look(place - 1)}
        pace = np.diff(floats(values)) / weeks
        whole = np.append(pace, pace[-1:])
        handles += ax.plot(days[: whole.size], whole, drawstyle="steps-post", **style)
    return _over_time(ax, tracking, cutoff, handles, legend, "Repeat purchases per week")


def plot_gain_curve(
    gains: Mapping[str, Any], ax: Axes | None = None, *, legend: bool = True, looks: Looks = None
) -> Axes:
    """Draw the share of what happened that fell to the customers whom each candidate ranks first.

    `gains` as in `Comparison.folds`: "shares", "best" (by what happened; None where nothing did),
    "predicted". Chance is the diagonal. Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    shares = floats(gains["shares"])
    names, handles = ["Chance"], ax.plot([0, 1], [0, 1], **_EVEN)
    if gains["best"] is not None:
        names.append("Perfect foresight")
        handles += ax.plot(shares, floats(gains["best"]), **_ACTUAL)
    for place, (name, values) in enumerate(gains["predicted"].items()):
        names.append(name)
        handles += ax.plot(shares, floats(values), **_look(looks, name, place))
    _legend(ax, legend, handles, names)
    dress(ax, "Who finds the best customers", "", "Share of the total they brought", percent="xy")
    ax.set_xlabel("Share of customers, predicted highest first")
    return ax


def plot_decile_calibration(
    decile: Mapping[str, Any], ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw mean predicted (bars) and actual (points) of each tenth of the customers.

    `decile` is one candidate's, as in `Comparison.folds`: "actual" and "predicted", of those
    predicted highest first. Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    said, found = floats(decile["predicted"]), floats(decile["actual"])
    x = np.arange(1, said.size + 1)
    bars = ax.bar(x, said, color=COLORS["sky blue"])
    points = ax.plot(x, found, marker="o", **_ACTUAL)
    ax.set_xticks(x)
    _legend(ax, legend, [bars, *points], ["Predicted", "Actual"])
    label = "Tenth of the customers, predicted highest first"
    return dress(ax, "Predicted and actual, by tenths", label, "Mean per customer")


def plot_reliability(
    reliability: Mapping[str, Sequence[Mapping[str, float]]],
    ax: Axes | None = None,
    *,
    legend: bool = True,
    looks: Looks = None,
) -> Axes:
    """Draw the share who bought against the chance that they were given; right is the diagonal.

    `reliability` as in `Comparison.folds`: candidate -> bins with "predicted", "actual", "low" and
    "high" (its 95% interval). Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    handles: list[Any] = ax.plot([0, 1], [0, 1], **_EVEN)
    for place, (name, rows) in enumerate(reliability.items()):
        x, y, low, high = (
            floats([row[part] for row in rows]) for part in ("predicted", "actual", "low", "high")
        )
        reach = np.clip(np.stack([y - low, high - y]), 0, None)
        style = _look(looks, name, place) | {"marker": "o", "markersize": 4, "elinewidth": 1}
        handles.append(ax.errorbar(x, y, yerr=reach, **style))
    _legend(ax, legend, handles, ["What was promised", *reliability])
    dress(ax, "Do customers buy as often as promised?", "", "Share who bought", percent="xy")
    ax.set_xlabel("Predicted chance of a purchase")
    return ax


def plot_interval_coverage(rows: Sequence[Mapping[str, Any]], ax: Axes | None = None) -> Axes:
    """Draw how often what happened lay within each interval (points), and what it promises (bars).

    `rows` as "coverage" in `Comparison.folds`: "candidate", "target", "coverage" with its interval
    "low" and "high", and "nominal" (None where the candidate does not say: then "level").
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    y = np.arange(len(rows))[::-1]
    names = [f"{row['candidate']}, {row['target']}" for row in rows]
    for place, row in zip(y, rows, strict=True):
        promised = row["level"] if row["nominal"] is None else row["nominal"]
        ax.plot([promised] * 2, [place - 0.3, place + 0.3], color=COLORS["vermilion"], linewidth=3)
        reach = [[row["coverage"] - row["low"]], [row["high"] - row["coverage"]]]
        ax.errorbar([row["coverage"]], [place], xerr=reach, color=INK, marker="o", capsize=3)
    ax.set_ylim(-0.7, max(len(rows), 1) - 0.3)
    dress(ax, "Intervals: promised (bar) and found (point)")
    ax.set_yticks(y, [""] * len(names))
    for place, name in zip(y, names, strict=True):  # above its row: long names take no width
        where: dict[str, Any] = {
            "transform": ax.get_yaxis_transform(),
            "va": "bottom",
            "fontsize": "small",
        }
        ax.text(0.01, place + 0.12, name, parse_math=False, **where)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.set_xlabel("Share of customers within the interval")
    return ax


def _over_time(
    ax: Axes,
    tracking: Mapping[str, Any],
    cutoff: Any,
    handles: list[Any],
    legend: bool,
    label: str,
) -> Axes:
    dress(ax, "Repeat purchases of known customers", "", label)
    days = [dt.date.fromisoformat(day) for day in tracking["dates"]]
    date_axis(ax, months=bool(days) and (days[-1] - days[0]).days > 150)
    ax.set_ylim(bottom=0)
    if cutoff is not None:
        mark_cutoff(ax, day_number(dt.date.fromisoformat(str(cutoff)[:10])))
    _legend(ax, legend, handles, ["Actual", *tracking["predicted"]])
    return ax


def _days(dates: Sequence[str]) -> Any:
    return np.array([day_number(dt.date.fromisoformat(day)) for day in dates], dtype=float)


def _legend(ax: Axes, wanted: bool, handles: list[Any], names: list[str]) -> None:
    if wanted:
        legend_of(ax, handles, names)


def _look(looks: Looks, name: str, place: int) -> dict[str, Any]:
    own = None if looks is None else looks.get(name)
    return {"linewidth": 1.6, **look(place)} if own is None else dict(own)
