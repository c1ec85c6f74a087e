"""Many learning sets at once: against one at a time, scikit-learn and rational arithmetic."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments.datasets import stacked_optima
from bnlib import BatchNorm, LearningSet, Point, Ray, angle, counterexample
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.oracles import rational, sampling


def sets(shape, m, d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1.0, (*shape, m, d)), rng.normal(0.7, 1.5, (*shape, m))


SHAPES = [(), (1,), (5,), (2, 3), (2, 1, 2)]


@oracles.each(itertools.product(SHAPES, [(2, 1), (3, 2), (9, 2), (30, 8)]))
def test_every_set_has_the_optima_it_has_alone(case):
    shape, (m, d) = case
    x, t = sets(shape, m, d, seed=m)
    found = stacked_optima(x, t)
    assert found.stars.shape == found.slopes.shape == (*shape, d)
    assert np.shape(found.intercepts) == np.shape(found.angles) == shape
    for at in np.ndindex(shape):
        data = LearningSet(x[at], t[at])
        (star,), (hat,) = linear_optima(data), linear_optima(data, BatchNorm(scale=False))
        (ray,) = linear_optima(data, BatchNorm())
        oracles.agree("W*", found.stars[at], star.weights, 1e-10)
        oracles.agree("û", found.slopes[at], hat.weights, 1e-10)
        intercept = data.mean_target - data.mean_input @ hat.weights
        oracles.agree("a", found.intercepts[at], intercept, 1e-10, np.abs(t).max())
        theta = angle(star.weights, ray.direction)
        oracles.agree("θ", found.angles[at], theta, 1e-9, np.pi)


@oracles.each([(3, 2), (5, 2), (7, 3), (30, 8), (40, 10)])
def test_optima_agree_with_scikit_learn_and_sherman_morrison_joins_them(case):
    x, t = sets((4, 5), *case, seed=1)
    sampling.compare_stacked(x, t)
    sampling.compare_sherman_morrison(x[0], t[0])


def test_the_counterexample_of_the_book():
    data = counterexample()
    found = stacked_optima(data.inputs, data.targets)
    oracles.agree("W*", found.stars, [3, 1], 1e-14)
    oracles.agree("û", found.slopes, [5, 3], 1e-14)
    oracles.agree("a", found.intercepts, -3, 1e-14)
    oracles.agree("tan θ", np.tan(found.angles), 2 / 9, 1e-13)
    integers = stacked_optima([[[1, 0], [0, 1], [1, 1]]], [[2, 0, 5]])
    assert (integers.stars == found.stars).all()


@given(st.integers(-150, 150), st.integers(-150, 150))
def test_optima_follow_the_units(p, q):
    x, t = sets((3,), 6, 2, seed=3)
    plain, scaled = stacked_optima(x, t), stacked_optima(x * 10.0**p, t * 10.0**q)
    oracles.agree("W*", scaled.stars / 10.0 ** (q - p), plain.stars, 1e-12)
    oracles.agree("û", scaled.slopes / 10.0 ** (q - p), plain.slopes, 1e-12)
    oracles.agree("a", scaled.intercepts / 10.0**q, plain.intercepts, 1e-12)
    oracles.agree("θ", scaled.angles, plain.angles, 1e-11)


def test_columns_and_sets_may_have_different_units():
    x, t = sets((2,), 6, 3, seed=4)
    units = np.array([[1e-140, 1.0, 1e140], [1e150, 1e-100, 1e20]])
    plain, scaled = stacked_optima(x, t), stacked_optima(x * units[:, None, :], t)
    oracles.agree("W*", scaled.stars * units, plain.stars, 1e-12)
    oracles.agree("û", scaled.slopes * units, plain.slopes, 1e-12)


def in_fractions(x, t):
    """Return W* and û from the normal equations, without any rounding."""
    x, t = rational.matrix(x.tolist()), rational.column(t)
    return [rational.floats(rational.solutions(x, t, intercept=each).w) for each in (False, True)]


@oracles.each([1e-3, 1e-6, 1e-9])
def test_nearly_collinear_sets_lose_no_more_digits_than_their_condition(gap):
    x, _ = sets((6,), 7, 2, seed=5)
    x[..., 1] = x[..., 0] + gap * x[..., 1]
    t = x @ np.array([1.0, 2.0])  # a fit without residual errs by the condition, not its square
    found = stacked_optima(x, t)
    for each, target, *optima in zip(x, t, found.stars, found.slopes, strict=True):
        for name, ours, exact in zip(("W*", "û"), optima, in_fractions(each, target), strict=True):
            oracles.agree(name, ours, exact, 200 * oracles.EPS / gap)


@oracles.each([1e3, 1e6, 1e9])
def test_inputs_far_from_the_origin_keep_their_digits(offset):
    x, t = sets((6,), 7, 2, seed=6)
    x += offset * np.array([1.0, -2.0])
    for each, target, slope in zip(x, t, stacked_optima(x, t).slopes, strict=True):
        # Centring subtracts numbers of the size of the offset, once.
        oracles.agree("û", slope, in_fractions(each, target)[1], 200 * oracles.EPS * offset)


COLLINEAR = {
    "constant": lambda x: np.column_stack([np.full(len(x), 0.1), x[:, 0]]),
    "repeated": lambda x: np.column_stack([x[:, 0], x[:, 0]]),
    "multiple": lambda x: np.column_stack([x[:, 0], -0.1 * x[:, 0]]),
    "shifted": lambda x: np.column_stack([x[:, 0], x[:, 0] + 0.1]),
    "shifted far": lambda x: np.column_stack([x[:, 0], 0.3 * x[:, 0] + 1e6]),
    "zero": lambda x: np.column_stack([x[:, 0], 0 * x[:, 0]]),
}


@oracles.each(COLLINEAR)
def test_a_collinear_set_is_refused_with_its_index(collinear):
    for m, swap in itertools.product([4, 7, 25], [1, -1]):
        x, t = sets((2, 3), m, 2, seed=m)
        stacked_optima(x, t)
        x[1, 2] = collinear(x[1, 2])[:, ::swap]
        message = r"inputs: .*rank 1 with 2 weights in learning set \(%s\), so"
        if rational.centred(rational.matrix(x[1, 2].tolist())).rank() == 2:  # by rounding
            message = r"inputs: columns \[.*\] of learning set \(%s\) are collinear"
        for where, inputs, targets in (("1, 2", x, t), ("0,", x[1, 2:], t[1, 2:])):
            try:
                oracles.refused(f"^{message % where}", stacked_optima, inputs, targets)
            except (AssertionError, pytest.fail.Exception):
                assert x[1, 2].max() > 1e5  # rounding of 1e6 is no small change
                found = stacked_optima(x[1, 2], t[1, 2])
                both = in_fractions(x[1, 2], t[1, 2])
                for ours, exact in zip((found.stars, found.slopes), both, strict=True):
                    oracles.agree("optimum", ours, exact, 1e-15)


@oracles.each([[0, 1, 2], [1, 2, 0], [2, 1, 0]])
def test_columns_whose_differences_are_another_column_are_refused(order):
    # Exactly collinear; the first two alone are so only up to 2**-26.
    first, third = np.array([3.0, 1, 4, 1, 5, 9, 2]), np.array([1.0, 2, -1, 3, 0, 1, -2])
    x = np.column_stack([first, first + 2.0**-26 * third, third])[:, order]
    message = "inputs: (centred )?rank 2 with 3"
    oracles.refused(f"^{message}", stacked_optima, x, np.arange(7.0) ** 2)


def refused_angle(x, t):
    with pytest.raises(ValueError, match="zero, the targets being orthogonal .* no angle"):
        _ = stacked_optima(x, t).angles


@oracles.each(range(5))
def test_what_is_uncorrelated_up_to_rounding_has_the_sign_of_the_exact_slope(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=5)
    plane = np.linalg.qr(np.column_stack([np.ones(5), x, rng.normal(size=5)]))[0]
    t = 2.0 + plane[:, 2]
    sign = 1.0 if in_fractions(x[:, None], t)[1] > 0 else -1.0
    assert linear_optima(LearningSet(x[:, None], t), BatchNorm()) == [Ray([sign])]
    found = stacked_optima(x[None, :, None], t[None])
    assert np.sign(found.slopes) == sign
    assert abs(found.slopes) < 1e-15


@oracles.each([[1, 0, 1], [2, 2, 2], [0.1, 0.1, 0.1]])
def test_targets_uncorrelated_with_every_input_give_no_angle_of_rounding(t):
    x = np.array([[-1.0], [0.0], [1.0]]) + 1e6
    assert (stacked_optima(x, t).slopes == 0).all()
    refused_angle(x[None], np.array([t]))


def test_targets_orthogonal_to_every_input_give_no_angle_of_rounding():
    x, t = np.array([[-1.0], [0.0], [1.0]]), np.array([1.0, 1.0, 1.0])
    assert linear_optima(LearningSet(x, t)) == [Point([0.0])]
    refused_angle(x, t)
    assert (stacked_optima(x, 0 * t).stars == 0).all()
    refused_angle(x[None], 0 * t[None])


@oracles.each([(1e-160, 1e150), (1.7e308, 1.0), (1.0, 1.7e308)])
def test_an_optimum_beyond_float64_is_never_infinite(case):
    inputs, targets = np.array([[1.0], [0.9], [0.8]]) * case[0], np.array([1, 0.9, 0.95]) * case[1]
    try:
        found = stacked_optima(inputs, targets)
    except ValueError as error:
        if not str(error).startswith(("inputs", "targets")):
            raise
    else:
        assert np.isfinite([*found.stars, *found.slopes, found.intercepts]).all()


def test_what_does_not_fit_is_refused_by_name():
    for inputs, targets, message in (
        (np.ones((2, 4, 2)), np.ones((2, 3)), r"targets: shape \(2, 3\) does not fit"),
        (np.ones((2, 4, 2)), np.ones(4), r"targets: shape \(4,\) does not fit"),
        (np.ones((2, 0, 2)), np.ones((2, 0)), "targets: "),
        (np.ones((2, 4, 0)), np.ones((2, 4)), "targets: "),
        (np.eye(2, 3), np.ones(2), "inputs: rank 2 with 3 weights"),
        (np.eye(2), np.ones(2), "inputs: centred rank 1 with 2"),
        (np.ones(3), np.ones(3), "inputs: expected shape"),
        (np.full((3, 1), np.nan), np.ones(3), "inputs: entry"),
        (np.ones((3, 1)), [1, np.inf, 0], "targets: entry"),
        ([["a"]], [1], "inputs: entries must be real"),
    ):
        oracles.refused(f"^{message}", stacked_optima, inputs, targets)


def test_no_set_has_no_optimum_and_arguments_are_not_changed():
    found = stacked_optima(np.zeros((0, 3, 2)), np.zeros((0, 3)))
    assert found.stars.shape == found.slopes.shape == (0, 2)
    assert found.angles.shape == (0,)
    arguments = sets((2,), 5, 2)
    copies = [each.copy() for each in arguments]
    stacked_optima(*arguments)
    assert all(map(np.array_equal, arguments, copies))
