"""How far rounding can take the slope of a neuron's loss: a running error analysis."""

import numpy as np

from bn_solver.arrays import EPS, Array, centered, real_array
from bn_solver.limits import within_range
from bnlib import Activation, BatchNorm, LearningSet, Neuron, activation

_ULPS = 8 * EPS  # what φ, φ′ and a few operations beside a sum may lose, relative to their sizes


@within_range("weights, data, along")
def slope_rounding(neuron: Neuron, weights: Array, data: LearningSet, along: Array) -> Array:
    r"""Return a bound of the rounding error of ⟨∇L, v⟩ with `Neuron.gradient`, shape (..., k).

    To first order, and with the weights themselves rounded. A sum of *n* terms loses
    :math:`\tfrac n2 2^{-52}` of the sum of their sizes. An activation is computed as
    :math:`(1 + a)\,\varphi((1 + b) z)` with :math:`|a|, |b| \le 8 \cdot 2^{-52}`, and so is its
    derivative: true of all that bnlib names. Where z may be on either side of a kink, the
    derivative may be either.

    Parameters
    ----------
    neuron, data : Neuron, LearningSet
        The neuron whose gradient is taken, the examples and targets.
    weights, along : ndarray, shapes (..., d) and (..., d, k)
        Weight vectors, and directions v in the columns.

    Returns
    -------
    ndarray, shape (..., k)

    Raises
    ------
    ValueError
        If batch norm divides by zero.
    """
    columns, norm, m = neuron.columns(data), neuron.normalization, data.m
    weights = real_array("weights", weights, shape="(..., d)", last=len(columns))
    along = real_array("along", along, shape="(..., d, k)")
    y = weights @ columns
    off = (len(columns) / 2 + 6) * EPS * (np.abs(weights) @ np.abs(columns))
    z, off_z = y, off
    if norm is not None:
        unit, off_unit, scale, off_scale = _normalized(norm, y, off)
        z = norm.gamma * unit + norm.beta
        off_z = abs(norm.gamma) * off_unit + EPS * (np.abs(norm.gamma * unit) + abs(norm.beta))
    g, off_g = _cotangent(activation(neuron.activation), z, off_z, data.targets)
    if norm is not None:
        a, off_a = np.abs(g), off_g
        if norm.center:
            a, off_a = a + _mean(a), off_g + _mean(off_g)
            g = g - _mean(g)
        off_a = off_a + (m / 2 + 2) * EPS * a
        if norm.scale:
            level = _mean(unit * g)
            size = np.abs(unit)
            off_level = _mean(size * off_a + np.abs(g) * off_unit + m / 2 * EPS * size * a)
            g = g - unit * level
            off_a = off_a + size * (off_level + _ULPS * np.abs(level)) + np.abs(level) * off_unit
        factor = norm.gamma / scale
        g = factor * g
        off_g = np.abs(factor) * off_a + (off_scale + _ULPS) * np.abs(g)
    # Errors of g meet the change of y along v; only those of the last sums meet its terms.
    n = len(columns)
    change, terms = np.abs(columns.T @ along), np.abs(columns).T @ np.abs(along)
    sums = (m / 2 + n + 6) * EPS * np.abs(g) + n * EPS * off_g
    return np.asarray((off_g[..., None] * change + sums[..., None] * terms).sum(axis=-2))


def _normalized(norm: BatchNorm, y: Array, off: Array) -> tuple[Array, Array, Array, Array]:
    """Return ŷ, its error, the divisor s, and its relative error."""
    if norm.center:
        y = centered(y, axis=-1)
        off = off + _mean(off) + EPS * np.abs(y)
    if not norm.scale:
        return y, off, np.ones((1,)), np.zeros((1,))
    largest = np.abs(y).max(axis=-1, keepdims=True)
    largest = np.where(largest > 0, largest, 1.0)
    deviation = largest * np.sqrt(_mean((y / largest) ** 2))
    scale = np.hypot(deviation, np.sqrt(norm.epsilon))
    unit = y / scale
    off_scale = _mean(np.abs(unit) * off) / scale + (y.shape[-1] / 4 + 8) * EPS
    return unit, off / scale + np.abs(unit) * (off_scale + EPS), scale, off_scale


def _cotangent(phi: Activation, z: Array, off: Array, targets: Array) -> tuple[Array, Array]:
    """Return g = 2/m (φ − t) φ′ and its error, for pre-activations with an error."""
    value, slope = phi.value(z), phi.derivative(z)
    bend = phi.second_derivative(z)
    error = value - targets
    change, turn = (
        np.maximum(np.abs(each(z + off) - each(z)), np.abs(each(z - off) - each(z)))
        for each in (phi.value, phi.derivative)
    )
    change += _ULPS * (np.abs(value) + np.abs(z * slope)) + EPS * np.abs(targets)
    turn += _ULPS * (np.abs(slope) + np.abs(z * bend))
    share = 2 / targets.size
    product = share * error * slope
    lost = np.abs(slope) * change + np.abs(error) * turn + change * turn
    return product, share * lost + _ULPS * np.abs(product)


def _mean(values: Array) -> Array:
    return np.asarray(values.mean(axis=-1, keepdims=True))
