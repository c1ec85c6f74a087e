"""Networks of any depth, with or without batch normalization, in JAX.

Parameters are a list with one dictionary per layer, so every function here is pure and can be
differentiated, compiled and mapped over many networks (`jax.grad`, `jax.jit`, `jax.vmap`).
Importing this module switches JAX to float64 for the whole process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from bnlib._validation import changed, flag, whole_number
from bnlib.batch_norm import BatchNorm, require_normalization

jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]

Layer = dict[str, jax.Array]
"""The parameters of one layer, by name: weights, and some of bias, gamma, beta."""
Parameters = list[Layer]
"""The parameters of a network: one `Layer` for each layer, from the inputs to the outputs."""

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

OBJECTIVES = ("squared", "cross-entropy")
"""The names of the losses."""


class Pass(NamedTuple):
    """What a forward pass leaves behind, layer by layer.

    Attributes
    ----------
    incoming : list of Array, shape (m, n)
        A: the activations that enter each layer.
    preactivations : list of Array, shape (m, k)
        Y = A W + b of each layer, before normalization.
    outputs : Array, shape (m, k)
        What leaves the last layer.
    """

    incoming: list[jax.Array]
    preactivations: list[jax.Array]
    outputs: jax.Array


@dataclass(frozen=True, repr=False)
class Network:
    r"""A fully connected network with batch normalization in any of its layers.

    .. math::

        Y = A W + \mathbf 1 b^\top, \qquad Z = \mathrm{BN}(Y) \text{ or } Y, \qquad
        A' = \varphi(Z),

    layer by layer from A = X. The last layer has no activation: its Z are the outputs.

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
        ``"squared"``: the squared residual, summed over the outputs. ``"cross-entropy"``: −Σ t
        log p with p the softmax of the outputs and t the targets, probabilities. Either is
        averaged over the examples, without a factor ½.
    normalization : BatchNorm, None, or tuple of them
        One for every hidden layer, or one for each layer, the last included. Its γ and β are
        the values a new network starts from, or is frozen at where `params` has none.

    Raises
    ------
    ValueError
        If a width, a name or the number of entries in a tuple is wrong.

    Notes
    -----
    Units are normalized one by one over all examples that are passed (full batch), with the
    population variance. The instance is hashable: it may be a static argument of `jax.jit`.

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
        if len(widths) < 2:
            raise ValueError(f"widths: need inputs and outputs, got {widths}; give two or more.")
        depth = len(widths) - 1
        for name, value, known in (
            ("activation", self.activation, tuple(ACTIVATIONS)),
            ("objective", self.objective, OBJECTIVES),
        ):
            if value not in known:
                raise ValueError(f"{name}: {value!r} is unknown; use one of {', '.join(known)}.")
        norms = self.normalization
        if not isinstance(norms, tuple):
            norms = (norms,) * (depth - 1) + (None,)
        biases = self.bias if isinstance(self.bias, tuple) else (self.bias,) * depth
        for name, entries in (("normalization", norms), ("bias", biases)):
            if len(entries) != depth:
                raise ValueError(
                    f"{name}: has {len(entries)} entries for {depth} layers; give one for each."
                )
        for each in norms:
            require_normalization(each, bias=False)
        object.__setattr__(self, "widths", widths)
        object.__setattr__(self, "normalization", norms)
        object.__setattr__(self, "bias", tuple(flag("bias", each) for each in biases))

    def __repr__(self) -> str:
        return changed(self)

    @property
    def depth(self) -> int:
        """Number of layers with weights."""
        return len(self.widths) - 1

    def norm(self, layer: int) -> BatchNorm | None:
        """Return the normalization of a layer.

        Parameters
        ----------
        layer : int
            Its index; 0 is the layer the inputs enter.

        Returns
        -------
        BatchNorm or None
        """
        assert isinstance(self.normalization, tuple)
        return self.normalization[layer]

    def has_bias(self, layer: int) -> bool:
        """Say whether a layer has a trained bias.

        Parameters
        ----------
        layer : int
            Its index; 0 is the layer the inputs enter.

        Returns
        -------
        bool
        """
        assert isinstance(self.bias, tuple)
        norm = self.norm(layer)
        return self.bias[layer] and not (norm is not None and norm.center)

    def initialize(self, seed: Any, scale: float = 1.0) -> Parameters:
        """Return random parameters: normal weights of variance scale² / fan-in, biases 0.

        Parameters
        ----------
        seed : int or jax key
            A key may be traced: ``jax.vmap(network.initialize)`` takes many.
        scale : float
            Factor of all weights. γ and β start at the values of the normalization.

        Returns
        -------
        list of dict

        Raises
        ------
        ValueError
            If an integer seed is negative.
        """
        if isinstance(seed, int):
            seed = jax.random.key(whole_number("seed", seed, at_least=0))
        params = []
        for layer, key in enumerate(jax.random.split(seed, self.depth)):
            n, k = self.widths[layer : layer + 2]
            of_layer = {"weights": scale / n**0.5 * jax.random.normal(key, (n, k))}
            norm = self.norm(layer)
            if self.has_bias(layer):
                of_layer["bias"] = jnp.zeros(k)
            if norm is not None and norm.scale:
                of_layer["gamma"] = jnp.full(k, norm.gamma)
            if norm is not None and norm.center:
                of_layer["beta"] = jnp.full(k, norm.beta)
            params.append(of_layer)
        return params

    def run(self, params: Parameters, inputs: Any, shifts: Any = None) -> Pass:
        """Run the network and keep what enters and what leaves each linear map.

        Parameters
        ----------
        params : list of dict
            As `initialize` makes them.
        inputs : array_like, shape (m, d)
            The inputs X.
        shifts : list of array_like, shape (m, k), optional
            Added to Y of each layer: derivatives with respect to them are the back-propagated
            signals.

        Returns
        -------
        Pass

        Raises
        ------
        ValueError
            If the parameters or the inputs do not fit the widths.
        """
        x = jnp.asarray(inputs, dtype=float)
        self._require(params, x)
        incoming, preactivations = [], []
        for layer, of_layer in enumerate(params):
            incoming.append(x)
            y = x @ of_layer["weights"]
            if self.has_bias(layer):
                y = y + of_layer["bias"]
            y = y if shifts is None else y + shifts[layer]
            preactivations.append(y)
            norm = self.norm(layer)
            x = y if norm is None else _normalize(y, norm, of_layer)
            if layer < self.depth - 1:
                x = ACTIVATIONS[self.activation](x)
        return Pass(incoming, preactivations, x)

    def forward(self, params: Parameters, inputs: Any) -> jax.Array:
        """Return the outputs.

        Parameters
        ----------
        params : list of dict
            As `initialize` makes them.
        inputs : array_like, shape (m, d)
            The inputs X.

        Returns
        -------
        Array, shape (m, k)
            For cross-entropy the logits, not the probabilities.

        Raises
        ------
        ValueError
            As for `run`; also if an output is not finite, unless the call is being traced.
        """
        return _finite("outputs", self.run(params, inputs).outputs)

    def loss(self, params: Parameters, inputs: Any, targets: Any, shifts: Any = None) -> jax.Array:
        """Return the loss, a mean over the examples.

        Parameters
        ----------
        params : list of dict
            As `initialize` makes them.
        inputs : array_like, shape (m, d)
            The inputs X.
        targets : array_like, shape (m, k)
            The targets; (m,) will do for one output. For cross-entropy probabilities.
        shifts : list of array_like, optional
            As for `run`.

        Returns
        -------
        Array, shape ()

        Raises
        ------
        ValueError
            As for `forward`; also if the targets do not fit the outputs.
        """
        outputs = self.run(params, inputs, shifts).outputs
        t = jnp.asarray(targets, dtype=float)
        t = t[:, None] if t.ndim == 1 and self.widths[-1] == 1 else t
        if t.shape != outputs.shape:
            raise ValueError(f"targets: expected shape {outputs.shape}, got {t.shape}; reshape.")
        if self.objective == "squared":
            each = jnp.sum((outputs - t) ** 2, axis=1)
        else:
            each = -jnp.sum(t * jax.nn.log_softmax(outputs), axis=1)
        return _finite("loss", jnp.mean(each))

    def signals(self, params: Parameters, inputs: Any, targets: Any) -> list[jax.Array]:
        """Return the back-propagated signals g = ∂L/∂Y of all layers.

        Parameters
        ----------
        params : list of dict
            As `initialize` makes them.
        inputs : array_like, shape (m, d)
            The inputs X.
        targets : array_like, shape (m, k)
            The targets.

        Returns
        -------
        list of Array, shape (m, k)
            L is a mean over the examples, so a factor 1/m is in every entry. The sum over the
            examples is the derivative with respect to a bias, whether there is one or not.

        Raises
        ------
        ValueError
            As for `loss`.
        """
        m = len(inputs)
        shifts = [jnp.zeros((m, k)) for k in self.widths[1:]]
        return list(jax.grad(lambda s: self.loss(params, inputs, targets, s))(shifts))

    def _require(self, params: Parameters, x: jax.Array) -> None:
        if x.ndim != 2 or x.shape[1] != self.widths[0]:
            raise ValueError(f"inputs: expected shape (m, {self.widths[0]}), got {x.shape}.")
        if len(params) != self.depth:
            raise ValueError(f"params: {len(params)} layers for {self.depth}; use initialize.")
        for layer, of_layer in enumerate(params):
            wanted = (self.widths[layer], self.widths[layer + 1])
            got = jnp.shape(of_layer["weights"])
            if got != wanted:
                raise ValueError(f"params: layer {layer} has weights {got}, expected {wanted}.")
            if self.has_bias(layer) != ("bias" in of_layer):
                word = "needs a" if self.has_bias(layer) else "cannot have a"
                raise ValueError(f"params: layer {layer} {word} bias; use initialize.")


def _normalize(y: jax.Array, norm: BatchNorm, of_layer: Layer) -> jax.Array:
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
