"""Networks of any depth, with or without batch normalization, in JAX.

Parameters are a list with one dictionary per layer, so every function here is pure and can be
differentiated, compiled and mapped. Importing this switches JAX to float64 for the whole process.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bn_solver.arrays import changed, flag, whole_number
from bnlib.batch_norm import BatchNorm, require_normalization

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

Parameters = list[dict[str, jax.Array]]
"""The parameters of a network, layer by layer: weights, and some of bias, gamma, beta."""

ACTIVATIONS = {
    "identity": lambda z: z,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "relu": jax.nn.relu,
    "gelu": lambda z: jax.nn.gelu(z, approximate=False),
    "silu": jax.nn.silu,
}
"""The activations by name; all but ReLU are smooth."""

OBJECTIVES = {
    "squared": lambda outputs, t: jnp.sum((outputs - t) ** 2, axis=1),
    "cross-entropy": lambda outputs, t: -jnp.sum(t * jax.nn.log_softmax(outputs), axis=1),
}
"""The losses of each example by name."""


class Pass(NamedTuple):
    """A and Y = A W + b of each layer, shapes (m, n) and (m, k), and what leaves the last."""

    incoming: list[jax.Array]
    preactivations: list[jax.Array]
    outputs: jax.Array


@dataclass(frozen=True, repr=False)
class Network:
    r"""A fully connected network with batch normalization in any of its layers.

    .. math::

        Y = A W + \mathbf 1 b^\top, \qquad Z = \mathrm{BN}(Y) \text{ or } Y, \qquad
        A' = \varphi(Z),

    layer by layer from A = X. The last layer has no activation: its Z are the outputs. What the
    methods take and refuse is described at `loss`; a wrong width, name or number of entries in a
    tuple is a ``ValueError``.

    Parameters
    ----------
    widths : tuple of int
        Number of inputs, of units in each hidden layer, and of outputs.
    activation : str
        φ of the hidden layers, a name in `ACTIVATIONS`.
    bias : bool or tuple of bool
        Whether the layers have a trained bias b; one answer for all, or one for each. A layer
        whose normalization centres has none: its mean subtraction would cancel it.
    objective : str
        ``"squared"``: the squared residual, summed over the outputs, without a factor ½.
        ``"cross-entropy"``: −Σ t log p with p the softmax of the outputs.
    normalization : BatchNorm, None, or tuple of them
        One for every hidden layer, or one for each layer, the last included. Its γ and β are
        the values a new network starts from, or is frozen at where `params` has none.

    Notes
    -----
    Units are normalized one by one over all examples that are passed, with the population
    variance. The instance is hashable: it may be a static argument of `jax.jit`.

    Trained parameters of a layer: ``weights`` (n, k); ``bias`` (k,) with `bias`, unless the
    normalization centres; ``gamma`` (k,) if it scales; ``beta`` (k,) if it centres.

    Examples
    --------
    >>> network = Network((2, 3, 1), "tanh", normalization=BatchNorm())
    >>> [sorted(layer) for layer in network.initialize(0)]
    [['beta', 'gamma', 'weights'], ['bias', 'weights']]
    """

    widths: tuple[int, ...]
    activation: str = "tanh"
    bias: bool | tuple[bool, ...] = True
    objective: str = "squared"
    normalization: BatchNorm | tuple[BatchNorm | None, ...] | None = None

    def __post_init__(self) -> None:
        widths = tuple(whole_number("widths", each, at_least=1) for each in self.widths)
        depth = len(widths) - 1
        if depth < 1:
            raise ValueError(f"widths: need inputs and outputs, got {widths}; give two or more.")
        for name, known in (("activation", ACTIVATIONS), ("objective", OBJECTIVES)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name}: {value!r} is unknown; use one of {', '.join(known)}.")
        norms = self.normalization
        if not isinstance(norms, tuple):
            norms = (norms,) * (depth - 1) + (None,)
        biases = self.bias if isinstance(self.bias, tuple) else (self.bias,) * depth
        for name, n in (("normalization", len(norms)), ("bias", len(biases))):
            if n != depth:
                raise ValueError(f"{name}: has {n} entries for {depth} layers; give {depth}.")
        for norm in norms:
            require_normalization(norm, bias=False)
        object.__setattr__(self, "widths", widths)
        object.__setattr__(self, "normalization", norms)
        object.__setattr__(self, "bias", tuple(flag("bias", each) for each in biases))

    def __repr__(self) -> str:
        return changed(self)

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return len(self.widths) - 1

    @property
    def norms(self) -> tuple[BatchNorm | None, ...]:
        """The normalization of each layer, None where there is none."""
        assert isinstance(self.normalization, tuple)
        return self.normalization

    @property
    def biases(self) -> tuple[bool, ...]:
        """Whether each layer has a trained bias: not where its normalization centres."""
        assert isinstance(self.bias, tuple)
        pairs = zip(self.bias, self.norms, strict=True)
        return tuple(bias and not (norm and norm.center) for bias, norm in pairs)

    def initialize(self, seed: Any, scale: float = 1.0) -> Parameters:
        """Return random parameters: normal weights of variance scale² / fan-in, biases 0.

        γ and β start at the values of the normalization. Networks that differ only in it start
        from the same W₀.

        Parameters
        ----------
        seed, scale : int or jax key, float
            A key may be traced: ``jax.vmap(network.initialize)`` takes many. Factor of all weights.

        Raises
        ------
        ValueError
            If an integer seed is negative.
        """
        if not isinstance(seed, jax.Array):
            seed = jax.random.key(whole_number("seed", seed, at_least=0))
        params = []
        layers = zip(jax.random.split(seed, self.depth), self.norms, self.biases, strict=True)
        for layer, (key, norm, bias) in enumerate(layers):
            n, k = self.widths[layer : layer + 2]
            of_layer = {"weights": scale / n**0.5 * jax.random.normal(key, (n, k))}
            if bias:
                of_layer["bias"] = jnp.zeros(k)
            if norm and norm.scale:
                of_layer["gamma"] = jnp.full(k, norm.gamma)
            if norm and norm.center:
                of_layer["beta"] = jnp.full(k, norm.beta)
            params.append(of_layer)
        return params

    def run(self, params: Parameters, inputs: Any, shifts: Any = None) -> Pass:
        """Return what enters and what leaves each linear map, whether it is finite or not."""
        x = jnp.asarray(inputs, dtype=float)
        self._require(params, x)
        incoming, preactivations = [], []
        for layer, (of_layer, norm) in enumerate(zip(params, self.norms, strict=True)):
            incoming.append(x)
            y = x @ of_layer["weights"]
            y = y + of_layer["bias"] if "bias" in of_layer else y
            y = y if shifts is None else y + shifts[layer]
            preactivations.append(y)
            x = y if norm is None else _normalize(y, norm, of_layer)
            if layer < self.depth - 1:
                x = ACTIVATIONS[self.activation](x)
        return Pass(incoming, preactivations, x)

    def forward(self, params: Parameters, inputs: Any) -> jax.Array:
        """Return the outputs, shape (m, k): for cross-entropy logits, not probabilities."""
        return _finite("outputs", self.run(params, inputs).outputs)

    def loss(self, params: Parameters, inputs: Any, targets: Any, shifts: Any = None) -> jax.Array:
        """Return the loss, a mean over the examples.

        Parameters
        ----------
        params : list of dict
            As `initialize` makes them. They may be traced: `jax.grad`, `jax.jit`, `jax.vmap`.
        inputs, targets : array_like, shapes (m, d) and (m, k)
            X and the targets; (m,) will do for one output. For cross-entropy probabilities.
        shifts : list of array_like, shape (m, k), optional
            Added to Y of each layer.

        Raises
        ------
        ValueError
            If parameters or inputs do not fit the widths, or targets the outputs; also if the
            result is not finite, unless the call is being traced.
        """
        outputs = self.run(params, inputs, shifts).outputs
        t = jnp.asarray(targets, dtype=float)
        t = t[:, None] if t.ndim == 1 and self.widths[-1] == 1 else t
        if t.shape != outputs.shape:
            raise ValueError(f"targets: expected shape {outputs.shape}, got {t.shape}; reshape.")
        return _finite("loss", jnp.mean(OBJECTIVES[self.objective](outputs, t)))

    def signals(self, params: Parameters, inputs: Any, targets: Any) -> list[jax.Array]:
        """Return the back-propagated signals g = ∂L/∂Y of all layers, shape (m, k).

        L is a mean over the examples, so a factor 1/m is in every entry. The sum over the
        examples is the derivative with respect to a bias, whether there is one or not.
        """
        shifts = [jnp.zeros((len(inputs), k)) for k in self.widths[1:]]
        return list(jax.grad(lambda s: self.loss(params, inputs, targets, s))(shifts))

    def _require(self, params: Parameters, x: jax.Array) -> None:
        if x.ndim != 2 or x.shape[1] != self.widths[0]:
            raise ValueError(f"inputs: expected shape (m, {self.widths[0]}), got {x.shape}.")
        if len(params) != self.depth:
            raise ValueError(f"params: {len(params)} layers for {self.depth}; use initialize.")
        for layer, (of_layer, bias) in enumerate(zip(params, self.biases, strict=True)):
            wanted, got = self.widths[layer : layer + 2], jnp.shape(of_layer["weights"])
            if got != wanted:
                raise ValueError(f"params: layer {layer} has weights {got}, expected {wanted}.")
            if bias != ("bias" in of_layer):
                word = "needs a" if bias else "cannot have a"
                raise ValueError(f"params: layer {layer} {word} bias; use initialize.")


def _normalize(y: jax.Array, norm: BatchNorm, of_layer: dict[str, jax.Array]) -> jax.Array:
    """Return Z: `BatchNorm.forward` over the first axis, with γ and β of the layer."""
    y = y - y.mean(axis=0) if norm.center else y
    y = y / jnp.sqrt((y * y).mean(axis=0) + norm.epsilon) if norm.scale else y
    return of_layer.get("gamma", norm.gamma) * y + of_layer.get("beta", norm.beta)


def _finite(name: str, value: jax.Array) -> jax.Array:
    """Refuse NaN and infinity, where the value is a number and not a tracer."""
    if not isinstance(value, jax.core.Tracer) and not bool(jnp.isfinite(value).all()):
        raise ValueError(
            f"{name}: not finite; a unit may be constant over the examples, where batch "
            "normalization divides by zero: use epsilon > 0, or smaller or other weights."
        )
    return value
