"""Independent oracles for bnlib, and the comparisons that the tests and the planted errors share.

Nothing here calls a formula of bnlib: forward passes are written again in NumPy and in JAX,
derivatives come from automatic differentiation, SymPy or finite differences, optima from
blind minimisation, the lemma's right side from the printed formula in rational numbers, and
the laws from quadrature and simulation.

A ``compare_…`` function returns nothing where the library agrees and raises `Disagreement`,
naming the quantity, where it does not. Errors are relative to the size of what is compared.
"""

import os
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from scipy import integrate, optimize

import bnlib
from bn_experiments import exact
from tests.lacking import NO_JAX

EPS = float(np.finfo(np.float64).eps)

settings.register_profile(
    "oracles",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
QUICK = {"max_examples": 10, "phases": [Phase.generate]}
settings.register_profile("mutants", settings.get_profile("oracles"), **QUICK)
settings.load_profile("mutants" if "MUTANT_UNDER_TEST" in os.environ else "oracles")

SYMBOLIC = {
    "identity": lambda z: z,
    "tanh": sp.tanh,
    "sigmoid": lambda z: 1 / (1 + sp.exp(-z)),
    "softplus": lambda z: sp.log(1 + sp.exp(z)),
    # Not Max(z, 0), whose derivative at the kink is 1/2: the library's convention is 0.
    "relu": lambda z: sp.Piecewise((z, z > 0), (0, True)),
    "gelu": lambda z: z * (1 + sp.erf(z / sp.sqrt(2))) / 2,
    "leaky_relu": lambda z: sp.Piecewise((z, z > 0), (z / 100, True)),
    "silu": lambda z: z / (1 + sp.exp(-z)),
    "elu": lambda z: sp.Piecewise((z, z > 0), (sp.exp(z) - 1, True)),
}
"""The activations in SymPy."""


def each(cases):
    """Run a test for every case in one go; a failure names the case.

    A case is the argument of the test; where the test has several, a case is a tuple of them.
    """
    named = cases.items() if isinstance(cases, dict) else [(str(case), case) for case in cases]

    def over(test):
        several = test.__code__.co_argcount > 1

        def run():
            for name, case in named:
                try:
                    test(*case) if several else test(case)
                except BaseException as error:
                    error.add_note(f"case: {name}")
                    raise

        return run

    return over


class Disagreement(AssertionError):
    """The library and an oracle differ by more than the tolerance."""


def refused(message, call, *arguments, **options):
    """Check that a call raises ``ValueError`` with a message that matches somewhere."""
    with pytest.raises(ValueError, match=message):
        call(*arguments, **options)


def relative_error(actual, expected, size=None):
    """Return max |actual − expected| / size; infinite for NaN or another shape.

    The size is that of the expected values, unless these are small by cancellation.
    """
    a, e = np.asarray(actual, dtype=float), np.asarray(expected, dtype=float)
    if a.shape != e.shape or not (np.isfinite(a).all() and np.isfinite(e).all()):
        return np.inf
    gap = np.abs(a - e).max(initial=0.0)
    size = np.abs(e).max(initial=0.0) if size is None else size
    return float(gap / size) if size else (np.inf if gap else 0.0)


def agree(quantity, actual, expected, tolerance, size=None):
    """Raise `Disagreement` if the relative error exceeds the tolerance."""
    error = relative_error(actual, expected, size)
    if not error <= tolerance:
        raise Disagreement(f"{quantity}: relative error {error:.2g} exceeds {tolerance:.2g}")


def normal_set(seed, m=7, d=3):
    """Return a learning set of normal numbers, with means that are not zero."""
    rng = np.random.default_rng(seed)
    return bnlib.LearningSet(rng.normal(0.5, 1.0, (m, d)), rng.normal(0.7, 1.5, m))


def well_conditioned(max_d=3, min_d=1):
    """Return learning sets of quarters whose least-squares problems are well conditioned."""

    @st.composite
    def build(draw):
        d = draw(st.integers(min_d, max_d))
        m = draw(st.integers(d + 2, d + 5))
        quarter = st.integers(-20, 20).map(lambda n: n / 4)
        x = np.array(draw(st.lists(quarter, min_size=m * d, max_size=m * d))).reshape(m, d)
        t = np.array(draw(st.lists(quarter, min_size=m, max_size=m)))
        centered = x - x.mean(axis=0)
        for each in (x, centered):
            singular = np.linalg.svd(each, compute_uv=False)
            assume(singular[-1] > 1e-2 * singular[0])
        for each, target in ((x, t), (centered, t - t.mean())):  # neither W* = 0 nor c = 0
            fit = each @ np.linalg.lstsq(each, target, rcond=None)[0]
            assume(np.linalg.norm(fit) > 1e-2 * np.linalg.norm(t))
        return bnlib.LearningSet(x, t)

    return build()


def vectors(d):
    """Return vectors of d eighths, not all zero."""
    eighth = st.integers(-40, 40).map(lambda n: n / 8)
    return st.lists(eighth, min_size=d, max_size=d).map(np.array).filter(lambda v: v.any())


EXTREMES = (0.0, 1.0, -3.0, 1e-150, -1e-150, 1e150, -2e150, 5e-324, 1e-308, 1.7e308, -1.7e308)
"""Entries that overflow, underflow, cancel and repeat."""

wild_number = st.one_of(st.sampled_from(EXTREMES), st.floats(allow_nan=False, allow_infinity=False))


def forward(xp, phi, neuron, w, data):
    """Return the loss of one weight vector, with the array module `xp` (NumPy or JAX)."""
    x, t, norm = xp.asarray(data.inputs), xp.asarray(data.targets), neuron.normalization
    y = x @ w[: data.d] + (w[data.d] if neuron.bias else 0.0)
    if norm is not None:
        y = y - xp.mean(y) if norm.center else y
        y = y / xp.sqrt(xp.mean(y * y) + norm.epsilon) if norm.scale else y
        y = norm.gamma * y + norm.beta
    return xp.mean((phi(y) - t) ** 2)


def plain_loss(neuron, data):
    """Return the loss of an identity neuron in NumPy."""
    return lambda w: float(forward(np, lambda z: z, neuron, w, data))


def jax_activations():
    """Return the activations of JAX, in float64."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    jax = pytest.importorskip("jax", reason=NO_JAX)
    jax.config.update("jax_enable_x64", True)
    same = {name: getattr(jax.nn, name) for name in SYMBOLIC if name not in ("identity", "gelu")}
    return same | {"identity": lambda z: z, "gelu": partial(jax.nn.gelu, approximate=False)}


def compare_with_jax(neuron, weights, data, tolerance=1e-11):
    """Compare loss, gradient and Hessian of a batch of weights with JAX's derivatives."""
    phi = jax_activations()[neuron.activation]
    import jax

    def gradient_and_both(w):
        loss, gradient = jax.value_and_grad(lambda v: forward(jax.numpy, phi, neuron, v, data))(w)
        return gradient, (loss, gradient)

    rows = weights.reshape(-1, weights.shape[-1])
    hessian, (loss, gradient) = jax.vmap(jax.jacfwd(gradient_and_both, has_aux=True))(rows)
    for name, of_rows in (("loss", loss), ("gradient", gradient), ("hessian", hessian)):
        expected = np.asarray(of_rows).reshape(weights.shape[:-1] + of_rows.shape[1:])
        agree(f"{name} against JAX", getattr(neuron, name)(weights, data), expected, tolerance)


def compare_batch_norm_with_jax(norm, seed):
    """Compare both derivatives of batch norm itself, where no neuron centres the inputs."""
    jax_activations()  # for float64
    import jax

    rng = np.random.default_rng(seed)
    y, g, a, b = rng.normal(0.5, 1.0, (4, 6))

    def forward(v):
        v = v - v.mean() if norm.center else v
        root = jax.numpy.sqrt((v * v).mean() + norm.epsilon) if norm.scale else 1.0
        return norm.gamma * v / root + norm.beta

    first = np.asarray(jax.jacfwd(forward)(y))
    agree("J a", norm.derivative(y, a), first @ a, 1e-13)
    agree("Jᵀ g", norm.derivative(y, g), g @ first, 1e-13)
    second = np.asarray(jax.jacfwd(jax.jacfwd(forward))(y))
    bent = np.einsum("i,ijk,j,k->", g, second, a, b)
    size = float(np.abs(g) @ np.abs(second).max(axis=(1, 2))) * np.abs(a).max() * np.abs(b).max()
    agree("D²z", norm.second_derivative(y, g, a, b), bent, 1e-13, size or 1.0)


def compare_with_sympy(neuron, weights, data, tolerance=1e-13):
    """Compare with `bn_experiments.exact` at a rational point of a rational learning set."""
    norm = neuron.normalization
    if norm is not None:
        numbers = (sp.nsimplify(each) for each in (norm.gamma, norm.beta, norm.epsilon))
        norm = exact.BatchNorm(norm.center, norm.scale, *numbers)
    symbols = sp.symbols(f"w:{data.inputs.cols}", real=True)
    z = exact.Neuron(norm).output(symbols, data)
    residuals = z.applyfunc(SYMBOLIC[neuron.activation]) - data.targets
    loss = sum(each**2 for each in residuals) / data.m
    expected = {
        "loss": loss,
        "gradient": sp.Matrix([loss.diff(each) for each in symbols]),
        "hessian": sp.hessian(loss, symbols),
    }
    x, t = (np.array(each.tolist(), float) for each in (data.inputs, data.targets))
    for name, formula in expected.items():
        number = formula.subs(dict(zip(symbols, weights, strict=True))).evalf(30)
        actual = getattr(neuron, name)(np.array(weights, float), bnlib.LearningSet(x, t[:, 0]))
        value = np.array(number.tolist() if name != "loss" else number, float)
        agree(f"{name} against SymPy", actual, value.reshape(np.shape(actual)), tolerance)


def compare_with_differences(neuron, w, data, seed, tolerance=1e-6):
    """Compare gradient and Hessian with central differences in a random direction.

    A central difference of step h errs by h²f‴/6 and, through rounding, by eps·f/h; both are
    about eps^(2/3) ≈ 4e-11 at h = eps^(1/3) times the scale of w. The tolerance leaves room
    for derivatives that are 10⁴ times larger or smaller than the function itself.
    """
    direction = np.random.default_rng(seed).normal(size=w.shape)
    direction /= np.linalg.norm(direction)
    h = np.cbrt(EPS) * max(float(np.linalg.norm(w)), 1e-300)
    ahead, behind = w + h * direction, w - h * direction
    for name, of in (("gradient", "loss"), ("hessian", "gradient")):
        function = getattr(neuron, of)
        slope = (function(ahead, data) - function(behind, data)) / (2 * h)
        actual = getattr(neuron, name)(w, data)
        # In one direction a gradient can be near 0: its size is that of the whole gradient.
        size = float(np.abs(actual).max())
        agree(f"{name} against differences", actual @ direction, slope, tolerance, size)


def brute_force(loss, starts):
    """Return the smallest loss found from many starts, and where."""
    found = [
        optimize.minimize(loss, each, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14})
        for each in starts
    ]
    best = min(found, key=lambda each: each.fun)
    return float(best.fun), np.asarray(best.x)


def scan(loss, count=3600):
    """Return the direction angle in the plane, in radians, at which the loss is smallest."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)

    def at(angle):
        return loss(np.array([np.cos(angle), np.sin(angle)]))

    best = angles[int(np.argmin([at(each) for each in angles]))]
    step = 2 * np.pi / count
    # Golden-section search cannot see differences below √eps in the angle.
    return float(optimize.minimize_scalar(at, bracket=(best - step, best, best + step)).x)


def compare_optimum(neuron, data, tolerance=1e-5):
    """Compare the only optimum of an identity neuron with blind minimisation."""
    loss = plain_loss(neuron, data)
    (optimum,) = neuron.optima(data)
    if isinstance(optimum, bnlib.Ray):
        angle = scan(loss)
        agree("ray", optimum.direction, [np.cos(angle), np.sin(angle)], tolerance)
    else:
        rng = np.random.default_rng(1)
        size = max(float(np.linalg.norm(optimum.weights)), EPS)
        _, at = brute_force(loss, size * rng.normal(size=(6, optimum.d)))
        agree("point", optimum.weights, at, tolerance)


def printed_right_side(start, star):
    """Return the lemma's right side as printed, in exact rational arithmetic."""
    w, s = [Fraction(float(v)) for v in start], [Fraction(float(v)) for v in star]
    length = sum(v * v for v in s)
    inner = sum(a * b for a, b in zip(w, s, strict=True))
    distance = sum((a - b) ** 2 for a, b in zip(w, s, strict=True))
    return Fraction(distance - (length - inner) ** 2 / Fraction(length))


def searched_left_side(start, ray):
    """Return min over k ≥ 0 of ‖W₀ − k u‖² by a grid and a bounded search inside it."""
    direction = ray / np.linalg.norm(ray)

    def squared(k):
        return float(np.sum((start - k * direction) ** 2))

    reach = 2 * float(np.linalg.norm(start)) or 1.0
    grid = np.linspace(0, reach, 401)
    best = int(np.argmin([squared(k) for k in grid]))
    ends = (grid[max(best - 1, 0)], grid[min(best + 1, 400)])
    inside = optimize.minimize_scalar(squared, bounds=ends, options={"xatol": 1e-12 * reach})
    return min(float(inside.fun), squared(0.0))


def compare_lemma(starts, star, ray, tolerance=1e-11):
    """Compare both sides of the lemma, and its verdict, start by start.

    Errors are relative to ‖W₀‖², of which both sides are a fraction.
    """
    check = bnlib.check_lemma(starts, [bnlib.Point(star)], [bnlib.Ray(ray)])
    for index, start in enumerate(starts):
        size, applies = float(start @ start), bool(start @ star > 0)
        left, right = searched_left_side(start, ray), float(printed_right_side(start, star))
        agree("left side", check.left[index], left, tolerance, size)
        agree("right side", check.right[index], right, tolerance, size)
        if bool(check.exists[index]) != bool(start @ ray > 0):
            raise Disagreement(f"exists: wrong at {start}")
        verdict = bool(check.applies[index]), bool(check.violated[index])
        if verdict != (applies, applies and left - right > 1e-9 * size):
            raise Disagreement(f"verdict: wrong at {start}")


def compare_laws_with_quadrature(angle, tolerance=1e-5):
    """Integrate over the direction of W₀ in the plane, where |W₀|² has mean 2."""
    count = 400_000
    middle = -np.pi / 2 + np.pi * (np.arange(count) + 0.5) / count

    def at(phi):
        return np.cos(phi) ** 2 - np.maximum(np.cos(phi - angle), 0) ** 2

    agree("probability", bnlib.failure_probability(angle), np.mean(at(middle) > 0), tolerance)
    kinks = [angle - np.pi / 2] if 0 < angle < np.pi else None
    mean = 2 / np.pi * integrate.quad(at, -np.pi / 2, np.pi / 2, points=kinks)[0]
    agree("mean", bnlib.mean_excess(angle), mean, tolerance)


def compare_laws_with_simulation(angle, d, seed, z=4.0):
    """Compare with normal starts in d dimensions; z standard errors of difference are too much."""
    rng = np.random.default_rng(seed)
    frame = np.linalg.qr(rng.normal(size=(d, 2)))[0]
    star, ray = 3.0 * frame[:, 0], np.cos(angle) * frame[:, 0] + np.sin(angle) * frame[:, 1]
    starts = rng.normal(size=(int(600_000 / np.sqrt(d)), d))
    starts, length = starts[starts @ star > 0], star @ star
    left = np.sum((starts - np.maximum(starts @ ray, 0)[:, None] * ray) ** 2, axis=1)
    right = np.sum((starts - star) ** 2, axis=1) - (length - starts @ star) ** 2 / length
    gaps, rate = left - right, np.mean(left > right)
    for name, measured, law, spread in (
        ("probability", rate, bnlib.failure_probability(angle), np.sqrt(rate * (1 - rate))),
        ("mean", gaps.mean(), bnlib.mean_excess(angle), gaps.std()),
    ):
        score = abs(measured - law) / (spread / np.sqrt(len(gaps)))
        if not score < z:
            raise Disagreement(f"{name} against simulation: {score:.1f} standard errors")
