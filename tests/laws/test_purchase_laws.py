"""What holds for every model of how often and how long customers buy."""

import numpy as np
import pytest
from cases import assert_calibrated, assert_mean_zero, assert_same_mean, purchase_models

CUSTOMERS = 40_000
COUNTS = np.arange(4000.0)[:, None]


def when(case, t):
    """Times that the model can count."""
    return np.ceil(t) if case.discrete else np.asarray(t, float)


def history_and_future(case, seed):
    """Purchases of customers watched beyond T: their histories until T, and how many came after."""
    T = case.watched(CUSTOMERS, seed)
    t = when(case, case.span * np.random.default_rng([seed, 2]).uniform(0.2, 0.8, CUSTOMERS))
    customer, time = case.model.simulate_purchases(T + t, seed=seed)
    past = time <= T[customer]
    x = np.bincount(customer[past], minlength=CUSTOMERS).astype(float)
    t_x = np.zeros(CUSTOMERS)
    np.maximum.at(t_x, customer[past], time[past])
    return (x, t_x, T), t, np.bincount(customer[~past], minlength=CUSTOMERS)


def times(case):
    t = case.span * np.array([0.0, 1e-9, 0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 100.0])
    return np.unique(when(case, t))


# Simulation


@purchase_models
def test_histories_are_possible(case):
    x, t_x, T, alive, *_ = case.model.simulate(case.watched(CUSTOMERS, seed=1), seed=1)
    assert np.all((t_x >= 0) & (t_x <= T))
    assert np.array_equal(x == 0, t_x == 0)
    assert np.all((x >= 0) & (x == np.floor(x)))
    assert alive.dtype == bool


@purchase_models
def test_purchases_are_sorted_and_inside(case):
    T = case.watched(2000, seed=2)
    customer, time = case.model.simulate_purchases(T, seed=2)
    assert np.all((time > 0) & (time <= T[customer]))
    assert np.all(np.diff(customer) >= 0)
    assert np.all(np.diff(time)[np.diff(customer) == 0] > 0)


@purchase_models
def test_same_seed_same_draw(case):
    T = case.watched(500, seed=3)
    for draw in (case.model.simulate, case.model.simulate_purchases):
        first, again, generator = draw(T, seed=3), draw(T, seed=3), np.random.default_rng(3)
        for one, two, three in zip(first, again, draw(T, seed=generator), strict=True):
            np.testing.assert_array_equal(one, two)
            np.testing.assert_array_equal(one, three)
        assert not np.array_equal(draw(T, seed=4)[1], first[1])
        assert not np.array_equal(draw(T)[1], draw(T)[1])


@purchase_models
def test_simulation_takes_any_shape_and_leaves_it_alone(case):
    T = case.watched(6, seed=4).reshape(2, 3)
    T.setflags(write=False)
    assert case.model.simulate(T, seed=4).x.shape == (2, 3)
    assert np.ndim(case.model.simulate(case.span, seed=4).x) == 0
    assert case.model.simulate([], seed=4).x.shape == (0,)


@purchase_models
def test_both_simulators_agree(case):
    T = case.watched(CUSTOMERS, seed=5)
    (x, t_x, _), _, _ = history_and_future(case, seed=5)
    one = case.model.simulate(T, seed=6)
    for first, second in ((one.x, x), (one.t_x, t_x), (one.x == 0, x == 0)):
        assert_same_mean(first, second)
    for k in (1, 2, 3):
        assert_same_mean(one.x == k, x == k)
        assert_same_mean(one.t_x[one.x == k], t_x[x == k])


# New customers


@purchase_models
def test_expected_purchases_is_the_mean_of_simulation(case):
    x, _, T, *_ = case.model.simulate(case.watched(100_000, seed=7), seed=7)
    assert_calibrated(x, case.model.expected_purchases(T), np.floor(10 * T / case.span))


@purchase_models
def test_pmf_is_the_share_in_simulation(case):
    x, _, T, *_ = case.model.simulate(case.watched(100_000, seed=8), seed=8)
    for n in range(6):
        assert_mean_zero((x == n) - case.model.pmf(n, T))
    assert_mean_zero((x <= 2) - case.model.cdf(2, T))
    assert_mean_zero((x > 0) - case.model.p_purchase(T))


@purchase_models
def test_expectation_starts_at_zero_and_increases(case):
    expected = case.model.expected_purchases(times(case))
    assert expected[0] == 0
    assert np.all(np.diff(expected) > 0)
    slopes = np.diff(expected) / np.diff(times(case))
    assert np.all(np.diff(slopes) < 0)  # customers leave and none return


@purchase_models
def test_pmf_sums_to_one_and_has_the_mean(case):
    t = times(case)
    t = t[t <= case.span]
    pmf = case.model.pmf(COUNTS, t)
    assert np.all((pmf >= 0) & (pmf <= 1))
    np.testing.assert_allclose(pmf.sum(axis=0), 1, rtol=1e-9)
    np.testing.assert_allclose(
        (COUNTS * pmf).sum(axis=0), case.model.expected_purchases(t), rtol=1e-8
    )


@purchase_models
def test_nothing_happens_in_no_time(case):
    assert case.model.pmf(0, 0) == 1
    assert case.model.pmf(1, 0) == 0
    assert case.model.p_purchase(0) == 0


# Customers with a history


@purchase_models
def test_conditional_pmf_sums_to_one_and_has_the_mean(case):
    history = case.histories(40, seed=9)
    t = when(case, case.span / 2)
    pmf = case.model.pmf(COUNTS, t, *history)
    np.testing.assert_allclose(pmf.sum(axis=0), 1, rtol=1e-9)
    np.testing.assert_allclose(
        (COUNTS * pmf).sum(axis=0), case.model.expected_purchases(t, *history), rtol=1e-8
    )


@purchase_models
def test_p_purchase_is_not_none(case):
    history = case.histories(200, seed=10)
    for t in times(case):
        np.testing.assert_allclose(
            case.model.p_purchase(t, *history), 1 - case.model.pmf(0, t, *history), atol=1e-14
        )


@pytest.mark.parametrize("n", [-1, -0.5, 0.5, 1.5, -1000])
@purchase_models
def test_impossible_counts_have_no_chance(case, n):
    assert case.model.pmf(n, case.span) == 0
    assert np.all(case.model.pmf(n, case.span, *case.histories(20, seed=11)) == 0)


@purchase_models
def test_no_history_is_a_new_customer(case):
    t = times(case)
    np.testing.assert_array_equal(
        case.model.expected_purchases(t), case.model.expected_purchases(t, 0, 0, 0)
    )
    np.testing.assert_array_equal(case.model.pmf(2, t), case.model.pmf(2, t, 0, 0, 0))


@purchase_models
def test_alive_is_a_new_customer_of_the_same_family(case):
    t = times(case)
    for x, t_x, T in np.transpose(case.histories(20, seed=12)):
        alive, new = case.model.p_alive(x, t_x, T), case.model.update(x, T)
        history = x, t_x, T
        np.testing.assert_allclose(
            case.model.expected_purchases(t, *history),
            alive * new.expected_purchases(t),
            rtol=1e-11,
        )
        np.testing.assert_allclose(
            case.model.pmf(3, t, *history), alive * new.pmf(3, t), rtol=1e-11
        )
        np.testing.assert_allclose(
            case.model.p_purchase(t, *history), alive * new.p_purchase(t), rtol=1e-11
        )


@purchase_models
def test_updating_by_parts_is_updating_at_once(case):
    """Two purchases by time 1 and three more by time 3 are five by time 3."""
    first = case.model.update(2, case.span)
    assert first.update(3, 2 * case.span).values() == pytest.approx(
        case.model.update(5, 3 * case.span).values()
    )


@purchase_models
def test_p_alive_is_calibrated(case):
    x, t_x, T, alive, *_ = case.model.simulate(case.watched(100_000, seed=13), seed=13)
    predicted = case.model.p_alive(x, t_x, T)
    assert np.all((predicted >= 0) & (predicted <= 1))
    assert_calibrated(alive, predicted, np.floor(10 * predicted))
    assert_calibrated(alive, predicted, np.minimum(x, 8))
    assert np.all(alive[predicted == 1])


@purchase_models
def test_silence_is_a_bad_sign(case):
    t_x = np.unique(when(case, np.linspace(0.5, 1.0, 10) * case.span))
    assert np.all(np.diff(case.model.p_alive(3, t_x, case.span)) > 0)


@pytest.mark.parametrize("seed", [14, 15])
@purchase_models
def test_conditional_predictions_equal_simulation(case, seed):
    history, t, future = history_and_future(case, seed)
    groups = np.minimum(history[0], 10)
    assert_calibrated(future, case.model.expected_purchases(t, *history), groups)
    assert_calibrated(future > 0, case.model.p_purchase(t, *history), groups)
    for n in range(4):
        assert_calibrated(future == n, case.model.pmf(n, t, *history), groups)
    assert_calibrated(future <= 2, case.model.cdf(2, t, *history), groups)
    silence = np.floor(5 * (history[2] - history[1]) / history[2])
    assert_calibrated(future, case.model.expected_purchases(t, *history), silence)


@purchase_models
def test_the_future_is_consistent(case):
    """What is expected by now must not change, on average, when time brings news."""
    T = case.watched(CUSTOMERS, seed=16)
    drawn = case.model.simulate(T, seed=16)
    later = drawn.x + case.model.expected_purchases(case.span, drawn.x, drawn.t_x, T)
    assert_mean_zero(later - case.model.expected_purchases(T + case.span))


@purchase_models
def test_extreme_horizons_and_histories_stay_finite(case):
    span = case.span
    tiny, end, far = (1, 500, 1e5) if case.discrete else (1e-9 * span, span, 1e6 * span)
    histories = np.array([[0, 0, span], [1, tiny, span], [500, end, end], [0, 0, 0]]).T
    for t in (0.0, when(case, 1e-12 * span), far):
        for prediction in (
            case.model.expected_purchases(t, *histories),
            case.model.p_purchase(t, *histories),
            case.model.pmf(2, t, *histories),
            case.model.cdf(2, t, *histories),
            case.model.p_alive(*histories, t),
        ):
            assert np.all(np.isfinite(prediction) & (prediction >= 0))
