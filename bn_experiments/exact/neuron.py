"""The neuron, batch norm and their optima in SymPy."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

import sympy as sp

import bnlib

Expr = Any
"""A SymPy expression; SymPy ships no types."""


def exact_number(name: str, value: Any) -> Expr:
    """Return a SymPy number or expression; a float becomes the rational it is in binary.

    Of texts only "p/q": others SymPy would run as code, or write out as "1e999999999".
    """
    value = value.item() if getattr(value, "shape", None) == () else value
    if isinstance(value, str) and re.fullmatch("-?[0-9]{1,999}(/[1-9][0-9]{0,998})?", value):
        value = Fraction(value)
    if not isinstance(value, sp.Expr | Rational | float):
        raise ValueError(
            f"{name}: {value!r:.60} is no number; use int, Fraction, 'p/q', float or what SymPy "
            "makes."
        )
    number = sp.sympify(int(value) if isinstance(value, bool) else value)
    return sp.Rational(number) if isinstance(number, sp.Float) else number


def _matrix(name: str, rows: Any) -> Expr:
    """Return a matrix of exact entries."""
    try:
        entries = [[exact_number(name, each) for each in row] for row in rows]
    except TypeError as error:
        raise ValueError(f"{name}: {rows!r:.60} holds no rows of numbers; pass lists.") from error
    if len({*map(len, entries)}) > 1:
        raise ValueError(f"{name}: the rows differ in length; give each the same entries.")
    matrix = sp.ImmutableMatrix(entries)
    if matrix.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{name}: entries must be finite; remove or replace the others.")
    return matrix


def column(name: str, values: Any) -> Expr:
    """Return a column vector of exact entries."""
    try:
        rows = [[each] for each in values]
    except TypeError as error:
        raise ValueError(f"{name}: {values!r:.60} is no list of numbers; pass one.") from error
    return _matrix(name, rows)


def tidy(expression: Expr) -> Expr:
    """Simplify an algebraic number; SymPy may not finish on anything more."""
    plain = not (expression.free_symbols or expression.atoms(sp.Function, sp.Piecewise, sp.exp))
    return sp.radsimp(sp.simplify(expression)) if plain else expression


@dataclass(frozen=True)
class LearningSet:
    """Inputs X, an (m, d) matrix, and targets t, an (m, 1) matrix, with exact entries."""

    inputs: Expr
    targets: Expr

    def __init__(self, inputs: Any, targets: Any) -> None:
        x = _matrix("inputs", inputs.tolist() if hasattr(inputs, "tolist") else inputs)
        t = column("targets", targets)
        if len(t) != x.rows or not len(x):
            raise ValueError(f"targets: {len(t)} targets for {x.rows} examples; give one for each.")
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "targets", t)

    @property
    def m(self) -> int:
        """Number of examples."""
        return int(self.inputs.rows)


def counterexample() -> LearningSet:
    """Return `bnlib.counterexample` with exact entries."""
    data = bnlib.counterexample()
    return LearningSet(data.inputs, data.targets)


@dataclass(frozen=True)
class Point:
    """A single optimum; `weights` is a column of exact entries."""

    weights: Expr

    def nearest(self, start: Expr) -> Expr:
        """Return the point."""
        return self.weights

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {_tuple(self.weights)}$"

    def __repr__(self) -> str:
        return f"Point({tuple(self.weights)})"


@dataclass(frozen=True)
class Ray:
    """The half-line {k u : k > 0}; rational directions are stored in lowest terms."""

    direction: Expr

    def __init__(self, direction: Any) -> None:
        u = column("direction", direction)
        if u.is_zero_matrix:
            raise ValueError("direction: is zero; give a non-zero vector.")
        if all(each.is_Rational for each in u):
            u = u / abs(sp.gcd(tuple(u)))
        object.__setattr__(self, "direction", u)

    def nearest(self, start: Expr) -> Expr:
        """Return the closest element, or the origin where only the infimum exists."""
        along = self.direction.dot(start) / self.direction.dot(self.direction)
        return sp.Max(along, 0) * self.direction

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle \left\{{k\,{_tuple(self.direction)} : k > 0\right\}}$"

    def __repr__(self) -> str:
        return f"Ray({tuple(self.direction)})"


def _tuple(vector: Expr) -> str:
    return r"\left(" + r",\; ".join(sp.latex(each) for each in vector) + r"\right)"


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalization as in `bnlib.BatchNorm`; γ, β and ε may be symbols."""

    center: bool = True
    scale: bool = True
    gamma: Expr = sp.Integer(1)
    beta: Expr = sp.Integer(0)
    epsilon: Expr = sp.Integer(0)

    def __post_init__(self) -> None:
        for name in ("gamma", "beta", "epsilon"):
            object.__setattr__(self, name, exact_number(name, getattr(self, name)))
        if self.epsilon.is_negative:
            raise ValueError(f"epsilon: must be at least 0, got {self.epsilon}.")

    def forward(self, preactivations: Expr) -> Expr:
        """Return z for a column of pre-activations y."""
        y, m, ones = preactivations, len(preactivations), sp.ones(len(preactivations), 1)
        if self.center:
            y = y - ones * (sum(y) / m)
        if self.scale:
            variance = sum(each**2 for each in y) / m
            if variance.is_zero and self.epsilon.is_zero:
                raise ValueError(
                    "preactivations: constant, so batch norm divides by zero; use epsilon > 0."
                )
            y = y / sp.sqrt(variance + self.epsilon)
        return sp.ImmutableMatrix(y * self.gamma + self.beta * ones)


@dataclass(frozen=True)
class Neuron:
    """One neuron with identity activation and the mean squared error, without bias."""

    normalization: BatchNorm | None = None

    def output(self, weights: Any, data: LearningSet) -> Expr:
        """Return the column of z."""
        w = column("weights", weights)
        if len(w) != data.inputs.cols:
            raise ValueError(f"weights: expected {data.inputs.cols} entries, got {len(w)}.")
        y = data.inputs * w
        return y if self.normalization is None else self.normalization.forward(y)

    def loss(self, weights: Any, data: LearningSet) -> Expr:
        """Return the mean squared residual; simplified when it is an algebraic number."""
        residuals = self.output(weights, data) - data.targets
        return tidy(sum(each**2 for each in residuals) / data.m)

    def gradient(self, weights: Any, data: LearningSet) -> Expr:
        """Return the gradient as a column: SymPy's derivative of the loss."""
        return self._derived(sp.derive_by_array, weights, data)

    def hessian(self, weights: Any, data: LearningSet) -> Expr:
        """Return the Hessian matrix: SymPy's second derivatives of the loss."""
        return self._derived(sp.hessian, weights, data)

    def _derived(self, derive: Callable[..., Expr], weights: Any, data: LearningSet) -> Expr:
        w = column("weights", weights)
        # Real symbols, as |z| and Max are differentiated without complex cases.
        symbols = [sp.Dummy(f"w{i + 1}", real=True) for i in range(len(w))]
        derivatives = sp.ImmutableMatrix(derive(self.loss(symbols, data), symbols))
        return derivatives.subs(dict(zip(symbols, w, strict=True))).applyfunc(tidy)

    def optima(self, data: LearningSet) -> list[Point | Ray]:
        """Return the only local minimum, for ε = 0."""
        x, t, norm = data.inputs, data.targets, self.normalization
        if norm is None:
            return [Point(_solve(x, t))]
        if not norm.epsilon.is_zero:
            raise ValueError("epsilon: exact optima are given for epsilon = 0 only.")
        t = t - norm.beta * sp.ones(data.m, 1)
        if norm.center:
            mean = sp.ones(data.m, data.m) / data.m
            x, t = x - mean * x, t - mean * t
        if norm.gamma.is_zero:
            raise ValueError("gamma: is 0, so the loss does not depend on the weights.")
        slope = _solve(x, t)
        if not norm.scale:
            return [Point(slope / norm.gamma)]
        if slope.is_zero_matrix:
            raise ValueError("targets: uncorrelated with every input: there is no ray of optima.")
        return [Ray(sp.sign(norm.gamma) * slope)]


def _solve(x: Expr, t: Expr) -> Expr:
    """Return the unique least-squares solution of X w = t from the normal equations."""
    if (x.T * x).det().is_zero:
        raise ValueError("inputs: collinear or constant columns, so the optimum is not unique.")
    return sp.ImmutableMatrix((x.T * x).LUsolve(x.T * t).applyfunc(sp.cancel))
