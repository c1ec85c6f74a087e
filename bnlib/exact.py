"""The same objects in SymPy: exact rationals and radicals, and symbols for proofs.

Every name mirrors the floating-point library, whose docstrings hold; numbers may be SymPy
expressions, and a float is the binary fraction it is. The formulas are written down again rather
than shared: gradients and Hessians are SymPy derivatives of the loss, and the lemma's right side
is the formula as printed. So the two implementations can contradict each other, and tests ask
whether they do. Errors are ``ValueError``, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

import bnlib

Expr = Any
"""A SymPy expression; SymPy ships no types."""

_ACTIVATIONS = {
    "identity": lambda z: z,
    "tanh": sp.tanh,
    "sigmoid": lambda z: 1 / (1 + sp.exp(-z)),
    "softplus": lambda z: sp.log(1 + sp.exp(z)),
    # Not Max(z, 0), whose derivative at the kink is 1/2: the library's convention is 0.
    "relu": lambda z: sp.Piecewise((z, z > 0), (0, True)),
    "gelu": lambda z: z * (1 + sp.erf(z / sp.sqrt(2))) / 2,
    "leaky_relu": lambda z: sp.Piecewise((z, z > 0), (z / 100, True)),
    "silu": lambda z: z / (1 + sp.exp(-z)),
    "elu": lambda z: sp.Piecewise((z, z > 0), (sp.exp(z) - 1, True)),
}


def _exact(value: Any) -> Expr:
    """Return a SymPy number or expression; a float becomes the rational it is in binary."""
    number = sp.sympify(value.item() if hasattr(value, "item") else value)
    return sp.Rational(number) if isinstance(number, sp.Float) else number


def _matrix(name: str, rows: Any) -> Expr:
    """Return a matrix of exact entries."""
    matrix = sp.ImmutableMatrix([[_exact(each) for each in row] for row in rows])
    if matrix.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise ValueError(f"{name}: entries must be finite; remove or replace the others.")
    return matrix


def _column(name: str, values: Any) -> Expr:
    return _matrix(name, [[each] for each in values])


@dataclass(frozen=True)
class LearningSet:
    """Inputs X, an (m, d) matrix, and targets t, an (m, 1) matrix, with exact entries."""

    inputs: Expr
    targets: Expr

    def __init__(self, inputs: Any, targets: Any) -> None:
        x = _matrix("inputs", inputs.tolist() if hasattr(inputs, "tolist") else inputs)
        t = _column("targets", targets)
        if len(t) != x.rows or not len(x):
            raise ValueError(f"targets: {len(t)} targets for {x.rows} examples; give one for each.")
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "targets", t)

    @property
    def m(self) -> int:
        """Number of examples."""
        return int(self.inputs.rows)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return int(self.inputs.cols)


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
        u = _column("direction", direction)
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
            object.__setattr__(self, name, _exact(getattr(self, name)))
        if self.epsilon.is_negative:
            raise ValueError(f"epsilon: must be at least 0, got {self.epsilon}.")

    def forward(self, preactivations: Expr) -> Expr:
        """Return z for a column of pre-activations y."""
        y = preactivations
        centered = y - sp.ones(len(y), 1) * (sum(y) / len(y)) if self.center else y
        if self.scale:
            variance = sum(each**2 for each in centered) / len(y)
            if variance.is_zero and self.epsilon.is_zero:
                raise ValueError(
                    "preactivations: constant, so batch norm divides by zero; use epsilon > 0."
                )
            centered = centered / sp.sqrt(variance + self.epsilon)
        return sp.ImmutableMatrix(centered * self.gamma + self.beta * sp.ones(len(y), 1))


@dataclass(frozen=True)
class Neuron:
    """One neuron with the mean squared error, as `bnlib.Neuron` without bias."""

    activation: str = "identity"
    normalization: BatchNorm | None = None

    def __post_init__(self) -> None:
        if self.activation not in _ACTIVATIONS:
            known = ", ".join(_ACTIVATIONS)
            raise ValueError(f"activation: {self.activation!r} is unknown; use one of {known}.")

    def output(self, weights: Any, data: LearningSet) -> Expr:
        """Return the column of φ(z)."""
        w = _column("weights", weights)
        if len(w) != data.d:
            raise ValueError(f"weights: expected {data.d} entries, got {len(w)}.")
        z = data.inputs * w
        if self.normalization is not None:
            z = self.normalization.forward(z)
        return sp.ImmutableMatrix(z.applyfunc(_ACTIVATIONS[self.activation]))

    def loss(self, weights: Any, data: LearningSet) -> Expr:
        """Return the mean squared residual; simplified when it is an algebraic number."""
        residuals = self.output(weights, data) - data.targets
        return _tidy(sum(each**2 for each in residuals) / data.m)

    def gradient(self, weights: Any, data: LearningSet) -> Expr:
        """Return the gradient as a column: SymPy's derivative of the loss."""
        symbols, at = _symbols(weights)
        loss = self.loss(symbols, data)
        return sp.ImmutableMatrix([_tidy(loss.diff(each).subs(at)) for each in symbols])

    def hessian(self, weights: Any, data: LearningSet) -> Expr:
        """Return the Hessian matrix: SymPy's second derivatives of the loss."""
        symbols, at = _symbols(weights)
        second = sp.hessian(self.loss(symbols, data), symbols)
        return sp.ImmutableMatrix(second.subs(at).applyfunc(_tidy))

    def optima(self, data: LearningSet) -> list[Point | Ray]:
        """Return the only local minimum, for the identity activation and ε = 0."""
        if self.activation != "identity":
            raise ValueError("activation: closed-form optima are known for 'identity' only.")
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


def _symbols(weights: Any) -> tuple[Expr, dict[Expr, Expr]]:
    """Return real symbols, as |z| and Max are differentiated without complex cases, and values."""
    w = _column("weights", weights)
    symbols = [sp.Dummy(f"w{i + 1}", real=True) for i in range(len(w))]
    return symbols, dict(zip(symbols, w, strict=True))


def _tidy(expression: Expr) -> Expr:
    """Simplify an algebraic number; SymPy may not finish on anything more."""
    plain = not (expression.free_symbols or expression.atoms(sp.Function, sp.Piecewise, sp.exp))
    return sp.radsimp(sp.simplify(expression)) if plain else expression


def _solve(x: Expr, t: Expr) -> Expr:
    """Return the unique least-squares solution of X w = t from the normal equations."""
    if (x.T * x).det().is_zero:
        raise ValueError("inputs: collinear or constant columns, so the optimum is not unique.")
    return sp.ImmutableMatrix((x.T * x).LUsolve(x.T * t).applyfunc(sp.cancel))


@dataclass(frozen=True)
class LemmaCheck:
    """Hypothesis and both sides of the lemma, exactly; see `bnlib.LemmaCheck`."""

    applies: bool
    left: Expr
    right: Expr

    @property
    def margin(self) -> Expr:
        """right − left."""
        return _tidy(self.right - self.left)

    @property
    def violated(self) -> bool:
        """The hypothesis is true and left > right. No rounding, so no tolerance."""
        return self.applies and bool(self.left > self.right)

    @property
    def holds(self) -> bool:
        """Whether the lemma is true as an implication."""
        return not self.violated


def check_lemma(
    start: Any, standard_optima: Sequence[Point], normalized_optima: Sequence[Point | Ray]
) -> LemmaCheck:
    """Check the lemma's inequality, evaluated as printed, for one start W₀. W* must not be 0."""
    if not standard_optima or not normalized_optima:
        raise ValueError("standard_optima, normalized_optima: both need at least one optimum.")
    w0 = _column("start", start)
    for each in (*standard_optima, *normalized_optima):
        vector = each.weights if isinstance(each, Point) else each.direction
        if len(vector) != len(w0):
            raise ValueError(f"start: has {len(w0)} weights, but {each} has {len(vector)}.")

    def closest(optima: Sequence[Point | Ray]) -> Expr:
        return min((each.nearest(w0) for each in optima), key=lambda w: _squared(w0 - w))

    star, hat = closest(standard_optima), closest(normalized_optima)
    if star.is_zero_matrix:
        raise ValueError("standard_optima: W* = 0, where the lemma's formula divides by zero.")
    length = _squared(star)
    right = _squared(w0 - star) - (length - star.dot(w0)) ** 2 / length
    return LemmaCheck(bool(star.dot(w0) > 0), _tidy(_squared(w0 - hat)), _tidy(right))


def _squared(vector: Expr) -> Expr:
    return vector.dot(vector)


def angle(first: Any, second: Any) -> Expr:
    """Return the angle between two vectors as an arc cosine of exact numbers."""
    u, v = _column("first", first), _column("second", second)
    if u.is_zero_matrix or v.is_zero_matrix:
        raise ValueError("first, second: a zero vector has no direction.")
    return sp.acos(_tidy(u.dot(v) / sp.sqrt(_squared(u) * _squared(v))))


def failure_probability(angle: Expr) -> Expr:
    """Return 1/2 + θ/(2π), and 0 at θ = 0; see `bnlib.failure_probability`."""
    theta = _angle(angle)
    return sp.Integer(0) if theta.is_zero else sp.Rational(1, 2) + theta / (2 * sp.pi)


def mean_excess(angle: Expr, scale: Expr = 1) -> Expr:
    """Return s² (2θ − sin 2θ)/(2π); see `bnlib.mean_excess`."""
    theta, s = _angle(angle), _exact(scale)
    return s**2 * (2 * theta - sp.expand_trig(sp.sin(2 * theta))) / (2 * sp.pi)


def _angle(angle: Expr) -> Expr:
    theta = _exact(angle)
    if theta.is_number and not 0 <= theta <= sp.pi:
        raise ValueError("angle: must lie in [0, π] radians; did you pass degrees?")
    return theta
