"""Plots of views and of models: what is drawn is what was given."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

import clvmodel as clv
from clvmodel.evaluate import shapes
from clvmodel.present import plots

NASTY = "$a_b$ <b>"
TRACKING = {
    "dates": ["2025-01-01", "2025-01-08", "2025-01-22"],
    "actual": [0.0, 7.0, 21.0],
    "predicted": {NASTY: [None, 7.0, 35.0]},
}
FREQUENCIES = {"groups": ["0", "1", "2+"], "actual": [5, 3, 2], "expected": {"m": [4.5, 3.5, 2]}}
TABLE = {"groups": ["0", "1"], "customers": [1000, 20], "actual": [0.2, 1.5]}
TABLE |= {"predicted": {"m": [0.3, 1.2], "_n": [0.1, None]}}
GAINS = {"shares": [0, 0.5, 1], "best": [0, 1, 1], "predicted": {NASTY: [0, 0.7, 1]}}
DECILE = {"actual": [3.0, 1.0], "predicted": [2.5, 1.5]}
BINS = [{"customers": 9, "predicted": 0.2, "actual": 0.3, "low": 0.1, "high": 0.6}]
BINS += [{"customers": 9, "predicted": 0.8, "actual": 0.7, "low": 0.5, "high": 0.9}]
COVERAGE = [{"candidate": NASTY, "target": "value", "level": 0.9, "nominal": None}]
COVERAGE[0] |= {"coverage": 0.85, "low": 0.8, "high": 0.88}
GRID = {"frequency": [0, 1], "recency_edges": [0, 10, 20], "age": 20.0, "unit": "W", "days": 7.0}
GRID |= {"p_alive": [[0.5, None], [0.2, 0.9]], "expected": [[0.1, None], [0.05, 0.4]]}
CURVE = {"time": [0, 1, 2], "expected": [0, 0.5, 0.8], "unit": "W"}
HISTORY = {"dates": ["2025-01-01", "2025-01-02"], "p_alive": [1.0, 0.9], "purchases": []}
SHARES = {"edges": [0, 1, 3], "share": [0.6, 0.3], "beyond": 0.1, "mean": 0.8, "label": "Rate"}
SPEND = {"edges": [0, 10, 20], "actual": [0.7, 0.2], "expected": [0.6, 0.3]}
LINES = [{"customer": NASTY, "purchases": ["2025-01-01", "2025-02-01"], "end": "2025-03-01"}]

CASES = {
    "plot_period_transactions": FREQUENCIES,
    "plot_calibration_purchases_vs_holdout_purchases": TABLE,
    "plot_cumulative_transactions": TRACKING,
    "plot_incremental_transactions": TRACKING,
    "plot_gain_curve": GAINS,
    "plot_decile_calibration": DECILE,
    "plot_reliability": {NASTY: BINS},
    "plot_interval_coverage": COVERAGE,
    "plot_frequency_recency_matrix": GRID,
    "plot_probability_alive_matrix": GRID,
    "plot_expected_repeat_purchases": CURVE,
    "plot_history_alive": HISTORY,
    "plot_transaction_rate_heterogeneity": SHARES,
    "plot_dropout_rate_heterogeneity": SHARES,
    "plot_spend_density": SPEND,
    "plot_customer_timelines": LINES,
}
EMPTY: dict[str, Any] = {
    "plot_period_transactions": {"groups": [], "actual": [], "expected": {}},
    "plot_calibration_purchases_vs_holdout_purchases": TABLE
    | {"groups": ["0"], "customers": [1], "actual": [0.0], "predicted": {}},
    "plot_cumulative_transactions": {"dates": [], "actual": [], "predicted": {}},
    "plot_incremental_transactions": {"dates": ["2025-01-01"], "actual": [0], "predicted": {}},
    "plot_gain_curve": {"shares": [0, 1], "best": None, "predicted": {}},
    "plot_decile_calibration": {"actual": [0.0], "predicted": [0.0]},
    "plot_reliability": {},
    "plot_interval_coverage": [],
    "plot_history_alive": {"dates": [], "p_alive": [], "purchases": []},
    "plot_customer_timelines": [],
}


def axes() -> Axes:
    figure = Figure(figsize=(6, 4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()


def draw(name: str, data: Any = None, **how: Any) -> Axes:
    return getattr(plots, name)(CASES[name] if data is None else data, axes(), **how)


def heights(ax: Axes) -> list[float]:
    return [patch.get_height() for patch in ax.patches]


def ys(ax: Axes, place: int) -> Any:
    return np.asarray(ax.lines[place].get_ydata(), float)


@pytest.mark.parametrize("name", CASES)
def test_draws_where_it_is_told_and_leaves_settings_alone(name: str) -> None:
    before, ax = dict(matplotlib.rcParams), axes()
    assert getattr(plots, name)(CASES[name], ax) is ax
    ax.figure.savefig(io.BytesIO(), format="png")
    assert ax.get_title(loc="left")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("name", CASES)
def test_without_axes_it_is_a_pyplot_figure(name: str) -> None:
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    ax = getattr(plots, name)(CASES[name])
    assert ax.figure is pyplot.gcf()
    pyplot.close(ax.figure)


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw(name: str) -> None:
    draw(name, EMPTY[name]).figure.savefig(io.BytesIO(), format="svg")


def test_every_plot_is_tried_here() -> None:
    others = {"plot_tracking", "plot_by_frequency", "plot_cohort_curves", "plot_cohort_heatmap"}
    assert {n for n in plots.__all__ if n.startswith("plot_")} == CASES.keys() | others


def test_bars_and_points_are_the_numbers() -> None:
    ax = draw("plot_period_transactions")
    assert heights(ax) == FREQUENCIES["actual"]
    np.testing.assert_array_equal(ys(ax, 0), [4.5, 3.5, 2])
    ax = draw("plot_decile_calibration")
    assert heights(ax) == DECILE["predicted"]
    np.testing.assert_array_equal(ys(ax, 0), DECILE["actual"])
    ax = draw("plot_spend_density")
    assert heights(ax) == SPEND["actual"]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [5, 15])
    np.testing.assert_array_equal(ys(ax, 0), SPEND["expected"])
    for name in ("plot_transaction_rate_heterogeneity", "plot_dropout_rate_heterogeneity"):
        ax = draw(name)
        assert heights(ax) == SHARES["share"]
        assert [patch.get_width() for patch in ax.patches] == [1, 2]
        assert ax.lines[0].get_xdata()[0] == 0.8


def test_lines_are_the_numbers() -> None:
    ax = draw("plot_calibration_purchases_vs_holdout_purchases")
    np.testing.assert_array_equal(ys(ax, 0), [0.2, 1.5])
    np.testing.assert_array_equal(ys(ax, 2), [0.1, np.nan])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0\n1,000", "1\n20"]
    ax = draw("plot_cumulative_transactions", cutoff="2025-01-08")
    np.testing.assert_array_equal(ys(ax, 0), TRACKING["actual"])
    np.testing.assert_array_equal(ys(ax, 1), [np.nan, 7, 35])
    assert [t.get_text() for t in ax.texts] == ["calibration", "holdout"]
    ax = draw("plot_incremental_transactions")  # 7 in one week, then 14 and 28 in two
    np.testing.assert_allclose(ys(ax, 0), [7, 7, 7])
    np.testing.assert_allclose(ys(ax, 1), [np.nan, 14, 14])
    ax = draw("plot_gain_curve")
    assert [list(ys(ax, i)) for i in range(3)] == [[0, 1], [0, 1, 1], [0, 0.7, 1]]
    assert list(ys(draw("plot_expected_repeat_purchases"), 0)) == CURVE["expected"]
    assert list(ys(draw("plot_history_alive"), 0)) == HISTORY["p_alive"]


def test_intervals_are_the_numbers() -> None:
    ax = draw("plot_reliability")
    segments = ax.collections[0].get_segments()
    np.testing.assert_allclose([s[:, 1] for s in segments], [[0.1, 0.6], [0.5, 0.9]])
    np.testing.assert_allclose([s[0, 0] for s in segments], [0.2, 0.8])
    ax = draw("plot_interval_coverage")
    assert list(ax.lines[0].get_xdata()) == [0.9, 0.9]
    np.testing.assert_allclose(ax.collections[0].get_segments()[0][:, 0], [0.8, 0.88])


def test_matrices_are_the_numbers() -> None:
    for name, key in (
        ("plot_frequency_recency_matrix", "expected"),
        ("plot_probability_alive_matrix", "p_alive"),
    ):
        drawn = draw(name).collections[0].get_array()
        np.testing.assert_array_equal(drawn.filled(np.nan), np.array(GRID[key], float))


def test_timelines_have_a_dot_for_each_purchase() -> None:
    ax = draw("plot_customer_timelines", cutoff="2025-02-15")
    assert np.diff(ax.lines[0].get_xdata()) == [31]
    line = ax.collections[0].get_segments()[0]
    assert line[1, 0] - line[0, 0] == 59


@pytest.mark.parametrize("name", ["plot_gain_curve", "plot_cumulative_transactions"])
def test_names_are_shown_as_they_are(name: str) -> None:
    legend = draw(name).get_legend()
    assert legend is not None
    assert NASTY in [text.get_text() for text in legend.get_texts()]
    assert draw(name, legend=False).get_legend() is None


@pytest.fixture(scope="module")
def summary(same_orders: Any) -> clv.Summary:
    return clv.summarize(same_orders, customer="customer_id", date="date", value="amount", unit="W")


@pytest.fixture(scope="module")
def same_orders() -> Any:
    return clv.datasets.load_cdnow(sample=True)


@pytest.fixture(scope="module")
def model(summary: clv.Summary) -> Any:
    return clv.ValueModel().fit(summary)


def test_grid_is_what_the_model_says(model: Any, summary: clv.Summary) -> None:
    grid, point = shapes.history_grid(model, summary, "10W"), model.purchases.model
    assert (grid["days"], grid["age"]) == (70.0, summary.T.max())
    for x, j in ((0, 0), (1, 7), (4, 17)):
        t_x = grid["recency"][j] if x else 0.0
        alive = float(point.p_alive(x, t_x, grid["age"]))
        assert grid["p_alive"][x][j] == pytest.approx(alive, rel=1e-12)
        bought = float(point.expected_purchases(10, x, t_x, grid["age"]))
        assert grid["expected"][x][j] == pytest.approx(bought, rel=1e-12)
    assert grid["p_alive"][0][1:] == [None] * 17


@pytest.mark.parametrize("family", [clv.BGNBD, clv.ParetoNBD])
def test_how_customers_vary_agrees_with_scipy(family: Any, summary: clv.Summary) -> None:
    fitted = clv.ValueModel(purchases=family).fit(summary)
    point = fitted.purchases.model
    rate, leave = shapes.rates(fitted), shapes.dropouts(fitted)
    gamma = stats.gamma(point.r, scale=1 / point.alpha)
    np.testing.assert_allclose(rate["share"], np.diff(gamma.cdf(rate["edges"])), rtol=1e-9)
    assert rate["beyond"] == pytest.approx(0.01)
    assert rate["mean"] == pytest.approx(gamma.mean())
    law = stats.gamma(point.s, scale=1 / point.beta) if family is clv.ParetoNBD else None
    law = law or stats.beta(point.a, point.b)
    np.testing.assert_allclose(leave["share"], np.diff(law.cdf(leave["edges"])), rtol=1e-9)
    assert leave["mean"] == pytest.approx(law.mean())


def test_spend_shares_agree_with_a_simulation(model: Any, summary: clv.Summary) -> None:
    """Expected shares of 946 customers x 200: within five standard errors of the simulated."""
    found, count = shapes.spend_shares(model, summary), summary.frequency[summary.frequency > 0]
    edges = found["edges"]
    many = np.tile(count, 200)
    made = model.spend.model.simulate(many, seed=3)
    share = np.histogram(made, edges)[0] / many.size
    expected = np.array(found["expected"])
    error = np.sqrt(expected * (1 - expected) / many.size)
    assert (np.abs(share - expected) < 5 * error).all()
    mean = summary.monetary_value[summary.frequency > 0]
    assert sum(found["actual"]) == pytest.approx((mean <= edges[-1]).mean(), abs=0.01)
    no_value = clv.ValueModel(spend=None).fit(summary)
    with pytest.raises(clv.DataError, match="no spend model"):
        shapes.spend_shares(no_value, summary)


def test_a_history_day_by_day(model: Any, summary: clv.Summary) -> None:
    row = int(np.argmax(summary.frequency))
    found, point = shapes.alive_history(model, summary, row), model.purchases.model
    x, t_x, T = (float(a[row]) for a in (summary.frequency, summary.recency, summary.T))
    assert found["p_alive"][-1] == pytest.approx(float(point.p_alive(x, t_x, T)), rel=1e-9)
    assert len(found["purchases"]) == x + 1
    assert len(found["dates"]) == len(found["p_alive"]) == round(T * 7) + 1
    line = shapes.timelines(summary, [row])[0]
    assert line["purchases"] == found["purchases"]
    assert line["end"] == found["dates"][-1]
    bare = clv.Summary.from_frame(summary.frame, unit="W", end=summary.end)
    with pytest.raises(clv.DataError, match="single purchases"):
        shapes.timelines(bare, [0])


def test_a_new_customer_over_time(model: Any) -> None:
    curve = shapes.repeat_purchases(model, 52.0)
    assert curve["time"][-1] == 52.0
    assert curve["expected"][0] == 0
    assert curve["expected"][-1] == pytest.approx(model.purchases.model.expected_purchases(52.0))
