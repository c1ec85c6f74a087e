"""When the lemma is true for one linear neuron of any rank: the theorem in rational arithmetic."""

import numpy as np

from bnlib import BatchNorm, LearningSet, Neuron, Ray, check_lemma
from tests import oracles
from tests.bnlib.test_conditions import beside_the_bisector
from tests.oracles import rational

BN = Neuron(normalization=BatchNorm())


def of_any_rank(seed):
    """Return whole numbers: centred, doubled, constant, few examples, collinear targets."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(1, 5))
    x = rng.integers(-3, 4, (int(rng.integers(2, d + 4)), d)).astype(float)
    x = np.vstack([x, -x]) if rng.random() < 0.2 else x  # x̄ = 0
    more = [x[:, :1], np.ones((len(x), 1)), x.sum(axis=1, keepdims=True)]
    x = np.hstack([x, more[rng.integers(3)]]) if rng.random() < 0.5 else x
    exact = x @ rng.integers(-2, 3, x.shape[1])
    kind = rng.integers(4)
    t = [rng.integers(-4, 5, len(x)), exact, exact + 2.0, 0 * exact + 1.0][kind]
    return x, np.asarray(t, dtype=float)


class Exact:
    """A learning set in rational arithmetic, and what the theorem says of it."""

    def __init__(self, x, t):
        self.x, column = rational.matrix(x.tolist()), rational.column(t)
        self.fits = [rational.solutions(self.x, column, intercept=each) for each in (False, True)]
        with_one = rational.matrix(np.column_stack([x, np.ones(len(x))]).tolist())
        self.has_one = with_one.rank() == self.x.rank()
        w, u = self.star, self.slope = [each.w for each in self.fits]
        ww, uu, wu = rational.dot(w, w), rational.dot(u, u), rational.dot(w, u)
        self.uncorrelated, parallel = not uu, wu**2 == ww * uu  # Cauchy–Schwarz, with equality
        self.strict = bool(self.uncorrelated or self.has_one or parallel)
        self.infimum = self.strict and bool(self.uncorrelated or self.has_one or wu >= 0)

    def starts(self, seed):
        rng = np.random.default_rng(seed)
        star, slope = rational.floats(self.star), rational.floats(self.slope)
        found = [*rng.integers(-6, 7, (12, len(star))), star, -slope, star - 2 * slope]
        if not self.strict:
            found.append(beside_the_bisector(star, slope))
        return found


def test_the_condition_for_every_rank_in_rational_arithmetic_and_by_the_library():
    kinds = set()
    for seed in range(400):
        x, t = of_any_rank(seed)
        exact = Exact(x, t)
        if not exact.fits[1].rank:
            continue  # Σ = 0: void
        kinds.add((exact.has_one, exact.uncorrelated, exact.infimum, exact.strict))
        starts = exact.starts(seed)
        found = [rational.verdict(each, *exact.fits) for each in starts]
        assert any(each.violated for each in found) == (not exact.infimum)
        assert any(each.violated and each.exists for each in found) == (not exact.strict)
        assert exact.infimum or found[12].violated  # at w*
        data = LearningSet(x, t)
        check = check_lemma(starts, Neuron().optima(data), BN.optima(data))
        assert check.violated.any() == (not exact.infimum)
        assert (check.violated & check.exists).any() == (not exact.strict)
    assert len(kinds) >= 6  # true and false, with and without each clause


def test_a_combination_of_inputs_more_changes_nothing():
    for seed in range(200):
        x, t = of_any_rank(seed)
        combined = np.random.default_rng(seed).integers(-2, 3, (x.shape[1], 2))
        first, more = Exact(x, t), Exact(np.hstack([x, x @ combined]), t)
        assert (first.infimum, first.strict) == (more.infimum, more.strict)


def test_with_one_direction_and_a_kernel_the_gap_is_the_formula():
    rng, gaps = np.random.default_rng(8), 0
    for _ in range(60):
        half = rng.integers(-3, 4, (3, 2)).astype(float)
        x = np.vstack([half, -half])[:, [0, 1, 0]]  # centred, and an input twice
        exact = Exact(x, rng.integers(-4, 5, 6).astype(float))
        start = rng.integers(-6, 7, 3)
        found, (standard, normalized) = rational.verdict(start, *exact.fits), exact.fits
        w, n = rational.column(start), standard.along(rational.column(start))
        a, b, nn = (rational.dot(*each) for each in ((standard.w, w - n), [standard.w] * 2, (n, n)))
        assert standard.w == normalized.w
        if found.applies and found.exists:
            assert found.right - found.left == nn * (b - a) ** 2 / (b * (b + nn))
            gaps += bool(found.right > found.left)
    assert gaps > 10


def test_the_smallest_example_where_the_lemma_is_strictly_true():
    data = LearningSet([[1, 0], [0, 1]], [2, 1])
    check = check_lemma([1.0, 0.0], Neuron().optima(data), BN.optima(data))
    assert check.applies & check.exists & ~check.undecided & ~check.violated
    oracles.agree("left", check.left, 0.0, 1e-30, 1.0)
    oracles.agree("right", check.right, 0.2, 1e-15)


@oracles.each(
    [
        ([[2, -1], [2, 1], [-3, 0]], [-2, 2, 0], [0.0, 1.0]),
        ([[0, 1], [1, 1], [-1, 1]], [0, 2, -2], [1.0, 0.0]),
    ]
)
def test_an_intercept_whose_terms_are_all_zero_is_no_overflow(inputs, targets, direction):
    (ray,) = BN.optima(LearningSet(inputs, targets))
    oracles.agree("û", ray.direction, np.array(direction), 1e-15)


def test_with_rank_one_the_other_half_space_is_flat_too():
    data = LearningSet([[1], [2], [4]], [2, 1, 0])  # w* > 0 > û
    star, ray = Neuron().optima(data)[0], BN.optima(data)[0]
    assert star.weights[0] > 0
    assert ray == Ray([-1.0])
    losses = BN.loss(np.array([[-3.0], [-1.0], [1.0], [3.0]]), data)
    oracles.agree("each half", losses[[0, 2]], losses[[1, 3]], 1e-14)
    assert losses[0] < losses[2]
    # Counted are the global minima. With the other half-line as weak minima the lemma is true.
    assert check_lemma([1.0], [star], [ray]).violated
    assert check_lemma([1.0], [star], [ray, Ray([1.0])]).holds
