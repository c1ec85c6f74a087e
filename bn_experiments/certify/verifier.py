r"""An independent check of certificates; it shares no search code with `certify`.

What the two share is Arb, the fractions of Python, and the class `Certificate`, which holds the
fields and reads them from JSON: an error there would be one of both.

What is checked is the list (a) to (e) of `certify`, by other means:

- No derivative is written down here. The losses are computed as Taylor series in ball
  arithmetic, and the derivatives are the coefficients.
- (a) by the theorem of Poincaré and Miranda. Let M contain C times the Hessian for every
  point of the box with middle c and half-widths r. On the face :math:`w_j = c_j + r_j` the
  mean value theorem gives :math:`(C\nabla L)_j \ge (C\nabla L(c))_j + M_{jj} r_j -
  \sum_{k \ne j} |M_{jk}|\, r_k`. If :math:`M_{jj} r_j` exceeds the sum of the
  absolute values of the others, the component is positive there and negative on the opposite
  face. If that is so for every j, C∇L has a zero in the interior.
- (b) by the same inequality: it makes every matrix in M diagonally dominant, hence C and the
  Hessian regular on the box. Its minors are positive at c, and on the way to any other point
  of the box no eigenvalue can become 0. So L is strictly convex there: the zero is the only
  one.
- A box that is a single point: ∇L = 0 exactly, in rational numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeVar

from flint import arb, arb_mat, arb_poly, arb_series, ctx, fmpq, fmpq_mat

from bn_experiments.certify.certificate import Box, Certificate, Statement

Kind = TypeVar("Kind", bound=Statement)

_TERMS = 9  # of a Taylor polynomial; with its remainder, as many as python-flint keeps
_SLOPES = {"identity": Fraction(1), "relu": Fraction(0), "leaky_relu": Fraction(1, 100)}


class NotProvedError(Exception):
    """A claim could not be proved."""


@dataclass(frozen=True)
class Verification:
    """Whether a certificate was accepted, which is its truth value, and why.

    Parameters
    ----------
    accepted : bool
        Every claim has been proved again.
    reason : str
        The first claim that could not be proved.
    """

    accepted: bool
    reason: str

    def __bool__(self) -> bool:
        return self.accepted


def verify(certificate: Certificate | str) -> Verification:
    """Check every claim of a certificate from its learning set, neuron, box and bound.

    Parameters
    ----------
    certificate : Certificate or str
        The certificate, or its JSON. JSON that is not a certificate is refused with a reason.
        Of a `Certificate` only the fields count. Its type must be `Certificate` itself: a
        subclass could print one statement and hand in another.

    Returns
    -------
    Verification

    Raises
    ------
    ValueError
        If the argument is neither, or of a subclass.
    """
    return judge(certificate, Certificate, _check)


def judge(
    certificate: Statement | str, kind: type[Kind], check: Callable[[Kind], None]
) -> Verification:
    """Return the verdict of `check` on a certificate of exactly one class, or on its JSON."""
    if type(certificate) not in (kind, str):
        raise ValueError(
            f"certificate: expected a {kind.__name__} or its JSON, got an object of class "
            f"{type(certificate).__name__}; make a {kind.__name__} of its fields, or pass the JSON."
        )
    try:
        # Built anew, so that each field is checked and nothing else has a say.
        text = certificate if isinstance(certificate, str) else replace(certificate).to_json()  # type: ignore[type-var]
        claim = kind.from_json(text)
    except ValueError as error:
        return Verification(False, f"malformed certificate: {error}")
    try:
        # Beyond its cap python-flint drops coefficients, and with them the remainder.
        require(ctx.cap > _TERMS, f"ctx.cap of python-flint must be above {_TERMS}")
        require(claim.activation in _PHI, f"the activation {claim.activation!r} is unknown")
        with ctx.workprec(claim.precision + 64):
            check(claim)
    except NotProvedError as refusal:
        return Verification(False, str(refusal))
    except (ValueError, ArithmeticError) as error:  # of Arb, where what it divides by may be 0
        return Verification(False, f"ball arithmetic found no enclosure: {error}")
    return Verification(True, "every claim has been proved again")


def _check(claim: Certificate) -> None:
    require(claim.bound > 0, "the bound is not positive")
    seen = [list(column) for column in zip(*claim.inputs, strict=True)]
    if claim.center:
        seen = centred(seen)
    rank = fmpq_mat([[fmpq(*x.as_integer_ratio()) for x in column] for column in seen]).rank()
    require(rank == claim.d, f"(e): the inputs that batch norm sees have rank {rank}")
    require_minimum(claim)
    least = [each.abs_lower() for each in _bn_gradient(claim, seen, balls(claim.box))]
    require(
        dot(least, least) >= to_ball(claim.bound**2),
        "(c): the gradient of the BN loss may be shorter",
    )


def centred(columns: Iterable[Sequence[Fraction]]) -> list[list[Fraction]]:
    """Return columns of fractions, each less its mean."""
    means = ((each, sum(each, Fraction(0)) / len(each)) for each in columns)
    return [[x - mean for x in column] for column, mean in means]


def require_minimum(claim: Certificate) -> None:
    """Refuse unless the box holds one stationary point of L, a strict minimum, and not 0."""
    require(all(low <= high for low, high in claim.box), "the ends of the box are swapped")
    require(any(low > 0 or high < 0 for low, high in claim.box), "(d): the box contains 0")
    radius = [to_ball((high - low) / 2) for low, high in claim.box]
    gradient, hessian = _derivatives(claim, [to_ball(each) for each in claim.centre])
    corners = ([row[:k] for row in hessian.tolist()[:k]] for k in range(1, claim.d + 1))
    require(all(arb_mat(each).det() > 0 for each in corners), "(b): the Hessian of L at the "
             "middle of the box may not be positive definite")  # fmt: skip
    if claim.is_point:
        require(_is_stationary(claim), "(a): the gradient of L is not 0 at the point")
    else:
        inverse = hessian.mid().inv(nonstop=True).mid()
        faces = inverse * _derivatives(claim, balls(claim.box))[1], inverse * gradient, radius
        require(_opposite_signs(*faces), "(a), (b): the box may contain no stationary point of "
                 "L, or more than one")  # fmt: skip


def balls(box: Box) -> list[Any]:
    """Return a ball around each side of a box."""
    return [to_ball((a + b) / 2) + arb(0, 1) * to_ball((b - a) / 2) for a, b in box]


def _derivatives(claim: Certificate, w: list[Any]) -> tuple[arb_mat, arb_mat]:
    """Return the gradient and the Hessian of L from the series of each squared residual."""
    gradient, hessian = arb_mat(claim.d, 1), arb_mat(claim.d, claim.d)
    for row, t in zip(claim.inputs, claim.targets, strict=True):
        x = arb_mat([[to_ball(each)] for each in row])
        residual = arb_series(taylor(claim.activation, dot(x.entries(), w)), 3) - to_ball(t)
        square = residual * residual / claim.m
        gradient, hessian = gradient + x * square[1], hessian + x * x.transpose() * (2 * square[2])
    return gradient, hessian


def _bn_gradient(claim: Certificate, columns: list[list[Fraction]], w: list[Any]) -> list[Any]:
    """Return the derivative of the BN loss along each weight, from its series."""
    c = [[to_ball(x) for x in column] for column in columns]
    y = [dot(row, w) for row in zip(*c, strict=True)]
    derivatives = []
    for column in c:
        along = [arb_series([value, x], 2) for value, x in zip(y, column, strict=True)]
        scale = (sum((each * each for each in along), arb_series([0], 2)) / claim.m).rsqrt()
        loss = arb_series([0], 2)
        for each, t in zip(along, claim.targets, strict=True):
            z = to_ball(claim.gamma) * scale * each + to_ball(claim.beta)
            value, slope, _ = taylor(claim.activation, z[0])
            residual = arb_series([value, slope * z[1]], 2) - to_ball(t)
            loss += residual * residual
        derivatives.append(loss[1] / claim.m)
    return derivatives


def taylor(name: str, z: Any) -> list[Any]:
    """Return the Taylor coefficients φ, φ′, φ″/2 on a ball, from more of them at its middle.

    A Taylor polynomial and its derivatives; the last coefficient, of Lagrange's remainder, is
    one of the whole ball. All three are then true enclosures.
    """
    middle = _PHI[name](arb_series([z.mid(), 1], _TERMS))
    whole = _PHI[name](arb_series([z, 1], _TERMS + 1))
    phi = arb_poly([*(middle[k] for k in range(_TERMS)), whole[_TERMS]])
    h, slope = z - z.mid(), phi.derivative()
    return [phi(h), slope(h), slope.derivative()(h) / 2]


def _opposite_signs(spread: arb_mat, step: arb_mat, radius: list[Any]) -> bool:
    """Return whether each component of C∇L has opposite signs on opposite faces of the box."""
    for j, r in enumerate(radius):
        others = (abs(spread[j, k]) * s for k, s in enumerate(radius) if k != j)
        if not spread[j, j] * r - sum(others, arb(0)) > abs(step[j, 0]):
            return False
    return True


def _is_stationary(claim: Certificate) -> bool:
    """Return whether ∇L = 0 exactly, for an activation of two linear pieces."""
    require(claim.activation in _SLOPES, "a single point cannot be checked for this activation")
    total, w = [Fraction(0)] * claim.d, claim.centre
    for row, t in zip(claim.inputs, claim.targets, strict=True):
        y = sum(x * each for x, each in zip(row, w, strict=True))
        slope = Fraction(1) if y > 0 else _SLOPES[claim.activation]
        total = [a + (slope * y - t) * slope * x for a, x in zip(total, row, strict=True)]
    return not any(total)


def _pieces(z: Any, negative: Any) -> Any:
    require(z[0] > 0 or z[0] < 0, "a pre-activation may be 0, at the kink of the activation")
    return z if z[0] > 0 else negative


def dot(u: Iterable[Any], v: Iterable[Any]) -> Any:
    """Return the inner product of two sequences of balls."""
    return sum((a * b for a, b in zip(u, v, strict=True)), arb(0))


def to_ball(value: Fraction) -> Any:
    """Return a ball around a fraction."""
    return arb(fmpq(*value.as_integer_ratio()))


def require(condition: bool, reason: str) -> None:
    """Raise `NotProvedError` with the reason, unless a condition is true."""
    if not condition:
        raise NotProvedError(reason)


_PHI: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z,
    "tanh": lambda z: 1 - 2 / (1 + (2 * z).exp()),
    "sigmoid": lambda z: 1 / (1 + (-z).exp()),
    "softplus": lambda z: (1 + z.exp()).log(),
    "relu": lambda z: _pieces(z, 0 * z),
    "leaky_relu": lambda z: _pieces(z, z / 100),
    "gelu": lambda z: z * (1 + (z / arb(2).sqrt()).erf()) / 2,
    "silu": lambda z: z / (1 + (-z).exp()),
    "elu": lambda z: _pieces(z, z.exp() - 1),
}
