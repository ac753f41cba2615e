"""Optimizers on surfaces do what theory says: closed forms, recurrences, SciPy's functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import rosen

from cnnwidgets.methods import SURFACES, descend, optimizer_specs
from cnnwidgets.methods.descent import OPTIMIZERS
from cnnwidgets.methods.surfaces import best_rate, critical_momentum

START = (-4.0, 0.8)


def specs(*names, rate=0.01, adaptive=0.1, momentum=0.9):
    return optimizer_specs(names, rate, adaptive, momentum)


def path(name, surface="bowl", **options):
    rates = {key: options.pop(key) for key in ("rate", "adaptive", "momentum") if key in options}
    (one,) = descend(surface, specs(name, **rates), **options).each
    return one


# the surfaces


@pytest.mark.parametrize("name", SURFACES)
def test_the_gradient_is_zero_at_a_minimum_and_nothing_shown_is_lower(name):
    surface = SURFACES[name]
    for least in surface.minima:
        weights = torch.tensor(least, dtype=torch.float64, requires_grad=True)
        loss = surface.loss(weights)
        assert loss.item() == pytest.approx(surface.lowest, abs=1e-12)
        (gradient,) = torch.autograd.grad(loss, weights)
        assert gradient.abs().max() < 1e-9
    found = descend(name, specs("SGD"), steps=1)
    assert found.heights.min() >= surface.lowest - 1e-12
    (left, right), (low, high) = surface.bounds
    assert left < surface.start[0] < right and low < surface.start[1] < high
    assert (found.x[0], found.x[-1], found.y[0], found.y[-1]) == (left, right, low, high)


def test_rosenbrocks_function_is_scipys():
    found = descend("rosenbrock", [], steps=1)
    across, up = np.meshgrid(found.x, found.y)
    np.testing.assert_allclose(found.heights, rosen(np.stack([across, up])), rtol=1e-12)


# gradient descent on a quadratic


@given(st.floats(1e-4, 0.5), st.floats(0.1, 50))
@settings(max_examples=25, deadline=None)
def test_each_direction_shrinks_by_one_minus_rate_times_curvature(rate, condition):
    assume(rate * condition < 2.5)
    found = path("SGD", rate=rate, condition=condition, steps=12).path
    for k, curvature in enumerate((1.0, float(f"{condition:g}"))):
        expected = START[k] * (1 - rate * curvature) ** np.arange(13)
        np.testing.assert_allclose(found[:, k], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("condition", [4.0, 25.0])
def test_the_best_rate_is_two_over_the_sum_of_the_curvatures(condition):
    def slowest(rate):
        found = path("SGD", rate=rate, condition=condition, steps=10).path
        return np.abs(found[1:] / found[:-1]).max()

    best = best_rate(1.0, condition)
    assert slowest(best) == pytest.approx((condition - 1) / (condition + 1))
    assert all(slowest(best * by) > slowest(best) for by in (0.9, 0.99, 1.01, 1.1))


def test_beyond_two_over_the_curvature_it_diverges_and_that_is_said():
    found = descend("bowl", specs("SGD", "momentum", rate=0.021), steps=3000, condition=100)
    sgd, momentum = found.each
    assert sgd.diverged and sgd.reached is None and len(sgd.path) < 3000
    assert not momentum.diverged  # momentum allows up to 2 (1 + b) / h
    assert "SGD diverges" in found.summary.split("\n")[0]
    assert np.isnan(found.paths[0, -1]).all() and not np.isnan(found.paths[1]).any()


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_it_arrives_when_the_height_is_a_thousandth(rate):
    expected = math.ceil(math.log(1e-3) / (2 * math.log(1 - rate)))  # heights shrink by (1 - rate)^2
    assert path("SGD", rate=rate, condition=1, steps=200).reached == expected
    assert path("SGD", rate=rate, condition=1, steps=expected - 1).reached is None


# momentum


@given(st.floats(0.01, 1.5), st.floats(0.0, 0.95))
@settings(max_examples=25, deadline=None)
def test_momentum_is_the_recurrence_of_two_steps(rate, momentum):
    """x' = (1 + b - rate h) x - b x_before: Goh (Distill 2017)."""
    found = path("momentum", rate=rate, momentum=momentum, condition=1, steps=15).path[:, 0]
    expected = [START[0], START[0] * (1 - rate)]
    while len(expected) < 16:
        expected.append((1 + momentum - rate) * expected[-1] - momentum * expected[-2])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("rate", [0.04, 0.2, 0.5])
def test_at_critical_damping_it_is_fastest_and_does_not_swing(rate):
    critical = critical_momentum(rate, 1.0)

    def radius(momentum):
        return np.abs(np.linalg.eigvals([[1 + momentum - rate, -momentum], [1, 0]])).max()

    assert radius(critical) == pytest.approx(1 - math.sqrt(rate), abs=1e-6)
    assert all(radius(critical + by) > radius(critical) for by in (-0.02, 0.02))

    def swings(momentum):
        found = path("momentum", rate=rate, momentum=momentum, condition=1, steps=80).path[:, 0]
        return bool((found[:-1] * found[1:] < 0)[np.abs(found[1:]) > 1e-9].any())

    assert not swings(critical - 0.02)
    assert swings(min(critical + 0.1, 0.99))


def test_dampening_takes_the_first_step_whole_and_a_tenth_of_each_later_gradient():
    whole, tenth = (path(name, rate=0.004, steps=20).path for name in ("momentum", "dampened"))
    assert whole[1].tolist() == tenth[1].tolist()
    assert not np.array_equal(whole[2], tenth[2])
    weights, curvature = np.array(START), np.array([1.0, 100.0])
    velocity = curvature * weights
    for step in range(20):
        if step:
            velocity = 0.9 * velocity + 0.1 * curvature * weights
        weights = weights - 0.004 * velocity
        np.testing.assert_allclose(tenth[step + 1], weights, rtol=1e-9, atol=1e-12)


def test_nesterovs_momentum_looks_ahead():
    found = path("Nesterov", rate=0.004, steps=20).path
    weights, curvature, velocity = np.array(START), np.array([1.0, 100.0]), np.zeros(2)
    for step in range(20):
        gradient = curvature * weights
        velocity = 0.9 * velocity + gradient
        weights = weights - 0.004 * (gradient + 0.9 * velocity)
        np.testing.assert_allclose(found[step + 1], weights, rtol=1e-9, atol=1e-12)


# adaptive ones


def test_the_first_step_of_adam_is_the_rate_in_each_direction_and_rmsprops_ten_times_that():
    for name, size in (("Adam", 0.1), ("RMSprop", 1.0)):
        moved = np.diff(path(name, steps=1).path, axis=0)[0]
        np.testing.assert_allclose(moved, -size * np.sign(START), rtol=1e-6)


def test_adamw_decays_apart_from_the_gradient():
    adam, decayed = (path(name, steps=1).path[1] for name in ("Adam", "AdamW"))
    np.testing.assert_allclose(decayed - adam, -0.1 * 0.01 * np.array(START), rtol=1e-9)


def test_the_code_takes_the_same_paths_to_the_last_bit():
    for surface in ("beale", "valley"):
        found = descend(surface, specs(*OPTIMIZERS, rate=0.003, adaptive=0.05), steps=25, seed=3)
        space = {}
        exec(found.code(), space)
        for one in found.each:
            assert space["values"][one.name].numpy().tobytes() == one.path.tobytes()


# noise, and what is wrong


def test_noise_is_the_same_for_all_and_of_its_size():
    one, same, other = (descend("valley", specs("SGD", rate=1.0), steps=500, seed=seed).each[0].path for seed in (0, 0, 1))
    assert one.tobytes() == same.tobytes() != other.tobytes()
    small = descend("bowl", specs("SGD", rate=0.1), steps=4000, condition=1, noise=2.0).each[0].path[200:, 0]
    # an autoregression of factor 1 - rate: its variance is rate^2 s^2 / (1 - (1 - rate)^2)
    assert small.std() == pytest.approx(0.1 * 2 / math.sqrt(1 - 0.9**2), rel=0.15)
    assert "None stays at the minimum" in descend("valley", specs("SGD", "Adam"), steps=50).summary


def test_a_saddle_holds_sgd_longer_the_nearer_it_starts():
    counts = [path("SGD", "saddle", rate=0.1, start=(1.5, y), steps=400).reached for y in (1e-1, 1e-3, 1e-5)]
    assert counts[0] < counts[1] < counts[2]
    # y grows by 1 + rate a step, so that a hundredth takes ln(100) / ln(1.1) steps more
    assert counts[2] - counts[1] == pytest.approx(math.log(100) / math.log(1.1), abs=1.5)
    assert descend("saddle", specs("SGD", rate=0.1), start=(1.5, 0.0), steps=300).each[0].reached is None


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: descend("bowll", specs("SGD")), "bowl"),
        (lambda: descend("bowl", specs("SGD"), start=(0, math.nan)), "expected two numbers, x and y"),
        (lambda: descend("bowl", specs("SGD"), condition=0), "expected a number above 0"),
        (lambda: descend("bowl", specs("SGD"), steps=0), "steps is 0; expected a whole number of at least 1"),
        (lambda: specs("Adams"), "Adam"),
        (lambda: descend("bowl", [{"kind": "constant", "lr": -1}]), "lr is -1; expected a number"),
    ],
)
def test_what_is_wrong_is_said(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
