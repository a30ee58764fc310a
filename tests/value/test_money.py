"""Discounting, horizons without end, first purchases, silence, totals and paths."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import betainc
from value_cases import cdnow_model, cdnow_weeks, fitted_at

from clvmodel.datasets import load_cdnow
from clvmodel.errors import ColumnError, DataError, DriftWarning, ParameterError, UnitError
from clvmodel.fitting.estimate import fit
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.tables.summarize import summarize
from clvmodel.tables.summary import Summary
from clvmodel.units import DAYS_PER_YEAR
from clvmodel.value import total_parts
from clvmodel.value.fitted import load
from clvmodel.value.value_model import ValueModel

GRID = Path(__file__).parents[1] / "golden" / "values" / "grid.json"
SPEND = GammaGamma(6.25, 3.74, 15.44)
STAYING = [BGNBD(0.5, 40.0, 1.8, 2.5), MBGNBD(0.5, 40.0, 1.8, 2.5), ParetoNBD(0.6, 60.0, 1.7, 99.0)]


def few():
    frame = {
        "frequency": [0, 0, 2, 9],
        "recency": [0, 0, 90, 290],
        "T": [1, 300, 200, 300],
        "monetary_value": [0.0, 0.0, 20.0, 50.0],
        "first_value": [10.0, 30.0, 25.0, 40.0],
    }
    return Summary.from_frame(pd.DataFrame(frame), unit="D", end="2025-12-31")


def annual(rate_per_unit, days):
    """The effective annual rate of a continuous rate per unit of so many days."""
    return float(np.expm1(rate_per_unit * DAYS_PER_YEAR / days))


def test_residual_value_for_ever_is_the_dert_of_the_literature():
    """Discounted expected residual transactions of Pareto/NBD, at every golden point."""
    rows = [r for r in json.loads(GRID.read_text())["pnbd"] if r.get("dert") is not None]
    assert len(rows) == 142
    for row in rows:
        rate = annual(row["delta"], 1.0)
        frame = {"frequency": [row["x"]], "recency": [row["t_x"]], "T": [row["T"]]}
        frame["monetary_value"] = [1.0 if row["x"] else 0.0]
        model = ParetoNBD(*(row[name] for name in ("r", "alpha", "s", "beta")))
        spend = GammaGamma(1.0, 2.0, 1.0)
        got = fitted_at(model, spend).predict(
            Summary.from_frame(pd.DataFrame(frame), unit="D"), np.inf, discount_rate=rate
        )
        dert = got["clv"][0] / got["expected_spend"][0]
        assert dert == pytest.approx(row["dert"], rel=1e-8, abs=1e-290)


@pytest.mark.parametrize("model", STAYING, ids=lambda m: m.title)
def test_discounting_is_the_limit_of_fine_sums(model):
    """Purchases of each hundredth of a day, at its middle."""
    horizon, rate = 400.0, 0.3
    summary = few()
    got = fitted_at(model, SPEND).predict(summary, horizon, discount_rate=rate)
    ends = np.linspace(0.0, horizon, 40_001)
    weight = (1 + rate) ** (-(ends[1:] + ends[:-1]) / 2 / DAYS_PER_YEAR)
    for i in range(len(summary)):
        history = summary.frequency[i], summary.recency[i], summary.T[i]
        bought = np.diff(model.expected_purchases(ends, *history))
        expected = got["expected_spend"][i] * float(bought @ weight)
        assert got["clv"][i] == pytest.approx(expected, rel=1e-8)
    free = fitted_at(model, SPEND).predict(summary, horizon, discount_rate=0.0)
    assert (free["clv"] == free["expected_value"]).all()


@pytest.mark.parametrize("model", STAYING, ids=lambda m: m.title)
def test_for_ever_is_the_limit_of_long_horizons(model):
    fitted = fitted_at(model, SPEND)
    ever = fitted.predict(few(), np.inf, discount_rate=0.1)
    long = fitted.predict(few(), "100Y", discount_rate=0.1)
    np.testing.assert_allclose(ever["clv"], long["clv"], rtol=2e-4)
    assert (ever["clv"] > long["clv"]).all()
    assert (ever["expected_purchases"] > long["expected_purchases"]).all()
    x, t_x, T = few().frequency, few().recency, few().T
    nearly = model.expected_purchases(1e16, x, t_x, T)
    np.testing.assert_allclose(ever["expected_purchases"], nearly, rtol=1e-6)
    assert np.isfinite(ever.drop(columns="customer_id")).all().all()
    free = fitted.predict(few(), np.inf, discount_rate=0.0)
    assert (free["clv"] == free["expected_value"]).all()


def test_for_ever_without_discounting_may_not_converge():
    fitted = fitted_at(BGNBD(0.5, 40.0, 0.8, 2.5), SPEND)
    with pytest.raises(ParameterError, match="does not converge without discounting"):
        fitted.predict(few(), np.inf, discount_rate=0.0)
    got = fitted.predict(few(), np.inf)
    assert np.isinf(got["expected_value"]).all()
    assert np.isfinite(got["clv"]).all()


def test_past_and_future_add_up():
    got = fitted_at(STAYING[0], SPEND).predict(few(), 100, margin=0.5)
    assert got["historic_value"].tolist() == [5.0, 15.0, 32.5, 245.0]
    total = got["historic_value"] + got["expected_value"]
    np.testing.assert_allclose(got["lifetime_value"], total, rtol=1e-15)


def test_silence_is_a_longer_history():
    """Predicting as of a later day is predicting a summary whose T is longer."""
    fitted, summary = fitted_at(STAYING[2], SPEND), few()
    later = summary.frame.assign(T=summary.T + 31)
    expected = fitted.predict(Summary.from_frame(later, unit="D"), 90)
    for until in ("2026-01-31", "31D", 31):
        got = fitted.predict(summary, 90, silent_until=until)
        for name in ("p_alive", "p_purchase", "expected_purchases", "clv"):
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-12)
    now = fitted.predict(summary, 90)
    assert (fitted.predict(summary, 90, silent_until="31D")["p_alive"] < now["p_alive"]).all()
    # a horizon that is a date counts from the later day
    got = fitted.predict(summary, "2026-05-01", silent_until="2026-01-31")
    np.testing.assert_allclose(got["p_purchase"], expected["p_purchase"], rtol=1e-12)
    with pytest.raises(UnitError, match="silent_until"):
        fitted.predict(summary, 90, silent_until="2025-12-01")


def test_the_first_purchase_may_inform_the_spend(tmp_path):
    orders = load_cdnow(sample=True)
    roles = {"customer": "customer_id", "date": "date", "value": "amount"}
    summary = summarize(orders, **roles, end="1997-09-30", unit="W")
    model = ValueModel(spend_includes_first=True)
    assert "first purchase counts" in model.name
    fitted = model.fit(summary)
    # by hand: all purchases of a customer, as if they were repeat purchases
    count, total = summary.frequency + 1, summary.total_value
    by_hand = fit(GammaGamma, {"frequency": count, "monetary_value": total / count})
    assert fitted.spend.parameters == pytest.approx(by_hand.parameters, rel=1e-9)
    got = fitted.predict(summary, "39W", quantiles=(0.9,))
    expected = by_hand.model.expected_spend(count, total / count)
    np.testing.assert_allclose(got["expected_spend"], expected, rtol=1e-7)
    fitted.save(tmp_path / "model.json")
    again = load(tmp_path / "model.json")
    assert again.spend_includes_first
    assert again.predict(summary, "39W", quantiles=(0.9,)).equals(got)
    # quantiles use the first purchase, too: P(value > its 90% quantile) by hand
    row, k = int(np.argmax(summary.frequency == 4)), np.arange(1.0, 200.0)
    p, q, gamma = by_hand.model.values()
    history = summary.frequency[row], summary.recency[row], summary.T[row]
    known = gamma + total[row]
    share = known / (got["value_q90"][row] + known)
    above = betainc(q + p * count[row], p * k, share)
    assert fitted.purchases.model.pmf(k, 39, *history) @ above == pytest.approx(0.1, abs=1e-6)
    bare = Summary.from_frame(summary.frame.drop(columns="first_value"), unit="W")
    with pytest.raises(DataError, match="first_value"):
        model.fit(bare)


def test_totals_are_sums_and_their_intervals_come_from_both_sources():
    model, summary = cdnow_model(), cdnow_weeks()
    each = model.predict(summary, "39W")
    whole = model.predict_total(summary, "39W", seed=3)
    for name in ("expected_purchases", "expected_value", "clv"):
        assert whole[name][0] == pytest.approx(each[name].sum(), rel=1e-12)
    cohorts = model.predict_total(summary, "39W", by="cohort", seed=3)
    assert cohorts["cohort"].tolist() == ["1997-01", "1997-02", "1997-03"]
    assert cohorts["customers"].sum() == 2357
    for name in ("expected_purchases", "expected_value", "clv"):
        assert cohorts[name].sum() == pytest.approx(each[name].sum(), rel=1e-12)
    assert whole.equals(model.predict_total(summary, "39W", seed=3))
    known = fitted_at(model.purchases.model, model.spend.model, unit="W")
    sure = known.predict_total(summary, "39W")
    for kind in ("purchases", "value"):
        widths = [t[f"{kind}_q95"][0] - t[f"{kind}_q05"][0] for t in (whole, sure)]
        assert widths[0] > 1.15 * widths[1]
        assert whole[f"{kind}_q05"][0] < whole[f"expected_{kind}"][0] < whole[f"{kind}_q95"][0]
    with pytest.raises(ColumnError, match="by='region'"):
        model.predict_total(summary, "39W", by="region")
    with pytest.raises(ColumnError, match="one attribute"):
        model.predict_total(summary, "39W", by=["cohort"])
    with pytest.raises(ColumnError, match=r"summary\.join"):
        model.predict_total(summary, "39W", margin="rate")
    with pytest.raises(ParameterError, match="horizon"):
        model.predict_total(summary, np.inf)


def test_both_ways_to_totals_agree(monkeypatch):
    """Simulated, and approximated as for a large base: quantiles within a few percent of a width.

    A quantile of 1,000 simulations is off by 0.07 standard deviations at most levels.
    """
    model, summary = cdnow_model(), cdnow_weeks()
    many = (0.05, 0.25, 0.5, 0.75, 0.95)
    one = model.predict_total(summary, "39W", by="cohort", quantiles=many)
    monkeypatch.setattr("clvmodel.value.totals.SIMULATED", 0)
    other = model.predict_total(summary, "39W", by="cohort", quantiles=many)
    for kind in ("purchases", "value"):
        width = one[f"{kind}_q95"] - one[f"{kind}_q05"]  # 3.3 standard deviations
        for level in ("q05", "q25", "q50", "q75", "q95"):
            gap = (one[f"{kind}_{level}"] - other[f"{kind}_{level}"]).abs()
            assert (gap < 0.1 * width).all(), (kind, level)


def test_totals_where_spend_has_no_variance():
    """Heavy tails are simulated whatever the size; a law without variance has quantiles."""
    fitted = fitted_at(STAYING[0], GammaGamma(2.0, 1.5, 20.0))
    got = fitted.predict_total(few(), 200)
    assert np.isfinite(got.drop(columns=["customers"])).all().all()


@pytest.mark.parametrize("step", ["1M", "26W", "2W", 5.5])
def test_a_path_adds_up_to_the_predictions(step):
    model, summary = cdnow_model(), cdnow_weeks()
    each = model.predict(summary, "26W", discount_rate=0.2)
    path = model.predict_path(summary, "26W", step=step, discount_rate=0.2)
    for name in ("expected_purchases", "expected_value", "clv"):
        assert path[name].sum() == pytest.approx(each[name].sum(), rel=1e-9)
    assert path["days"].iloc[-1] == 182.0
    assert path["until"].iloc[-1] == pd.Timestamp("1998-03-31")
    assert (path["clv"] < path["expected_value"]).all()
    assert path["expected_purchases"].iloc[:-1].is_monotonic_decreasing


NO_MEAN = GammaGamma(2.0, 0.7, 20.0)  # of the spend of a customer with one purchase


@pytest.mark.parametrize("model", STAYING, ids=lambda m: m.title)
def test_nothing_of_what_is_infinite_is_nothing(model):
    """A margin of 0, and a mean that is infinite: a value of 0, not of nan."""
    money = ["expected_value", "clv"]
    for spend, horizon in ((NO_MEAN, 200), (SPEND, np.inf)):
        fitted = fitted_at(BGNBD(0.5, 40.0, 0.8, 2.5) if horizon == np.inf else model, spend)
        got = fitted.predict(few(), horizon, margin=[0.0, 1.0, 0.0, 1.0])
        assert (got.loc[[0, 2], [*money, "historic_value", "lifetime_value"]] == 0).all().all()
        assert got.loc[1, "expected_value"] == np.inf
    fitted = fitted_at(model, NO_MEAN)
    assert (fitted.predict_total(few(), 200, margin=0.0)[money] == 0).all().all()
    path = fitted.predict_path(few(), 200, margin=0.0)
    assert (path[money] == 0).all().all()


def test_a_path_of_infinite_values():
    """Where spend has no mean each step is worth as much as `predict` says: infinitely much."""
    path = fitted_at(STAYING[0], NO_MEAN).predict_path(few(), 200)
    assert (path["expected_value"] == np.inf).all()
    assert (path["clv"] == np.inf).all()
    assert np.isfinite(path["expected_purchases"]).all()


@pytest.mark.parametrize("margin", [-1.0, [1.0, -1.0, 1.0, -1.0]])
def test_totals_with_negative_margins_are_as_uncertain_for_a_large_base(monkeypatch, margin):
    fitted = fitted_at(STAYING[0], SPEND)
    one = fitted.predict_total(few(), 200, margin=margin)
    monkeypatch.setattr("clvmodel.value.totals.SIMULATED", 0)
    other = fitted.predict_total(few(), 200, margin=margin)
    assert one["value_q05"][0] < one["expected_value"][0] < one["value_q95"][0]
    pd.testing.assert_frame_equal(one, other)


def test_groups_that_are_categories_or_take_a_name_of_the_result():
    kind = pd.Categorical(["web", "shop", "web", None], categories=["web", "shop", "fax"])
    frame = few().frame.assign(kind=kind, customers=list("abab"))
    summary = Summary.from_frame(frame, unit="D", end="2025-12-31")
    fitted = fitted_at(STAYING[0], SPEND)
    got = fitted.predict_total(summary, 200, by="kind")
    assert got["kind"].tolist()[:2] == ["shop", "web"]
    assert got["kind"].isna().tolist() == [False, False, True]
    assert got["customers"].tolist() == [1, 2, 1]
    with pytest.raises(ColumnError, match="rename"):
        fitted.predict_total(summary, 200, by="customers")
    endless = Summary.from_frame(few().frame, unit="D")
    with pytest.raises(DataError, match="end of observation"):
        fitted.predict_total(endless, 200, by="cohort")


@pytest.mark.parametrize("value", [float("nan"), -20.0, float("inf")])
def test_amounts_that_are_none_are_refused_not_passed_on(value):
    bad = few().frame.assign(monetary_value=[0.0, 0.0, value, 50.0])
    fitted, summary = fitted_at(STAYING[0], SPEND), Summary.from_frame(bad, unit="D")
    for predict in (fitted.predict, fitted.predict_total, fitted.predict_path):
        with pytest.raises(DataError, match="row 2"):
            predict(summary, 200)


def test_silence_beyond_the_calendar():
    with pytest.raises(UnitError, match="silent_until"):
        fitted_at(STAYING[0], SPEND).predict(few(), 90, silent_until="9000Y")


def test_totals_warn_of_drift():
    summary = cdnow_weeks()
    with pytest.warns(DriftWarning):
        cdnow_model().predict_total(summary.take(np.flatnonzero(summary.frequency > 0)), "39W")


def test_what_is_read_from_a_surface_and_between_ages_is_what_is_computed(monkeypatch):
    """Means at the draws of the parameters, and moments of many ages, against one by one."""
    T = np.random.default_rng(2).integers(20, 700, 8_000).astype(float)
    x, t_x, T, *_ = BGNBD(0.5, 60.0, 0.8, 2.5).simulate(T, seed=3)
    frame = {"frequency": x, "recency": t_x, "T": T, "monetary_value": SPEND.simulate(x, seed=4)}
    summary = Summary.from_frame(pd.DataFrame(frame), unit="D")
    model = ValueModel().fit(summary)
    monkeypatch.setattr("clvmodel.value.totals._POINTS", 160)  # sixty, and a hundred read from them
    quick = model.predict_total(summary, 200)
    parts = total_parts._Part
    whole = []
    ratios = parts._ratios

    def both(self):
        found, every = ratios(self), self._ratios_at(self.asked.draws).swapaxes(0, 1)
        whole.append(np.sqrt(np.mean((found - every) ** 2, axis=1) / every.var(axis=1)).max())
        return found

    monkeypatch.setattr(parts, "_ratios", both)
    pd.testing.assert_frame_equal(model.predict_total(summary, 200), quick)
    assert 0 < max(whole) < 0.01  # in standard deviations: read from the surface, and near
    monkeypatch.setattr(total_parts, "_NODES", 10_000)
    pd.testing.assert_frame_equal(model.predict_total(summary, 200), quick, rtol=1e-5)
