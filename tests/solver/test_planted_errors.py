"""Tests of the tests: every error planted in the solver is caught by the comparison."""

from dataclasses import replace

import numpy as np
import pytest

from bn_solver import dependent, doubled, least_squares
from bn_solver.augmented import Systems
from tests import oracles
from tests.oracles import Disagreement
from tests.solver.exact import WHOLE, compare, conditioned

NORMAL = np.random.default_rng(0).normal(size=(8, 3))
TARGETS = np.random.default_rng(1).normal(size=8)
LINE = 1e8 + np.arange(5.0)
DOUBLED = NORMAL[:, [0, 1, 1]]
PROBLEMS = {
    "normal": (NORMAL, TARGETS, False),
    "powers": (WHOLE["powers"], np.cos(np.arange(21.0)), True),
    "exact powers": (WHOLE["powers"], WHOLE["powers"].sum(axis=1), True),
    "far line": (LINE[:, None], LINE / 3, True),
    "doubled": (DOUBLED, TARGETS, False),
    "units": (DOUBLED * [1e150, 1e-150, 1e-150], TARGETS, False),
    "wide": (NORMAL.T, TARGETS[:3], False),
}


def changed(change):
    """Return a solver whose result is changed."""

    def solve(x, t, *, intercept):
        found = least_squares(x, t, intercept=intercept)
        return replace(found, **change(found, x, t))

    return solve


def plain(found, x, t):
    """What `lstsq` gives, with the bound of its backward error alone."""
    solution = np.linalg.lstsq(np.column_stack([x, np.ones(len(t))]), t)[0][:-1]
    return {"solution": solution, "error": oracles.EPS * np.abs(solution)}


RESULTS = {
    "powers, solution: lstsq": plain,
    "normal, solution: half an ulp forgotten": lambda r, *_: {
        "error": r.error - np.spacing(np.abs(r.solution)) / 2
    },
    "exact powers, solution: one ulp off": lambda r, *_: {"solution": np.nextafter(r.solution, 9)},
    "far line, intercept: from rounded means": lambda r, x, t: {
        "intercept": t.mean() - x.mean(axis=0) @ r.solution
    },
    "exact powers, residual: from rounded values": lambda r, x, t: {
        "residual": t - x @ (r.solution + 1e-15) - r.intercept
    },
    "normal, residual: bound too large": lambda r, *_: {"residual_error": r.residual_error + 1e-14},
    "doubled, solution: not the shortest": lambda r, *_: {
        "solution": r.solution + 1e-14 * r.kernel[:, 0]
    },
    "units, rank: by a global tolerance": lambda r, x, _: {"rank": np.linalg.matrix_rank(x)},
    "wide, kernel: turned": lambda r, *_: {"kernel": r.kernel + 1e-12},
    "wide, kernel: missing": lambda r, *_: {"kernel": r.kernel[:, 1:]},
    "wide, kernel: not orthonormal": lambda r, *_: {"kernel": r.kernel * (1 + 1e-12)},
}


@oracles.each(PROBLEMS)
def test_what_is_tampered_with_is_right_before(problem):
    assert compare(*problem) is not None


@oracles.each(list(RESULTS))
def test_a_wrong_result_is_caught(plant):
    problem, what = plant.partition(": ")[0].split(", ")
    with pytest.raises(Disagreement, match=f"^{what}: "):
        compare(*PROBLEMS[problem], changed(RESULTS[plant]))


def no_refinement(self, f, g, **_):
    x, r, size = self._correction(f[0], g[0])
    return (x, 0 * x), (r, 0 * r), 1e-20 * size


def single_residuals(self, f, g, x, r):
    a = np.moveaxis(self.slices.sum(axis=1), 3, 1).reshape(len(self.q), self.d, -1)[..., : self.m]
    return f[0] - r[0] - np.swapaxes(a, 1, 2) @ x[0], g[0] - a @ r[0]


@oracles.each({"refine": no_refinement, "_residuals": single_residuals})
def test_poor_refinement_is_caught(value):
    name = "refine" if value is no_refinement else "_residuals"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Systems, name, value)
        with pytest.raises(Disagreement, match="^(solution|intercept): "):
            compare(*PROBLEMS["powers"])


def noisy():
    """Return problems whose last correction may be smaller than the rounding of a residual."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = conditioned(rng.normal(size=(8, 3)), 4 + seed % 8)
        yield x, x @ rng.integers(-3, 3, size=3), True


def test_a_bound_without_the_noise_of_the_residuals_is_caught(monkeypatch):
    refine, noise = Systems.refine, Systems._noise

    def correction_alone(self, f, g, **more):
        x, r, bound = refine(self, f, g, **more)
        return x, r, np.maximum(bound - noise(self, f, g, x, r) / 0.75, 0.0)

    for problem in noisy():
        compare(*problem)
    monkeypatch.setattr(Systems, "refine", correction_alone)
    caught = 0
    for problem in noisy():
        try:
            compare(*problem)
        except Disagreement:
            caught += 1
    assert caught > 2


def test_a_basis_by_a_global_tolerance_is_refused(monkeypatch):
    basis = dependent._basis

    def by_matrix_rank(a, power, raw, *, forced):
        return basis(a, power, raw, forced=forced)[: np.linalg.matrix_rank(raw)]

    monkeypatch.setattr(dependent, "_basis", by_matrix_rank)
    assert compare(*PROBLEMS["doubled"]) is not None
    assert compare(*PROBLEMS["units"]) is None


def test_a_prime_that_lies_is_not_believed(monkeypatch):
    near = NORMAL[:, 1].copy()
    near[4] += 3 * np.spacing(near[4])  # a difference that 3 divides
    x = np.column_stack([NORMAL, near])
    assert doubled.independent(x, [0, 1, 2, 3]) == [0, 1, 2, 3]
    monkeypatch.setattr(doubled, "_PRIMES", (3, 3))
    assert 3 not in doubled.independent(x, [0, 1, 2, 3])
    for intercept in (False, True):
        assert compare(x, TARGETS, intercept) is None
