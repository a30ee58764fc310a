"""Special functions against values of 60 digits.

Made with mpmath, mp.dps = 60, arguments as exact doubles, for example

    python -c "from mpmath import *; mp.dps = 60; v = mpf(1e-9); print(nstr(v - log(1 + v), 17))"

with the expression that stands above each table; lg is mpmath.loggamma, psi mpmath.psi.
"""

import numpy as np
import pytest
from scipy.special import betaln, gammaln

from clvmodel.numerics.special import (
    digamma_gap,
    log1p_gap,
    log_beta_prime_density,
    log_beta_ratio,
    log_rising,
    stirling_error,
    tabulated,
    trigamma,
    trigamma_gap,
)

# v - log(1 + v)
LOG1P_GAP = [
    (-0.999999, 12.815511557935517),
    (-0.75, 0.6362943611198906),
    (-0.5, 0.19314718055994531),
    (-0.4999, 0.19304720055727906),
    (-0.001, 5.003335835335002e-07),
    (-1e-09, 5.000000003333334e-19),
    (1e-12, 4.999999999996667e-25),
    (1e-05, 4.9999666669166655e-11),
    (0.1, 0.00468982019567514),
    (0.4999, 0.09450156078082328),
    (0.5, 0.09453489189183562),
    (3.0, 1.6137056388801094),
    (100000000.0, 99999981.57931924),
]

# lg(z) - (z - 1/2) * log(z) + z - log(2 * pi) / 2
STIRLING_ERROR = [
    (1e-08, 8.29140202720616),
    (0.01, 1.4340079537031842),
    (0.5, 0.15342640972002736),
    (1.0, 0.08106146679532726),
    (3.7, 0.022468770580143144),
    (11.999, 0.006943418458517719),
    (12.0, 0.00694284010720953),
    (40.0, 0.0020832899383024218),
    (10000.0, 8.333333330555555e-06),
    (1000000000000000.0, 8.333333333333333e-17),
]

# lg(z + n) - lg(z)
LOG_RISING = [
    (0.01, 0.0, 0.0),
    (1e-09, 1.0, -20.72326583694641),
    (0.243, 2.0, -1.1971660231130146),
    (0.5, 1000.0, 5908.101810905753),
    (11.9, 3.0, 7.665654551621756),
    (12.1, 3.0, 7.711992480193924),
    (12.0, 0.25, 0.6133616598370067),
    (40.0, 1e-07, 3.676327375300598e-07),
    (1000000.0, 1.0, 13.815510557964274),
    (10000000000.0, 7.0, 161.1809565116832),
    (1000000000000000.0, 3.0, 103.61632918473207),
    (10000000.0, 10000000.0, 165043899.77420852),
    (3.0, 1000000000.0, 19723265888.980366),
]

# lg(b + n) - lg(b) - lg(a + b + n) + lg(a + b)
LOG_BETA_RATIO = [
    (0.793, 2.426, 3.0, -0.6558412460675045),
    (1e-07, 2.0, 4.0, -1.2833333101527783e-07),
    (0.001, 1000000.0, 10.0, -9.999954995285043e-09),
    (10000000.0, 10000000.0, 3.0, -2.079441391679855),
    (2.0, 1e-06, 1.0, -14.508658238524093),
    (0.5, 0.5, 500.0, -3.6799189920941293),
]

# p * log(z / (z + c)) + q * log(c / (z + c)) - lg(p) - lg(q) + lg(p + q)
LOG_BETA_PRIME = [
    (22.35, 15.44, 6.25, 3.74, -0.5455183048142158),
    (1e-06, 1.0, 0.01, 0.02, -5.148468486277613),
    (1000000000.0, 1.0, 2.0, 3.0, -59.684890866051234),
    (1.0, 1.0, 100000000.0, 100000000.0, 7.944828247241538),
    (1.0001, 1.0, 10000000000.0, 10000000000.0, -14.750086877252663),
    (2.0, 100000000.0, 3.0, 150000000.0, -0.39731032455561616),
    (5.0, 1e-09, 0.0001, 8.0, -187.8717110904646),
]

# psi(0, z + n) - psi(0, z)
DIGAMMA_GAP = [
    (1e-08, 1.0, 100000000.0),
    (0.0001, 1000000.0, 10014.392561241579),
    (0.243, 2.0, 4.91973156673255),
    (0.5, 1000.0, 8.87126534667022),
    (2.426, 1000000.0, 13.149304568993665),
    (11.9, 3.0, 0.23349543933350486),
    (11.999999, 1.0, 0.08333334027777835),
    (12.0, 1.0, 0.08333333333333333),
    (12.1, 0.25, 0.021309874574408014),
    (10000.0, 1000000.0, 4.615170022625006),
    (1000000.0, 1.0, 1e-06),
    (100000000.0, 100.0, 9.999995050003284e-07),
    (10000000000.0, 7.0, 6.9999999979e-10),
    (1000000000000.0, 1.0, 1e-12),
    (1000000000000.0, 1000000.0, 9.999995000008333e-07),
]

# psi(1, z + n) - psi(1, z)
TRIGAMMA_GAP = [
    (1e-08, 1.0, -1e16),
    (0.0001, 1000000.0, -100000001.64469267),
    (0.243, 2.0, -17.582316472375574),
    (0.5, 1000.0, -4.933802200628013),
    (2.426, 1000000.0, -0.5084708484821839),
    (11.9, 3.0, -0.018246617982908397),
    (11.999999, 1.0, -0.006944445601851996),
    (12.0, 1.0, -0.006944444444444444),
    (12.1, 0.25, -0.001815416618574085),
    (10000.0, 1000000.0, -9.901490066661748e-05),
    (1000000.0, 1.0, -1e-12),
    (100000000.0, 100.0, -9.99999010000985e-15),
    (10000000000.0, 7.0, -6.9999999958e-20),
    (1000000000000.0, 1.0, -1e-24),
    (1000000000000.0, 1000000.0, -9.99999000002e-19),
]

# psi(1, z)
TRIGAMMA = [
    (1e-08, 1e16),
    (0.243, 18.14177978709583),
    (3.7, 0.3100378576700383),
    (11.999, 0.08690942073224082),
    (12.0, 0.08690187287176838),
    (10000.0, 0.00010000500016666666),
    (1000000000.0, 1.0000000005e-09),
    (1000000000000000.0, 1.0000000000000005e-15),
]


def cases(*tables):
    return pytest.mark.parametrize(
        ("function", "arguments", "expected"),
        [(function, row[:-1], row[-1]) for function, rows in tables for row in rows],
    )


@cases((log1p_gap, LOG1P_GAP), (stirling_error, STIRLING_ERROR), (log_rising, LOG_RISING))
def test_relative_accuracy(function, arguments, expected):
    got = function(*map(np.array, arguments))
    assert float(got) == pytest.approx(expected, rel=2e-12, abs=0)


@pytest.mark.parametrize(("z", "expected"), [row for row in STIRLING_ERROR if row[0] >= 12])
def test_the_series_is_right_in_every_term(z, expected):
    assert float(stirling_error(np.array(z))) == pytest.approx(expected, rel=1e-14, abs=0)


@cases((digamma_gap, DIGAMMA_GAP), (trigamma_gap, TRIGAMMA_GAP), (trigamma, TRIGAMMA))
def test_derivatives_are_as_accurate(function, arguments, expected):
    got = function(*map(np.array, arguments))
    assert float(got) == pytest.approx(expected, rel=1e-14, abs=0)


@pytest.mark.parametrize("gap", [log_rising, digamma_gap, trigamma_gap])
@pytest.mark.parametrize("z", [1e-8, 0.243, 11.9, 12.0, 1e6, 1e12])
def test_no_step_is_no_gap(gap, z):
    assert gap(np.array(z), np.array(0.0)) == 0


@pytest.mark.parametrize("n", [1.0, 2.0, 5.0])
def test_steps_of_one_are_the_recurrence(n):
    """psi(k, z + 1) - psi(k, z) = (-1)^k k! / z^(k + 1)."""
    z = np.geomspace(1e-6, 1e10, 200)
    steps = z + np.arange(n)[:, None]
    np.testing.assert_allclose(digamma_gap(z, n), (1 / steps).sum(axis=0), rtol=1e-14)
    np.testing.assert_allclose(trigamma_gap(z, n), -(1 / steps**2).sum(axis=0), rtol=1e-14)


@cases((log_beta_ratio, LOG_BETA_RATIO), (log_beta_prime_density, LOG_BETA_PRIME))
def test_accuracy_of_the_probability(function, arguments, expected):
    """A logarithm of a probability or density: its error is the relative error of that."""
    got = function(*map(np.array, arguments))
    assert float(got) == pytest.approx(expected, rel=1e-13, abs=1e-11)


def test_a_sum_known_better_than_its_argument():
    """Near v = -1 the caller may know 1 + v where v itself has lost it."""
    tiny = np.array(1e-30)
    assert float(log1p_gap(tiny - 1, tiny)) == pytest.approx(-1 + 30 * np.log(10), rel=1e-14)


def test_joints_of_the_formulas_are_smooth():
    for z in (12.0, np.nextafter(12.0, 0)):
        assert stirling_error(np.array(z)) == pytest.approx(0.00694284010720953, rel=1e-11)
        assert log_rising(np.array(z), np.array(2.5)) == pytest.approx(
            gammaln(z + 2.5) - gammaln(z), rel=1e-13
        )
    for v in (0.5, np.nextafter(0.5, 0)):
        assert log1p_gap(np.array(v)) == pytest.approx(0.5 - np.log(1.5), rel=1e-13)


def test_textbook_forms_at_ordinary_arguments():
    a, b, n = np.random.default_rng(1).uniform(0.5, 10, (3, 100))
    np.testing.assert_allclose(
        log_beta_ratio(a, b, n), betaln(a, b + n) - betaln(a, b), rtol=1e-10, atol=1e-12
    )


def test_functions_broadcast():
    assert log_rising(np.ones((3, 1)), np.ones(4)).shape == (3, 4)
    assert log_beta_ratio(np.ones((3, 1)), np.ones(4), np.ones((2, 1, 1))).shape == (2, 3, 4)
    assert log_beta_prime_density(np.ones((3, 1)), 1.0, np.ones(4), 1.0).shape == (3, 4)
    assert trigamma_gap(np.ones((3, 1)), np.ones(4)).shape == (3, 4)


# Six counts or one, in a table or not; what is not a count; other axes; none.
COUNTS = {
    "table fits": np.arange(6.0),
    "backwards": np.arange(6.0)[::-1],
    "repeated": np.array([0.0, 2.0, 2.0, 0.0, 1.0, 2.0]),
    "from one": np.arange(1.0, 7.0),
    "far from zero": 1e15 + np.array([3.0, 0.0, 1.0, 5.0, 5.0, 2.0]),
    "one too many": np.array([1.0, 2.0, 7.0, 3.0, 4.0, 5.0]),
    "all equal": np.full(6, 3.0),
    "large": np.array([0.0, 1e9, 3.0, 1.0, 1.0, 1.0]),
    "fractions": np.array([0.0, 0.5, 1.0, 2.0, 1.0, 1.0]),
    "half more": np.arange(6.0) + 0.5,
    "negative": np.array([-1.0, 0.0, 1.0, 2.0, 3.0, 1.0]),
    "not a number": np.array([np.nan, 0.0, 1.0, 1.0, 1.0, 1.0]),
    "two axes": np.array([[0.0, 1.0, 1.0, 1.0, 0.0, 2.0]]),
    "one": np.zeros(1),
    "scalar": np.array(1.0),
    "none": np.empty(0),
}
PARAMETERS = {
    "numbers": (np.array(0.7), np.array(2.0)),
    "draws": (np.linspace(0.5, 3.0, 4)[:, None], np.array(2.0)),
    "as many draws as counts": (np.linspace(0.5, 3.0, 6)[:, None], np.arange(1.0, 7.0)[:, None]),
    "one of each": (np.ones(1), np.full((1, 1), 2.0)),
}
PER_COUNT = {
    "one varies": (np.array(0.7), np.linspace(1.0, 2.0, 6)),
    "both vary": (np.linspace(0.5, 3.0, 6), np.linspace(1.0, 2.0, 6)),
    "draws too": (np.linspace(0.5, 3.0, 4)[:, None], np.linspace(1.0, 2.0, 6)),
    "per draw and count": (np.linspace(0.5, 3.0, 24).reshape(4, 6), np.array(2.0)),
}


@pytest.mark.parametrize(
    ("n", "parameters"),
    [pytest.param(n, p, id=f"{i}-{j}") for i, n in COUNTS.items() for j, p in PARAMETERS.items()]
    + [
        pytest.param(n, p, id=f"{i}-{j}")
        for i, n in COUNTS.items()
        for j, p in PER_COUNT.items()
        if n.shape in ((6,), (1, 6), (1,), ())
    ],
)
def test_a_table_changes_nothing(n, parameters):
    def function(k):
        p, q = parameters
        return np.stack(np.broadcast_arrays(p * k, q + k, np.sqrt(p) - q * k))

    for table in (function, lambda k: function(k)[0]):
        np.testing.assert_array_equal(tabulated(table, n, *parameters), table(n))


def test_a_table_is_made_once_per_count():
    seen = []

    def function(k):
        seen.append(k.size)
        return k

    tabulated(function, np.tile(np.arange(5.0, 9.0), 250), np.ones((5, 1)), np.array(1.0))
    assert seen == [4]  # from the smallest count to the largest
