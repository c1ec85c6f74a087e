"""The loss in whitened coordinates, and the stationary points that a search finds in them."""

from typing import NamedTuple

import numpy as np

from bn_experiments.search._rounding import slope_rounding
from bn_experiments.search.newton import (
    QuadraticModel,
    distance_to_zero,
    polish,
    quadratic_model,
)
from bn_solver.arrays import EPS, Array, representable
from bnlib import LearningSet, Neuron, Point, activation

_STATIONARY = 1e-9  # a point from which Newton's step is shorter, relative to 1 + ‖v‖
_SINGULAR = 1e-11  # a Hessian with an eigenvalue below this share of the largest
_SAME = 1e-6  # two stationary points closer than this, relative to 1 + ‖v‖
_GRADIENT = 1e-6  # where the optimizer stops; Newton's method then finds the last digits
_FAR = 64  # examples up to which far starts are made: the cost grows as their square


class _Found(NamedTuple):
    kind: str
    loss: float
    at: Array
    error: float  # of the weights of a minimum


class WhitenedSearch:
    """The loss in coordinates v = S w in which ‖v‖ is the root mean square of X w."""

    def __init__(self, neuron: Neuron, data: LearningSet) -> None:
        self.neuron, self.data = neuron, data
        self.found: list[_Found] = []
        x = neuron.columns(data).T
        columns = np.linalg.norm(x, axis=0)
        columns = np.where(columns > 0, columns, 1.0)
        u, singular, v = np.linalg.svd(x / columns, full_matrices=False)
        if len(singular) < x.shape[1] or singular[-1] <= max(x.shape) * EPS * singular[0]:
            raise ValueError(
                f"inputs: fewer than {x.shape[1]} independent columns, so no minimum is isolated; "
                "drop constant or collinear columns, or add examples."
            )
        root = np.sqrt(len(x))
        frame = v.T / columns[:, None] / singular * root
        self.frame = representable("scale", frame, cause="inputs")
        self.inverse = (v * columns) * singular[:, None] / root
        self.outputs = u * root  # X w = outputs @ v
        # Sizes of the residuals, and of the pre-activations that targets may ask for.
        self.size = float(np.sqrt(self.loss(np.zeros(x.shape[1])))) or 1.0
        self.reach = max(1.0, float(np.sqrt(np.mean(data.targets**2))))

    def linearized(self) -> Array:
        """Return the least-squares solution with φ(z) replaced by φ(0) + φ′(0) z."""
        phi, zero = activation(self.neuron.activation), np.zeros(1)
        slope = float(phi.derivative(zero)[0]) or 1.0
        target = (self.data.targets - phi.value(zero)) / slope
        return np.asarray(self.outputs.T @ target / len(target))

    def promising(self) -> Array:
        """Return the local minima of the loss on grids in the plane, shape (n, 2)."""
        angles = 2 * np.pi * (np.arange(128) + 0.5) / 128
        around = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        rings = 96 + round(14 * np.log(self.reach))
        radii = np.geomspace(0.05, 50.0 * self.reach, rings)
        found = [self._lowest(radii[:, None, None] * around, wrap=True)]
        if len(self.outputs) <= _FAR:
            along = self.reach * np.geomspace(1.0, 1e3, 32)[:, None, None]
            for row in self.outputs[self.outputs.any(axis=1)]:
                across = self.reach * np.linspace(-8.0, 8.0, 33)[:, None] * row / (row @ row)
                line = np.array([-row[1], row[0]]) / np.linalg.norm(row)
                found += [self._lowest(across + sign * along * line) for sign in (-1, 1)]
        points = np.concatenate(found)
        return points[np.argsort(self.neuron.loss(points @ self.frame.T, self.data), kind="stable")]

    def leads_to_known(self, start: Array) -> bool:
        """Return whether the loss falls all the way along a straight line to a known minimum."""
        # From steps far shorter than a cell of the grid, so that no dip at the start is missed.
        share = np.append(0.0, np.geomspace(1e-5, 1.0, 193))[:, None]
        for known in self.found:
            if known.kind == "minimum":
                line = (start + share * (known.at - start)) @ self.frame.T
                if (np.diff(self.neuron.loss(line, self.data)) <= EPS * self.size**2).all():
                    return True
        return False

    def minima(self) -> list[Point]:
        """Return the minima that have been found, by increasing loss."""
        minima = [each for each in self.found if each.kind == "minimum"]
        found = [(each.loss, tuple(self.frame @ each.at), each.error) for each in minima]
        return [Point(w, error) for _, w, error in sorted(found)]

    def _lowest(self, grid: Array, *, wrap: bool = False) -> Array:
        """Return the points of a grid whose loss is below that of the eight around them."""
        losses = self.neuron.loss(grid @ self.frame.T, self.data)
        # Rounding makes no minima: not on plateaus, where of equal points the last one counts.
        losses = np.round(losses / self.size**2, 13)
        # Beyond the outer edge, and the sides of a strip, the loss may fall on: no minimum there.
        padded = np.pad(losses, ((1, 1), (0, 0)), constant_values=-np.inf)
        padded[0] = np.inf if wrap else -np.inf
        sides = {"mode": "wrap"} if wrap else {"constant_values": -np.inf}
        padded = np.pad(padded, ((0, 0), (1, 1)), **sides)
        rows, columns = losses.shape
        lowest = np.ones(losses.shape, dtype=bool)
        for i, j in np.ndindex(3, 3):
            other = padded[i : i + rows, j : j + columns]
            if (i, j) != (1, 1):
                lowest &= losses <= other if (i, j) < (1, 1) else losses < other
        return grid[lowest]

    def loss(self, v: Array) -> float:
        return float(self.neuron.loss(self.frame @ v, self.data))

    def gradient(self, v: Array) -> Array:
        return self.neuron.gradient(self.frame @ v, self.data) @ self.frame

    def hessian(self, v: Array) -> Array:
        return self.frame.T @ self.neuron.hessian(self.frame @ v, self.data) @ self.frame

    def minimize(self, start: Array) -> str:
        """Minimize from a start, remember the stationary point, and return its kind."""
        from scipy import optimize  # on first use: SciPy is half of the import time

        options = {"gtol": _GRADIENT * self.size, "maxiter": 200}
        options["max_trust_radius"] = 1e3 * self.reach
        derivatives = {"jac": self.gradient, "hess": self.hessian}
        result = optimize.minimize(
            self.loss, start, method="trust-exact", options=options, **derivatives
        )
        model = self.model(result.x)
        if not model.flat:
            for known in self.found:  # on the way to a point that is known
                if self._near(result.x + model.step, known):
                    return known.kind
        at = polish(self.gradient, self.hessian, result.x, method="hybr", xtol=1e-14)
        if self.kind(at) != "flat" and self.loss(at) <= result.fun + 1e-9 * self.size**2:
            kind = self.add(at)
            if kind != "failed":
                return kind
        return self.add(result.x)

    def add(self, v: Array) -> str:
        """Remember a stationary point unless it is known, and return its kind."""
        kind = self.kind(v)
        if kind not in ("minimum", "saddle", "maximum"):
            return kind
        if not any(self._near(v, known) for known in self.found):
            error = self.error(v) if kind == "minimum" else 0.0
            if not np.isfinite(error):  # the gradient is nothing but rounding all around
                return "flat"
            self.found.append(_Found(kind, self.loss(v), v, error))
        return kind

    def error(self, v: Array) -> float:
        """Return a bound of the distance of the weights from the minimum that they are close to."""
        values, vectors = np.linalg.eigh(self.hessian(v))
        basis = self.frame @ vectors
        return distance_to_zero(
            lambda w: self.neuron.gradient(w, self.data) @ basis,
            lambda w: slope_rounding(self.neuron, w, self.data, basis),
            self.frame @ v,
            basis,
            values,
        )

    def _near(self, v: Array, known: _Found) -> bool:
        reach = _SAME * (1 + np.linalg.norm(known.at))
        return bool(np.linalg.norm(v - known.at) <= reach)

    def model(self, v: Array) -> QuadraticModel:
        return quadratic_model(self.gradient(v), self.hessian(v), flat=_SINGULAR)

    def kind(self, v: Array) -> str:
        model = self.model(v)
        if model.flat:
            return "flat"
        if model.length <= _STATIONARY * (1 + np.linalg.norm(v)):
            return model.kind
        slopes = activation(self.neuron.activation).slopes
        bent = slopes is not None and slopes[0] != slopes[1]
        if bent and np.abs(self.outputs @ v).min() <= 1e-6 * (1 + np.linalg.norm(v)):
            return "kink"
        gradient = self.gradient(v)
        small = np.linalg.norm(gradient) <= 10 * _GRADIENT * self.size
        return "escaping" if small and gradient @ v < 0 else "failed"
