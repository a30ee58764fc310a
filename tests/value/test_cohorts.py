"""Cohorts by hand, and forecasts that continue what the model says elsewhere."""

import datetime as dt
import json

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from value_cases import cdnow_model, fitted_at, shop

import clvmodel as clv

KNOWN = fitted_at(clv.BGNBD(0.6, 60.0, 0.7, 2.8), clv.GammaGamma(6.0, 4.0, 25.0))
ROWS = [
    ("ann", 0, 10.0),  # January
    ("ann", 5, 5.0),
    ("ann", 33, 20.0),  # February
    ("bob", 30, 40.0),  # 31 January
    ("bob", 90, 2.0),  # 1 April
    ("cem", 31, 50.0),  # 1 February
    ("cem", 100, 7.0),  # 11 April
]


def test_by_hand():
    """Observed until 15 April: March is the last month that is over."""
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)))
    assert got.names == ("2023-01", "2023-02")
    assert got.customers.tolist() == [2, 1]
    nan = np.nan
    np.testing.assert_array_equal(got.retention, [[1, 0.5, 0], [1, 0, nan]])
    np.testing.assert_array_equal(got.repeat_rate, [[0.5, 0.5, 0.5], [0, 0, nan]])
    np.testing.assert_array_equal(got.revenue, [[27.5, 37.5, 37.5], [50, 50, nan]])
    assert not got.forecast.any()
    whole = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 30)))
    np.testing.assert_array_equal(whole.retention, [[1, 0.5, 0, 0.5], [1, 0, 1, nan]])
    np.testing.assert_array_equal(whole.repeat_rate, [[0.5, 0.5, 0.5, 1], [0, 0, 1, nan]])
    np.testing.assert_array_equal(whole.revenue, [[27.5, 37.5, 37.5, 38.5], [50, 50, 57, nan]])


def test_frames():
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)))
    assert got.frame.to_dict("list")["month"] == [0, 1, 2, 0, 1]
    assert got.wide("revenue")["1"].tolist() == [37.5, 50]
    assert json.loads(json.dumps(got.to_dict()))["retention"][1] == [1.0, 0.0, None]
    assert "2 cohorts of 3 customers, 2023-01 to 2023-02; 5 months observed" in repr(got)
    orders = pl.DataFrame({"who": ["a", "b"], "when": [dt.date(2023, 1, 1)] * 2})
    bare = clv.cohorts(clv.summarize(orders, customer="who", date="when", end="2023-02-28"))
    assert bare.measures == ("retention", "repeat_rate")
    assert isinstance(bare.frame, pl.DataFrame)
    with pytest.raises(clv.ParameterError, match="measure == 'revenue'"):
        bare.wide("revenue")


@pytest.mark.parametrize("end", [dt.date(2024, 2, 4), dt.date(2024, 1, 31)])
def test_forecasts_continue_what_was_observed(end):
    """The customers' expected value and purchases, added up by cohort."""
    summary = shop([r for r in shop_rows() if r[1] <= (end - dt.date(2023, 1, 1)).days], end=end)
    got = clv.cohorts(summary, KNOWN, ahead=3)
    months = pd.period_range("2024-01" if end.month == 2 else "2024-02", periods=4, freq="M")
    born = pd.PeriodIndex(got.names, freq="M")
    for month in months[1:] if end.month == 2 else months[:3]:
        day = month.end_time.date()
        scores = KNOWN.predict(summary, str(day))
        again = np.where(summary.frequency > 0, 1.0, scores["p_purchase"])
        paid = summary.total_value + scores["expected_value"].to_numpy()
        first = pd.DatetimeIndex(summary.frame["first_purchase"]).to_period("M")
        for i, cohort in enumerate(born):
            inside = np.asarray(first == cohort)
            k = (month - cohort).n
            assert got.forecast[i, k]
            assert got.repeat_rate[i, k] == pytest.approx(again[inside].mean())
            assert got.revenue[i, k] == pytest.approx(paid[inside].mean())


def shop_rows():
    rng = np.random.default_rng(5)
    who = rng.integers(0, 60, 200)
    return [
        (f"c{w:02d}", int(d), float(v))
        for w, d, v in zip(who, rng.integers(0, 400, 200), rng.uniform(5, 90, 200), strict=True)
    ]


def test_retention_is_that_of_the_simulated_future():
    """Share of active customers in the next month is exact there: p_purchase; later it falls."""
    summary = clv.summarize(
        clv.datasets.load_cdnow(sample=True),
        customer="customer_id",
        date="date",
        value="amount",
        end="1997-09-30",
        unit="W",
    )
    got = clv.cohorts(summary, cdnow_model(), ahead=6, seed=1)
    scores = cdnow_model().predict(summary, "1997-10-31")
    month = pd.DatetimeIndex(summary.frame["first_purchase"]).strftime("%Y-%m")
    for i, name in enumerate(got.names):
        p = scores["p_purchase"][np.asarray(month == name)]
        k = 10 - int(name[-2:])
        rounds = round(50_000 / 2357)
        error = np.sqrt((p * (1 - p)).sum() / rounds) / len(p)
        assert abs(got.retention[i, k] - p.mean()) < 4.5 * error
        ahead = got.retention[i, k : k + 6]
        assert ahead[-1] < ahead[0]
    again = clv.cohorts(summary, cdnow_model(), ahead=6, seed=1)
    np.testing.assert_array_equal(again.retention, got.retention)


def test_purchases_of_the_running_month_count_in_its_forecast():
    """Whoever has bought in April by the 15th is active in April."""
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)), KNOWN, ahead=2)
    assert got.retention[1, 2] == 1.0  # cem
    assert 0.5 < got.retention[0, 3] < 1.0  # bob has, ann may
    assert got.forecast.tolist() == [[False] * 3 + [True] * 2, [False] * 2 + [True] * 2 + [False]]


def test_what_is_wrong_is_named():
    with pytest.raises(clv.DataError, match="single purchases"):
        clv.cohorts(shop().take(np.arange(2)))
    for ahead in (-1, 1.5, 1000, True):
        with pytest.raises(clv.ParameterError, match="ahead"):
            clv.cohorts(shop(), KNOWN, ahead=ahead)


def test_plots_show_every_cohort():
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)), KNOWN, ahead=3)
    before = dict(mpl.rcParams)
    for measure in got.measures:
        ax = clv.plots.plot_cohort_heatmap(got, measure, Figure().subplots())
        assert [t.get_text() for t in ax.get_yticklabels()] == ["2023-01 (2)", "2023-02 (1)"]
        shown = ax.images[0].get_array()
        known = ~np.isnan(getattr(got, measure))
        known[:, 0] &= measure != "retention"
        np.testing.assert_array_equal(~np.ma.getmaskarray(shown), known)
        curves = clv.plots.plot_cohort_curves(got, measure, Figure().subplots())
        solid, dashed = curves.lines[0].get_ydata(), curves.lines[1].get_ydata()
        values = getattr(got, measure)[0][1 if measure == "retention" else 0 :]
        np.testing.assert_array_equal(np.where(np.isnan(solid), dashed, solid), values)
        assert curves.lines[0].get_label() == "2023-01"
    assert dict(mpl.rcParams) == before


def test_forecast_cells_have_the_colours_of_the_bar():
    """They are hatched, not paler: a colour says the same number everywhere."""
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)), KNOWN, ahead=3)
    ax = clv.plots.plot_cohort_heatmap(got, "revenue", Figure().subplots())
    assert ax.images[0].get_alpha() is None
    assert "hatched" in ax.get_xlabel()
    hatched = np.zeros_like(got.forecast)
    for patch in ax.patches:
        assert patch.get_hatch()
        row, first = round(patch.get_y() + 0.5), round(patch.get_x() + 0.5)
        hatched[row, first : first + round(patch.get_width())] = True
    np.testing.assert_array_equal(hatched, got.forecast)
    seen = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)))
    ax = clv.plots.plot_cohort_heatmap(seen, "revenue", Figure().subplots())
    assert not ax.patches
    assert "forecast" not in ax.get_xlabel()


@pytest.mark.parametrize("size", [1, 2, 5, 30])
def test_curves_have_a_key_to_the_cohorts(size):
    rows = [(f"c{i}", 31 * i, 5.0 + i) for i in range(size)]  # no two in a month
    got = clv.cohorts(shop(rows, end=dt.date(2025, 12, 31)))
    figure = Figure()
    ax = clv.plots.plot_cohort_curves(got, "revenue", figure.subplots())
    bar = figure.axes[1]
    labels = [t.get_text() for t in bar.get_yticklabels()]
    assert len(labels) == min(size, 6)
    assert (labels[0], labels[-1]) == (got.names[0], got.names[-1])
    shades = bar.collections[-1]
    for label, place in zip(labels, bar.get_yticks(), strict=True):
        line = ax.lines[2 * got.names.index(label)]
        assert shades.cmap(shades.norm(place))[:3] == pytest.approx(line.get_color())


def test_measures_that_there_are_not():
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)), KNOWN)
    for plot in (clv.plots.plot_cohort_heatmap, clv.plots.plot_cohort_curves):
        with pytest.raises(clv.ParameterError, match=r"measure == 'churn'.*'retention'"):
            plot(got, "churn")
        with pytest.raises(clv.ParameterError, match="cohorts is a DataFrame, must be a Cohorts"):
            plot(got.frame)
    orders = pd.DataFrame({"who": ["a", "b"], "when": [dt.date(2023, 1, 1)] * 2})
    plain = clv.cohorts(clv.summarize(orders, customer="who", date="when", end="2023-03-31"))
    with pytest.raises(
        clv.ParameterError, match="measure == 'revenue', must be one of 'retention'"
    ):
        clv.plots.plot_cohort_curves(plain, "revenue")
    ax = clv.plots.plot_cohort_curves(plain, ax=Figure().subplots())
    assert ax.get_title(loc="left") == "Share of the cohort that buys in the month"
    ax = clv.plots.plot_cohort_curves(got, ax=Figure().subplots())
    assert ax.get_title(loc="left") == "Revenue so far per customer"


@pytest.mark.parametrize("measure", ["retention", "repeat_rate", "revenue"])
def test_titles_fit_a_phone(measure):
    """The narrow pictures of the report are 4.7 inches wide."""
    got = clv.cohorts(shop(ROWS, end=dt.date(2023, 4, 15)), KNOWN, ahead=3)
    for plot in (clv.plots.plot_cohort_heatmap, clv.plots.plot_cohort_curves):
        figure = Figure(figsize=(4.7, 4.0), layout="constrained")
        FigureCanvasAgg(figure)
        ax = plot(got, measure, figure.subplots())
        figure.draw_without_rendering()
        for text in (ax._left_title, ax.xaxis.label):
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
