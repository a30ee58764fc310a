"""Draws from the posterior of a model's parameters: importance sampling, or Markov chains.

The posterior is drawn on an unconstrained scale, logarithms of positive parameters, within a box.
First from a skewed, heavy-tailed proposal around its mode, corrected by Pareto-smoothed importance
sampling; k-hat tells whether that suffices. For much data it does. Little data leave long ridges,
up to the walls of the box: there walkers explore a flattened posterior, so that its far parts are
not missed, the proposal follows them, and importance sampling corrects that. Where even this
fails, Markov chains go on.

[VSGYG] Vehtari, Simpson, Gelman, Yao & Gabry (2024), JMLR 25(72):1-58.
[VGSCB] Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), Bayesian Analysis 16(2):667-718.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodel.errors import MissingDependencyError, ParameterError
from clvmodel.models.point import Seed
from clvmodel.numerics.chains import Walkers, bulk_size, r_hat
from clvmodel.numerics.proposals import (
    Density,
    Proposal,
    SplitStudent,
    systematic,
)
from clvmodel.numerics.psis import effective_size, psis, trusted_below
from clvmodel.tables.frames import pandas_table

Array = NDArray[np.float64]

BLOCK = 32  # points per call of a log density: what a processor keeps at hand for 1,000 cells
SURE = 0.5  # k-hat up to which weights have a variance, and nothing more is tried
MIXED = 1.05  # R-hat of many short chains that is still called mixed
WORTH = 400  # effective size of Markov chains that is enough for quantiles [VGSCB sec. 4]
_OVERSAMPLING = 1.5  # proposals per draw
_FEWEST = 1000  # proposals below which k-hat is too rough
_WALKERS = 32
_SEARCHES, _SEARCH = 3, 300  # how often the walkers explore, and how many steps each time
_HEAT = 1.5  # they explore the density to the power 1 / 1.5: beyond the tails, which k-hat rewards
_STEPS, _DOUBLINGS = 300, 3  # of Markov chains, after a search as long; doubled until they mix
_NEAR, _OFTEN = 0.1, 0.005  # the outer tenth of the box is its wall, and so many draws a sign


@dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """Draws of a model's parameters: `draws` (n, parameters), on their natural scale.

    `posterior["alpha"]` are the draws of one parameter (n), in `names`' order the columns of
    `draws`. All draws are equally likely; the array is read-only.

    `method` is "psis" (importance sampling), "mcmc" (Markov chains) or "laplace" (a normal around
    the maximum, uncorrected). `khat` is the Pareto shape of the last importance sampling, to be
    below 0.7, nan for "laplace". `effective_size` is the number of independent draws that these are
    worth, over all proposals or the whole chains, for the worst parameter. `r_hat` is the largest
    split R-hat, nan without `chains`, the number of chains; draw i is of chain i modulo `chains`.
    `at_wall` names the parameters of which draws lie at the wall of the box (over 0.5% in its outer
    tenth): the data do not bound them, and how far they reach is a matter of the box.
    """

    names: tuple[str, ...]
    draws: Array
    method: str
    khat: float
    effective_size: float
    r_hat: float = float("nan")
    chains: int = 1
    at_wall: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Make the draws read-only."""
        self.draws.setflags(write=False)

    def __getitem__(self, name: str) -> Array:
        """Draws (n) of one parameter."""
        if name not in self.names:
            raise ParameterError.not_one_of("parameter", name, self.names)
        column: Array = self.draws[:, self.names.index(name)]
        return column

    def __iter__(self) -> Iterator[str]:
        """Names of the parameters, in order."""
        return iter(self.names)

    def keys(self) -> tuple[str, ...]:
        """Names of the parameters, in order: `dict(posterior)` works."""
        return self.names

    @property
    def trusted(self) -> bool:
        """Whether the draws represent the posterior, as far as their own diagnostics can tell."""
        if self.method == "mcmc":
            return self.r_hat < MIXED and self.effective_size >= min(WORTH, len(self.draws) / 4)
        return self.method == "psis"

    @property
    def message(self) -> str:
        """How the draws were made and whether to trust them, in words."""
        words = [f"{len(self.draws):,} draws {_HOW[self.method].format(self)}"]
        if self.method == "mcmc" and not self.trusted:
            words.append(
                f"The chains have not mixed (R-hat should be below {MIXED}, the worth at least "
                f"{WORTH}): take these as a rough picture."
            )
        if self.at_wall:
            words.append(
                f"The data do not bound {', '.join(self.at_wall)}: draws reach the end of the "
                "range that was searched, and quantiles of these parameters depend on it."
            )
        return " ".join(words)

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Interval of each parameter that holds it with chance `level`: quantiles, equal tails."""
        if not 0 < level < 1:
            raise ParameterError.out_of_range("level", level, "between 0 and 1")
        low, high = np.quantile(self.draws, [0.5 - level / 2, 0.5 + level / 2], axis=0)
        return {
            name: (float(a), float(b)) for name, a, b in zip(self.names, low, high, strict=True)
        }

    def table(self, level: float = 0.95) -> Any:
        """Mean, median, standard deviation and interval: a pandas table, a row per parameter."""
        return pandas_table(self.rows(level), index="parameter")

    def rows(self, level: float = 0.95) -> list[dict[str, Any]]:
        """Return the content of `table` as dictionaries."""
        intervals = self.interval(level)
        return [
            {
                "parameter": name,
                "mean": float(np.mean(self[name])),
                "median": float(np.median(self[name])),
                "std": float(np.std(self[name])),
                "low": intervals[name][0],
                "high": intervals[name][1],
            }
            for name in self.names
        ]

    def to_arviz(self) -> Any:
        """Return the draws as ArviZ holds them: a DataTree, or InferenceData before ArviZ 1.0.

        One chain, unless the draws come from Markov chains. ArviZ knows nothing of `khat`, and
        cannot see how much importance-sampled draws are worth: `effective_size` tells.
        Raises MissingDependencyError without the package arviz.
        """
        try:
            import arviz
        except ImportError as error:
            raise MissingDependencyError.for_feature("arviz", "to_arviz()", error) from error
        chains = min(self.chains, len(self.draws))
        whole = len(self.draws) // chains * chains
        columns = {name: self[name][:whole].reshape(-1, chains).T.copy() for name in self.names}
        if int(arviz.__version__.split(".")[0]) >= 1:
            return arviz.from_dict({"posterior": columns})
        return arviz.from_dict(posterior=columns)

    def __repr__(self) -> str:
        """Return medians and intervals as a small table, and how the draws were made."""
        lines = [f"{'':12}{'median':>12}{'std':>12}{'2.5%':>12}{'97.5%':>12}"]
        lines += [
            f"{row['parameter']:12}{row['median']:12.5g}{row['std']:12.4g}"
            f"{row['low']:12.5g}{row['high']:12.5g}"
            for row in self.rows()
        ]
        return "\n".join([*lines, self.message])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


_HOW = {
    "psis": "by importance sampling: Pareto k-hat {0.khat:.2f}, to be below 0.7; worth "
    "{0.effective_size:,.0f} independent draws.",
    "mcmc": "by Markov chains, since importance sampling did not suffice (k-hat {0.khat:.2f}): "
    "{0.chains} chains, R-hat {0.r_hat:.3f}; worth {0.effective_size:,.0f} independent draws.",
    "laplace": "of a normal distribution around the maximum, on the log scale: good for much data, "
    "and not checked against the likelihood.",
}


def sample_posterior(
    log_density: Density,
    mode: ArrayLike,
    covariance: ArrayLike,
    bounds: ArrayLike,
    n: int,
    seed: Seed,
    names: Sequence[str],
    to_natural: Callable[[Array], Array],
    *,
    block: int = BLOCK,
) -> Posterior:
    """Draw from the posterior of k parameters; the same seed gives the same draws.

    `log_density` maps points (d, k), d <= `block`, to log posterior densities (d), up to a
    constant; it is asked only within the box |point| <= `bounds` (one number, or k), where it must
    not be NaN. `mode` (k) is its maximum and `covariance` (k, k) its Laplace approximation there;
    rough ones cost draws, not correctness. `to_natural` maps points (n, k) to parameters (n, k).

    Importance draws are taken with replacement, by systematic resampling: without, the likeliest
    points would be drawn too rarely. 1.5 proposals per draw keep nearly all of them different where
    there is much data; 3 per draw, after a search, some 60% of them.

    A far region that holds a few percent of the posterior behind a thin ridge may be missed.
    Raises ParameterError for arguments of the wrong shape, n < 1, a mode outside the box, and a
    log density that is NaN, or not finite at the mode.
    """
    target = _box(log_density, mode, covariance, bounds, n, names, block)
    rng = np.random.default_rng(seed)
    size = max(_FEWEST, int(np.ceil(_OVERSAMPLING * n)))
    sample = _weigh(target, SplitStudent.around(target.value, *target.shape), size, rng)
    if sample.khat <= SURE and not sample.suffices(SURE, n / 4):  # wide, but not too narrow: go on
        sample = _weigh(target, sample.proposal, 4 * size, rng)
    team = None
    for _ in range(_SEARCHES):
        if sample.suffices(SURE, n / 4):
            break
        team = team or _team(target, sample, rng, _HEAT)
        team.search(_SEARCH)
        sample = _weigh(target, team.proposal, 2 * size, rng)
    if team is None or sample.suffices(trusted_below(2 * size), n / 8):
        return _resampled(target, sample, n, rng, to_natural)
    return _walk(target, _team(target, sample, rng), sample.khat, n, to_natural)


def laplace_posterior(
    mode: ArrayLike,
    covariance: ArrayLike,
    bounds: ArrayLike,
    n: int,
    seed: Seed,
    names: Sequence[str],
    to_natural: Callable[[Array], Array],
) -> Posterior:
    """Draw from the normal approximation of a posterior, within the box: no likelihood is needed.

    Arguments as for `sample_posterior`. Good for much data only; nothing checks it.
    """
    target = _box(lambda points: np.zeros(len(points)), mode, covariance, bounds, n, names, n)
    rng = np.random.default_rng(seed)
    centre, spread, walls = target.shape
    values, vectors = np.linalg.eigh(spread)
    axes = vectors * np.sqrt(np.clip(values, 0.0, np.max(walls) ** 2))
    points = np.empty((0, centre.size))
    for _ in range(100):
        drawn = centre + rng.standard_normal((n, centre.size)) @ axes.T
        points = np.concatenate([points, drawn[np.all(np.abs(drawn) <= walls, axis=1)]])
        if len(points) >= n:
            break
    points = np.concatenate([points, np.clip(drawn, -walls, walls)])[:n]
    return _posterior(target, points, to_natural, "laplace", float("nan"), float(n))


class _Target(NamedTuple):
    """A log density within a box, and its rough shape: mode, covariance, half-widths."""

    value: Density
    shape: tuple[Array, Array, Array]
    names: tuple[str, ...]


class _Sample(NamedTuple):
    """Weighted points (d, k) of a proposal."""

    proposal: Proposal
    points: Array
    ratios: Array
    log_weights: Array
    khat: float

    def suffices(self, khat: float, worth: float) -> bool:
        """Whether k-hat is at most, and the effective size at least, as asked for."""
        return self.khat <= khat and effective_size(self.log_weights) >= max(worth, 100)

    def tempered(self) -> Array:
        """Weights that no few points dominate: the ratios to a power <= 1."""
        log_weights = self.log_weights
        power = 1.0
        while effective_size(log_weights) < 50 and power > 1e-3:
            power /= 2
            log_weights = psis(power * self.ratios).log_weights
        return np.asarray(np.exp(log_weights))


def _weigh(target: _Target, proposal: Proposal, size: int, rng: np.random.Generator) -> _Sample:
    points = proposal.draw(size, rng)
    ratios = target.value(points) - proposal.log_density(points)
    return _Sample(proposal, points, ratios, *psis(ratios))


def _resampled(
    target: _Target,
    sample: _Sample,
    n: int,
    rng: np.random.Generator,
    to_natural: Callable[[Array], Array],
) -> Posterior:
    """Draws in proportion to their weights."""
    points = sample.points[systematic(np.exp(sample.log_weights), n, rng)]
    worth = effective_size(sample.log_weights)
    return _posterior(target, points, to_natural, "psis", sample.khat, worth)


def _team(target: _Target, sample: _Sample, rng: np.random.Generator, heat: float = 1.0) -> Walkers:
    """Walkers that begin at weighted points, on the density to the power 1 / heat."""
    weight = sample.tempered()
    first, archive = (sample.points[systematic(weight, m, rng)] for m in (_WALKERS, 1000))
    return Walkers(lambda p: target.value(p) / heat, sample.proposal, first, archive, rng)


def _walk(
    target: _Target, team: Walkers, khat: float, n: int, to_natural: Callable[[Array], Array]
) -> Posterior:
    """Markov chains, begun again for twice as long until they mix; thinned to n draws."""
    each = -(-n // _WALKERS)
    for doubling in range(_DOUBLINGS):
        team.search(_STEPS << doubling)
        chains = team.walk(max(_STEPS, 2 * each) << doubling)
        columns = np.moveaxis(chains, 2, 0)
        mixed, worth = max(map(r_hat, columns)), min(map(bulk_size, columns))
        if mixed < MIXED and worth >= WORTH:
            break
    places = np.linspace(0, chains.shape[1] - 1, each).astype(int)
    points = np.swapaxes(chains[:, places], 0, 1).reshape(-1, chains.shape[2])[:n]
    return _posterior(target, points, to_natural, "mcmc", khat, worth, mixed, _WALKERS)


def _posterior(
    target: _Target,
    points: Array,
    to_natural: Callable[[Array], Array],
    method: str,
    khat: float,
    worth: float,
    mixed: float = float("nan"),
    chains: int = 1,
) -> Posterior:
    walls = target.shape[2]
    near = np.mean(np.abs(points) > (1 - _NEAR) * walls, axis=0) > _OFTEN
    at_wall = tuple(name for name, is_near in zip(target.names, near, strict=True) if is_near)
    draws = np.array(to_natural(points), float)
    return Posterior(target.names, draws, method, khat, worth, mixed, chains, at_wall)


def _box(
    log_density: Density,
    mode: ArrayLike,
    covariance: ArrayLike,
    bounds: ArrayLike,
    n: int,
    names: Sequence[str],
    block: int,
) -> _Target:
    """Check the arguments, and let nobody ask for a density outside the box."""
    centre, spread = np.array(mode, float), np.array(covariance, float)
    walls = np.broadcast_to(np.asarray(bounds, float), centre.shape)
    if n < 1 or n != int(n):
        raise ParameterError.out_of_range("n", n, "a whole number >= 1")
    if not np.all(np.isfinite(spread)) or spread.shape != (centre.size, centre.size):
        raise ParameterError("covariance must be finite, with a row and a column per parameter.")
    if len(names) != centre.size:
        raise ParameterError.out_of_range("names", tuple(names), f"{centre.size} names")
    if not np.all(np.abs(centre) <= walls * (1 + 1e-9)):
        raise ParameterError.out_of_range("mode", centre, f"in the box of half-width {walls}")

    def within(points: Array) -> Array:
        values = np.full(len(points), -np.inf)
        inside = np.flatnonzero(np.all(np.abs(points) <= walls, axis=1))
        for start in range(0, inside.size, block):
            rows = inside[start : start + block]
            values[rows] = log_density(points[rows])
        if not np.all(values < np.inf):
            bad = values[~(values < np.inf)][0]
            raise ParameterError.out_of_range("log_density", bad, "a number or -inf")
        return values

    centre = np.clip(centre, -walls, walls)
    if not np.isfinite(within(centre[None])[0]):
        raise ParameterError.out_of_range("log_density at the mode", -np.inf, "finite")
    return _Target(within, (centre, spread, walls), tuple(names))
