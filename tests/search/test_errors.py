"""The errors that searches state, against references with 120 digits and exact rationals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

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
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import certificates, rational
from tests.oracles.plain import drawn

SMOOTH = [name for name, each in ACTIVATIONS.items() if each.slopes is None]
ABSURD = 1e-10  # a bound is no use if more than half are above, relative to the size


def badly_scaled(data: LearningSet, rng: np.random.Generator) -> LearningSet:
    """Return the inputs in other units, and with columns that are nearly collinear."""
    mixed = data.inputs @ [[1.0, 0.999 * rng.choice([0, 1])], [0.0, 1.0]]
    return LearningSet(mixed * 10 ** rng.uniform(-5, 5, 2), data.targets)


def problems(name: str, n: int, seed: int) -> Iterator[LearningSet]:
    rng = np.random.default_rng(seed)
    for i, data in enumerate(drawn(name, n, seed)):
        yield badly_scaled(data, rng) if i % 2 else data


def exact_loss(neuron: Neuron, data: LearningSet) -> certificates.Loss:
    """Return the loss of a neuron for mpmath, written down again."""
    phi, norm = certificates.PHI[str(neuron.activation)], neuron.normalization
    x = [[mp.mpf(v) for v in row] + [1] * neuron.bias for row in data.inputs.tolist()]
    t = [mp.mpf(v) for v in data.targets.tolist()]

    def loss(w: Any) -> Any:
        z = [mp.fdot(row, w) for row in x]
        if norm is not None:
            mean = mp.fsum(z) / len(z) if norm.center else 0
            z = [each - mean for each in z]
            square = mp.fsum(each**2 for each in z) / len(z) + mp.mpf(norm.epsilon)
            scale = norm.gamma / (mp.sqrt(square) if norm.scale else 1)
            z = [scale * each + mp.mpf(norm.beta) for each in z]
        return mp.fsum((phi(a) - b) ** 2 for a, b in zip(z, t, strict=True)) / len(t)

    return loss


def compare_point(neuron: Neuron, data: LearningSet, point: Point) -> float:
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


def compare_ray(loss: certificates.Loss, ray: Ray) -> float:
    """Look whether the loss falls towards the ray at a distance of its error, on both sides."""
    with certificates.digits():
        a, b = (mp.mpf(v) for v in ray.direction.tolist())
        turn = 2 * mp.asin(min(mp.mpf(ray.error + 2 * oracles.EPS), 2) / 2)

        def at(angle: Any) -> Any:
            c, s = mp.cos(angle), mp.sin(angle)
            return loss([a * c - b * s, b * c + a * s])

        h = mp.mpf(10) ** -40
        slopes = [(at(each + h) - at(each - h)) / (2 * h) for each in (-turn, turn)]
    if not slopes[0] < 0 < slopes[1]:
        raise oracles.Disagreement(f"error: no minimum within {ray.error} of {ray}")
    return ray.error
