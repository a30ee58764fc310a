"""sBG on the two cohorts of Fader & Hardie (2007): fits, and survivor curves beyond them."""

import numpy as np
import pytest
from recipes_sbg import FITTED, SURVIVORS, cohort, cohort_fit

import clvmodel as clv
from clvmodel import SBG


@pytest.mark.parametrize(
    ("name", "log_likelihood"), [("highend", -1611.158147), ("regular", -1680.265188)]
)
def test_fits_reach_the_published_maximum(name, log_likelihood):
    fit = cohort_fit(name)
    assert fit.converged
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=1e-6)
    assert fit.customers == 1000


@pytest.mark.parametrize("name", SURVIVORS)
def test_the_curve_follows_the_survivors_five_years_beyond_the_fit(name):
    """Within two points of a hundred, as the paper's figures show; 1,000 toss 1.6 points apart."""
    got = 1000 * cohort_fit(name).model.survival(np.arange(13))
    assert np.abs(got - SURVIVORS[name]).max() < 20
    constant = 1000 * (1 - cohort(name).churn_rate) ** np.arange(13)
    later = slice(FITTED, None)
    assert np.abs(constant[later] - SURVIVORS[name][later]).min() > 50  # a constant churn does not


def test_survival_is_the_product_of_retention_rates():
    model = cohort_fit("regular").model
    product = np.cumprod(model.retention(np.arange(1, 13)))
    np.testing.assert_allclose(model.survival(np.arange(1, 13)), product, rtol=1e-12)


def test_residual_lifetime_is_the_discounted_sum():
    """Against plain sums, which converge where the discount rate is not small."""
    model = SBG(0.668, 3.806)
    k = np.arange(4000)
    for renewals in (0, 3, 11):
        for t in (1, 5, np.inf):
            terms = (k < t) * model.survival(k + 1, renewals) * 1.1**-k
            got = model.residual_lifetime(0.1, renewals, t)
            assert got == pytest.approx(terms.sum(), rel=1e-11)


def test_without_discount_it_is_the_expected_renewals():
    model = SBG(2.5, 7.0)
    assert model.residual_lifetime(0.0, 4) == pytest.approx((7 + 4) / 1.5, rel=1e-13)
    assert model.expected_renewals(np.inf, 4) == pytest.approx((7 + 4) / 1.5, rel=1e-13)
    assert model.expected_tenure() == pytest.approx((2.5 + 7 - 1) / 1.5, rel=1e-13)
    assert model.residual_lifetime(1e-9, 4) == pytest.approx((7 + 4) / 1.5, rel=1e-6)
    k = np.arange(1, 31)
    assert model.expected_renewals(30, 4) == pytest.approx(model.survival(k, 4).sum(), rel=1e-13)
    assert SBG(0.9, 7.0).expected_tenure() == np.inf
    assert SBG(1.0, 7.0).residual_lifetime(0.0) == np.inf


def test_expectations_are_what_subscribers_do():
    """Simulated: 200,000 subscribers, five standard errors."""
    model, n = SBG(1.7, 6.0), 200_000
    made, churned, dropout = model.simulate(np.full(n, 40), seed=1)
    for values, mean in (
        (made, model.expected_renewals(40)),
        (churned, 1 - model.survival(40)),
        (dropout, 1.7 / 7.7),
    ):
        assert abs(values.mean() - mean) < 5 * values.std() / np.sqrt(n)
    paid = np.cumsum(1.1 ** -np.arange(40.0))
    worth = np.where(made > 0, paid[np.maximum(made - 1, 0).astype(int)], 0.0)
    gap = worth.mean() - model.residual_lifetime(0.1, 0, 40)
    assert abs(gap) < 5 * worth.std() / np.sqrt(n)


def test_constant_churn_undervalues_those_who_stayed():
    table = clv.value_contracts(
        cohort_fit("regular"), cohort("regular"), revenue=100, margin=0.6, discount_rate=0.1
    )
    assert table["renewals"].tolist() == [0, 7]
    assert table["customers"].tolist() == [0, 241]
    model, churn = cohort_fit("regular").model, cohort("regular").churn_rate
    due = 1000 + 631 + 468 + 382 + 326 + 289 + 262
    assert churn == pytest.approx((1000 - 241) / due)
    assert table["churn_formula"].tolist() == pytest.approx([60 / churn] * 2)
    np.testing.assert_allclose(
        table["residual_value"], 60 * model.residual_lifetime(0.1, [0, 7]), rtol=1e-13
    )
    same = 60 * (1 - churn) * 1.1 / (0.1 + churn)
    assert table["constant_churn_value"].tolist() == pytest.approx([same] * 2)
    r, d = 1 - churn, 0.1  # the textbook's m r / (1 + d - r), whose first margin is a period away
    assert table["constant_churn_value"][0] == pytest.approx(60 * r / (1 + d - r) * (1 + d))
    assert table["bias"][1] < -0.5 < table["bias"][0] < 0


def test_the_churn_formula_to_the_cent():
    """ARPA 50 a month, gross margin 80%, monthly churn 4%: 50 x 0.80 / 0.04 = 1000."""
    contracts = clv.ContractSummary.from_survivors([100, 96], period="M")
    table = clv.value_contracts(SBG(1, 24), contracts, revenue=50, margin=0.8, discount_rate=0.0)
    assert table["churn_formula"].tolist() == pytest.approx([1000.0] * 2, abs=0.005)
    assert table["constant_churn_value"].tolist() == pytest.approx([40 * 0.96 / 0.04] * 2)
