"""Fits of the same customers, side by side."""

import numpy as np
import pytest
from scipy.stats import chi2

import clvmodel as clv
from clvmodel.fitting.compare import chi_square, expected_frequencies

SIZE = 3000


@pytest.fixture(scope="module")
def cdnow():
    return clv.summarize(
        clv.datasets.load_cdnow(sample=True),
        customer="customer_id",
        date="date",
        value="amount",
        end="1997-09-30",
        unit="W",
    )


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    channel = rng.choice(["email", "web"], SIZE)
    alpha = np.where(channel == "web", 15.0, 40.0)
    T = np.round(rng.uniform(100, 300, SIZE))
    x, t_x, *_ = clv.BGNBD(0.8, alpha, 0.9, 2.5).simulate(T, seed=2)
    noise = rng.normal(size=SIZE)
    return {"frequency": x, "recency": np.ceil(t_x), "T": T, "channel": channel, "noise": noise}


@pytest.fixture(scope="module")
def fits(data):
    def fit(*covariates):
        return clv.fit(clv.BGNBD, data, covariates={"alpha": covariates} if covariates else ())

    return {"plain": fit(), "channel": fit("channel"), "both": fit("channel", "noise")}


@pytest.mark.parametrize(
    ("model", "chi_square", "p_value"),
    [(clv.BGNBD, "4.82", "0.19"), (clv.ParetoNBD, "11.99", "0.007")],
)
def test_the_published_chi_squares(model, chi_square, p_value, cdnow):
    """Fader, Hardie & Lee (2005), Marketing Science 24(2), section 4: on 3 degrees of freedom."""
    row = clv.compare_fits([clv.fit(model, cdnow)]).fits[0]
    assert f"{row['chi_square']:.2f}" == chi_square
    assert row["df"] == 3
    assert f"{row['p_value']:.{len(p_value) - 2}f}" == p_value


def test_counts_add_up(cdnow):
    comparison = clv.compare_fits([clv.fit(clv.BGNBD, cdnow), clv.fit(clv.MBGNBD, cdnow)])
    table = comparison.frequency_table()
    assert table["customers"].tolist() == [1411, 439, 214, 100, 62, 38, 29, 64]
    np.testing.assert_allclose(table.sum(), len(cdnow))
    assert list(table.index) == ["0", "1", "2", "3", "4", "5", "6", "7+"]


def test_expected_frequencies_by_hand(cdnow, data, fits):
    fit = clv.fit(clv.BGNBD, cdnow)
    by_hand = fit.model.pmf(2, cdnow.T).sum()
    assert expected_frequencies(fit)[2] == pytest.approx(by_hand, rel=1e-10)
    by_hand = fits["both"].model.at(data).pmf(3, data["T"]).sum()
    assert expected_frequencies(fits["both"])[3] == pytest.approx(by_hand, rel=1e-10)


def test_likelihood_ratio(fits):
    rows = {(r["smaller"], r["larger"]): r for r in clv.compare_fits(fits).likelihood_ratios}
    assert set(rows) == {("plain", "channel"), ("plain", "both"), ("channel", "both")}
    row = rows["channel", "both"]
    gain = 2 * (fits["both"].log_likelihood - fits["channel"].log_likelihood)
    assert (row["statistic"], row["df"]) == (pytest.approx(gain), 1)
    assert row["p_value"] == pytest.approx(chi2(1).sf(gain))
    assert row["p_value"] > 0.01
    assert rows["plain", "both"]["df"] == 2
    assert rows["plain", "channel"]["p_value"] < 1e-6


def test_information_criteria(fits):
    table = clv.compare_fits(fits).table()
    assert table["parameters"].tolist() == [4, 5, 6]
    for name, fit in fits.items():
        assert table.loc[name, "aic"] == fit.aic
        assert table.loc[name, "bic"] == fit.bic
        assert table.loc[name, "log_likelihood"] == fit.log_likelihood
    assert table["bic_above_best"].idxmin() == "channel"
    assert table["bic_above_best"].min() == 0


def test_thin_classes_are_merged_from_the_top():
    actual = np.array([50.0, 30, 10, 4, 3, 2, 1, 0])
    expected = np.array([48.0, 28, 12, 6, 3, 1, 1, 1])
    found = chi_square(actual, expected, 1)
    classes = [(50, 48), (30, 28), (10, 12), (4, 6), (6, 6)]
    by_hand = sum((a - e) ** 2 / e for a, e in classes)
    assert (found["chi_square"], found["df"]) == (pytest.approx(by_hand), 3)
    assert found["p_value"] == pytest.approx(chi2(3).sf(by_hand))


def test_too_few_classes_have_no_test():
    found = chi_square(np.array([3.0, 1, 0]), np.array([2.5, 1, 0.5]), 4)
    assert (found["df"], np.isnan(found["p_value"])) == (0, True)


def test_the_chi_square_is_fair():
    """Of 60 true models some 3 are below p = 0.05: 11 or more by chance once in 3,000 such tests.

    (Parameters come from whole histories, so that the statistic is somewhat too large.)
    """
    low = 0
    for seed in range(60):
        T = np.full(1500, 40.0)
        x, t_x, *_ = clv.BGNBD(0.5, 8.0, 0.8, 2.4).simulate(T, seed=seed)
        fit = clv.fit(clv.BGNBD, {"frequency": x, "recency": np.ceil(t_x), "T": T})
        low += clv.compare_fits([fit]).fits[0]["p_value"] < 0.05
    assert low <= 10


def test_names(fits, cdnow):
    plain = fits["plain"]
    assert list(clv.compare_fits([plain, plain]).table().index) == ["BG/NBD (1)", "BG/NBD (2)"]
    both = clv.compare_fits([clv.fit(clv.BGNBD, cdnow), clv.fit(clv.MBGNBD, cdnow)])
    assert list(both.table().index) == ["BG/NBD", "MBG/NBD"]


def test_a_fit_from_a_file_is_compared_without_counts(fits):
    loaded = clv.Fit.from_json(fits["plain"].to_json())
    alone = clv.compare_fits([loaded])
    assert alone.frequencies == []
    assert "chi_square" not in alone.fits[0]
    beside = clv.compare_fits({"read": loaded, "made": fits["plain"]})
    assert np.isnan(beside.fits[0]["chi_square"])
    assert np.isfinite(beside.fits[1]["chi_square"])
    assert "BG/NBD" in repr(alone)


def test_spend_has_no_counts(cdnow):
    comparison = clv.compare_fits([clv.fit(clv.GammaGamma, cdnow)])
    assert comparison.frequencies == []
    assert "Gamma-Gamma" in comparison._repr_html_()


def test_fits_that_cannot_be_compared(cdnow, data, fits):
    bg = clv.fit(clv.BGNBD, cdnow)
    with pytest.raises(clv.DataError, match="different units, 'W' and 'D'"):
        clv.compare_fits([bg, clv.fit(clv.BGNBD, cdnow, unit="D")])
    with pytest.raises(clv.DataError, match=r"different customers \(3,000 and 2,357"):
        clv.compare_fits([fits["plain"], clv.fit(clv.BGNBD, cdnow, unit="D")])
    other = {**data, "T": data["T"] + 1}
    with pytest.raises(clv.DataError, match="other histories"):
        clv.compare_fits([fits["plain"], clv.fit(clv.BGNBD, other)])
    with pytest.raises(clv.DataError, match="cannot be compared"):
        clv.compare_fits([bg, clv.fit(clv.GammaGamma, cdnow)])
    for nothing in ([], [bg.model], "fits"):
        with pytest.raises(clv.ParameterError, match=r"results of clv\.fit"):
            clv.compare_fits(nothing)
