"""Proposals: densities that integrate to one, draws that follow them, resampling."""

import numpy as np
import pytest

from clvmodel.numerics.proposals import SplitStudent, StudentMixture, systematic

AXES = np.array([[1.0, -0.4], [0.6, 0.9]])
SPLIT = SplitStudent(np.array([1.0, -2.0]), AXES, np.array([2.0, 0.5]), np.array([0.6, 1.0]))
MIXTURE = StudentMixture(
    np.random.default_rng(1).standard_normal((30, 2)), np.array([[0.5, 0.0], [0.3, 0.2]])
)
both = pytest.mark.parametrize("proposal", [SPLIT, MIXTURE], ids=["split", "mixture"])


def on_a_grid(proposal):
    """Points around the proposal, and the chance that its density gives to the cell of each."""
    grid = np.linspace(-25, 25, 501)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    return points, np.exp(proposal.log_density(points)) * (grid[1] - grid[0]) ** 2


@both
def test_the_density_integrates_to_one(proposal):
    assert on_a_grid(proposal)[1].sum() == pytest.approx(1, abs=1e-3)


@both
def test_draws_follow_the_density(proposal):
    points, chance = on_a_grid(proposal)
    draws = proposal.draw(50_000, np.random.default_rng(2))
    for function in (np.sin, np.cos, lambda p: np.sin(3 * p), lambda p: np.tanh(p[:, :1] * p)):
        values = function(draws)
        error = values.std(axis=0) / np.sqrt(len(draws))
        assert (abs(values.mean(axis=0) - chance @ function(points)) < 4.5 * error + 1e-3).all()


def test_a_split_student_follows_skewed_tails():
    """exp(2 y - e^y): a slow fall to the left, a steep one to the right."""

    def log_density(points):
        return (2 * points - np.exp(points)).sum(axis=1)

    mode, box = np.full(2, np.log(2)), np.full(2, 30.0)
    split = SplitStudent.around(log_density, mode, np.eye(2) / 2, box)
    assert (np.maximum(split.ahead, split.behind) > 1.1).all()
    assert (np.minimum(split.ahead, split.behind) < 1.05).all()
    # along its axes the ratio of densities is nowhere larger than at the mode
    for axis in split.axes.T:
        line = mode + np.linspace(-6, 6, 13)[:, None] * axis
        ratio = log_density(line) - split.log_density(line)
        assert ratio.max() == pytest.approx(ratio[6])


def test_a_split_student_stays_in_the_box():
    flat = SplitStudent.around(
        lambda points: -np.square(points[:, 0]),
        np.array([0.0, 2.0]),
        np.diag([0.5, 1e8]),
        np.array([3.0, 3.0]),
    )
    draws = flat.draw(2000, np.random.default_rng(3))
    assert (np.abs(draws) <= 3).all(axis=1).mean() > 0.6
    assert draws[:, 1].min() < -2.5


def test_a_mixture_follows_a_banana():
    rng = np.random.default_rng(4)
    first = rng.standard_normal(4000)
    banana = np.column_stack([first, 2 * first**2 + 0.5 * rng.standard_normal(4000)])
    mixture = StudentMixture.of(banana, np.full(4000, 1 / 4000), rng)
    straight = StudentMixture(banana.mean(axis=0)[None], np.linalg.cholesky(np.cov(banana.T)))
    assert mixture.log_density(banana).mean() > straight.log_density(banana).mean() + 0.3


def test_a_mixture_of_points_on_a_line():
    rng = np.random.default_rng(5)
    line = rng.standard_normal((500, 1)) * [1.0, 2.0, 0.0]
    mixture = StudentMixture.of(line, np.full(500, 1 / 500), rng)
    draws = mixture.draw(100, rng)
    assert np.isfinite(mixture.log_density(draws)).all()


def test_large_mixtures_are_computed_in_parts():
    points = np.random.default_rng(6).standard_normal((9000, 2))
    whole = MIXTURE.log_density(points)
    np.testing.assert_allclose(MIXTURE.log_density(points[5000:5010]), whole[5000:5010], rtol=1e-12)


def test_systematic_resampling():
    rng = np.random.default_rng(7)
    weight = rng.dirichlet(np.full(200, 0.3))
    for size in (1, 50, 1000):
        index = systematic(weight, size, rng)
        copies = np.bincount(index, minlength=200)
        assert copies.sum() == size
        assert (np.abs(copies - size * weight) < 1).all()
    assert (np.diff(index) < 0).any()  # shuffled


def test_systematic_resampling_leaves_out_what_has_no_weight():
    index = systematic(np.array([0.0, 0.5, 0.0, 0.5, 0.0]), 1001, np.random.default_rng(8))
    assert set(index) == {1, 3}
