"""One neuron: a linear map, a normalization that is or is not there, an activation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import EPS, Array, changed, flag, real_array, representable
from bnlib.activations import ACTIVATIONS, Activation, activation
from bnlib.batch_norm import BatchNorm, refuse_constant, require_normalization
from bnlib.closed_form import linear_optima
from bnlib.learning_set import LearningSet, require_learning_set
from bnlib.optima import Optimum


@dataclass(frozen=True, repr=False)
class Neuron:
    r"""A neuron with the mean squared error as its loss.

    .. math:: y = X w, \qquad z = \mathrm{BN}(y) \text{ or } y, \qquad
       L(w) = \frac1m \sum_{i=1}^m \bigl(\varphi(z_i) - t_i\bigr)^2 .

    The mean has no factor ½. Methods take one weight vector or any leading batch shape of them:
    parameters and errors of all are those of `output`.

    Parameters
    ----------
    activation : str or Activation
        φ; a name known to `bnlib.activation`, or an `Activation` of your own.
    normalization : BatchNorm, optional
        None is the *standard* neuron, ``BatchNorm()`` the *BN* neuron.
    bias : bool
        Add a trainable bias to y, the last of then d + 1 weights. ``ValueError`` in front of a
        centring normalization, which cancels it.

    Examples
    --------
    >>> Neuron().optima(bnlib.counterexample())
    [Point([3., 1.])]
    """

    activation: str | Activation = "identity"
    normalization: BatchNorm | None = None
    bias: bool = False

    def __post_init__(self) -> None:
        activation(self.activation)
        object.__setattr__(self, "bias", flag("bias", self.bias))
        require_normalization(self.normalization, bias=self.bias)

    def __repr__(self) -> str:
        return changed(self)

    def output(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return φ(z) on every example, shape (..., m).

        Parameters
        ----------
        weights : array_like, shape (..., d)
            Weight vectors w.
        data : LearningSet
            The examples and targets.

        Raises
        ------
        ValueError
            If the weights do not fit, batch norm divides by zero, or float64 overflows.
        """
        _, z = self._preactivations(weights, data)
        return np.asarray(activation(self.activation).value(z))

    def loss(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        """Return the mean over the examples of the squared residual, shape (...)."""
        with np.errstate(over="ignore"):
            loss = ((self.output(weights, data) - data.targets) ** 2).mean(axis=-1)
        return representable("loss", loss, cause="weights, data")

    def gradient(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        r"""Return the exact gradient of the loss, shape (..., d).

        .. math:: \nabla L = X^\top J g, \qquad
           g_i = \tfrac2m (\varphi(z_i) - t_i)\,\varphi'(z_i),

        with J = ∂z/∂y, the identity for the standard neuron. Where the loss does not change along
        w, for ``scale=True`` and ε = 0, it is orthogonal to w.
        """
        y, z = self._preactivations(weights, data)
        phi = activation(self.activation)
        with np.errstate(over="ignore", invalid="ignore"):
            g = 2 / data.m * (phi.value(z) - data.targets) * phi.derivative(z)
            g = representable("gradient", g, cause="weights, data")
            if self.normalization is not None:
                g = self.normalization.derivative(y, g)
            return representable("gradient", g @ self.columns(data).T, cause="weights, data")

    def hessian(self, weights: npt.ArrayLike, data: LearningSet) -> Array:
        r"""Return the exact, symmetric matrix of second derivatives, shape (..., d, d).

        .. math:: \nabla^2 L = A^\top \operatorname{diag}(h)\, A
           + \sum_i g_i\, X^\top (\nabla_y^2 z_i)\, X, \qquad
           h_i = \tfrac2m\bigl(\varphi'^2 + (\varphi - t_i)\,\varphi''\bigr)(z_i),

        with A = J X. The second term is zero without normalization. At a kink of φ the
        one-sided convention of `bnlib.activation` is used.
        """
        y, z = self._preactivations(weights, data)
        phi, columns = activation(self.activation), self.columns(data)
        with np.errstate(over="ignore", invalid="ignore"):
            error, slope = phi.value(z) - data.targets, phi.derivative(z)
            h = 2 / data.m * (slope**2 + error * phi.second_derivative(z))
            representable("Hessian", h, cause="weights, data")
            if self.normalization is None:
                result = (columns * h[..., None, :]) @ columns.T
            else:
                g = (2 / data.m * error * slope)[..., None, None, :]
                spread = self.normalization.derivative(y[..., None, :], columns)
                result = (spread * h[..., None, :]) @ np.swapaxes(spread, -1, -2)
                result += self.normalization.second_derivative(
                    y[..., None, None, :], g, columns[:, None, :], columns
                )
                result = (result + np.swapaxes(result, -1, -2)) / 2  # exactly symmetric
        return representable("Hessian", result, cause="weights, data")

    def optima(self, data: LearningSet) -> list[Optimum]:
        """Return all local minima of the loss; ``ValueError`` unless the activation is identity.

        See Also
        --------
        linear_optima : the formulas, the degenerate cases and errors.
        """
        if activation(self.activation) != ACTIVATIONS["identity"]:
            raise ValueError(
                "activation: closed-form optima are known for 'identity' only, "
                f"not for {activation(self.activation).name!r}; minimise the loss numerically."
            )
        return linear_optima(data, self.normalization, bias=self.bias)

    def columns(self, data: LearningSet) -> Array:
        """Return Xᵀ, shape (d, m), as the weights see it: with a row of ones for the bias.

        Centred in front of a centring normalization, so that a common offset costs no digits.
        """
        require_learning_set(data)
        if self.normalization is not None and self.normalization.center:
            return data.centered_inputs.T
        return np.vstack([data.inputs.T, np.ones(data.m)]) if self.bias else data.inputs.T

    def _preactivations(self, weights: npt.ArrayLike, data: LearningSet) -> tuple[Array, Array]:
        """Return y (centred in front of a centring normalization) and z, shape (..., m) each."""
        columns, norm = self.columns(data), self.normalization
        shape = "(..., d + 1)" if self.bias else "(..., d)"
        w = real_array("weights", weights, shape=shape, last=len(columns))
        with np.errstate(over="ignore", invalid="ignore"):
            y = representable("pre-activation", w @ columns, cause="weights, inputs")
            if norm is None:
                return y, y
            if norm.scale and norm.epsilon == 0.0:
                # What is left where products cancel is rounding of the size of the products.
                size = np.abs(w) @ np.abs(columns).max(axis=-1)
                rounding = 8 * EPS * representable("pre-activation", size, cause="weights, inputs")
                refuse_constant("weights", np.abs(y).max(axis=-1) <= rounding, center=norm.center)
        return y, norm.forward(y)
