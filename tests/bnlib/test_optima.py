"""Points, rays and angles: distances in exact arithmetic, shapes, and values as objects."""

import copy
import pickle
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from scipy import optimize

from bnlib import Point, Ray, angle
from tests import oracles
from tests.oracles import certificates


def exact_squared_distance(start, direction):
    """Return the squared distance to a ray of the given direction, without rounding."""
    w = [Fraction(float(v)) for v in start]
    u = [Fraction(float(v)) for v in direction]
    inner = max(sum(a * b for a, b in zip(w, u, strict=True)), Fraction(0))
    return Fraction(sum(a * a for a in w) - inner**2 / sum(a * a for a in u))


@given(oracles.vectors(3), oracles.vectors(3))
def test_the_distance_to_a_ray_is_the_exact_one(start, u):
    ray = Ray(u)
    expected, size = float(exact_squared_distance(start, u)), float(start @ start)
    oracles.agree("distance", ray.squared_distance(start), expected, 1e-13, size)
    oracles.agree("search", oracles.searched_left_side(start, u), expected, 1e-13, size)
    gap = start - ray.nearest(start)
    oracles.agree("nearest", gap @ gap, expected, 1e-13, size)


@pytest.mark.parametrize("off", [1e-1, 1e-3, 1e-6])
@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_a_start_near_the_ray_keeps_its_digits(off, size):
    # The rounding of w and u costs eps·‖w‖ of the distance: relative to it, eps / off.
    for along in (np.array([5.0, 3.0, 0.0]), np.array([0.1, 0.2, 0.3])):
        start = size * (along + off * np.array([0.3, -0.5, 0.1]))
        expected = float(exact_squared_distance(start / size, along))
        actual = Ray(along).squared_distance(start) / size / size
        oracles.agree("distance", actual, expected, 20 * oracles.EPS / off + 1e-13)


@given(oracles.vectors(4), oracles.vectors(4))
def test_the_angle_is_that_of_the_scalar_product(u, v):
    theta = angle(u, v)
    cosine = u @ v / np.sqrt((u @ u) * (v @ v))
    oracles.agree("cosine", np.cos(theta), cosine, 1e-14, 1.0)
    assert 0 <= theta <= np.pi
    assert angle(v, u) == theta
    oracles.agree("supplement", theta + angle(u, -v), np.pi, 1e-14)


def test_small_angles_keep_their_digits_and_a_direction_has_no_length():
    for tiny in (1e-3, 1e-8, 1e-14, 1e-150):
        oracles.agree("small", angle([1.0, 0.0], [1.0, tiny]), np.arctan(tiny), 1e-13)
    assert angle([1e-300, 0], [1e300, 0]) == 0.0
    assert angle([0.0, 2.0], [0.0, -5.0]) == np.pi
    for size in (5e-324, 1e-308, 1e-150, 1e150, 1.7e308):
        assert Ray([0.0, size]).direction.tolist() == [0.0, 1.0]
        assert Ray([-size]).direction.tolist() == [-1.0]
        oracles.agree("unit", Ray([size, size]).direction, np.full(2, np.sqrt(0.5)), 1e-15)


@pytest.mark.parametrize("optimum", [Point([1.0, 2.0]), Ray([1.0, 2.0])], ids=["point", "ray"])
@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes_follow_the_starts(optimum, batch):
    starts = np.random.default_rng(1).normal(size=(*batch, 2))
    nearest, distances = optimum.nearest(starts), optimum.squared_distance(starts)
    assert nearest.shape == starts.shape
    assert np.shape(distances) == batch
    assert (optimum.exists(starts).shape, optimum.exists(starts).dtype) == (batch, bool)
    for index in np.ndindex(batch):
        oracles.agree("row", distances[index], optimum.squared_distance(starts[index]), 1e-13)
    nearest[...] = 7.0  # a copy: changing it leaves the optimum alone
    assert optimum in (Point([1.0, 2.0]), Ray([1.0, 2.0]))


@pytest.mark.parametrize("optimum", [Point([1.0, 0.1, -3.0]), Ray([1.0, 0.1, -3.0])])
def test_they_are_values(optimum):
    for same in (pickle.loads(pickle.dumps(optimum)), copy.deepcopy(optimum)):
        assert same == optimum
        assert hash(same) == hash(optimum) != hash(Point([7.0]))
        assert not same.vector.flags.writeable
    array = optimum.weights if isinstance(optimum, Point) else optimum.direction
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 2.0
    oracles.refused("WRITEABLE", array.setflags, write=True)
    assert Point([0.0, -0.0]) == Point([-0.0, 0.0])
    assert hash(Point([0.0])) == hash(Point([-0.0]))
    assert Point([1.0]) != Ray([1.0])
    assert optimum != "optimum"
    assert Ray([5.0, 3.0]) == Ray([10.0, 6.0])
    assert repr(Ray([3.0, 4.0])) == "Ray([0.6, 0.8])"
    assert repr(Point([3.0, 1.0])) == "Point([3., 1.])"
    shown = "Point([0.333333, 1.333333, 2.333333, ..., 6.333333, 7.333333, 8.333333])"
    assert repr(Point(np.arange(9) + 1 / 3)) == shown


SIZES = [(2, 1), (3, 1), (3, 2), (6, 4)]


def kernel_and(d, k):
    """Return an orthonormal basis of k columns, a vector and starts."""
    rng = np.random.default_rng(10 * d + k)
    return np.linalg.qr(rng.normal(size=(d, k)))[0], rng.normal(size=d), rng.normal(size=(30, d))


def test_one_is_closest_unless_it_is_excluded():
    plane = Point([0, 0], along=np.eye(2), excluded=[[1], [0]])
    starts = [[[1, 0], [1, 1], [0, 1e-9]], [[1e20, 1], [1e20, 1e9], [0, 0]]]
    assert plane.exists(starts).tolist() == [[False, True, True], [False, True, False]]
    assert plane.exists([1, 1])
    excluded, _, _ = kernel_and(40, 20)
    within = np.random.default_rng(0).normal(size=(99, 20)) @ excluded.T
    assert not Point(np.zeros(40), along=np.eye(40), excluded=excluded).exists(within).any()


def test_one_is_closest_also_where_the_product_overflows():
    start = 1.7e308 * np.array([1, 0.5] * 32)
    for sign in (1, -1):
        assert Ray([1, -1] * 32).exists(sign * start) == (sign > 0)
        assert Ray([1, 1]).exists(sign * start[::2][:2]) == (sign > 0)
    assert Ray([1, 1]).exists([5e-324, 5e-324])


@oracles.each(SIZES)
def test_distances_to_an_affine_set_are_those_of_least_squares(case):
    along, w, starts = kernel_and(*case)
    point = Point(w, along=along)
    for start in starts:
        by, *_ = np.linalg.lstsq(along, start - w, rcond=None)
        foot = w + along @ by
        oracles.agree("nearest", point.nearest(start), foot, 1e-13)
        expected = np.sum((start - foot) ** 2)
        oracles.agree("distance", point.squared_distance(start), expected, 1e-13, start @ start)
    assert point.exists(starts).all()
    assert (point.squared_distance(starts[0] + (starts @ along) @ along.T).std()) < 1e-13


@oracles.each(SIZES)
def test_distances_to_a_half_space_of_rays_are_those_of_a_bounded_search(case):
    along, u, starts = kernel_and(*case)
    ray = Ray(u, along=along)  # u is not orthogonal to the kernel: its part across counts
    oracles.agree("across", along.T @ ray.direction, np.zeros(case[1]), 1e-15, 1.0)
    columns = np.column_stack([u, along])
    below = [0.0] + [-np.inf] * case[1]
    for start in starts:
        found = optimize.lsq_linear(columns, start, bounds=(below, np.inf), tol=1e-15).x
        foot, size = columns @ found, float(start @ start)
        oracles.agree("nearest", ray.nearest(start), foot, 1e-6)
        expected = np.sum((start - foot) ** 2)
        oracles.agree("distance", ray.squared_distance(start), expected, 1e-9, size)
        assert ray.exists(start) == (np.linalg.lstsq(columns, start, rcond=None)[0][0] > 0)
    assert 0 < np.count_nonzero(ray.exists(starts)) < 30


@oracles.each([(3, 1), (4, 2), (60, 50)])
def test_a_direction_close_to_the_kernel_is_known_less_well(case):
    along, u, starts = kernel_and(*case)
    for other in (u, *starts[: 400 // case[0]]):
        near = along[:, 0] + 1e-6 * other
        ray = Ray(near, along=along)
        with certificates.digits():
            exact = [mp.matrix(each.tolist()) for each in (near, *along.T)]
            part = exact[0]
            for _ in range(3):  # the columns are orthonormal up to rounding only
                for each in exact[1:]:
                    part -= each * (mp.fdot(each, part) / mp.fdot(each, each))
            gap = mp.norm(mp.matrix(ray.direction.tolist()) - part / mp.norm(part))
        assert gap <= ray.error + 1e-15
        assert 1e-12 < ray.error < 1e-7
        oracles.agree("across", along.T @ ray.direction, np.zeros(case[1]), 1e-15, 1.0)
        assert Ray(ray.direction, error=1e-9, along=along).error < 1.001e-9
    kernel = [[0], [0], [1]]
    assert Ray([1, 0, 0], along=kernel).error == 0 < Ray([1, 0, 1], along=kernel).error


def test_equality_is_by_where_they_lie_and_what_is_excluded_is_no_closest_element():
    normal = np.array([1.0, 2.0, 2.0]) / 3
    closure = Point(np.zeros(3), along=np.eye(3), excluded=normal[:, None])
    starts = [normal, -5 * normal, 1e-300 * normal, normal + [1e-9, 0, 0], [1, 0, 0], [0, 0, 0]]
    assert not closure.along.flags.writeable
    assert Ray([1.0, 2.0]).origin == Point([1.0, 2.0]).origin == b""
    assert closure.exists(starts).tolist() == [False, False, False, True, True, False]
    assert Ray([1.0, 2.0]).exists([[2.0, -1.0], [2.0, -0.9]]).tolist() == [False, True]
    assert not closure.squared_distance(starts).any()
    assert (closure.nearest(starts) == starts).all()
    e, f = np.eye(2)[:, :1], np.eye(2)[:, 1:]
    for kind in (Point, Ray):
        one = kind([0.0, 1.0], 0.1, e, along_error=0.2, origin=b"x")
        assert one == kind([0.0, 1.0], along=e)
        assert hash(one) == hash(kind([-0.0, 1.0], along=e))
        for other in (kind([0.0, 1.0]), kind([0.0, -1.0], along=e), kind([1.0, 0.0], along=f)):
            assert one != other
        same = pickle.loads(pickle.dumps(one))
        for name in ("vector", "error", "along", "along_error", "origin"):
            assert np.array_equal(getattr(same, name), getattr(one, name)), name
        assert repr(one).endswith("along 1 direction)")
    assert repr(Point([0.0, 0.0], along=np.eye(2))) == "Point([0., 0.], along 2 directions)"
    assert Point([0.0, 1.0], along=e) != Ray([0.0, 1.0], along=e)
