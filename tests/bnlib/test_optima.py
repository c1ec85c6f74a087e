"""Points, rays and angles: distances in exact arithmetic, shapes, and values as objects."""

from __future__ import annotations

import copy
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib import Point, Ray, angle
from tests import oracles


def exact_squared_distance(start: oracles.Array, direction: oracles.Array) -> Fraction:
    """Return the squared distance to a ray of the given direction, without rounding."""
    w = [Fraction(float(v)) for v in start]
    u = [Fraction(float(v)) for v in direction]
    inner = max(sum(a * b for a, b in zip(w, u, strict=True)), Fraction(0))
    return Fraction(sum(a * a for a in w) - inner**2 / sum(a * a for a in u))


@given(oracles.vectors(3), oracles.vectors(3))
def test_the_distance_to_a_ray_is_the_exact_one(start: oracles.Array, u: oracles.Array) -> None:
    ray = Ray(u)
    expected = float(exact_squared_distance(start, u))
    oracles.agree("distance", ray.squared_distance(start), expected, 1e-13, float(start @ start))
    oracles.agree(
        "search", oracles.searched_left_side(start, u), expected, 1e-13, float(start @ start)
    )
    gap = start - ray.nearest(start)
    oracles.agree("nearest", gap @ gap, expected, 1e-13, float(start @ start))


@pytest.mark.parametrize("off", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_a_start_near_the_ray_keeps_its_digits(off: float, size: float) -> None:
    # The rounding of w and u costs eps·‖w‖ of the distance: relative to it, eps / off.
    for along in (np.array([5.0, 3.0, 0.0]), np.array([0.1, 0.2, 0.3])):
        start = size * (along + off * np.array([0.3, -0.5, 0.1]))
        expected = float(exact_squared_distance(start / size, along))
        actual = Ray(along).squared_distance(start) / size / size
        oracles.agree("distance", actual, expected, 20 * oracles.EPS / off + 1e-13)


@given(oracles.vectors(2), oracles.vectors(2), st.floats(1e-3, 1e3))
def test_nothing_on_the_ray_is_nearer(start: oracles.Array, u: oracles.Array, k: float) -> None:
    ray = Ray(u)
    gap = start - k * ray.direction
    assert ray.squared_distance(start) <= gap @ gap + 1e-14 * (start @ start + k * k)


@given(oracles.vectors(4), oracles.vectors(4))
def test_the_angle_is_that_of_the_scalar_product(u: oracles.Array, v: oracles.Array) -> None:
    theta = angle(u, v)
    cosine = u @ v / np.sqrt((u @ u) * (v @ v))
    oracles.agree("cosine", np.cos(theta), cosine, 1e-14, 1.0)
    assert 0 <= theta <= np.pi
    assert angle(v, u) == theta
    oracles.agree("supplement", theta + angle(u, -v), np.pi, 1e-14)


@pytest.mark.parametrize("tiny", [1e-3, 1e-8, 1e-14, 1e-150])
def test_small_angles_keep_their_digits(tiny: float) -> None:
    oracles.agree("small", angle([1.0, 0.0], [1.0, tiny]), np.arctan(tiny), 1e-13)
    assert angle([1e-300, 0], [1e300, 0]) == 0.0
    assert angle([0.0, 2.0], [0.0, -5.0]) == np.pi


@pytest.mark.parametrize("size", [5e-324, 1e-308, 1e-150, 1e150, 1.7e308])
def test_a_direction_has_no_length(size: float) -> None:
    assert Ray([0.0, size]).direction.tolist() == [0.0, 1.0]
    assert Ray([-size]).direction.tolist() == [-1.0]
    oracles.agree("unit", Ray([size, size]).direction, np.full(2, np.sqrt(0.5)), 1e-15)


@pytest.mark.parametrize("optimum", [Point([1.0, 2.0]), Ray([1.0, 2.0])], ids=["point", "ray"])
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes_follow_the_starts(optimum: Point | Ray, batch: tuple[int, ...]) -> None:
    starts = np.random.default_rng(1).normal(size=(*batch, 2))
    nearest, distances = optimum.nearest(starts), optimum.squared_distance(starts)
    assert nearest.shape == starts.shape
    assert np.shape(distances) == batch
    for index in np.ndindex(batch):
        oracles.agree("row", distances[index], optimum.squared_distance(starts[index]), 1e-13)
    nearest[...] = 7.0  # a copy: changing it leaves the optimum alone
    assert optimum in (Point([1.0, 2.0]), Ray([1.0, 2.0]))


@pytest.mark.parametrize("optimum", [Point([1.0, 0.1, -3.0]), Ray([1.0, 0.1, -3.0])])
def test_they_are_values(optimum: Point | Ray) -> None:
    for same in (pickle.loads(pickle.dumps(optimum)), copy.deepcopy(optimum)):
        assert same == optimum
        assert hash(same) == hash(optimum)
    array = optimum.weights if isinstance(optimum, Point) else optimum.direction
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 2.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.setflags(write=True)
    assert Point([0.0, -0.0]) == Point([-0.0, 0.0])
    assert hash(Point([0.0])) == hash(Point([-0.0]))
    assert Point([1.0]) != Ray([1.0])
    assert Ray([5.0, 3.0]) == Ray([10.0, 6.0])
    assert repr(Ray([3.0, 4.0])) == "Ray([0.6, 0.8])"
    assert repr(Point([3.0, 1.0])) == "Point([3., 1.])"


@settings(max_examples=200)
@given(*[st.lists(oracles.wild_number, min_size=2, max_size=2)] * 2)
def test_wild_numbers_give_finite_results_or_a_value_error(u: list[float], w: list[float]) -> None:
    for kind in (Point, Ray):
        for method in ("nearest", "squared_distance"):
            try:
                result = getattr(kind(u), method)(w)
            except ValueError:
                continue
            assert np.isfinite(result).all()
            assert method == "nearest" or (result >= 0).all()
