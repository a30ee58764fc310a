"""Are posterior draws draws from the posterior? Simulation-based calibration of every model.

    python benchmarks/calibration_of_posteriors.py [data sets] [model ...]

A truth is drawn from the prior, uniform on the logarithms of the parameters within a box; customers
are simulated from it, the model is fitted to them and its posterior sampled. Those draws that lie
in the box are draws from the exact posterior under that prior, so that the rank of the truth among
them is uniform: for each parameter, and for the likelihood, which sees errors that no parameter
shows by itself. Printed are p-values of uniformity; in right draws one in a hundred is below 0.01.

[SBC] Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian Inference Algorithms
      with Simulation-Based Calibration, arXiv:1804.06788; [M] Modrak et al. (2025), Bayesian
      Analysis 20(2):461-488, for the likelihood.
"""

import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import kstest

import clvmodel as clv
from clvmodel.fitting.estimate import likelihood_of
from clvmodel.models import MODELS

KEPT = 99  # draws among which the truth is ranked


@dataclass(frozen=True)
class Design:
    """A prior, and data from it: times (or money) are in units of about their mean."""

    centre: Any
    half_width: float
    customers: int = 500

    @property
    def model(self):
        """The model class."""
        return type(self.centre)

    def truth(self, rng):
        """Logarithms of parameters, from the prior."""
        centre = np.log(self.centre.values())
        return centre + self.half_width * rng.uniform(-1, 1, centre.size)

    def data(self, truth, rng):
        """Columns of a customer summary, by name."""
        model = self.model.from_log(truth)
        if "monetary_value" in self.model.columns:
            x = rng.poisson(2.0, self.customers).astype(float)
            return {"frequency": x, "monetary_value": model.simulate(x, seed=rng)}
        if "n" in self.model.columns:
            watched = rng.integers(5, 16, self.customers).astype(float)
        else:
            watched = rng.uniform(0.5, 1.5, self.customers)
        x, t_x, *_ = model.simulate(watched, seed=rng)
        return dict(zip(self.model.columns, (x, t_x, watched), strict=True))


DESIGNS = {
    "BGNBD": Design(clv.BGNBD(1.5, 0.4, 0.8, 2.5), 0.7),
    "MBGNBD": Design(clv.MBGNBD(1.5, 0.4, 0.8, 2.5), 0.7),
    "ParetoNBD": Design(clv.ParetoNBD(1.5, 0.2, 0.8, 0.6), 0.7),
    "BGBB": Design(clv.BGBB(1.2, 0.8, 0.7, 2.8), 0.7),
    "GammaGamma": Design(clv.GammaGamma(3.0, 3.0, 0.7), 0.7),
}


def rank(design, seed, draws):
    """(rank of the truth in (0, 1), per parameter and of the likelihood; method; draws in the box).

    Ranks are made continuous at random [SBC sec. 5], so that any number of draws will do.
    """
    rng = np.random.default_rng(seed)
    truth = design.truth(rng)
    fit = clv.fit(design.model, design.data(truth, rng))
    posterior = fit.sample(draws, seed=rng)
    points = np.log(posterior.draws)
    inside = np.abs(points - np.log(design.centre.values())) <= design.half_width
    points = rng.permutation(points[inside.all(axis=1)])[:KEPT]
    points = np.concatenate([truth[None], points])
    likelihood = likelihood_of(fit)
    values = np.column_stack([points, likelihood.values(likelihood.position(points))])
    below = np.sum(values[1:] < values[0], axis=0)
    return (below + rng.random(values.shape[1])) / len(values), posterior.method, len(points) - 1


def calibrate(design, data_sets, seed=1, draws=1000):
    """(ranks by quantity (data_sets each), how often each method was used, mean draws kept)."""
    results = [rank(design, [seed, i], draws) for i in range(data_sets)]
    ranks, methods, kept = zip(*results, strict=True)
    names = [*design.model.names(), "log-likelihood"]
    by_name = dict(zip(names, np.transpose(ranks), strict=True))
    return by_name, Counter(methods), float(np.mean(kept))


def main():
    """Print a line per model."""
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    names = [argument for argument in sys.argv[1:] if argument in DESIGNS] or list(DESIGNS)
    for missing in sorted(set(MODELS) - set(DESIGNS)):
        print(f"{missing}: no design yet")
    for name in names:
        start = time.perf_counter()
        ranks, methods, kept = calibrate(DESIGNS[name], *(numbers or [500]))
        values = "  ".join(f"{k} {kstest(r, 'uniform').pvalue:.3f}" for k, r in ranks.items())
        seconds = time.perf_counter() - start
        print(f"{name}: {values}   {dict(methods)}, {kept:.0f} draws kept, {seconds:.0f} s")


if __name__ == "__main__":
    main()
