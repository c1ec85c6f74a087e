"""Networks written out in NumPy, and parameters that hide nothing: what the tests share."""

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from bnlib import BatchNorm

FORMS = [BatchNorm(), BatchNorm(epsilon=0.1), BatchNorm(scale=False), BatchNorm(center=False)]
PHI = {"identity": lambda z: z, "tanh": np.tanh, "softplus": lambda z: np.logaddexp(0.0, z)}


def flat(tree):
    return np.asarray(ravel_pytree(tree)[0])


def disturbed(network, seed):
    """Return parameters with no entry at its special value, and the generator for the rest."""
    rng, start = np.random.default_rng(seed), network.initialize(seed)
    return jax.tree.map(lambda each: each + 0.3 * rng.normal(size=each.shape), start), rng


def written_out(network, params, x):
    """Run the network in NumPy, layer by layer, with `BatchNorm.forward` unit by unit."""
    for layer, (of_layer, norm) in enumerate(zip(params, network.norms, strict=True)):
        y = x @ np.asarray(of_layer["weights"]) + np.asarray(of_layer.get("bias", 0.0))
        if norm is not None:
            gamma = np.broadcast_to(of_layer.get("gamma", norm.gamma), y.shape[1])
            beta = np.broadcast_to(of_layer.get("beta", norm.beta), y.shape[1])
            units = [
                BatchNorm(norm.center, norm.scale, g, b, norm.epsilon).forward(column)
                for column, g, b in zip(y.T, gamma, beta, strict=True)
            ]
            y = np.stack(units, axis=1)
        x = PHI[network.activation](y) if layer < network.depth - 1 else y
    return x


def written_loss(network, params, x, t):
    """Return the loss of `written_out`."""
    outputs = written_out(network, params, x)
    if network.objective == "squared":
        return float(np.mean(np.sum((outputs - t) ** 2, axis=1)))
    logs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    return float(-np.mean(np.sum(t * logs, axis=1)))


def normalized_by(divisor):
    """Return `network._normalize` with another divisor of the deviations: a planted error."""

    def normalize(y, norm, of_layer):
        y = y - y.mean(axis=0) if norm.center else y
        y = y / divisor(y, norm.epsilon) if norm.scale else y
        return of_layer.get("gamma", norm.gamma) * y + of_layer.get("beta", norm.beta)

    return normalize


def unbiased(v, epsilon):
    return ((v**2).sum(axis=0) / (len(v) - 1) + epsilon) ** 0.5
