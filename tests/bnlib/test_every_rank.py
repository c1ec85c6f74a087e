"""Every learning set: optima and verdict against exact rational arithmetic, or a ``ValueError``."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma
from tests import oracles
from tests.oracles import rational

STANDARD, BN = Neuron(), Neuron(normalization=BatchNorm())
NAMED = ("inputs", "targets", "start", "data")


def squared(bound):
    return rational.column([bound])[0, 0] ** 2


@st.composite
def columns(draw):
    """Return inputs whose columns have offsets and units, are doubled, nearly so, or constant."""
    d = draw(st.integers(1, 4))
    m = draw(st.integers(1, d + 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    whole = draw(st.booleans())
    x = rng.integers(-9, 10, (m, d)).astype(float) if whole else rng.normal(size=(m, d))
    for j in range(d):
        kind = draw(st.sampled_from(["", "", "", "offset", "double", "near", "constant", "sum"]))
        before = x[:, rng.integers(j)] if j else np.ones(m)
        size = 10.0 ** draw(st.integers(0, 12))
        if kind == "offset":
            x[:, j] += size
        elif kind == "double":
            x[:, j] = before
        elif kind == "near":  # condition numbers to 1e14
            x[:, j] = before + x[:, j] / (100 * size)
        elif kind == "constant":
            x[:, j] = rng.choice([0.0, 0.1, 1.0, 3.0])
        elif kind == "sum":
            x[:, j] = x[:, :j].sum(axis=1)
    return x


@st.composite
def learning_sets(draw):
    x = draw(columns())
    m, d = x.shape
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    w, kind = rng.integers(-3, 4, d), draw(st.integers(0, 5))
    t = {
        0: lambda: rng.normal(size=m),
        1: lambda: rng.integers(-9, 10, m).astype(float),
        2: lambda: x @ np.ones(d),
        3: lambda: x @ w,
        4: lambda: x @ w + 10.0 ** rng.integers(0, 9),
        5: lambda: np.full(m, float(rng.integers(3))),
    }[kind]()
    power = st.sampled_from([0, 0, 0, -150, 150])
    if draw(st.booleans()):
        x = x * 10.0 ** draw(power)
    else:
        x = x * 10.0 ** np.array([draw(power) for _ in range(d)])
    return LearningSet(x, t * 10.0 ** draw(power))


def starts(standard, normalized, seed):
    """Return starts of the size of W*: random ones, W* itself and close to it, on the ray."""
    rng = np.random.default_rng(seed)
    (star,), found = standard, normalized[0]
    size = np.linalg.norm(star.weights / (np.abs(star.weights).max() or 1.0))
    size = float(size * (np.abs(star.weights).max() or 1.0)) or 1.0
    w = size * rng.normal(size=(10, star.d))
    off = size * 10.0 ** -rng.integers(1, 17, (6, 1))
    close = star.weights + off * rng.normal(size=(6, star.d))
    across = w[0] - star.weights / size * (w[0] @ (star.weights / size))
    ray = size * found.direction if isinstance(found, Ray) else w[1]
    return np.vstack([w, close, star.weights, ray, star.weights / size + ray / size, across])


def compare_set(optimum, exact):
    """Check vector and kernel against the stated errors, exactly."""
    kernel = 0 if exact.kernel is None else exact.kernel.ncols()
    assert optimum.along.shape == (optimum.d, kernel)
    for each in optimum.along.T:
        part = exact.along(rational.column(each))
        assert rational.squared_gap(each, part) <= squared(optimum.along_error + 4 * oracles.EPS)
    if isinstance(optimum, Point):
        assert rational.squared_gap(optimum.weights, exact.w) <= squared(optimum.error)
    else:
        bound = optimum.error + optimum.rounding
        assert rational.squared_turn(optimum.direction, exact.w) <= squared(bound)


@settings(max_examples=400)
@given(learning_sets(), st.integers(0, 10**6))
def test_optima_and_verdict_are_the_exact_ones_or_refused(data, seed):
    x, t = rational.matrix(data.inputs.tolist()), rational.column(data.targets)
    exact = [rational.solutions(x, t, intercept=each) for each in (False, True)]
    try:
        standard = STANDARD.optima(data)
        compare_set(standard[0], exact[0])
        normalized = BN.optima(data)
        assert exact[1].rank
        if isinstance(normalized[0], Ray):
            compare_set(normalized[0], exact[1])
        else:
            assert not rational.dot(exact[1].w, exact[1].w)
            assert normalized == [Point(np.zeros(data.d), along=np.eye(data.d))]
        with np.errstate(over="ignore", invalid="ignore"):  # such starts are refused
            w = starts(standard, normalized, seed)
        check = check_lemma(w, standard, normalized)
    except ValueError as error:
        if not str(error).startswith(NAMED):
            raise
        return
    for i, start in enumerate(w):
        truth = rational.verdict(start, *exact)
        assert check.undecided[i] or check.violated[i] == truth.violated, (i, truth)
        left, right, error = rational.column([check.left[i], check.right[i], check.error[i]])
        gap = left - right - (truth.left - truth.right)
        assert max(gap, -gap) <= error, (i, truth)
