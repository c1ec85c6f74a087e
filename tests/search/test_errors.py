"""The errors that searches state, against references with 120 digits and exact rationals."""

from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from bn_experiments.search import (
    _whitened,
    directions,
    numerical_optima,
    pieces,
    scan_directions,
    search_weights,
)
from bn_experiments.search.newton import distance_to_zero
from bnlib import BatchNorm, LearningSet, Neuron
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import certificates
from tests.oracles.plain import drawn

SMOOTH = [name for name, each in ACTIVATIONS.items() if each.slopes is None]
FAR = [LearningSet(each.inputs, each.targets + 1e5) for each in drawn("identity", 8, seed=4)]
ABSURD = 1e-10  # a bound is no use if more than half are above, relative to the size


def badly_scaled(data, rng):
    """Return the inputs in other units, and with columns that are nearly collinear."""
    mixed = data.inputs @ [[1.0, 0.999 * rng.choice([0, 1])], [0.0, 1.0]]
    return LearningSet(mixed * 10 ** rng.uniform(-5, 5, 2), data.targets)


def problems(name, n, seed):
    rng = np.random.default_rng(seed)
    for i, data in enumerate(drawn(name, n, seed)):
        yield badly_scaled(data, rng) if i % 2 else data


def exact_loss(neuron, data):
    """Return the loss of a neuron for mpmath, written down again."""
    phi, norm = certificates.PHI[str(neuron.activation)], neuron.normalization
    x = [[mp.mpf(v) for v in row] + [1] * neuron.bias for row in data.inputs.tolist()]
    t = [mp.mpf(v) for v in data.targets.tolist()]

    def loss(w):
        z = [mp.fdot(row, w) for row in x]
        if norm is not None:
            mean = mp.fsum(z) / len(z) if norm.center else 0
            z = [each - mean for each in z]
            square = mp.fsum(each**2 for each in z) / len(z) + mp.mpf(norm.epsilon)
            scale = norm.gamma / (mp.sqrt(square) if norm.scale else 1)
            z = [scale * each + mp.mpf(norm.beta) for each in z]
        return mp.fsum((phi(a) - b) ** 2 for a, b in zip(z, t, strict=True)) / len(t)

    return loss


def compare_point(neuron, data, point):
    """Compare the error of a point with its distance to where Newton's method ends."""
    with certificates.digits():
        loss, start = exact_loss(neuron, data), mp.matrix(point.weights.tolist())
        w, step = start.copy(), mp.inf
        for _ in range(8):
            slope, bend = certificates.gradient(loss, list(w)), certificates.hessian(loss, list(w))
            step = mp.lu_solve(bend, mp.matrix(slope))
            w -= step
        assert mp.norm(step) < mp.mpf(10) ** -25 * (1 + mp.norm(w))
        away = float(mp.norm(w - start))
    if away > point.error:
        raise oracles.Disagreement(f"error: {point} is {away} away, more than {point.error}")
    return point.error / float(np.linalg.norm(point.weights))


def compare_ray(neuron, data, ray):
    """Look whether the loss falls towards the ray at a distance of its error, on both sides."""
    with certificates.digits():
        return compare_turns(exact_loss(neuron, data), ray)


def compare_turns(loss, ray):
    """Compare the error of a ray with the signs of the slope of a loss for mpmath."""
    with certificates.digits():
        a, b = (mp.mpf(v) for v in ray.direction.tolist())
        turn = 2 * mp.asin(min(mp.mpf(ray.error + 2 * oracles.EPS), 2) / 2)

        def at(angle):
            c, s = mp.cos(angle), mp.sin(angle)
            return loss([a * c - b * s, b * c + a * s])

        h = mp.mpf(10) ** -40
        slopes = [(at(each + h) - at(each - h)) / (2 * h) for each in (-turn, turn)]
    if ray.error < 2 and not slopes[0] < 0 < slopes[1]:
        raise oracles.Disagreement(f"error: no minimum within {ray.error} of {ray}")
    return ray.error


def exact_minima(data, slopes):
    """Return the local minima for a kinked activation and two weights, as exact rationals.

    Candidates are the stationary points of all pieces, the minima along all lines, and 0; one is
    a minimum if on each piece around it the loss does not fall: along no edge, and a quadratic
    that falls along neither edge of a cone may fall inside, but not at such a candidate.
    """
    x = [tuple(map(Fraction, row)) for row in data.inputs.tolist()]
    t = [Fraction(v) for v in data.targets.tolist()]

    def slope(z):
        return slopes[z > 0]

    def stationary(signs):
        rows = [(s * a, s * b) for s, (a, b) in zip(signs, x, strict=True)]
        a, b, c = (sum(r[i] * r[j] for r in rows) for i, j in ((0, 0), (0, 1), (1, 1)))
        p, q = (sum(r[i] * v for r, v in zip(rows, t, strict=True)) for i in (0, 1))
        det = a * c - b * b
        return det and ((c * p - b * q) / det, (a * q - b * p) / det)

    def derivative(w, u):
        """Return the one-sided derivative of the loss at w along u."""
        total = Fraction(0)
        for (a, b), target in zip(x, t, strict=True):
            z, turn = a * w[0] + b * w[1], a * u[0] + b * u[1]
            s = slope(z or turn)
            total += (s * z - target) * s * turn
        return total

    rays = {(s * -b, s * a) for a, b in x if a or b for s in (1, -1)}
    ordered = sorted(rays, key=lambda v: float(np.arctan2(float(v[1]), float(v[0]))))
    found = [(Fraction(0), Fraction(0))]
    for u, v in zip(ordered, ordered[1:] + ordered[:1], strict=True):
        if u[0] * v[1] - u[1] * v[0] == 0 and u[0] * v[0] + u[1] * v[1] > 0:
            continue  # one line twice
        size = [abs(a) + abs(b) for a, b in (u, v)]
        inside = u[0] / size[0] + v[0] / size[1], u[1] / size[0] + v[1] / size[1]
        point = stationary([slope(a * inside[0] + b * inside[1]) for a, b in x])
        if point and all(a * point[0] + b * point[1] != 0 for a, b in x if a or b):
            found.append(point)
    for u in ordered:
        out = [slope(a * u[0] + b * u[1]) * (a * u[0] + b * u[1]) for a, b in x]
        square = sum(v * v for v in out)
        reach = sum(v * target for v, target in zip(out, t, strict=True))
        if square and reach > 0:
            found.append((reach / square * u[0], reach / square * u[1]))
    around = [*ordered, *((-b, a) for a, b in ordered)]
    return [w for w in found if all(derivative(w, u) >= 0 for u in around)]


def compare_pieces(name, data):
    """Compare each listed point with the exact minimum that is closest."""
    slopes = {"relu": (0, 1), "leaky_relu": (Fraction(1, 100), 1), "identity": (1, 1)}[name]
    exact = exact_minima(data, (Fraction(slopes[0]), Fraction(slopes[1])))
    shares = []
    for point in search_weights(Neuron(name), data, np.zeros((1, 2))).minima:
        w = [Fraction(v) for v in point.weights.tolist()]
        squares = [sum((a - b) ** 2 for a, b in zip(w, each, strict=True)) for each in exact]
        if not squares or min(squares) > Fraction(point.error) ** 2:
            away = float(min(squares, default=np.inf)) ** 0.5
            raise oracles.Disagreement(f"error: {point} is {away} away, more than {point.error}")
        if point.weights.any():
            shares.append(point.error / float(np.linalg.norm(point.weights)))
    return shares


def checked(compare, neuron, sets, least):
    """Compare all minima of a neuron on some sets, and whether the bounds are of use."""
    rng = np.random.default_rng(0)
    found = [(data, each) for data in sets for each in numerical_optima(neuron, data, rng)]
    shares = [compare(neuron, *each) for each in found]
    assert len(shares) >= least
    assert np.median(shares) < ABSURD


@oracles.each(SMOOTH)
def test_points_are_as_close_to_the_minimum_as_they_say(name):
    checked(compare_point, Neuron(name), problems(name, 5, seed=5), least=4)


@oracles.each(["softplus", "sigmoid"])
def test_so_are_points_of_batch_norm_with_epsilon_or_without_scale(name):
    for norm in (BatchNorm(epsilon=0.1, gamma=2.0), BatchNorm(scale=False, beta=-0.4)):
        checked(compare_point, Neuron(name, norm), problems(name, 2, seed=5), least=1)


def test_so_are_points_of_three_weights_and_of_a_bias():
    sets = drawn("tanh", 3, seed=6, m=8, d=3)
    checked(compare_point, Neuron("tanh"), sets, least=2)
    checked(compare_point, Neuron("sigmoid", bias=True), drawn("sigmoid", 4, 3, d=1), least=2)


@oracles.each(list(ACTIVATIONS))
def test_rays_have_a_minimum_within_their_error(name):
    for norm in (BatchNorm(), BatchNorm(center=False, gamma=-2.0, beta=0.5)):
        checked(compare_ray, Neuron(name, norm), problems(name, 12, seed=5), least=12)


@oracles.each(["identity", "softplus"])
def test_targets_far_from_zero_cost_digits_and_the_error_says_so(name):
    for data in FAR:
        norm = BatchNorm(beta=1e5)
        for ray in scan_directions(Neuron(name, norm), data).minima:
            assert 1e-12 < compare_ray(Neuron(name, norm), data, ray) < 1e-6
        neuron = Neuron(name, BatchNorm(scale=False, beta=1e5))
        for point in numerical_optima(neuron, data, np.random.default_rng(0)):
            assert 1e-12 < compare_point(neuron, data, point) < 1e-6


def test_a_bound_that_forgets_rounding_is_caught(monkeypatch):
    ray, point = (Neuron(normalization=BatchNorm(scale=scale, beta=1e5)) for scale in (True, False))
    # As if every sign were certain; and twice Newton's step, without what rounding does to it.

    def twice_the_step(slopes, _, at, basis, values):
        return 2 * float(np.linalg.norm(basis @ (slopes(at) / values)))

    monkeypatch.setattr(directions, "slope_rounding", lambda _, w, *__: np.zeros_like(w[..., :1]))
    monkeypatch.setattr(_whitened, "distance_to_zero", twice_the_step)
    for data in FAR:
        (direction,) = scan_directions(ray, data).minima
        with pytest.raises(oracles.Disagreement, match="no minimum within"):
            compare_ray(ray, data, direction)
    caught = 0
    for data in FAR:
        (weights,) = numerical_optima(point, data, np.random.default_rng(0))
        try:
            compare_point(point, data, weights)
        except oracles.Disagreement:
            caught += 1
    assert caught >= 2


def test_where_the_slope_is_only_rounding_there_is_no_minimum():
    at, basis = np.array([0.3, -2.0]), np.eye(2)
    box = np.array([[2.0, 0.3], [0.3, 1.0]])

    def bound(slopes, noise):
        return distance_to_zero(slopes, lambda w: np.full(w.shape, noise), at, basis, np.diag(box))

    zero = at + [1e-9, -3e-9]
    found = bound(lambda w: (w - zero) @ box, 1e-12)
    assert float(np.linalg.norm(at - zero)) < found < 1e-7
    assert bound(lambda w: 0.0 * w, 1e-12) == np.inf
    assert bound(lambda w: np.broadcast_to([1e-9, 0.0], w.shape), 1e-12) == np.inf
    assert bound(lambda w: (w - zero) @ [[1.0, 3.0], [3.0, 1.0]], 1e-12) == np.inf  # a saddle


@oracles.each(["identity", "relu", "leaky_relu"])
def test_pieces_are_as_close_to_an_exact_minimum_as_they_say(name):
    rng = np.random.default_rng(1)
    sets = list(problems("relu", 30, seed=5))
    for _ in range(100):  # quarters, with zeros and lines that coincide
        x = rng.integers(-12, 13, (m := rng.integers(3, 8), 2)) / 4 * rng.integers(0, 2, (m, 1))
        x[:2] = [[1, 0], [0.25, 1]]
        sets.append(LearningSet(x, rng.integers(-12, 13, m) / 4))
    shares = [share for data in sets for share in compare_pieces(name, data)]
    assert len(shares) > 100
    assert np.median(shares) < 1e-14


def test_what_the_border_of_a_piece_holds_and_planted_errors_of_pieces(monkeypatch):
    # The stationary point (2/3, -4/5) of one piece is on the line of (6, 5), whose target is 10.
    data = LearningSet([[-6, -5], [0, -1.25], [2.25, 1.25]], [10.0, 1.0, 0.5])
    compare_pieces("relu", data)
    found = search_weights(Neuron("relu"), data, np.zeros((1, 2))).minima
    assert all(np.abs(each.weights - [2 / 3, -0.8]).max() > 0.1 for each in found)
    right, sets = pieces._Pieces._error, list(problems("relu", 20, seed=5))
    monkeypatch.setattr(pieces._Pieces, "_error", lambda self, k: 1e-3 * right(self, k))
    with pytest.raises(oracles.Disagreement, match="more than"):
        [compare_pieces("relu", data) for data in sets]
