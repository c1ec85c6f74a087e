"""Any scale of degree one, not centred: where W* stays stationary, a minimum, a ray; penalties."""

from functools import cache

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

import bnlib
from bn_experiments import datasets, probability
from bn_experiments.variants import UncentredNeuron
from bnlib import BatchNorm, Neuron, Point
from tests import oracles

SIZES = {  # smooth off 0; the last two are no norms
    "4-norm": lambda w: sum(x**4 for x in w) ** 0.25,
    "of a matrix": lambda w: (2 * sum(x**2 for x in w) + w[0] * w[1]) ** 0.5,
    "not even": lambda w: sum(x**2 for x in w) ** 0.5 + 0.6 * w[0],
    "not convex": lambda w: (q := sum(x**2 for x in w)) ** 0.5 * (1 + 3 * (w[0] * w[1] / q) ** 2),
}
NORMALIZED = Neuron(normalization=BatchNorm())


@cache
def symbolic(name):
    """Return N, its gradient and Hessian; and the gradient and Hessian of the loss, by SymPy."""
    w, star, gamma = sp.symbols("w:3"), sp.symbols("s:3"), sp.Symbol("g")
    moment, size = sp.symbols("m:3:3"), SIZES[name](w)
    gap = sp.Matrix([gamma * a / size - b for a, b in zip(w, star, strict=True)])
    loss = (gap.T * sp.Matrix(3, 3, moment) * gap)[0]
    both = [[sp.derive_by_array(f, w), sp.hessian(f, w)] for f in (size, loss)]
    given = [w, star, moment, gamma]
    return sp.lambdify([w], [size, *both[0]]), sp.lambdify(given, both[1], cse=True)


def compare_curvature(planted=""):
    """Compare the Hessian of the loss across W* with the formula; return the kinds met."""
    kinds = set()
    for name, seed in ((a, b) for a in SIZES for b in range(6)):
        rng, (of_size, of_loss) = np.random.default_rng(seed), symbolic(name)
        star, side = rng.normal(size=3), rng.normal(size=(4, 3))
        n, slope, bend = map(np.asarray, of_size(star))
        side -= np.outer(side @ star, star) / (star @ star)
        moment = rng.uniform(0.3, 3) * np.outer(slope, slope) + rng.uniform(0.02, 2) * side.T @ side
        unit = 1.0 if planted == "no unit" else star @ moment @ star / n
        across = np.linalg.svd(slope[None])[2][1:].T
        root = np.linalg.inv(np.linalg.cholesky(across.T @ moment @ across)) @ across.T
        zeta = np.linalg.eigvalsh(root @ (unit * bend) @ root.T)
        for gamma in n * np.array([-0.7, 0.4, 1.3, 8.0]):
            gradient, hessian = map(np.asarray, of_loss(star, star, moment.ravel(), gamma))
            oracles.agree("gradient", gradient, 0 * star, 1e-11, np.abs(hessian).max())
            stated = 2 * gamma / n**2 * (gamma + (1 if planted == "no size" else n - gamma) * zeta)
            seen = np.linalg.eigvalsh(root @ hessian @ root.T)
            oracles.agree(f"curvature, {name}", np.sort(stated), seen, 1e-9)
            kinds.add("minimum" if seen[0] > 0 else "maximum" if seen[-1] < 0 else "saddle")
    return kinds


def compare_trained(planted=""):
    """Compare the fits of blind minimisation, γ > 0 (and β) trained, with W* (and the slope)."""
    data, rng = oracles.normal_set(4, m=9, d=3), np.random.default_rng(1)
    for (name, size), beta in ((a, b) for a in SIZES.items() for b in (0, 1)):
        columns = np.c_[data.inputs, np.full(data.m, beta != (planted == "bias"))]
        expected = np.linalg.lstsq(columns, data.targets)[0][:3]

        def residual(p, size=size, beta=beta):
            return np.exp(p[3]) * data.inputs @ p[:3] / size(p[:3]) + beta * p[4] - data.targets

        starts = [np.r_[data.inputs.T @ data.targets, 0, 0] + rng.normal(size=5) for _ in range(3)]
        tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
        found = [optimize.least_squares(residual, each, jac="3-point", **tight) for each in starts]
        best = min(found, key=lambda each: each.cost).x
        oracles.agree(f"ray, {name}", bnlib.angle(expected, best[:3]), 0.0, 1e-6, 1.0)


def test_curvature_at_the_standard_optimum_and_the_rays_of_trained_parameters():
    assert compare_curvature() == {"minimum", "saddle", "maximum"}
    compare_trained()


def compare_count(data, divisor, gamma, planted=1):
    """Compare the rays, w = (1, v), with the real roots of a quartic, counted exactly."""
    X, t = (sp.Matrix(each.tolist()).applyfunc(sp.Rational) for each in (data.inputs, data.targets))
    v, mean = sp.symbols("v"), X.T * sp.ones(data.m, 1) / data.m
    M, w = X.T * X / data.m, sp.Matrix([1, v])
    A = M - mean * mean.T if divisor == "std" else sp.eye(2)
    first, second = (sp.Matrix.hstack(A * w, b).det() for b in (M * w, X.T * t / data.m))
    left, right = sp.Rational(gamma) ** 2 * first**2, (w.T * A * w)[0] * second**2
    quartic = sp.Poly(left - planted * right, v)
    roots = [float(each) for each in quartic.nroots(30) if each.is_real]
    if quartic.degree() == 4 and len(roots) == quartic.count_roots():  # none at infinity or double
        rays = [ray.direction for ray in UncentredNeuron(divisor, gamma).optima(data)]
        for w1, w2 in rays:
            gap = min(abs(w2 - w1 * each) / np.hypot(1, each) for each in roots)
            oracles.agree("root", gap, 0.0, 1e-7, 1.0)
        oracles.agree("count", len(rays), len(roots) / 2, 0)


@given(oracles.well_conditioned(2, 2), st.sampled_from([0.5, 1, 3]))
def test_no_ray_is_missed_by_an_exact_count(data, gamma):
    for divisor in ("std", "weights"):
        compare_count(data, divisor, gamma)


@oracles.each(["no unit", "no size", "bias", "quartic"])
def test_a_wrong_statement_is_noticed(planted):
    told, call = {
        "bias": ("ray", lambda: compare_trained("bias")),
        "quartic": ("root", lambda: compare_count(bnlib.counterexample(), "std", 1.0, planted=2)),
    }.get(planted, ("curvature", lambda: compare_curvature(planted)))
    with pytest.raises(oracles.Disagreement, match=told):
        call()


@given(oracles.well_conditioned(3, 2), st.sampled_from([0.1, 1.0]), st.integers(0, 9))
def test_weight_decay_leaves_no_optimum_and_ridge_undoes_centring(data, penalty, seed):
    w = np.random.default_rng(seed).normal(size=data.d)
    losses = NORMALIZED.loss(np.outer([0.9, 1.0, 1.1], w), data) / (penalty * (w @ w))
    rises = np.diff(losses + np.array([0.9, 1.0, 1.1]) ** 2)
    oracles.agree("rise", rises, [0.19, 0.21], 1e-12, 1 + float(losses[0]))
    centred = datasets.prepare(data, "centred")
    X, t, root = centred.inputs, centred.targets, np.sqrt(penalty * data.m) * np.eye(data.d)
    star = optimize.lsq_linear(np.vstack([X, root]), np.r_[t, np.zeros(data.d)]).x
    gap = bnlib.angle(star, np.linalg.lstsq(X, t)[0])
    eigenvector = bnlib.angle(X.T @ X @ (X.T @ t), X.T @ t)
    assert (gap < 1e-6) == (eigenvector < 1e-6) or gap < 1e-4
    if gap > 1e-3:
        rays, rng = NORMALIZED.optima(centred), np.random.default_rng(1)
        assert probability.verdicts([Point(star)], rays, rng) == ("fails", "fails")
