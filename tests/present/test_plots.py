"""Plots draw plain data onto the axes they are given and change nothing else."""

from __future__ import annotations

import dataclasses
import io
import re
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from clvmodel.evaluate.comparison import Comparison, Result
from clvmodel.present.plots import (
    frequency_lines,
    plot_by_frequency,
    plot_tracking,
    svg,
    tracking_lines,
)

PLOTS = pytest.mark.parametrize("plot", [plot_tracking, plot_by_frequency])


def axes() -> Axes:
    figure = Figure(figsize=(6, 4))
    FigureCanvasAgg(figure)
    return figure.subplots()


def renamed(comparison: Comparison, old: str, new: str) -> Comparison:
    """Give one candidate another name, wherever it occurs."""

    def swap(predicted: dict[str, Any]) -> dict[str, Any]:
        return {new if name == old else name: values for name, values in predicted.items()}

    results = tuple(
        dataclasses.replace(r, name=new) if r.name == old else r for r in comparison.results
    )
    views = {
        view: getattr(comparison, view)
        | {"predicted": swap(getattr(comparison, view)["predicted"])}
        for view in ("tracking", "by_frequency")
    }
    return dataclasses.replace(comparison, results=results, **views)


@PLOTS
def test_draws_onto_the_given_axes_and_leaves_settings_alone(
    plot: Any, comparison: Comparison
) -> None:
    before = dict(matplotlib.rcParams)
    ax = axes()
    assert plot(comparison, ax) is ax
    ax.figure.savefig(io.BytesIO(), format="png")
    assert len(ax.lines) >= 3
    assert dict(matplotlib.rcParams) == before


@PLOTS
def test_without_axes_it_is_a_pyplot_figure(plot: Any, comparison: Comparison) -> None:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    before = dict(matplotlib.rcParams)
    ax = plot(comparison)
    assert ax.figure is pyplot.gcf()
    pyplot.close(ax.figure)
    assert dict(matplotlib.rcParams) == before


@PLOTS
def test_svg_needs_no_pyplot_figure_and_repeats_itself(plot: Any, comparison: Comparison) -> None:
    from matplotlib import pyplot

    open_before = pyplot.get_fignums()
    before = dict(matplotlib.rcParams)
    args: dict[str, Any] = {"size": (6, 4), "name": "one", "text": 'A "quoted" <text>'}
    first = svg(plot, comparison, **args)
    with matplotlib.rc_context({"font.size": 21, "axes.grid": True, "lines.linewidth": 9}):
        assert svg(plot, comparison, **args) == first
    assert 'role="img" aria-label="A &quot;quoted&quot; &lt;text&gt;"' in first
    assert "http" not in first
    assert "<!--" not in first
    ids = set(re.findall(r'\bid="([^"]+)"', first))
    assert all(i.startswith("one-") for i in ids)
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', first)) <= ids
    assert pyplot.get_fignums() == open_before
    assert dict(matplotlib.rcParams) == before


def test_what_happened_is_black_solid_and_on_top(comparison: Comparison) -> None:
    line, *others = tracking_lines(comparison)
    assert (line.label, line.color, line.dashes) == ("Actual", "#000000", ())
    assert all(line.width > other.width for other in others)
    drawn = plot_tracking(comparison, axes()).lines
    assert drawn[0].get_zorder() > max(other.get_zorder() for other in drawn[1 : len(others) + 1])
    np.testing.assert_array_equal(drawn[0].get_ydata(), comparison.tracking["actual"])


def test_models_are_solid_and_formulas_dashed_and_thinner(comparison: Comparison) -> None:
    kinds = {r.name: r.kind for r in comparison.results}
    lines = {line.names[0]: line for line in tracking_lines(comparison)[1:]}
    models = [line for name, line in lines.items() if kinds[name] == "model"]
    rest = [line for name, line in lines.items() if kinds[name] != "model"]
    assert models
    assert rest
    assert all(not line.dashes for line in models)
    assert all(line.dashes and line.width < models[0].width for line in rest)


def test_coinciding_candidates_share_a_line(comparison: Comparison) -> None:
    for lines in (tracking_lines(comparison), frequency_lines(comparison)):
        names = [line.names for line in lines]
        assert ("BG/NBD + Gamma-Gamma", "BG/NBD + Gamma-Gamma (lifetimes)") in names
    assert "same line: BG/NBD + Gamma-Gamma (lifetimes)" in tracking_lines(comparison)[1].label


def test_candidates_that_say_nothing_are_left_out(comparison: Comparison) -> None:
    assert not any("Profit x retention" in line.names for line in tracking_lines(comparison))


def test_a_candidate_looks_the_same_in_both_plots(comparison: Comparison) -> None:
    one = {line.names[0]: line.style() for line in tracking_lines(comparison)}
    other = {line.names[0]: line.style() for line in frequency_lines(comparison)}
    shared = one.keys() & other.keys()
    assert len(shared) > 3
    assert all(one[name] == other[name] for name in shared)


@pytest.mark.parametrize("name", ["_private", "costs $5 or $6_", "<b>&amp;", ""])
def test_any_name_is_shown_as_it_is(name: str, comparison: Comparison) -> None:
    ax = plot_tracking(renamed(comparison, "Run rate", name), axes())
    legend = ax.get_legend()
    assert legend is not None
    assert name in [text.get_text() for text in legend.get_texts()]
    ax.figure.savefig(io.BytesIO(), format="svg")


def test_the_cutoff_is_marked(comparison: Comparison) -> None:
    words = [text.get_text() for text in plot_tracking(comparison, axes()).texts]
    assert words == ["calibration", "holdout"]


def test_many_candidates(comparison: Comparison) -> None:
    dates = comparison.tracking["dates"]
    names = [f"candidate {i}" for i in range(20)]
    results = tuple(Result(n, "formula" if i % 2 else "model", "") for i, n in enumerate(names))
    predicted = {n: [50.0 * i * j for j in range(len(dates))] for i, n in enumerate(names)}
    many = dataclasses.replace(
        comparison, results=results, tracking=comparison.tracking | {"predicted": predicted}
    )
    assert len(tracking_lines(many)) == 21
    plot_tracking(many, axes()).figure.savefig(io.BytesIO(), format="png")


def test_nothing_happened_and_nobody_says_anything(comparison: Comparison) -> None:
    dates = comparison.tracking["dates"]
    empty = {"dates": dates, "actual": [0.0] * len(dates), "predicted": {}}
    ax = plot_tracking(dataclasses.replace(comparison, tracking=empty), axes())
    ax.figure.savefig(io.BytesIO(), format="png")
