"""Gauss-Legendre rules on (0, 1), for many integrals at once, each with the nodes it needs.

A rule is used for an integral either because its integrand is known to be within the rule's reach,
or because the rule says itself that it may be trusted: n nodes see the integrand's Legendre
coefficients up to degree n - 1 and are exact up to degree 2n - 1. Where the last coefficients that
they see are small beside the integral, those that they miss are far smaller: for an integrand that
is analytic about the interval, about as their square. So nothing is evaluated twice to be sure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import IntegrationError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_ENTRIES = 1 << 14  # nodes times rows at a time: temporaries stay in the processor's cache
_TRUST = 1e-8  # the last coefficients as a share of the integral, which is then right to 5e-10


class Rule(NamedTuple):
    """Nodes (n, 1), weights (n,), and the rows (k, n) that give the last coefficients."""

    nodes: Array
    weights: Array
    probe: Array


# f(nodes, rows): values of the integrands of these rows at the nodes, (n, rows), and anything else
# that a caller wants to have at the nodes, with rows as its last axis.
Integrand = Callable[[Array, Rows], tuple[Array, Array]]


class Settled(NamedTuple):
    """Rows whose integrals a rule has settled, with their integrands at its nodes."""

    rows: Rows
    weights: Array
    values: Array
    others: Array


def gauss(size: int, bend: float = 0.0, panels: int = 1) -> Rule:
    """Gauss-Legendre with `size` nodes in each of some panels.

    `bend` crowds the nodes towards 0, by the map u / (1 + bend (1 - u)): integrands that fall off
    like an exponential become flatter.
    """
    z, w = np.polynomial.legendre.leggauss(size)
    start = np.arange(panels)[:, None] / panels
    u = (start + (1 + z) / (2 * panels)).ravel()
    stretch = 1 + bend * (1 - u)
    jacobian = (1 + bend) / stretch**2
    high = np.array([size - 2, size - 1])
    legendre = np.polynomial.legendre.legvander(z, size - 1)[:, high].T
    coefficients = (2 * high[:, None] + 1) * legendre * w / (2 * panels)
    probe = np.kron(np.eye(panels), coefficients) * jacobian
    return Rule((u / stretch)[:, None], np.tile(w / (2 * panels), panels) * jacobian, probe)


def settled(
    integrand: Integrand, known: Sequence[Rule], reach: NDArray[np.integer], ladder: Sequence[Rule]
) -> Iterator[Settled]:
    """Yield every row once, under the rule that settles its integral.

    Row i is within reach of known[reach[i]], or of none if reach[i] == len(known): then under the
    first rule of the ladder that may be trusted, integrands being positive. Raises IntegrationError
    for rows that the last of them does not settle.
    """
    for k, rule in enumerate(known):
        for rows in _blocks(np.flatnonzero(reach == k), rule):
            yield Settled(rows, rule.weights, *integrand(rule.nodes, rows))
    left = np.flatnonzero(reach == len(known))
    for rule in ladder:
        doubtful = []
        for rows in _blocks(left, rule):
            values, others = integrand(rule.nodes, rows)
            last = np.abs(rule.probe @ values).sum(axis=0)
            sure = last <= _TRUST * (rule.weights @ values)
            doubtful.append(rows[~sure])
            yield Settled(rows[sure], rule.weights, values[:, sure], others[..., sure])
        left = np.concatenate([left[:0], *doubtful])
    if left.size:
        raise IntegrationError(
            f"{left.size} of {reach.size} integrals are not settled by {ladder[-1].weights.size} "
            "nodes: the parameters are too extreme."
        )


def _blocks(rows: Rows, rule: Rule) -> Iterator[Rows]:
    step = max(1, _ENTRIES // rule.weights.size)
    for start in range(0, rows.size, step):
        yield rows[start : start + step]
