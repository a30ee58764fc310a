"""Ratios of rising factorials against values of 60 digits and against plain products.

Made with mpmath, mp.dps = 60, arguments as exact doubles:

    lg(z + e + n) - lg(z + e) - lg(z + n) + lg(z)

where lg is mpmath.loggamma.
"""

import numpy as np
import pytest

from clvmodel.numerics.ragged import over_terms
from clvmodel.numerics.rising import log_rising_ratio
from clvmodel.numerics.special import log_beta_ratio

RATIOS = [
    (1e-08, 1e-08, 1.0, 0.69314718055994531),
    (1e-08, 1e-08, 1000000.0, 0.69314732448720229),
    (0.243, 1e-16, 5.0, 5.9096018027618226e-16),
    (0.243, 2.426, 1000.0, 17.66823940109222),
    (2.783, 0.657, 6.0, 0.78188788425633959),
    (2.783, 0.657, 1000000000.0, 12.982278410816604),
    (11.9, 1e-12, 3.0, 2.3349543933349572e-13),
    (11.999999, 100000.0, 3.0, 26.850253264253107),
    (12.0, 1e-09, 10000000.0, 1.3675435120938397e-8),
    (12.0, 10000000.0, 2.0, 27.186337794665538),
    (1000.0, 1e-14, 100000.0, 4.6156156496713658e-14),
    (10000.0, 100000000.0, 50.0, 460.3997322238711),
    (100000000.0, 0.001, 100000000.0, 0.00069314718305744533),
    (100000000.0, 100000000.0, 52.0, 36.043646759118863),
    (1000000000000.0, 1.0, 1.0, 9.999999999995e-13),
    (1000000000000000.0, 1000.0, 1000000.0, 9.999999994995005e-7),
    (0.5, 1000000000000.0, 1000000000000.0, 1386294361119.544),
    (50.0, 0.25, 1e300, 171.71775432456619),
]


@pytest.mark.parametrize(("z", "e", "n", "expected"), RATIOS)
def test_accuracy_relative_to_its_own_size(z, e, n, expected):
    got = log_rising_ratio(np.array(z), np.array(e), np.array(n))
    assert float(got) == pytest.approx(expected, rel=1e-14, abs=0)


@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_it_is_a_product(n):
    z, e = np.geomspace(1e-6, 1e9, 40)[:, None], np.geomspace(1e-12, 1e9, 40)
    factors = sum(np.log1p(e / (z + i)) for i in range(n))
    np.testing.assert_allclose(log_rising_ratio(z, e, np.array(float(n))), factors, rtol=4e-15)


def test_nothing_added_and_no_factors_are_exactly_zero():
    z = np.geomspace(1e-9, 1e15, 50)
    assert np.all(log_rising_ratio(z, np.array(0.0), np.array(7.0)) == 0)
    assert np.all(log_rising_ratio(z, np.array(3.0), np.array(0.0)) == 0)


def test_it_is_the_log_of_a_ratio_of_beta_functions():
    a, b, n = np.array([0.3, 4.0, 60.0]), np.array([2.0, 0.7, 9.0]), np.array([3.0, 50.0, 8.0])
    np.testing.assert_allclose(log_rising_ratio(b, a, n), -log_beta_ratio(a, b, n), rtol=1e-13)


def test_rows_of_all_lengths_are_summed():
    rng = np.random.default_rng(1)
    length = rng.integers(0, 40, 3000).astype(float)
    length[[5, 17]] = 100_000
    ratio = rng.uniform(0.1, 0.9, 3000)

    def geometric(k, length, ratio):
        assert (ratio.shape[1], k.ndim) == (1, 1)
        sums = np.where(k <= length, ratio**k, 0.0).sum(axis=1)
        return np.stack([sums, length[:, 0]])

    sums, again = over_terms(geometric, length, ratio)
    np.testing.assert_allclose(sums, (1 - ratio ** (length + 1)) / (1 - ratio), rtol=1e-13)
    np.testing.assert_array_equal(again, length)


def test_no_rows_are_no_trouble():
    nothing = over_terms(lambda k, n: np.stack([n[:, 0] + k[0]] * 3), np.empty(0))
    assert nothing.shape == (3, 0)
