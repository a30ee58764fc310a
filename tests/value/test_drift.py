"""Customers who are no longer those of the fit, and those who are."""

import json
import time
import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from test_covariate_values import model as with_covariates
from test_covariate_values import people
from test_covariate_values import summary as of_people

from clvmodel.errors import DataError, DriftWarning
from clvmodel.models.bg_nbd import BGNBD
from clvmodel.models.gamma_gamma import GammaGamma
from clvmodel.models.mbg_nbd import MBGNBD
from clvmodel.models.pareto_nbd import ParetoNBD
from clvmodel.tables.summary import Summary
from clvmodel.value.drift import Reference, check_drift, warn_of_drift
from clvmodel.value.value_model import ValueModel

LAWS = {
    "BG/NBD": BGNBD(0.6, 40.0, 0.8, 2.5),
    "MBG/NBD": MBGNBD(0.8, 40.0, 0.6, 2.5),
    "Pareto/NBD": ParetoNBD(0.7, 40.0, 0.7, 100.0),
}
SPEND = GammaGamma(6.0, 4.0, 90.0)
YOUNG, OLD = (100, 300), (300, 600)  # days of observation


def base(law, size, ages=YOUNG, seed=0, spend=SPEND, factor=1.0, unit="D"):
    """Customers of a law whose times, in days, are divided by a factor and called `unit`."""
    rng = np.random.default_rng(seed)
    x, t_x, T, *_ = law.simulate(rng.integers(*ages, size).astype(float), seed=rng)
    money = {"first_value": spend.simulate(np.ones(size), seed=rng)}
    money["monetary_value"] = spend.simulate(x, seed=rng)
    times = {"recency": t_x / factor, "T": T / factor}
    return Summary.from_frame(pd.DataFrame({"frequency": x, **times, **money}), unit=unit)


def fitted_to(summary, **options):
    """A fitted model, and its reference."""
    fitted = ValueModel(**options).fit(summary)
    first = fitted.spend_includes_first
    return fitted, Reference.of(fitted.purchases, fitted.spend, summary, first)


@cache
def saved(name="BG/NBD"):
    return fitted_to(base(LAWS[name], 3000), purchases=type(LAWS[name]))


def messages(summary, name="BG/NBD"):
    return check_drift(saved(name)[0], summary, saved(name)[1])


@pytest.mark.parametrize("name", LAWS)
def test_the_numbers_by_hand(name):
    fitted, reference = saved(name)
    customers, model = base(LAWS[name], 3000), saved(name)[0].purchases.model
    x, T = customers.frequency, customers.T
    chance, mean = model.pmf(0, T), model.expected_purchases(T)
    assert reference.customers == 3000
    assert reference.one_purchase == np.mean(x == 0)
    assert reference.expected_one_purchase == pytest.approx(chance.mean(), rel=1e-10)
    variance = max((chance * (1 - chance)).mean(), np.var(x == 0))
    assert reference.one_purchase_variance == pytest.approx(variance, rel=1e-10)
    assert reference.repeats == x.sum()
    assert reference.expected_repeats == pytest.approx(mean.sum(), rel=1e-10)
    ratio = x.sum() / mean.sum()
    dispersion = ((x - ratio * mean) ** 2).sum() / x.sum()
    assert reference.repeats_dispersion == pytest.approx(dispersion, rel=1e-9)
    assert reference.spenders == (x > 0).sum()
    assert reference.spend == pytest.approx(np.average(customers.monetary_value, weights=x))
    assert reference.spend_scale == pytest.approx(fitted.spend.model.gamma)
    share = x / x[x > 0].mean() * (customers.monetary_value / reference.spend - 1)
    assert reference.spend_variance == pytest.approx((share[x > 0] ** 2).mean())
    assert messages(customers, name) == []


@pytest.mark.parametrize("name", LAWS)
def test_older_customers_of_the_same_law_are_no_drift(name):
    """40 sets each of 100, 1,000 and 10,000, twice as old: at most 1 in 120 is called drift.

    Over 720 sets with fits of 200 and 1,000 customers of two laws, 2 were.
    """
    alarms = [
        bool(messages(base(LAWS[name], size, OLD, seed), name))
        for size in (100, 1000, 10_000)
        for seed in range(1, 41)
    ]
    assert sum(alarms) <= 1


@pytest.mark.parametrize("name", ["BG/NBD", "Pareto/NBD"])
def test_fits_of_few_customers_do_not_alarm_about_many(name):
    """What the fit did not know is no drift: 20 fits of 300, scoring 20,000 older customers."""
    alarms = 0
    for seed in range(20):
        fitted, reference = fitted_to(base(LAWS[name], 300, seed=seed), purchases=type(LAWS[name]))
        alarms += bool(check_drift(fitted, base(LAWS[name], 20_000, OLD, 100 + seed), reference))
    assert alarms <= 1


def test_the_same_customers_later_are_no_drift():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        T = rng.integers(*OLD, 3000).astype(float)
        bought = LAWS["BG/NBD"].simulate_purchases(T, seed=rng)

        def seen(until, T=T, bought=bought):
            known = bought.time <= until[bought.customer]
            who, when = bought.customer[known], bought.time[known]
            last = np.zeros(T.size)
            np.maximum.at(last, who, when)
            x = np.bincount(who, minlength=T.size).astype(float)
            frame = pd.DataFrame({"frequency": x, "recency": last, "T": until})
            return Summary.from_frame(frame, unit="D")

        fitted, reference = fitted_to(seen(T - 200))
        assert check_drift(fitted, seen(T), reference) == []


CHANGES = {
    "more repeat purchases": (BGNBD(0.6, 20.0, 0.8, 2.5), SPEND, ["Repeat purchases"], r"1\.25"),
    "fewer buy again": (
        BGNBD(0.3, 20.0, 0.8, 2.5),
        SPEND,
        ["Customers with one purchase"],
        "5 and",
    ),
    "dearer": (LAWS["BG/NBD"], GammaGamma(6.0, 4.0, 135.0), ["Mean value of a purchase"], r"1\.25"),
    "in cents": (LAWS["BG/NBD"], GammaGamma(6.0, 4.0, 9e3), ["Mean value of a purchase"], "cents"),
    "cheaper": (LAWS["BG/NBD"], GammaGamma(6.0, 4.0, 60.0), ["Mean value of a purchase"], r"0\.8 "),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_customers_are_reported(change):
    law, spend, numbers, threshold = CHANGES[change]
    found = messages(base(law, 3000, OLD, 7, spend))
    for number in numbers:
        (message,) = [m for m in found if m.startswith(number)]
        assert pd.Series([message]).str.contains(threshold).all()
        assert "beyond chance. Fit again on these customers, or check" in message
    money = [m for m in found if m.startswith("Mean")]
    assert bool(money) == (spend is not SPEND)
    assert bool(found[len(money) :]) == (law is not LAWS["BG/NBD"])


def test_small_changes_are_not_of_practical_size():
    law = LAWS["BG/NBD"]
    near = BGNBD(law.r, law.alpha / 1.1, law.a, law.b)
    assert messages(base(near, 100_000, OLD, 8, GammaGamma(6.0, 4.0, 99.0))) == []


UNITS = [("W", 7.0, "in weeks, not in days"), ("M", 30.4375, "in months, not in days")]
UNITS += [("Y", 365.25, "in years, not in days")]


@pytest.mark.parametrize(("unit", "factor", "question"), UNITS)
@pytest.mark.parametrize("name", LAWS)
def test_a_mistaken_unit_is_asked_after(name, unit, factor, question):
    wrong = base(LAWS[name], 2000, OLD, 9, factor=factor)
    found = messages(wrong, name)
    assert f"{factor:.4g} times as long: are the times really {question}?" in found[-1]
    assert messages(replace(wrong, unit=unit), name) == []


def test_days_called_weeks_and_a_fit_in_the_wrong_unit():
    weeks = base(LAWS["BG/NBD"], 2000, YOUNG, 10, unit="W")
    assert "7 times shorter: are the times really in days, not in weeks?" in messages(weeks)[-1]
    fitted, reference = fitted_to(base(LAWS["BG/NBD"], 3000, OLD, factor=7.0))  # weeks called days
    found = check_drift(fitted, base(LAWS["BG/NBD"], 3000, OLD, 11), reference)
    assert "are the times of the fit really in weeks, not in days?" in found[-1]


def test_other_drift_is_no_mistake_about_the_unit():
    for law in (BGNBD(0.6, 20.0, 0.8, 2.5), BGNBD(0.3, 20.0, 0.8, 2.5), BGNBD(2.4, 40, 0.8, 2.5)):
        found = messages(base(law, 3000, OLD, 12))
        assert found
        assert "are the times" not in found[-1]


def test_few_customers_are_never_reported():
    best = base(LAWS["BG/NBD"], 3000)
    order = np.argsort(-best.frequency)
    for size in (1, 20, 99):
        frame = best.frame.iloc[order[:size]]
        assert messages(Summary.from_frame(frame, unit="D")) == []
    found = messages(Summary.from_frame(best.frame.iloc[order[:500]], unit="D"))
    assert found[0].startswith("Customers with one purchase: 0.0% now")  # selected by behaviour


def test_what_never_fitted_is_no_drift():
    """A Pareto/NBD world seen with BG/NBD, badly: the same misfit then and now."""
    fitted, reference = saved()
    wrong = replace(fitted.purchases, model=BGNBD(0.6, 15.0, 0.8, 2.5))
    model = replace(fitted, purchases=wrong)
    customers = base(LAWS["BG/NBD"], 3000)
    misfit = Reference.of(wrong, fitted.spend, customers, False)
    assert check_drift(model, customers, reference)
    assert check_drift(model, base(LAWS["BG/NBD"], 3000, seed=13), misfit) == []


def test_covariates_count():
    """Customers of the other shop pay more, and older ones buy more: known, so no drift."""
    fitted, customers = with_covariates(), of_people()
    reference = Reference.of(fitted.purchases, fitted.spend, customers, False)
    x, T = customers.frequency, customers.T
    each, money = (fit.model.at(people()) for fit in fitted.fits)
    assert reference.expected_one_purchase == pytest.approx(each.pmf(0, T).mean(), rel=1e-9)
    assert reference.expected_repeats == pytest.approx(each.expected_purchases(T).sum(), rel=1e-9)
    assert reference.spend_scale == pytest.approx(np.average(money.gamma, weights=x), rel=1e-12)
    assert check_drift(fitted, customers, reference) == []
    for kept in (people()["shop"] == "south", people()["age"] >= 50):
        part = people()[kept]
        assert len(part) >= 100
        assert check_drift(fitted, of_people(part), reference) == []
    dearer = people().assign(monetary_value=2 * people()["monetary_value"], shop="south")
    assert check_drift(fitted, of_people(dearer), reference)[-1].startswith("Mean value")


@pytest.mark.parametrize("unit", ["W", "M", "Y"])
def test_the_unit_of_the_summary_does_not_matter(unit):
    bad = base(BGNBD(0.6, 20.0, 0.8, 2.5), 2000, seed=14)
    assert messages(bad.in_unit(unit)) == messages(bad)


def test_without_money_and_with_first_purchases():
    customers = base(LAWS["BG/NBD"], 3000)
    for fitted, reference in (fitted_to(customers, spend=None),):
        assert reference.spend is None
        assert check_drift(fitted, customers, reference) == []
    bare = replace(customers, monetary_value=None, first_value=None)
    assert messages(bare) == []  # predict says that amounts are missing
    fitted, reference = fitted_to(customers, spend_includes_first=True)
    assert reference.spenders == 3000
    total, count = customers.total_value.sum(), (customers.frequency + 1).sum()
    assert reference.spend == pytest.approx(total / count)
    dearer = base(LAWS["BG/NBD"], 3000, OLD, 15, GammaGamma(6.0, 4.0, 180.0))
    assert "Mean value" in check_drift(fitted, dearer, reference)[0]


@pytest.mark.parametrize("name", LAWS)
def test_customers_who_never_buy_again_or_all_came_today(name):
    customers = base(LAWS[name], 400, seed=16)
    gone = np.zeros(400)
    none = replace(customers, frequency=gone, recency=gone, monetary_value=gone)
    assert [m.split(":")[0] for m in messages(none, name)][1:] == ["Repeat purchases"]
    assert messages(replace(none, T=gone), name) == []


def test_kept_as_plain_data():
    for reference in (saved()[1], fitted_to(base(LAWS["BG/NBD"], 300), spend=None)[1]):
        again = Reference.from_dict(json.loads(json.dumps(reference.to_dict())))
        assert again == reference
    data = reference.to_dict()
    for wrong in ({**data, "repeats": None}, {**data, "repeats": "x"}, {**data, "spend": -1.0}, {}):
        with pytest.raises(DataError, match="reference is damaged"):
            Reference.from_dict(wrong)


class Saved:
    """A value model with a reference, as a saved one has."""

    def __init__(self, fitted, reference):
        self.purchases, self.spend, self.reference = fitted.purchases, fitted.spend, reference
        self.spend_includes_first = fitted.spend_includes_first

    def predict(self, summary):
        warn_of_drift(self, summary)


def test_one_warning_that_points_at_the_caller():
    bad = base(BGNBD(0.6, 20.0, 0.8, 2.5), 2000, seed=17, spend=GammaGamma(6.0, 4.0, 200.0))
    with pytest.warns(DriftWarning, match=r"(?s)unlike.*\n- .*\n- Mean value") as caught:
        Saved(*saved()).predict(bad)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert issubclass(DriftWarning, UserWarning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Saved(saved()[0], None).predict(bad)
        Saved(*saved()).predict(base(LAWS["BG/NBD"], 2000, seed=18))


def test_a_million_customers_take_no_time():
    many = base(LAWS["BG/NBD"], 1_000_000, (1, 1000), 19)
    messages(many)
    start = time.perf_counter()
    assert messages(many) == []
    assert time.perf_counter() - start < 1.0  # 0.05 s on an idle machine
