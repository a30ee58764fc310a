"""A weighted mean of several candidates, the weights learned where nothing leaks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

from clvmodel.errors import DataError, ParameterError
from clvmodel.evaluate.earlier import earlier_holdouts
from clvmodel.evaluate.protocol import (
    TARGETS,
    Prediction,
    checked_candidates,
    fitted_to,
    names_of,
    predicted,
)
from clvmodel.tables.holdout import Holdout
from clvmodel.tables.summary import Summary
from clvmodel.units import duration_in_days
from clvmodel.value.candidates import check_summary, checked, prediction_table

Array = NDArray[np.float64]
_RIDGE = 1e-10


@dataclass(frozen=True)
class Blend:
    """A candidate that mixes others: weights >= 0 that sum to 1, one set for each target.

    They minimise the mean squared error (for chances of a purchase, the Brier score) over the
    customers at `n_cutoffs` earlier cutoffs within the history that it is fitted to: at each, the
    candidates are fitted to what was known then and held against what followed, up to the end of
    that history and no further. Each holdout there is as long as the horizon to be forecast, or, in
    a shorter history, as leaves as much before the first. Then the candidates are fitted to all of
    the history. Squared error is the choice because expectations are blended; it lets customers
    with large values speak loudest.
    """

    candidates: Iterable[Any]
    n_cutoffs: int = 1

    kind: ClassVar[str] = "blend"

    def __post_init__(self) -> None:
        """Check the candidates."""
        object.__setattr__(self, "candidates", checked_candidates(self.candidates))
        n = self.n_cutoffs
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ParameterError.out_of_range("n_cutoffs", n, "a whole number >= 1")

    @property
    def name(self) -> str:
        """Names of what is blended."""
        return f"Blend of {', '.join(names_of(tuple(self.candidates)))}"

    def fit(self, summary: Summary, horizon: Any = None) -> FittedBlend:
        """Choose the weights at earlier cutoffs, then fit all candidates to the whole summary."""
        chosen = tuple(self.candidates)
        holdouts = earlier_holdouts(summary, horizon, self.n_cutoffs, "Blend")
        parts = [_at(chosen, holdout) for holdout in holdouts]
        weights = {}
        for target in TARGETS:
            known = [(actual[target], said) for actual, said in parts if target in actual]
            if known and all(target in p for _, said in known for p in said):
                errors = [
                    np.stack([p[target] - actual for p in said], axis=1) for actual, said in known
                ]
                weights[target] = tuple(best_weights(np.concatenate(errors)).tolist())
        days = holdouts[0].days
        ahead = days if horizon is None else round(duration_in_days(horizon))
        fitted = tuple(fitted_to(c, summary, ahead) for c in chosen)
        cuts = ", ".join(h.cutoff.isoformat() for h in holdouts)
        return FittedBlend(tuple(names_of(chosen)), fitted, weights, cuts, days)


@dataclass(frozen=True, eq=False)
class FittedBlend:
    """Fitted candidates and their weights: `weights` has a tuple per target, in their order."""

    names: tuple[str, ...]
    fitted: tuple[Any, ...]
    weights: dict[str, tuple[float, ...]]
    cutoffs: str
    days: int

    kind: ClassVar[str] = "blend"

    @property
    def assumptions(self) -> str:
        """The weights, in words."""
        parts = []
        for target, weights in self.weights.items():
            shares = zip(weights, self.names, strict=True)
            mix = " + ".join(f"{weight:.0%} {name}" for weight, name in shares if weight > 0.005)
            parts.append(f"{target}: {mix}")
        return (
            f"weights best in squared error over {self.days:,} days after {self.cutoffs}: "
            f"{'; '.join(parts)}."
        )

    def predict(self, summary: Summary, horizon: Any, *, margin: float = 1.0) -> Any:
        """Predict each customer's next `horizon`: the weighted mean of the candidates."""
        check_summary(summary)
        days = round(checked(summary, horizon, margin))
        said = [predicted(f, summary, f"{days}D")[0] for f in self.fitted]
        columns: dict[str, Array | None] = {}
        for target, column in TARGETS.items():
            if target in self.weights and all(target in p for p in said):
                mixed = sum(w * p[target] for w, p in zip(self.weights[target], said, strict=True))
                scale = margin if target == "value" else 1.0
                columns[column] = scale * np.asarray(mixed)
        if not columns:
            raise DataError("The candidates of the blend share no target.")
        return prediction_table(summary, columns)


def _at(candidates: tuple[Any, ...], holdout: Holdout) -> tuple[Prediction, list[Prediction]]:
    """What happened in a holdout, by target, and what each candidate said."""
    past = holdout.calibration
    actual = {"purchases": holdout.purchases, "active": (holdout.purchases > 0).astype(float)}
    if holdout.value is not None:
        actual["value"] = holdout.value
    said = []
    for candidate in candidates:
        model = fitted_to(candidate, past, holdout.days)
        said.append(predicted(model, past, f"{holdout.days}D")[0])
    return actual, said


def best_weights(errors: Array) -> Array:
    """Weights >= 0 with sum 1 whose weighted mean of errors (customers, candidates) is smallest.

    In mean square, exactly: with G = E'E the minimum of w'Gw on the simplex lies along the minimum
    of v'Gv / 2 - sum(v) over v >= 0, a non-negative least squares problem. Candidates that are
    copies of each other share their weight in an arbitrary way.
    """
    square = np.einsum("nk,nl->kl", errors, errors)
    size = float(np.trace(square)) / len(square)
    if size == 0:
        return np.full(len(square), 1 / len(square))
    root = cholesky(square / size + _RIDGE * np.eye(len(square)))
    aim = solve_triangular(root, np.ones(len(square)), trans="T")
    found, _ = nnls(root, aim)
    return np.asarray(found / found.sum())
