"""Many learning sets at once: against one at a time, scikit-learn and rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments import datasets
from bn_experiments.datasets import stacked_optima
from bnlib import BatchNorm, LearningSet, Point, angle, counterexample
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.oracles import sampling


def sets(shape: tuple[int, ...], m: int, d: int, seed: int = 0) -> tuple[oracles.Array, ...]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.5, 1.0, (*shape, m, d)), rng.normal(0.7, 1.5, (*shape, m))


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 2)], ids=str)
@pytest.mark.parametrize(("m", "d"), [(2, 1), (3, 2), (9, 2), (30, 8)])
def test_every_set_has_the_optima_it_has_alone(shape: tuple[int, ...], m: int, d: int) -> None:
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


@pytest.mark.parametrize(("m", "d"), [(3, 2), (7, 3), (40, 10)])
def test_optima_agree_with_scikit_learn(m: int, d: int) -> None:
    sampling.compare_stacked(*sets((4, 5), m, d, seed=1))


@pytest.mark.parametrize(("m", "d"), [(2, 1), (5, 2), (30, 8)])
def test_sherman_morrison_joins_both_optima_of_every_set(m: int, d: int) -> None:
    x, t = sets((40,), m, d, seed=2)
    sampling.compare_sherman_morrison(x, t)
    found = stacked_optima(x, t)
    for each, hat, a, star in zip(x, found.slopes, found.intercepts, found.stars, strict=True):
        oracles.agree("R2", sampling.sherman_morrison(each, hat, a), star, 1e-9)


def test_the_counterexample_of_the_book() -> None:
    data = counterexample()
    found = stacked_optima(data.inputs, data.targets)
    oracles.agree("W*", found.stars, [3, 1], 1e-14)
    oracles.agree("û", found.slopes, [5, 3], 1e-14)
    oracles.agree("a", found.intercepts, -3, 1e-14)
    oracles.agree("tan θ", np.tan(found.angles), 2 / 9, 1e-13)
    integers = stacked_optima([[[1, 0], [0, 1], [1, 1]]], [[2, 0, 5]])
    assert (integers.stars == found.stars).all()


@given(st.integers(-150, 150), st.integers(-150, 150))
def test_optima_follow_the_units(p: int, q: int) -> None:
    x, t = sets((3,), 6, 2, seed=3)
    plain, scaled = stacked_optima(x, t), stacked_optima(x * 10.0**p, t * 10.0**q)
    for name, unit in (("stars", 10.0 ** (q - p)), ("slopes", 10.0 ** (q - p))):
        oracles.agree(name, getattr(scaled, name) / unit, getattr(plain, name), 1e-12)
    oracles.agree("a", scaled.intercepts / 10.0**q, plain.intercepts, 1e-12)
    oracles.agree("θ", scaled.angles, plain.angles, 1e-11)


def test_columns_and_sets_may_have_different_units() -> None:
    x, t = sets((2,), 6, 3, seed=4)
    units = np.array([[1e-140, 1.0, 1e140], [1e150, 1e-100, 1e20]])
    plain, scaled = stacked_optima(x, t), stacked_optima(x * units[:, None, :], t)
    oracles.agree("W*", scaled.stars * units, plain.stars, 1e-12)
    oracles.agree("û", scaled.slopes * units, plain.slopes, 1e-12)


def in_fractions(x: oracles.Array, t: oracles.Array) -> tuple[list[Fraction], list[Fraction]]:
    """Return W* and û of two inputs from the normal equations, without any rounding."""
    a, b, y = ([Fraction(float(v)) for v in each] for each in (x[:, 0], x[:, 1], t))

    def solved(*columns: list[Fraction]) -> list[Fraction]:
        (aa, ab, ay), (_, bb, by) = (
            [sum(u * v for u, v in zip(one, other, strict=True)) for other in columns]
            for one in columns[:2]
        )
        det = aa * bb - ab * ab
        return [(ay * bb - by * ab) / det, (by * aa - ay * ab) / det]

    middle = [[v - sum(each) / len(each) for v in each] for each in (a, b, y)]
    return solved(a, b, y), solved(*middle)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_nearly_collinear_sets_lose_no_more_digits_than_their_condition(gap: float) -> None:
    x, _ = sets((6,), 7, 2, seed=5)
    x[..., 1] = x[..., 0] + gap * x[..., 1]
    t = x @ np.array([1.0, 2.0])  # a fit without residual errs by the condition, not its square
    found = stacked_optima(x, t)
    for index in range(6):
        star, hat = (np.array(each, float) for each in in_fractions(x[index], t[index]))
        oracles.agree("W*", found.stars[index], star, 200 * oracles.EPS / gap)
        oracles.agree("û", found.slopes[index], hat, 200 * oracles.EPS / gap)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9])
def test_inputs_far_from_the_origin_keep_their_digits(offset: float) -> None:
    x, t = sets((6,), 7, 2, seed=6)
    x += offset * np.array([1.0, -2.0])
    found = stacked_optima(x, t)
    for index in range(6):
        _, hat = (np.array(each, float) for each in in_fractions(x[index], t[index]))
        # Centring subtracts numbers of the size of the offset, once.
        oracles.agree("û", found.slopes[index], hat, 200 * oracles.EPS * offset)


COLLINEAR = {
    "constant": lambda x: np.column_stack([np.full(len(x), 0.1), x[:, 0]]),
    "repeated": lambda x: np.column_stack([x[:, 0], x[:, 0]]),
    "multiple": lambda x: np.column_stack([x[:, 0], -0.1 * x[:, 0]]),
    "shifted": lambda x: np.column_stack([x[:, 0], x[:, 0] + 0.1]),
    "shifted-far": lambda x: np.column_stack([x[:, 0], 0.3 * x[:, 0] + 1e6]),
    "zero": lambda x: np.column_stack([x[:, 0], 0 * x[:, 0]]),
}


@pytest.mark.parametrize("kind", COLLINEAR)
@pytest.mark.parametrize("m", [4, 7, 25])
@pytest.mark.parametrize("swap", [1, -1], ids=["", "columns-swapped"])
def test_a_collinear_set_is_refused_with_its_index(kind: str, m: int, swap: int) -> None:
    x, t = sets((2, 3), m, 2, seed=m)
    stacked_optima(x, t)
    x[1, 2] = COLLINEAR[kind](x[1, 2])[:, ::swap]
    with pytest.raises(ValueError, match=r"^inputs: .*rank 1 with 2 .*learning set \(1, 2\), so"):
        stacked_optima(x, t)
    with pytest.raises(ValueError, match=r"^inputs: .*rank 1 with 2 .*learning set \(0,\), so"):
        stacked_optima(x[1, 2:], t[1, 2:])


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 2, 0], [2, 1, 0]], ids=str)
def test_columns_whose_differences_are_another_column_are_refused(order: list[int]) -> None:
    # Exactly collinear; the first two alone are so only up to 2**-26.
    first, third = np.array([3.0, 1, 4, 1, 5, 9, 2]), np.array([1.0, 2, -1, 3, 0, 1, -2])
    x = np.column_stack([first, first + 2.0**-26 * third, third])[:, order]
    with pytest.raises(ValueError, match="^inputs: (centred )?rank 2 with 3"):
        stacked_optima(x, np.arange(7.0) ** 2)


@pytest.mark.parametrize("seed", range(5))
def test_targets_uncorrelated_with_every_input_give_no_angle_of_rounding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=5)
    plane = np.linalg.qr(np.column_stack([np.ones(5), x, rng.normal(size=5)]))[0]
    t = 2.0 + plane[:, 2]
    with pytest.raises(ValueError, match="no ray"):
        linear_optima(LearningSet(x[:, None], t), BatchNorm())
    with pytest.raises(ValueError, match="no angle"):
        _ = stacked_optima(x[None, :, None], t[None]).angles


def test_targets_orthogonal_to_every_input_give_no_angle_of_rounding() -> None:
    x, t = np.array([[-1.0], [0.0], [1.0]]), np.array([1.0, 1.0, 1.0])
    assert linear_optima(LearningSet(x, t)) == [Point([0.0])]
    with pytest.raises(ValueError, match="no angle"):
        _ = stacked_optima(x, t).angles


@pytest.mark.parametrize(
    ("x", "t"),
    [(1e-160, 1e150), (1.7e308, 1.0), (1.0, 1.7e308)],
    ids=["ratio", "inputs", "targets"],
)
def test_an_optimum_beyond_float64_is_never_infinite(x: float, t: float) -> None:
    inputs, targets = np.array([[1.0], [0.9], [0.8]]) * x, np.array([1.0, 0.9, 0.95]) * t
    try:
        found = stacked_optima(inputs, targets)
    except ValueError as error:
        if not str(error).startswith(("inputs", "targets")):
            raise
    else:
        assert np.isfinite([*found.stars, *found.slopes, found.intercepts]).all()


@pytest.mark.parametrize(
    ("inputs", "targets", "message"),
    [
        (np.ones((2, 4, 2)), np.ones((2, 3)), r"^targets: shape \(2, 3\) does not fit"),
        (np.ones((2, 4, 2)), np.ones(4), r"^targets: shape \(4,\) does not fit"),
        (np.ones((2, 0, 2)), np.ones((2, 0)), "^targets: "),
        (np.ones((2, 4, 0)), np.ones((2, 4)), "^targets: "),
        (np.eye(2, 3), np.ones(2), "^inputs: rank 2 with 3 weights"),
        (np.eye(2), np.ones(2), "^inputs: centred rank 1 with 2"),
        (np.ones(3), np.ones(3), "^inputs: expected shape"),
        (np.full((3, 1), np.nan), np.ones(3), "^inputs: entry"),
        (np.ones((3, 1)), [1, np.inf, 0], "^targets: entry"),
        ([["a"]], [1], "^inputs: entries must be real"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(inputs: Any, targets: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stacked_optima(inputs, targets)


def test_no_set_has_no_optimum_and_no_error() -> None:
    found = stacked_optima(np.zeros((0, 3, 2)), np.zeros((0, 3)))
    assert found.stars.shape == found.slopes.shape == (0, 2)
    assert found.angles.shape == (0,)


def test_the_angle_of_a_zero_optimum_is_refused() -> None:
    found = stacked_optima([[[-1.0], [0.0], [1.0]]], [[0.0, 0.0, 0.0]])
    assert (found.stars == 0).all()
    with pytest.raises(ValueError, match="zero, the targets being orthogonal"):
        _ = found.angles


def test_arguments_are_not_changed() -> None:
    x, t = sets((2,), 5, 2)
    copies = x.copy(), t.copy()
    datasets.stacked_optima(x, t)
    assert np.array_equal(x, copies[0])
    assert np.array_equal(t, copies[1])
