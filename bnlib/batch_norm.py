"""Batch normalization of one unit's pre-activations, with its exact derivatives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import (
    Array,
    centered,
    changed,
    flag,
    real_array,
    real_number,
    representable,
    require_broadcast,
)


@dataclass(frozen=True, repr=False)
class BatchNorm:
    r"""Batch normalization over the whole learning set, as two separable halves.

    .. math:: \hat y_i = \frac{y_i - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
       z_i = \gamma \hat y_i + \beta, \qquad \mu = \frac1m \sum_i y_i, \quad
       \sigma^2 = \frac1m \sum_i (y_i - \mu)^2 .

    Parameters and errors of all methods are those of `forward`.

    Parameters
    ----------
    center : bool
        Subtract the mean μ. If false, μ = 0 above, and σ is the root mean square of y.
    scale : bool
        Divide by √(σ² + ε). If false, the divisor is 1.
    gamma, beta : float
        γ and β, frozen at these values.
    epsilon : float
        ε ≥ 0, inside the root; scale invariance, on which the lemma rests, needs ε = 0.
        ``ValueError`` if it is negative, or given without ``scale``.

    References
    ----------
    Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal
    covariate shift", arXiv:1502.03167, Algorithm 1: σ² is the *population* variance, divided by m.
    """

    center: bool = True
    scale: bool = True
    gamma: float = 1.0
    beta: float = 0.0
    epsilon: float = 0.0

    def __post_init__(self) -> None:
        for name in ("center", "scale"):
            object.__setattr__(self, name, flag(name, getattr(self, name)))
        for name, floor in (("gamma", None), ("beta", None), ("epsilon", 0.0)):
            object.__setattr__(self, name, real_number(name, getattr(self, name), at_least=floor))
        if self.epsilon and not self.scale:
            raise ValueError("epsilon: has no effect without scale; use epsilon=0 or scale=True.")

    def __repr__(self) -> str:
        return changed(self)

    def forward(self, preactivations: npt.ArrayLike) -> Array:
        """Return z = γ ŷ + β, shape (..., m).

        Parameters
        ----------
        preactivations : array_like, shape (..., m)
            The pre-activations y; the last axis runs over the examples.

        Raises
        ------
        ValueError
            If ε = 0 and y is constant up to rounding (``center=False``: if y = 0), there is no
            example, or the result is too large for float64.
        """
        normalized, _ = self._normalize(preactivations)
        with np.errstate(over="ignore"):
            z = self.gamma * normalized + self.beta
        return representable("output", z, cause="preactivations, gamma or beta")

    def derivative(self, preactivations: npt.ArrayLike, vector: npt.ArrayLike) -> Array:
        r"""Return J v, the derivative of z with respect to y applied to a vector.

        .. math:: J = \frac{\partial z}{\partial y}
           = \frac{\gamma}{s}\Bigl(C - \tfrac1m\,\hat y\hat y^\top\Bigr),
           \qquad s = \sqrt{\sigma^2 + \epsilon},

        where C subtracts the mean, or is the identity for ``center=False``. J is symmetric, so
        the same product serves forward (v a tangent) and backward (v = ∂L/∂z).

        Parameters
        ----------
        vector : array_like, shape (..., m)
            The vector v; leading axes broadcast against those of y.
        """
        normalized, divisor = self._normalize(preactivations)
        v = real_array("vector", vector, shape="(..., m)", last=normalized.shape[-1])
        require_broadcast(preactivations=normalized.shape, vector=v.shape)
        with np.errstate(over="ignore", invalid="ignore"):
            product = self.gamma * self._jacobian(normalized, divisor, v)
        return representable("derivative", product, cause="preactivations or vector")

    def second_derivative(
        self,
        preactivations: npt.ArrayLike,
        cotangent: npt.ArrayLike,
        first: npt.ArrayLike,
        second: npt.ArrayLike,
    ) -> Array:
        r"""Return Σᵢ gᵢ D²zᵢ[a, b], the curvature of z seen by a cotangent.

        .. math:: \sum_i g_i\, D^2 z_i[a, b] = -\frac{\gamma}{m s}\Bigl(
             (v^\top a)(\hat y^\top b) + (\hat y^\top a)(v^\top b)
             + (\hat y^\top g)\, a^\top \tfrac{J}{\gamma}\, b\Bigr),
           \qquad v = \tfrac{J}{\gamma} g .

        Shape (...). Zero if ``scale`` is false, because z is then affine in y.

        Parameters
        ----------
        cotangent, first, second : array_like, shape (..., m)
            g = ∂L/∂z, and two directions a and b in the space of pre-activations.
        """
        normalized, divisor = self._normalize(preactivations)
        m = normalized.shape[-1]
        vectors = {"cotangent": cotangent, "first": first, "second": second}
        g, a, b = (real_array(*each, shape="(..., m)", last=m) for each in vectors.items())
        require_broadcast(
            preactivations=normalized.shape, cotangent=g.shape, first=a.shape, second=b.shape
        )
        if not self.scale:
            return np.zeros(np.broadcast_shapes(normalized.shape, g.shape, a.shape, b.shape)[:-1])
        with np.errstate(over="ignore", invalid="ignore"):
            v = self._jacobian(normalized, divisor, g)
            bent = (
                _dot(v, a) * _dot(normalized, b)
                + _dot(normalized, a) * _dot(v, b)
                + _dot(normalized, g) * _dot(a, self._jacobian(normalized, divisor, b))
            )
            bent = np.asarray(-self.gamma * bent / (m * divisor[..., 0]))
        return representable("second derivative", bent, cause="preactivations or directions")

    def _normalize(self, preactivations: npt.ArrayLike) -> tuple[Array, Array]:
        """Return ŷ and the divisor s, the latter with a last axis of length 1."""
        y = real_array("preactivations", preactivations, shape="(..., m)")
        if y.shape[-1] == 0:
            raise ValueError(f"preactivations: shape {y.shape} has no example; pass at least one.")
        shifted = centered(y, axis=-1) if self.center else y
        if not self.scale:
            return shifted, np.ones((*y.shape[:-1], 1))
        # Squares are taken of numbers of size 1, so that 1e-150 and 1e150 both work.
        largest = np.abs(shifted).max(axis=-1, keepdims=True)
        if self.epsilon == 0.0:
            refuse_constant("preactivations", largest[..., 0] == 0, center=self.center)
        unit = shifted / np.where(largest > 0, largest, 1.0)
        deviation = largest * np.sqrt((unit**2).mean(axis=-1, keepdims=True))
        divisor = np.hypot(deviation, np.sqrt(self.epsilon))
        return shifted / divisor, divisor

    def _jacobian(self, normalized: Array, divisor: Array, v: Array) -> Array:
        """Return (J / γ) v."""
        if self.center:
            v = v - v.mean(axis=-1, keepdims=True)
        if not self.scale:
            return np.array(np.broadcast_arrays(v, normalized)[0])
        along = (normalized * v).mean(axis=-1, keepdims=True)
        return np.asarray((v - normalized * along) / divisor)


def require_normalization(normalization: Any, *, bias: bool) -> None:
    """Raise ``ValueError`` unless it is a `BatchNorm` or None, and does not cancel the bias."""
    if not isinstance(normalization, BatchNorm | None):
        raise ValueError(
            f"normalization: must be a BatchNorm or None, got {normalization!r}; "
            "write bnlib.BatchNorm()."
        )
    if bias and normalization is not None and normalization.center:
        raise ValueError(
            "bias: centring subtracts it again, so it has no effect; "
            "use bias=False, or BatchNorm(beta=...) for an offset."
        )


def refuse_constant(name: str, constant: npt.NDArray[np.bool_], *, center: bool) -> None:
    """Raise ``ValueError``, blaming an argument, where batch norm would divide by zero."""
    if not np.any(constant):
        return
    where = tuple(int(i) for i in np.argwhere(constant)[0])
    at = f" at batch index {where}" if where else ""
    what = "constant over the examples" if center else "zero on every example"
    raise ValueError(
        f"{name}: the pre-activations are {what}{at}, so batch normalization divides by zero; "
        "use epsilon > 0, other weights, or inputs that vary."
    )


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("...i,...i->...", a, b))
