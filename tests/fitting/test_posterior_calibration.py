"""BG/NBD posteriors hold the truth as often as they say: the short run of the benchmark."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import kstest

from clvmodel import BGNBD

HARNESS = Path(__file__).parents[2] / "benchmarks" / "calibration_of_posteriors.py"


def test_ranks_of_the_truth_are_uniform():
    """Kolmogorov-Smirnov for five quantities: right draws fail at one seed in 200."""
    harness = runpy.run_path(str(HARNESS))
    design = replace(harness["DESIGNS"]["BGNBD"], centre=BGNBD(1.5, 0.2, 0.8, 2.5))
    ranks, methods, kept = harness["calibrate"](design, 100, draws=400)
    assert set(ranks) == {*BGNBD.names(), "log-likelihood"}
    assert methods["psis"] > 90
    assert kept > 70
    for name, rank in ranks.items():
        assert kstest(rank, "uniform").pvalue > 0.001, name
        assert np.mean((rank > 0.05) & (rank < 0.95)) > 0.8, name
