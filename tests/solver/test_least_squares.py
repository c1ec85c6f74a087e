"""The solver is right to the stated bound against exact rationals, or refuses; it is never wrong.

Not here: that these comparisons notice an error (``test_planted_errors``).
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import nist
from bn_solver import least_squares
from bn_solver.dependent import _least_norm
from tests import oracles
from tests.oracles import rational
from tests.solver.exact import WHOLE, compare, conditioned, fractions

RNG = np.random.default_rng
EPS = oracles.EPS
WAYS = {"without": False, "with intercept": True}


def solved(x, t, intercept):
    """Compare, and demand that the problem is not refused."""
    found = compare(x, t, intercept)
    assert found is not None
    return found


@oracles.each({data.name: data for data in nist.written()})
def test_every_coefficient_of_nist_is_the_rounded_one(data):
    found = solved(data.inputs, data.targets, data.intercept)
    *intercept, solution = np.split(nist.exact(data), [int(data.intercept)])
    assert found.solution.tolist() == [float(v) for v in solution]
    assert (found.error <= 2e-16 * np.abs(found.solution)).all()
    if data.intercept:
        assert found.intercept == float(intercept[0][0])
    solved(data.inputs, data.targets, not data.intercept)


def test_a_polynomial_of_degree_ten_as_ill_conditioned_as_filip():
    x = np.linspace(-8.8, -3.1, 82)[:, None] ** np.arange(1, 11)
    columns = np.column_stack([np.ones(82), x])
    assert np.linalg.cond(columns / np.linalg.norm(columns, axis=0)) > 3e9
    t = np.cos(x[:, 0])
    found = solved(x, t, True)
    truth = rational.solutions(rational.matrix(x), rational.column(t), intercept=True).w
    assert found.solution.tolist() == [float(v) for v in fractions(truth)]
    assert (found.error <= 2e-16 * np.abs(found.solution)).all()


@oracles.each([0, 1e4, 1e8, 1e12, 2.0**52])
def test_a_line_far_from_zero(offset):
    x = offset + np.arange(5.0)
    found = solved(x[:, None], 2 * x + 1, True)
    if offset < 2**52:  # where 2 x + 1 is exact
        assert found.solution.tolist() == [2.0]
        assert found.intercept == 1.0


@oracles.each(
    {
        "seconds": 1.7e9 + 0.001 * np.arange(117_000),
        "milliseconds": 1.7e12 + np.arange(117_000.0),
        "microseconds": 1.7e15 + 1000 * np.arange(117_000.0),
    }
)
def test_unix_time(time):
    sine = np.sin(0.01 * np.arange(117_001))
    x = np.column_stack([time, sine[1:], sine[:-1]])
    t = 2 * x[:, 1] - x[:, 2] + 20
    found = least_squares(x, t, intercept=True)
    np.testing.assert_allclose(found.solution, [0, 2, -1], rtol=1e-12, atol=1e-18)  # t is rounded
    np.testing.assert_allclose(found.intercept, 20, rtol=1e-8)
    assert (found.error[1:] <= 4e-16).all()
    for intercept in (False, True):
        solved(x[::3900], t[::3900], intercept)


def test_a_spread_of_one_ulp():
    x = 1.7e18 + np.array([0.0, 512, 1024])
    assert solved(x[:, None], [1.0, 2, 3], True).solution.tolist() == [1 / 512]


@oracles.each(WHOLE)
def test_targets_that_are_the_sum_of_integer_inputs(x):
    for intercept in (False, True):
        found = solved(x, x.sum(axis=1), intercept)
        assert (found.solution == 1.0).all()
        assert (found.error < 1.2e-16).all()


def dependent():
    """Return inputs and their rank, None where an intercept changes it."""
    x = RNG(3).normal(size=(7, 3))
    i = RNG(4).integers(-9, 9, size=(7, 3)).astype(float)
    combined = i @ [2, -3, 1]
    time = 1.7e12 + np.arange(7)
    return {
        "duplicate": (np.column_stack([x, x[:, 0]]), 3),
        "constant": (np.column_stack([x, np.full(7, 0.1)]), None),
        "integer combination": (np.column_stack([i, combined]), 3),
        "two of them": (np.column_stack([i, combined, i[:, 0], x]), 6),
        "zero column": (np.column_stack([x, np.zeros(7)]), 3),
        "power of two": (np.column_stack([x, x[:, 1] * 2.0**400]), 3),
        "graded": (np.column_stack([time, 1e-3 * x[:, 0], 1e-3 * x[:, 0]]), 2),
        "wide": (RNG(5).normal(size=(3, 6)), None),
        "one row": (RNG(6).normal(size=(1, 4)), None),
        "all zero": (np.zeros((4, 2)), 0),
        "units": (x[:, [0, 1, 1]] * [1e150, 1e-150, 1e-150], 2),
    }


@oracles.each(dependent())
def test_exact_dependence_and_that_the_kernel_can_be_left_out(x, rank):
    t = RNG(7).normal(size=len(x))
    for intercept in (False, True):
        found = solved(x, t, intercept)
        assert rank is None or found.rank == rank
        assert found.error.max() <= 1e-14 * max(np.abs(found.solution).max(), 1e-300)
        alone = least_squares(x, t, intercept=intercept, kernel=False)
        assert alone.kernel.shape == (x.shape[1], 0)
        assert alone.kernel_error == 0
        assert alone.rank == found.rank == x.shape[1] - found.kernel.shape[1]
        assert (np.abs(alone.solution - found.solution) <= alone.error + found.error).all()


@oracles.each(range(10))
def test_integer_matrices_of_exact_deficiency(seed):
    rng = RNG(seed)
    r = int(rng.integers(1, 5))
    x = (rng.integers(-9, 9, size=(9, r)) @ rng.integers(-9, 9, size=(r, 6))).astype(float)
    for intercept in (False, True):
        solved(x, rng.normal(size=9), intercept)


@oracles.each(WAYS)
def test_nearly_dependent_columns_are_refused_and_named(intercept):
    x = RNG(8).normal(size=(9, 3)) + 3
    near = x[:, 1].copy()
    near[4] = np.nextafter(near[4], 9)
    doubtful = np.column_stack([x[:, 1], near])
    for columns, inputs, targets in (
        ("[1, 3] are", np.column_stack([x, near]), x[:, 0]),
        ("[0, 1] of learning set (1,) are", np.stack([x[:, :2], doubtful]), x[:, :2].T),
        ("[0, 1] of learning set (1, 0) are", np.stack([[x[:, :2]], [doubtful]]), x.T[:2, None]),
    ):
        with pytest.raises(ValueError, match="^inputs: columns ") as caught:
            least_squares(inputs, targets, intercept=intercept)
        assert columns in str(caught.value)
        assert ("constant" in str(caught.value)) == intercept


def test_what_float64_cannot_hold_or_tell_is_refused():
    x = np.array([[1 + EPS, 1], [1, 1 - EPS]])  # determinant −ε²: the rank is 2, exactly
    oracles.refused(r"columns \[0, 1\]", least_squares, x, np.ones(2))
    oracles.refused("too large for float64", least_squares, [[1e-200], [2e-200]], [1e200, 0])


def test_large_problems_and_none():
    x = RNG(13).normal(size=(100, 250))
    found = least_squares(x, x @ np.ones(250))
    assert found.rank == 100
    assert np.abs(x @ found.kernel).max() < 1e-12
    assert np.abs(found.kernel.T @ found.kernel - np.eye(150)).max() < 1e-13
    assert found.kernel_error < 1e-12
    shortest = np.linalg.pinv(x) @ x @ np.ones(250)
    np.testing.assert_allclose(found.solution, shortest, rtol=0, atol=1e-12)
    found = least_squares(np.zeros((0, 3, 2)), np.zeros((0, 3)))
    assert found.solution.shape == (0, 2)
    assert found.rank.shape == (0,)
    x = RNG(12).integers(-9, 9, size=(60, 60)).astype(float)
    t = x @ np.ones(60)
    found = least_squares(x, t)
    assert (found.solution == 1).all()
    assert (found.error < 1.2e-16).all()
    assert (np.abs(found.residual) <= found.residual_error).all()
    assert found.residual_error < 1e-13


@st.composite
def problems(draw):
    """Return inputs of any condition, offset, unit and rank, targets, and whether to fit a bias."""
    d = draw(st.integers(1, 5))
    m = draw(st.integers(1, d + 3))
    rng = RNG(draw(st.integers(0, 10**6)))
    x = rng.normal(size=(m, d))
    if draw(st.booleans()) and min(m, d) > 1:
        x = conditioned(x, draw(st.floats(0, 14)))
    if draw(st.booleans()):
        x = np.rint(x * 10 / np.abs(x).max())
    x = x + draw(st.sampled_from([0, 0, 1])) * 10.0 ** draw(st.floats(0, 12)) * np.abs(x).max()
    for _ in range(draw(st.integers(0, 2))):
        j, k = draw(st.integers(0, d - 1)), draw(st.integers(0, d - 1))
        x[:, j] = {
            "duplicate": x[:, k],
            "near": x[:, k] * (1 + 1e-16 * rng.integers(-3, 3, size=m)),
            "constant": rng.normal() * np.ones(m),
            "zero": np.zeros(m),
            "sum": x[:, k] + x[:, 0],
        }[draw(st.sampled_from(["duplicate", "near", "constant", "zero", "sum"]))]
    x = x * 10.0 ** draw(st.sampled_from([0, 0, -150, 150]))
    if draw(st.booleans()):
        x = x * 2.0 ** rng.integers(-60, 60, size=d)
    t = rng.normal(size=m) if draw(st.booleans()) else x @ rng.integers(-3, 3, size=d)
    return x, t * 10.0 ** draw(st.sampled_from([0, 0, -100, 100])), draw(st.booleans())


@settings(max_examples=300)
@given(problems())
def test_right_to_the_bound_or_refused(problem):
    compare(*problem)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 13))
def test_full_rank_is_not_refused(seed, intercept, digits):
    rng = RNG(seed)
    d = int(rng.integers(1, 6))
    x = conditioned(rng.normal(size=(d + 3, d)), digits)
    found = solved(x, rng.normal(size=d + 3), intercept)
    assert (found.error <= 1e-14 * np.abs(found.solution).max()).all()


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.booleans())
def test_a_stack_is_its_problems(seed, intercept):
    rng = RNG(seed)
    m, d = rng.integers(1, 9), rng.integers(1, 5)
    x, t = rng.normal(size=(2, 3, m, d)), rng.normal(size=(2, 3, m))
    x[0, 1, :, 0], x[1, 0] = 1.0, 0.0
    x[1, 2] *= 10.0 ** rng.uniform(-9, 0, d)
    together = least_squares(x, t, intercept=intercept)
    for i in np.ndindex(2, 3):
        alone = solved(x[i], t[i], intercept)
        off = np.abs(together.solution[i] - alone.solution)
        assert (off <= together.error[i] + alone.error).all()
        assert together.rank[i] == alone.rank
        size = alone.kernel.shape[1]
        assert np.array_equal(together.kernel[i][:, :size], alone.kernel)
        assert not together.kernel[i][:, size:].any()


def test_a_stack_refined_in_several_rounds():
    """Some problems of a chunk are done earlier than others."""
    rng = RNG(15)
    x = np.stack([conditioned(rng.normal(size=(8, 3)), 12 * i / 11) for i in range(12)])
    t = rng.normal(size=(12, 8))
    for intercept in (False, True):
        together = least_squares(x, t, intercept=intercept)
        for i in range(12):
            alone = solved(x[i], t[i], intercept)
            off = np.abs(together.solution[i] - alone.solution)
            assert (off <= together.error[i] + alone.error).all()


@oracles.each(WAYS)
def test_long_sums_stay_within_the_bound(intercept):
    rng, m = RNG(11), 200 if intercept else 2000
    x = rng.normal(size=(m, 3)) * np.exp(3 * rng.normal(size=(m, 1)))
    found = solved(x, rng.standard_cauchy(size=m), intercept)
    assert (found.error <= 1.2e-16 * np.abs(found.solution)).all()


@pytest.mark.parametrize(("slope", "off"), [(0.5, 1e-10), (3.0, 1e-12), (0.0, 1e-9)])
def test_a_kernel_is_known_up_to_what_the_coefficients_are(slope, off):
    def kernel(slope):
        return np.array([-slope, 1]) / np.hypot(slope, 1)

    coefficients = np.array([[1.0, slope]]), np.zeros((1, 2))
    basis, others = np.array([0]), np.array([1])
    found = _least_norm(coefficients, np.array([[0.0, off]]), basis, others)
    assert np.linalg.norm(kernel(slope + off) - kernel(slope)) <= found[3] < 4 * off + 1e-14
    assert _least_norm(coefficients, np.array([[0.0, 1e-6]]), basis, others) is None
