"""Ordinary and extreme points against values of 50 digits."""

import numpy as np
import pytest
from reference import COPIED_GRIDS, COPY, SOURCES, grid, over_sources

from clvmodel import BGBB, BGNBD, MBGNBD, SBG, GammaGamma, ParetoNBD
from clvmodel.value.discounting import discounted

SMALLEST = 1e-290  # below this, values are not compared


def rows(model):
    def read(folder):
        return [(f"{i}-{row.get('tag', '')}", row) for i, row in enumerate(grid(folder, model))]

    named = over_sources(read)
    return pytest.mark.parametrize("row", [r for _, r in named], ids=[name for name, _ in named])


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@pytest.mark.parametrize("model", COPIED_GRIDS)
def test_the_copy_equals_every_source(model, source):
    assert grid(COPY, model) == grid(source, model)


@rows("bgnbd")
def test_bg_nbd(row):
    check_purchases(BGNBD(row["r"], row["alpha"], row["a"], row["b"]), row)


@rows("mbgnbd")
def test_mbg_nbd(row):
    check_purchases(MBGNBD(row["r"], row["alpha"], row["a"], row["b"]), row)


@rows("pnbd")
def test_pareto_nbd(row):
    model = ParetoNBD(row["r"], row["alpha"], row["s"], row["beta"])
    check_purchases(model, row)
    history = [np.array([float(row[name])]) for name in ("x", "t_x", "T")]
    for_ever = 34 / row["delta"]  # what comes later counts exp(-34)
    near(
        discounted(lambda u: model.expected_purchases(u, *history), for_ever, row["delta"])[0],
        row["dert"],
    )


def check_purchases(model, row):
    history = row["x"], row["t_x"], row["T"]
    cet, new = model.expected_purchases(row["t"], *([value, 0] for value in history))
    near_log_likelihood(model.log_likelihood(*history), row["loglik"])
    near(model.p_alive(*history), row["p_alive"])
    near(cet, row["cet"])
    near(new, row["expected_new"])


@rows("bgbb")
def test_bg_bb(row):
    """P(alive) at n + 1 is what others call P(alive)."""
    model = BGBB(row["alpha"], row["beta"], row["gamma"], row["delta"])
    history = row["x"], row["t_x"], row["n"]
    near_log_likelihood(model.log_likelihood(*history), row["loglik"])
    near(model.p_alive(*history), row["p_alive_n"])
    near(model.p_alive_next(*history), row["p_alive_n_plus_1"])
    near(model.expected_purchases(row["n_star"], *history), row["cet"])
    near(model.expected_purchases(row["n_star"]), row["expected_new"])


@rows("sbg")
def test_sbg(row):
    """`derl` is that of customers active for n periods: after n - 1 renewals."""
    model = SBG(row["alpha"], row["beta"])
    assert np.log(model.survival(row["t"])) == pytest.approx(row["log_survival"], rel=1e-11)
    assert model.log_likelihood(row["t"], 0) == pytest.approx(row["log_survival"], rel=1e-13)
    assert np.log(model.pmf(row["t"])) == pytest.approx(row["log_pmf"], rel=1e-11)
    assert model.log_likelihood(row["t"] - 1, 1) == pytest.approx(row["log_pmf"], rel=1e-13)
    near(model.retention(row["t"]), row["retention"])
    near(model.residual_lifetime(row["d"], row["n"] - 1), row["derl"])


@rows("gg")
def test_gamma_gamma(row):
    model = GammaGamma(row["p"], row["q"], row["gamma"])
    history = row["x"], row["zbar"]
    near_log_likelihood(model.log_likelihood(*history), row["loglik"])
    near(model.expected_spend(*history), row["cond_spend"])


def near_log_likelihood(got, expected):
    if expected is not None:
        assert got == pytest.approx(expected, rel=1e-10, abs=1e-10)


def near(got, expected):
    if expected is None:
        return
    expected = float(expected)
    if np.isfinite(expected) and abs(expected) < SMALLEST:
        assert 0 <= got < 10 * SMALLEST
    else:
        assert got == pytest.approx(expected, rel=1e-9, abs=0)
