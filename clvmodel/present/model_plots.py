"""Plots of fitted models and of single customers; the data come from `clvmodel.evaluate.shapes`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from clvmodel.present.style import (
    COLORS,
    INK,
    MAP,
    Array,
    axes_of,
    date_axis,
    day_number,
    dress,
    floats,
    legend_of,
)
from clvmodel.units import UNIT_NAMES


def plot_frequency_recency_matrix(grid: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw expected purchases by how often and how lately a customer bought.

    `grid` as of `clvmodel.evaluate.shapes.history_grid`. Cells that no history has stay empty.
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    title = f"Expected purchases in the next {grid['days']:g} days"
    return _matrix(ax, grid, floats(grid["expected"]), title)


def plot_probability_alive_matrix(grid: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw the chance of still being a customer by how often and how lately a customer bought.

    Arguments as `plot_frequency_recency_matrix`.
    """
    return _matrix(ax, grid, floats(grid["p_alive"]), "Chance of still being a customer", True)


def plot_expected_repeat_purchases(curve: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw how many repeat purchases a new customer is expected to make by each time.

    `curve` as of `clvmodel.evaluate.shapes.repeat_purchases`: "time", "expected", "unit".
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    ax.plot(floats(curve["time"]), floats(curve["expected"]), color=COLORS["blue"], linewidth=2)
    ax.set_ylim(bottom=0)
    label = f"{UNIT_NAMES[curve['unit']].capitalize()} since the first purchase"
    return dress(ax, "Expected repeat purchases of a new customer", label, "Purchases so far")


def plot_history_alive(history: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw one customer's chance of still being one, day by day; purchases are marked.

    `history` as of `clvmodel.evaluate.shapes.alive_history`: "dates", "p_alive", "purchases".
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    days = _days(history["dates"])
    ax.plot(days, floats(history["p_alive"]), color=COLORS["blue"], linewidth=2)
    bought = _days(history["purchases"])
    ax.vlines(bought, 0, 1, color=COLORS["vermilion"], linewidth=1, linestyle=(0, (3, 2)))
    dress(ax, "Chance of still being a customer (dashed: purchases)", percent="y")
    ax.set_ylim(0, 1.02)
    if days.size:
        date_axis(ax, months=bool(days[-1] - days[0] > 150))
    return ax


def plot_transaction_rate_heterogeneity(shares: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw how customers differ in how often they buy while they are customers.

    `shares` as of `clvmodel.evaluate.shapes.rates`: "edges" of bins, the "share" of customers in
    each, the share "beyond" the last, "mean" and "label". Draws on `ax`, or on a new pyplot figure;
    returns the axes.
    """
    return _shares(ax, shares, "How often customers buy while they are customers")


def plot_dropout_rate_heterogeneity(shares: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """Draw how customers differ in how soon they leave.

    `shares` as of `clvmodel.evaluate.shapes.dropouts`; else as for the rate of purchases.
    """
    return _shares(ax, shares, "How readily customers leave")


def plot_spend_density(
    spend: Mapping[str, Any], ax: Axes | None = None, *, legend: bool = True
) -> Axes:
    """Draw the mean value of a purchase over customers: what was seen (bars), what a model expects.

    `spend` as of `clvmodel.evaluate.shapes.spend_shares`: "edges", and the shares "actual" and
    "expected" between them. Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    edges, seen, said = (floats(spend[name]) for name in ("edges", "actual", "expected"))
    bars = ax.bar(edges[:-1], seen, np.diff(edges), align="edge", color=INK, alpha=0.3)
    middle = (edges[:-1] + edges[1:]) / 2
    line = ax.plot(middle, said, color=COLORS["blue"], linewidth=2, marker="o", markersize=3)
    if legend:
        legend_of(ax, [bars, *line], ["Actual", "Expected by the model"])
    dress(ax, "Mean value of a customer's purchases", "Amount", "Share of customers", percent="y")
    return ax


def plot_customer_timelines(
    customers: Sequence[Mapping[str, Any]], ax: Axes | None = None, *, cutoff: Any = None
) -> Axes:
    """Draw customers as lines from their first purchase to the end, a dot for each purchase.

    `customers` as of `clvmodel.evaluate.shapes.timelines`: "customer", "purchases" (dates), "end".
    Draws on `ax`, or on a new pyplot figure; returns the axes.
    """
    ax = axes_of(ax)
    rows = np.arange(len(customers))[::-1]
    every: list[float] = []
    for row, one in zip(rows, customers, strict=True):
        bought, end = _days(one["purchases"]), _days([one["end"]])[0]
        every += [*bought, end]
        ax.hlines(row, bought[0], end, color=INK, alpha=0.35, linewidth=1)
        ax.plot(bought, np.full(bought.size, row), "o", markersize=4, color=COLORS["blue"])
    dress(ax, "Purchases of single customers")
    ax.set_yticks(rows, [str(one["customer"]).replace("$", r"\$") for one in customers])
    if every:
        date_axis(ax, months=max(every) - min(every) > 150)
    if cutoff is not None:
        ax.axvline(_days([str(cutoff)])[0], color=INK, alpha=0.5, linestyle=(0, (2, 2)))
    return ax


def _matrix(
    ax: Axes | None, grid: Mapping[str, Any], values: Array, title: str, share: bool = False
) -> Axes:
    ax = axes_of(ax)
    x, y = floats(grid["recency_edges"]), floats(grid["frequency"])
    top = np.append(y - 0.5, y[-1] + 0.5)
    most = 1.0 if share else None
    mesh = ax.pcolormesh(x, top, np.ma.masked_invalid(values), cmap=MAP, vmin=0.0, vmax=most)
    mesh.set_edgecolor("face")  # no hairlines between cells
    bar = ax.figure.colorbar(mesh, ax=ax)
    bar.solids.set_rasterized(False)  # type: ignore[union-attr]
    bar.solids.set_edgecolor("face")  # type: ignore[union-attr]
    if share:
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    unit = UNIT_NAMES[grid["unit"]]
    dress(ax, title, f"{unit.capitalize()} from first to last purchase", "Repeat purchases")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(visible=False)
    return ax


def _shares(ax: Axes | None, shares: Mapping[str, Any], title: str) -> Axes:
    ax = axes_of(ax)
    edges = floats(shares["edges"])
    ax.bar(edges[:-1], floats(shares["share"]), np.diff(edges), align="edge", color=COLORS["blue"])
    ax.axvline(shares["mean"], color=INK, linewidth=1.2, linestyle=(0, (3, 2)))
    label = f"{shares['label']} (dashed: the mean)"
    return dress(ax, title, label, "Share of customers", percent="y")


def _days(dates: Sequence[str]) -> Array:
    return np.array([day_number(dt.date.fromisoformat(str(day)[:10])) for day in dates], float)
