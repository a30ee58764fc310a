"""Gauss-Legendre rules on (0, 1) that know whether to be trusted, for many integrals at once.

A rule of n nodes sees the integrand's Legendre coefficients up to degree n - 1, and is exact up to
degree 2n - 1. Where the last coefficients it sees are small beside the integral, those that it
misses are far smaller: for an integrand that is analytic about the interval, about as their square.
Rows that are not settled by one rule go on to the next, so that each gets as many nodes as it needs
and no integrand is evaluated twice to be sure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clvmodel.errors import IntegrationError

Array = NDArray[np.float64]
Rows = NDArray[np.intp]

_ENTRIES = 1 << 13  # nodes times rows at a time: temporaries stay in the processor's cache


class Rule(NamedTuple):
    """Nodes (n, 1) and weights (n,) on (0, 1); `probe` (k, n) gives the last coefficients.

    It is trusted where these are at most `trust` times the integral.
    """

    nodes: Array
    weights: Array
    probe: Array
    trust: float


# f(nodes, rows): values of the integrands of these rows at the nodes, (n, rows), and anything else
# that a caller wants to have at the nodes, with rows as its last axis.
Integrand = Callable[[Array, Rows], tuple[Array, Array]]


class Settled(NamedTuple):
    """Rows whose integrals a rule has settled, with their integrands at its nodes."""

    rows: Rows
    weights: Array
    values: Array
    others: Array


def gauss(size: int, bend: float = 0.0, panels: int = 1, trust: float = 1e-6) -> Rule:
    """Gauss-Legendre with `size` nodes in each of some panels.

    `bend` crowds the nodes towards 0, by the map u / (1 + bend (1 - u)): integrands that fall off
    like an exponential become flatter.
    """
    z, w = np.polynomial.legendre.leggauss(size)
    start = np.arange(panels)[:, None] / panels
    u = (start + (1 + z) / (2 * panels)).ravel()
    stretch = 1 + bend * (1 - u)
    jacobian = (1 + bend) / stretch**2
    high = np.array([size - 2, size - 1])[:, None]
    legendre = np.polynomial.legendre.legvander(z, size - 1).T[high[:, 0]]
    coefficients = (2 * high + 1) * legendre * w / (2 * panels)
    probe = np.kron(np.eye(panels), coefficients) * jacobian
    weights = np.tile(w / (2 * panels), panels) * jacobian
    return Rule((u / stretch)[:, None], weights, probe, trust)


def settled(integrand: Integrand, rules: Sequence[Rule], first: NDArray[np.integer]) -> Iterator[Settled]:
    """Yield every row once, under the first rule from its own on that settles its integral.

    Integrands are positive and analytic, and known up to a factor. `first` is the place of each
    row's first rule. Raises IntegrationError for rows that the last rule does not settle.
    """
    left = np.empty(0, dtype=np.intp)
    for k, rule in enumerate(rules):
        waiting = np.concatenate([left, np.flatnonzero(first == k)])
        step = max(1, _ENTRIES // rule.weights.size)
        open_rows = []
        for start in range(0, waiting.size, step):
            rows = waiting[start : start + step]
            values, others = integrand(rule.nodes, rows)
            doubt = np.abs(rule.probe @ values).sum(axis=0)
            sure = doubt <= rule.trust * (rule.weights @ values)
            if sure.all():
                yield Settled(rows, rule.weights, values, others)
                continue
            open_rows.append(rows[~sure])
            yield Settled(rows[sure], rule.weights, values[:, sure], others[..., sure])
        left = np.concatenate(open_rows) if open_rows else left[:0]
    if left.size:
        raise IntegrationError(
            f"{left.size} of {first.size} integrals are not settled by {rules[-1].weights.size} "
            "nodes: the parameters are too extreme."
        )
