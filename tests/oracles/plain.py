"""The losses of a neuron in plain NumPy, by the textbook formulas, and what goes with them."""

import numpy as np
from scipy.special import erf

from bn_experiments.datasets import RandomLearningSets
from bnlib import LearningSet

PHI = {
    "identity": lambda z: z,
    "tanh": np.tanh,
    "sigmoid": lambda z: 0.5 * (1 + np.tanh(z / 2)),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "relu": lambda z: z * (z > 0),
    "gelu": lambda z: z * 0.5 * (1 + erf(z / np.sqrt(2))),
    "leaky_relu": lambda z: z * np.where(z > 0, 1.0, 0.01),
    "silu": lambda z: z / (1 + np.exp(-z)),
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
}


def drawn(name, n, seed, m=6, d=2, noise=0.3):
    """Return random learning sets with a teacher of the given activation."""
    family = RandomLearningSets(m, d, 1.0, 0.5, noise, name)
    inputs, targets = family.sample(np.random.default_rng(seed), n)
    return [LearningSet(x, t) for x, t in zip(inputs, targets, strict=True)]


def loss_of(name, data):
    """Return the loss of the standard neuron, of one weight vector or of many."""
    return lambda w: ((PHI[name](w @ data.inputs.T) - data.targets) ** 2).mean(axis=-1)


def normalized(neuron, data, angles):
    """Return z of directions in the plane."""
    norm = neuron.normalization
    y = np.stack([np.cos(angles), np.sin(angles)], axis=-1) @ data.inputs.T
    y = y - y.mean(axis=-1, keepdims=True) if norm.center else y
    y = y / np.sqrt((y**2).mean(axis=-1, keepdims=True))
    return norm.gamma * y + norm.beta


def ring(center, radius, count=720):
    """Return points on a circle in the plane."""
    angles = 2 * np.pi * (np.arange(count) + 0.37) / count
    return center + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def second_differences(loss, w, step=1e-4):
    """Return gradient and Hessian by central differences, in units of w's own size."""
    h = step * (1 + np.linalg.norm(w)) * np.eye(len(w))
    first = np.array([loss(w + a) - loss(w - a) for a in h]) / (2 * h.max())
    second = [
        [loss(w + a + b) - loss(w + a - b) - loss(w - a + b) + loss(w - a - b) for a in h]
        for b in h
    ]
    return first, np.array(second) / (2 * h.max()) ** 2
