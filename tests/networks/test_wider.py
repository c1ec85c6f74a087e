"""The coordinates of batch norm beyond fully connected layers: convolutions, residual branches.

The theorem of the chapter on networks does not ask where the matrix A of a layer comes from. Here
A holds the patches of a convolution, or what enters a residual branch. JAX computes the
convolution by its own routine, and all derivatives.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from tests import oracles

jax.config.update("jax_enable_x64", True)

M, LENGTH, CHANNELS, WIDTH = 7, 6, 2, 3


def patches(x):
    """Return A of a convolution over 2 neighbours: one row for each example and position."""
    return jnp.concatenate([x[:, :-1], x[:, 1:]], axis=-1).reshape(-1, 2 * CHANNELS)


def convolved(x, weights):
    """The linear map of the convolution by JAX's own routine, rows as in `patches`."""
    kernel = weights.reshape(2, CHANNELS, WIDTH)
    layout = ("NWC", "WIO", "NWC")
    y = jax.lax.conv_general_dilated(x, kernel, (1,), "VALID", dimension_numbers=layout)
    return y.reshape(-1, WIDTH)


def head_of_convolution(x, hidden, p):
    return jnp.tanh(hidden).reshape(M, -1) @ p["out"]


def head_of_residual(x, hidden, p):
    inner = x.reshape(M, -1) @ p["in"]
    return (inner + jax.nn.gelu(hidden) @ p["back"]) @ p["out"]


def rows_of_residual(x, p):
    return jnp.tanh(x.reshape(M, -1) @ p["in"])


CASES = {
    "convolution": (
        lambda x, p: patches(x),
        lambda x, p, w: convolved(x, w),
        head_of_convolution,
        {"weights": (2 * CHANNELS, WIDTH), "out": ((LENGTH - 1) * WIDTH,)},
    ),
    "residual branch": (
        rows_of_residual,
        lambda x, p, w: rows_of_residual(x, p) @ w,
        head_of_residual,
        {"in": (LENGTH * CHANNELS, 4), "weights": (4, WIDTH), "back": (WIDTH, 4), "out": (4,)},
    ),
}


class Pair:
    """A network with batch norm in one layer, and the plain one with biases there."""

    def __init__(self, name, epsilon=0.0):
        self.rows, self.linear, self.head, self.shapes = CASES[name]
        self.epsilon = epsilon
        rng = np.random.default_rng(3)
        self.x, self.t = rng.normal(0.5, 1.0, (M, LENGTH, CHANNELS)), rng.normal(size=M)
        self.params = {k: rng.normal(size=shape) for k, shape in self.shapes.items()}
        self.params |= {"gamma": np.array([0.7, -1.3, 2.0]), "beta": rng.normal(size=WIDTH)}

    def moments(self, p, *, ddof=0):
        a = self.rows(self.x, p)
        y = a @ p["weights"]
        return a.mean(0), jnp.sqrt(y.var(0, ddof=ddof) + self.epsilon)

    def loss_bn(self, p):
        y = self.linear(self.x, p, p["weights"])
        y = (y - y.mean(0)) / jnp.sqrt(y.var(0) + self.epsilon)
        out = self.head(self.x, p["gamma"] * y + p["beta"], p)
        return jnp.mean((out - self.t) ** 2)

    def loss_plain(self, q):
        out = self.head(self.x, self.linear(self.x, q, q["weights"]) + q["bias"], q)
        return jnp.mean((out - self.t) ** 2)

    def fold(self, p, *, ddof=0, mean=1.0):
        """Φ, by the formula of the chapter; the options plant errors."""
        mean_row, size = self.moments(p, ddof=ddof)
        w = p["gamma"] / size * p["weights"]
        rest = {k: v for k, v in p.items() if k not in ("gamma", "beta")}
        return rest | {"weights": w, "bias": p["beta"] - mean * mean_row @ w}

    def unfold(self, q, at):
        """The way back near Φ(p): the section of the proof."""
        ratio = self.moments(at)[1] / at["gamma"]
        back = {k: v for k, v in q.items() if k != "bias"} | {"weights": ratio * q["weights"]}
        mean_row, size = self.moments(back)
        return back | {"gamma": size / ratio, "beta": q["bias"] + mean_row @ q["weights"]}


both = oracles.each([(name, epsilon) for name in CASES for epsilon in (0.0, 0.1)])


def distance(one, other):
    return float(np.abs(ravel_pytree(one)[0] - ravel_pytree(other)[0]).max())


@both
def test_the_loss_and_its_gradient_are_those_of_the_network_with_biases(case):
    pair = Pair(*case)
    q, pull = jax.vjp(pair.fold, pair.params)
    assert abs(pair.loss_bn(pair.params) - pair.loss_plain(q)) < 1e-12
    (pulled,) = pull(jax.grad(pair.loss_plain)(q))
    assert distance(jax.grad(pair.loss_bn)(pair.params), pulled) < 1e-11


@both
def test_plain_parameters_nearby_come_from_parameters_nearby(case):
    pair, rng = Pair(*case), np.random.default_rng(4)
    q = pair.fold(pair.params)
    assert distance(pair.unfold(q, pair.params), pair.params) < 1e-12
    for size in (1e-2, 1e-4):
        near = jax.tree.map(lambda each, s=size: each + s * rng.uniform(-1, 1, each.shape), q)
        back = pair.unfold(near, pair.params)
        assert distance(pair.fold(back), near) < 1e-12
        assert abs(pair.loss_bn(back) - pair.loss_plain(near)) < 1e-12
        assert distance(back, pair.params) < 100 * size


@both
def test_a_minimum_of_the_plain_network_is_one_with_batch_norm_on_the_whole_ray(case):
    """The targets are the outputs, so both losses are 0 there, for every k."""
    pair = Pair(*case)
    q = pair.fold(pair.params)
    pair.t = np.asarray(pair.head(pair.x, pair.linear(pair.x, q, q["weights"]) + q["bias"], q))
    for k in (0.3, 1.0, 7.0):
        scaled = pair.unfold(q, pair.params)
        size = pair.moments({**scaled, "weights": k * scaled["weights"]})[1]
        gamma = size * scaled["gamma"] / pair.moments(scaled)[1] / k
        moved = scaled | {"weights": k * scaled["weights"], "gamma": gamma}
        assert pair.loss_bn(moved) < 1e-24
        assert distance(jax.grad(pair.loss_bn)(moved), jax.tree.map(np.zeros_like, moved)) < 1e-10


@pytest.mark.parametrize("planted", [{"ddof": 1}, {"mean": 0.0}, {"mean": 1.01}])
def test_a_wrong_fold_is_noticed(planted):
    for name in CASES:
        pair = Pair(name)
        wrong = pair.fold(pair.params, **planted)
        assert abs(pair.loss_bn(pair.params) - pair.loss_plain(wrong)) > 1e-4, name
