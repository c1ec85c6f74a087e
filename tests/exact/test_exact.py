"""The exact module: every number of the counterexample, and the library it mirrors."""

import numpy as np
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import bnlib
from bn_experiments import exact
from tests import oracles


def bn(**options):
    return exact.Neuron(normalization=exact.BatchNorm(**options))


DATA = exact.counterexample()
STANDARD, NORMALIZED = exact.Neuron(), bn()
OPTIMA = STANDARD.optima(DATA), NORMALIZED.optima(DATA)
COLLINEAR = exact.LearningSet([[1, 2], [2, 4]], [1, 2])
UNCORRELATED = exact.LearningSet([[-1], [0], [1]], [1, 0, 1])
ORIGIN = [exact.Point(sp.Matrix([0, 0]))]
STAR = sp.Matrix([3, 1])
R = sp.Rational


def equal(actual, expected):
    """Return whether two exact numbers or matrices are the same."""
    return sp.simplify(sp.Matrix([actual]) - sp.Matrix([expected])).is_zero_matrix is True


def test_the_standard_optimum_of_the_counterexample():
    ((star,), _) = OPTIMA
    assert star.weights == STAR.as_immutable()
    assert STANDARD.loss(STAR, DATA) == 1
    assert list(DATA.inputs * STAR - DATA.targets) == [1, 1, -1]
    assert STANDARD.gradient(STAR, DATA).is_zero_matrix
    assert STANDARD.hessian(STAR, DATA).is_positive_definite


def test_the_bn_loss_and_gradient_at_the_standard_optimum():
    y = DATA.inputs * STAR
    assert equal(exact.BatchNorm().forward(y), sp.Matrix([1, -5, 4]) / sp.sqrt(14))
    assert equal(NORMALIZED.loss(STAR, DATA), R(32, 3) - 44 / (3 * sp.sqrt(14)))
    gradient = NORMALIZED.gradient(STAR, DATA)
    assert equal(gradient, sp.Matrix([4, -12]) / (7 * sp.sqrt(14)))
    assert gradient.dot(STAR) == 0
    assert equal(NORMALIZED.hessian(STAR, DATA) * STAR, -gradient)


def test_the_bn_optima_are_the_published_ray_and_its_opposite_are_maxima():
    (_, (ray,)) = OPTIMA
    assert list(ray.direction) == [5, 3]
    assert equal(NORMALIZED.loss([5, 3], DATA), (32 - 2 * sp.sqrt(38)) / 3)
    for sign in (1, -1):
        w = sign * ray.direction
        assert NORMALIZED.gradient(w, DATA).is_zero_matrix
        assert sign * (NORMALIZED.hessian(w, DATA).trace()) > 0


def test_there_are_no_other_stationary_directions():
    # ∇L̂ = (3a − 5b)(−b, a) / σ³ up to a constant: it vanishes on the line of (5, 3) alone.
    a, b = sp.symbols("a b", real=True)
    loss = NORMALIZED.loss([a, b], DATA)
    variance = 2 * (a**2 - a * b + b**2) / 9
    around = sp.simplify((a * loss.diff(b) - b * loss.diff(a)) * variance ** R(3, 2))
    factor = sp.cancel(around / ((3 * a - 5 * b) * (a**2 + b**2)))
    assert factor.is_Rational
    assert factor < 0
    assert sp.simplify(a * loss.diff(a) + b * loss.diff(b)) == 0


def test_both_sides_of_the_lemma_at_the_standard_optimum():
    check = exact.check_lemma(STAR, *OPTIMA)
    assert (check.left, check.right) == (R(8, 17), 0)
    assert (check.applies, check.violated, check.holds) == (True, True, False)
    theta = exact.angle([3, 1], [5, 3])
    assert equal(sp.cos(theta), 9 / sp.sqrt(85))
    assert equal(sp.tan(theta), R(2, 9))


def test_scale_alone_keeps_the_ray_and_centring_alone_has_a_point():
    (ray,), (point,) = bn(center=False).optima(DATA), bn(scale=False).optima(DATA)
    assert (list(ray.direction), list(point.weights)) == ([3, 1], [5, 3])


def test_the_laws_are_the_printed_ones():
    theta = sp.Symbol("theta", positive=True)
    assert equal(exact.failure_probability(theta), R(1, 2) + theta / (2 * sp.pi))
    assert equal(exact.mean_excess(theta, 3), 9 * (2 * theta - sp.sin(2 * theta)) / (2 * sp.pi))
    assert exact.failure_probability(0) == exact.mean_excess(0) == 0
    for value in (R(1, 100), sp.pi / 2, sp.pi):
        for name in ("failure_probability", "mean_excess"):
            expected = float(getattr(exact, name)(value).evalf(30))
            oracles.agree(name, getattr(bnlib, name)(float(value)), expected, 1e-11)


whole = st.integers(-6, 6)


@settings(max_examples=25)
@given(st.tuples(whole, whole), st.tuples(whole, whole), st.tuples(whole, whole))
def test_the_exact_check_and_the_floating_one_never_contradict(start, star, ray):
    if star == (0, 0) or ray == (0, 0):
        return
    expected = exact.check_lemma(start, [exact.Point(sp.Matrix(star))], [exact.Ray(ray)])
    actual = bnlib.check_lemma(start, [bnlib.Point(star)], [bnlib.Ray(ray)])
    size = float(sum(v * v for v in start))
    assert expected.applies == actual.applies
    assert expected.violated == actual.violated
    oracles.agree("left", actual.left, float(expected.left), 1e-14, size)
    oracles.agree("right", actual.right, float(expected.right), 1e-14, size)


@oracles.each([[-5], [7], [R(-1, 3)], [-5, -3], [0, -2], [R(1, 2), R(-1, 3)], [-4, 6, -8]])
def test_lowest_terms_keep_the_direction(direction):
    u = exact.Ray(direction).direction
    (ratio,) = {a / b for a, b in zip(u, direction, strict=True) if b}
    assert ratio > 0
    assert all(each.is_Integer for each in u)
    assert sp.igcd(0, *u) == 1


def test_floats_are_the_binary_fractions_they_are_and_what_a_reader_sees():
    data = exact.LearningSet(np.array([[0.1], [0.5]]), [0.25, np.float64(0.1)])
    assert data.inputs[0] == R(*(0.1).as_integer_ratio())
    assert data.targets[1] == R(*(0.1).as_integer_ratio())
    assert data.m == 2
    (star,), (ray,) = OPTIMA
    assert (repr(star), repr(ray)) == ("Point((3, 1))", "Ray((5, 3))")
    assert star._repr_latex_() == r"$\displaystyle \left(3,\; 1\right)$"
    assert r"k\,\left(5,\; 3\right) : k > 0" in ray._repr_latex_()


ERRORS = [
    ("targets: 1 targets for 2 examples", lambda: exact.LearningSet([[1], [2]], [1])),
    ("inputs: the rows differ in length", lambda: exact.LearningSet([[1], [2, 3]], [1, 2])),
    ("inputs: entries must be finite", lambda: exact.LearningSet([[float("nan")]], [1])),
    ("targets: entries must be finite", lambda: exact.LearningSet([[1]], [float("inf")])),
    ("weights: expected 2 entries, got 3", lambda: STANDARD.loss([1, 2, 3], DATA)),
    ("preactivations: constant", lambda: NORMALIZED.loss([0, 0], DATA)),
    ("direction: is zero", lambda: exact.Ray([0, 0])),
    ("epsilon: exact optima", lambda: bn(epsilon=1).optima(DATA)),
    ("gamma: is 0", lambda: bn(gamma=0).optima(DATA)),
    ("gamma: is 0", lambda: bn(gamma=0, scale=False).optima(DATA)),
    ("epsilon: must be at least 0", lambda: bn(epsilon=-1)),
    ("inputs: collinear", lambda: STANDARD.optima(COLLINEAR)),
    ("targets: uncorrelated", lambda: NORMALIZED.optima(UNCORRELATED)),
    ("standard_optima, normalized_optima", lambda: exact.check_lemma([1], [], [])),
    ("start: has 1 weights, but Point", lambda: exact.check_lemma([1], *OPTIMA)),
    (r"standard_optima: W\* = 0", lambda: exact.check_lemma([1, 2], ORIGIN, OPTIMA[1])),
    ("first, second: a zero vector", lambda: exact.angle([0, 0], [1, 2])),
    ("angle: must lie in", lambda: exact.failure_probability(4)),
]


@oracles.each(ERRORS)
def test_errors_name_the_argument(message, call):
    oracles.refused(message, call)
