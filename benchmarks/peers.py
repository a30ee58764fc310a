"""One package fits one model to one file of customers, in a process of its own.

    python benchmarks/peers.py PACKAGE MODEL FILE

FILE holds the arrays frequency, recency, T and, where rows count more than once, weight. The last
line printed is JSON: the parameters in clvmodel's order, whether the package says it converged and
in which words, seconds of fitting (imports left out), how many expectations over the longest T are
no number >= 0, and the peak memory of the process. PACKAGE may live in another interpreter than
the one that compares them: this file needs numpy only.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Data = dict[str, np.ndarray]
PACKAGES = {
    "clvmodel": "clvmodel",
    "lifetimes": "lifetimes",
    "pymc": "pymc-marketing",
    "mcmc": "pymc-marketing",
}
NAMES = {
    "BGNBD": ("r", "alpha", "a", "b"),
    "MBGNBD": ("r", "alpha", "a", "b"),
    "ParetoNBD": ("r", "alpha", "s", "beta"),
}


def columns(data: Data) -> list[np.ndarray]:
    """Frequency, recency, T."""
    return [data[name] for name in ("frequency", "recency", "T")]


class Clvmodel:
    """This package."""

    def __init__(self, model: str) -> None:
        """Import what is needed."""
        from clvmodel import fit
        from clvmodel.models import MODELS

        self.kind, self.run = MODELS[model], fit

    def fit(self, data: Data) -> dict[str, Any]:
        """Parameters, and what the fit says of itself."""
        self.fitted = self.run(self.kind, data)
        return {
            "parameters": self.fitted.model.values(),
            "converged": self.fitted.converged,
            "words": self.fitted.message,
        }

    def expected(self, t: float, data: Data) -> np.ndarray:
        """Expected purchases."""
        return self.fitted.model.expected_purchases(t, *columns(data))


class Lifetimes:
    """The lifetimes package, with its defaults: it raises where it has not converged."""

    def __init__(self, model: str) -> None:
        """Import what is needed."""
        import lifetimes

        kinds = {
            "BGNBD": "BetaGeoFitter",
            "MBGNBD": "ModifiedBetaGeoFitter",
            "ParetoNBD": "ParetoNBDFitter",
        }
        self.fitter, self.names = getattr(lifetimes, kinds[model])(), NAMES[model]

    def fit(self, data: Data) -> dict[str, Any]:
        """Parameters; to return at all means to say that it converged."""
        self.fitter.fit(*columns(data), weights=data.get("weight"))
        return {
            "parameters": [float(self.fitter.params_[name]) for name in self.names],
            "converged": True,
            "words": "",
        }

    def expected(self, t: float, data: Data) -> np.ndarray:
        """Expected purchases."""
        predict = self.fitter.conditional_expected_number_of_purchases_up_to_time
        return np.asarray(predict(t, *columns(data)))


class Pymc:
    """pymc-marketing with its default priors, at the posterior's mode, or means of draws."""

    method = "map"

    def __init__(self, model: str) -> None:
        """Import what is needed."""
        import logging

        from pymc_marketing import clv

        logging.disable(logging.WARNING)
        kinds = {
            "BGNBD": clv.BetaGeoModel,
            "MBGNBD": clv.ModifiedBetaGeoModel,
            "ParetoNBD": clv.ParetoNBDModel,
        }
        self.kind, self.names = kinds[model], NAMES[model]

    def fit(self, data: Data) -> dict[str, Any]:
        """Parameters; it says nothing of convergence with method="map"."""
        import pandas as pd

        if "weight" in data:
            raise NotImplementedError("takes no weights")
        customer = {"customer_id": np.arange(data["T"].size)}
        self.frame = pd.DataFrame({**customer, **data})
        self.model = self.kind(data=self.frame)
        self.model.fit(method=self.method, progressbar=False)
        mean = self.model.idata.posterior.mean(("chain", "draw"))
        return {
            "parameters": [float(mean[name]) for name in self.names],
            "converged": None,
            "words": "",
        }

    def expected(self, t: float, data: Data) -> np.ndarray:  # noqa: ARG002
        """Expected purchases."""
        return np.asarray(self.model.expected_purchases(self.frame, future_t=t))


class Mcmc(Pymc):
    """The same, sampled."""

    method = "mcmc"


KINDS = {"clvmodel": Clvmodel, "lifetimes": Lifetimes, "pymc": Pymc, "mcmc": Mcmc}


def answer(package: str, model: str, data: Data) -> dict[str, Any]:
    """Fit and predict, whatever comes of it."""
    try:
        number = version(PACKAGES[package])
        fitter = KINDS[package](model)
    except (ImportError, KeyError):
        return {"missing": True}
    result: dict[str, Any] = {"version": number}
    start = time.perf_counter()
    try:
        result |= fitter.fit(data)
    except Exception as error:
        return result | {"raises": said(error), "seconds": time.perf_counter() - start}
    result["seconds"] = time.perf_counter() - start
    try:
        expected = np.asarray(fitter.expected(float(data["T"].max()), data), float)
        result["bad"] = int(np.sum(~(np.isfinite(expected) & (expected >= 0))))
        result["predictions"] = expected.size
    except Exception as error:
        result["bad"] = said(error)
    return result


def said(error: Exception) -> str:
    """Kind and first line of an exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else type(error).__name__


def peak_megabytes() -> float:
    """Peak memory of this process; Linux' ru_maxrss would also count the process that began it."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return next(float(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10


def main() -> None:
    """Print the answer for the file named on the command line."""
    warnings.simplefilter("ignore")
    package, model, path = sys.argv[1:]
    with np.load(path) as file:
        data = {name: file[name] for name in file.files}
    result = answer(package, model, data)
    result["megabytes"] = peak_megabytes()
    print()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
