"""An oracle for certificates: mpmath with 120 digits, forward formulas, differences.

Nothing here calls a formula of bnlib, and nothing here is a proof: `confirm` finds W* and looks
at many points of the box. It is there to contradict a certificate that is false.
"""

from fractions import Fraction

import mpmath as mp
import numpy as np
from flint import arb, fmpq

from tests import oracles

DIGITS = 120

PHI = {
    "identity": lambda z: z,
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
    "softplus": lambda z: mp.log1p(mp.exp(z)),
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z / 100,
    "gelu": lambda z: z * mp.ncdf(z),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "elu": lambda z: z if z > 0 else mp.expm1(z),
}


def digits():
    """Return a context in which mpmath has the digits of this oracle."""
    return mp.workdps(DIGITS)


def number(value):
    return mp.mpf(value.numerator) / value.denominator


def holds(enclosure, value):
    """Return whether a ball holds an mpmath number, but for the oracle's own error."""
    sign, mantissa, exponent, _ = value._mpf_
    exact = (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return bool(enclosure.overlaps(arb(fmpq(*exact.as_integer_ratio())) + arb(0, 1e-45)))


def compare_box(claim, box, slopes, bends, bn_slopes):
    """Compare balls of ∇L, ∇²L and the BN gradient with differences at points of the box."""
    for point in points_in(box, 5, seed=1):
        for f, found in zip(losses(claim), (slopes, bn_slopes), strict=True):
            if not all(map(holds, found, gradient(f, point))):
                raise oracles.Disagreement(f"gradient: {found} at {point}")
        expected = hessian(losses(claim)[0], point)
        if not all(map(holds, bends.entries(), expected)):
            raise oracles.Disagreement(f"Hessian: {bends} at {point}")
    thin = max(high - low for low, high in box) < 1e-10
    if thin and max(each.rad() for each in [*slopes, *bends.entries(), *bn_slopes]) >= 1e-9:
        raise oracles.Disagreement("balls: they are wide on a thin box")


def compare_jet(jet, name, factors):
    """Compare balls of φ, φ′ and φ″ with φ and its differences, for thin and thick arguments.

    What is compared are the balls times `factors`.
    """
    for middle in (-30.0, -3.0, -0.5, 0.7, 2.5, 40.0):
        for radius in (0, 1e-20, 1e-3, 0.4):
            found = jet(arb(middle) + arb(0, 1) * arb(radius))
            for share in (-1, -0.4, 0, 0.7, 1):
                z = mp.mpf(middle) + share * mp.mpf(radius) * (1 - mp.mpf(10) ** -20)
                phi = lambda w: PHI[name](w[0])  # noqa: E731
                expected = phi([z]), gradient(phi, [z])[0], hessian(phi, [z])[0, 0]
                for enclosure, factor, value in zip(found, factors, expected, strict=True):
                    if not holds(factor * enclosure, value):
                        raise oracles.Disagreement(f"jet: {found} at {z}")
            if radius < 1e-10 and any(each.rad() >= 1e-15 * (1 + abs(each)) for each in found):
                raise oracles.Disagreement(f"jet: {found} is wide at {middle}")


def losses(claim):
    """Return L and the BN loss, written down again."""
    phi = PHI[claim.activation]
    x = [[number(each) for each in row] for row in claim.inputs]
    t = [number(each) for each in claim.targets]
    gamma, beta = number(claim.gamma), number(claim.beta)

    def mean(values):
        return mp.fsum(values) / len(values)

    def loss(w):
        return mean([(phi(mp.fdot(row, w)) - each) ** 2 for row, each in zip(x, t, strict=True)])

    def bn_loss(w):
        y = [mp.fdot(row, w) for row in x]
        mu = mean(y) if claim.center else 0
        sigma = mp.sqrt(mean([(each - mu) ** 2 for each in y]))
        z = [gamma * (each - mu) / sigma + beta for each in y]
        return mean([(phi(each) - target) ** 2 for each, target in zip(z, t, strict=True)])

    return loss, bn_loss


def shifted(w, *steps):
    point = list(w)
    for j, step in steps:
        point[j] += step
    return point


def gradient(f, w):
    """Return central differences; with 120 digits their error is about 1e-60."""
    h = mp.mpf(10) ** -30
    return [(f(shifted(w, (j, h))) - f(shifted(w, (j, -h)))) / (2 * h) for j in range(len(w))]


def hessian(f, w):
    h, d = mp.mpf(10) ** -30, len(w)
    second = mp.matrix(d, d)
    for j, k in np.ndindex(d, d):
        corners = [a * b * f(shifted(w, (j, a * h), (k, b * h))) for a in (1, -1) for b in (1, -1)]
        second[j, k] = mp.fsum(corners) / (4 * h**2)
    return second


def length(vector):
    return mp.sqrt(mp.fsum(each**2 for each in vector))


def is_positive_definite(matrix):
    return bool(min(mp.eigsy(matrix, eigvals_only=True)) > 0)


def points_in(box, n, seed):
    rng = np.random.default_rng(seed)
    for row in [*rng.random((n, len(box))), *rng.integers(0, 2, (2, len(box)))]:
        edges = zip(map(Fraction, map(float, row)), box, strict=True)
        yield [number(low + share * (high - low)) for share, (low, high) in edges]


def confirm(claim, n=3, seed=0):
    """Return what an oracle finds wrong with a certificate: nothing, if it is true."""
    with digits():
        loss, bn_loss = losses(claim)
        wrong = []
        w = [number(each) for each in claim.centre]
        for _ in range(8):  # Newton's method, which converges on a box of a certificate
            try:
                step = mp.lu_solve(hessian(loss, w), mp.matrix(gradient(loss, w)))
            except ZeroDivisionError:
                return ["the Hessian is singular"]
            w = [each - step[j] for j, each in enumerate(w)]
        if not length(gradient(loss, w)) < mp.mpf(10) ** -25:
            wrong.append("no stationary point was found")
        rounding = mp.mpf(10) ** -25
        edges = zip(w, claim.box, strict=True)
        if not all(number(a) - rounding <= v <= number(b) + rounding for v, (a, b) in edges):
            wrong.append("the stationary point lies outside of the box")
        if not length(w) > rounding:
            wrong.append("W* = 0")
        for point in [w, *points_in(claim.box, n, seed)]:
            if not is_positive_definite(hessian(loss, point)):
                wrong.append("the Hessian is not positive definite")
            if not length(gradient(bn_loss, point)) >= number(claim.bound) - rounding:
                wrong.append("the gradient of the BN loss is shorter")
        return wrong
