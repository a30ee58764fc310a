"""Gauss rules that know whether they may be trusted."""

import numpy as np
import pytest

from clvmodel import IntegrationError
from clvmodel.numerics.panels import gauss, settled

LADDER = [gauss(8), gauss(16), gauss(16, panels=4), gauss(16, panels=16)]


def exponentials(rate):
    """Integrands exp(-rate u), with u itself as what else is wanted."""

    def integrand(nodes, rows):
        return np.exp(-rate[rows] * nodes), np.broadcast_to(nodes, (1, nodes.size, rows.size))

    return integrand


def integrals(integrand, size, known=(), reach=None, ladder=LADDER):
    """The integral of every row, and how many nodes it took."""
    reach = np.full(size, len(known)) if reach is None else reach
    total, nodes, times = np.zeros(size), np.zeros(size), np.zeros(size)
    for rows, weights, values, others in settled(integrand, known, reach, ladder):
        assert values.shape == others.shape[1:] == (weights.size, rows.size)
        total[rows], nodes[rows] = weights @ values, weights.size
        times[rows] += 1
    assert np.all(times == 1)
    return total, nodes


@pytest.mark.parametrize(("size", "panels"), [(2, 1), (5, 1), (5, 3), (16, 1), (16, 8)])
def test_polynomials_are_exact(size, panels):
    rule = gauss(size, panels=panels)
    assert rule.nodes.shape == (size * panels, 1)
    for power in range(2 * size):
        moment = rule.weights @ rule.nodes[:, 0] ** power
        assert moment == pytest.approx(1 / (power + 1), rel=1e-13)


@pytest.mark.parametrize("bend", [0.1, 0.5, 1.0])
def test_a_bent_rule_has_its_nodes_where_exponentials_are(bend):
    straight, bent = gauss(12), gauss(12, bend)
    assert np.all((bent.nodes > 0) & (bent.nodes < straight.nodes))
    assert bent.weights.sum() == pytest.approx(1, rel=1e-8)
    exact = -np.expm1(-25.0) / 25
    off = [abs(r.weights @ np.exp(-25 * r.nodes[:, 0]) / exact - 1) for r in (straight, bent)]
    assert off[1] < off[0] / 3


def test_the_probe_gives_the_last_coefficients():
    """Of 3 P5 + 2 P6 (7 nodes), half of it in each of two panels."""
    z = 2 * gauss(7).nodes[:, 0] - 1
    values = np.polynomial.legendre.legval(z, [0, 0, 0, 0, 0, 3, 2])
    np.testing.assert_allclose(gauss(7).probe @ values, [3, 2], rtol=1e-12)
    twice = np.concatenate([values, values])
    np.testing.assert_allclose(gauss(7, panels=2).probe @ twice, [1.5, 1, 1.5, 1], rtol=1e-12)


def test_every_row_gets_the_nodes_it_needs():
    rate = np.array([0.0, 1e-3, 1.0, 10.0, 60.0, 3.0])
    total, nodes = integrals(exponentials(rate), rate.size)
    exact = np.where(rate > 0, -np.expm1(-rate) / np.where(rate > 0, rate, 1), 1.0)
    np.testing.assert_allclose(total, exact, rtol=1e-11)
    assert nodes[0] == nodes[1] == 8 < nodes[3] < nodes[4]


def test_rules_within_reach_are_taken_at_their_word():
    rate = np.array([1.0, 1.0, 1.0, 0.1])
    total, nodes = integrals(
        exponentials(rate), 4, known=[gauss(2), gauss(6)], reach=np.array([0, 1, 2, 0])
    )
    assert nodes.tolist() == [2, 6, 16, 2]
    exact = -np.expm1(-rate) / rate
    assert np.abs(total / exact - 1) == pytest.approx([0, 0, 0, 0], abs=1e-3)
    assert np.abs(total / exact - 1)[1:3] == pytest.approx([0, 0], abs=1e-11)


def test_more_rows_than_a_block():
    rate = np.resize([0.5, 2.0, 40.0], 40_001)
    total, _ = integrals(exponentials(rate), rate.size)
    np.testing.assert_allclose(total, np.resize(total[:3], rate.size), rtol=1e-15)


def test_no_rows():
    total, _ = integrals(exponentials(np.zeros(0)), 0)
    assert total.size == 0


def test_what_does_not_settle_is_refused():
    """An integrand with a jump: no number rather than a wrong one."""

    def jump(nodes, rows):
        return np.where(nodes < np.full(rows.size, 1 / np.pi), 2.0, 1.0), np.empty((0, rows.size))

    with pytest.raises(IntegrationError, match="3 of 3 integrals are not settled by 256 nodes"):
        list(settled(jump, (), np.zeros(3, int), LADDER))
