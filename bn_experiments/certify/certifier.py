r"""Certificates: proofs by computer that Lemma 4.5 is false for a neuron and a learning set.

For the standard neuron and the BN neuron with rational data, frozen rational γ and β, and ε = 0,

.. math::

    L(w) = \frac1m \sum_i \bigl(\varphi(x_i \cdot w) - t_i\bigr)^2, \qquad
    \hat L(w) = \frac1m \sum_i \bigl(\varphi(\gamma \hat y_i + \beta) - t_i\bigr)^2, \qquad
    \hat y = \frac{y - \mu}{\sigma},

a certificate names a box of weights with rational ends and a rational bound b, and claims:

- **(a)** The box contains exactly one stationary point W* of L.
- **(b)** The Hessian of L is positive definite on the whole box.
- **(c)** On the whole box the gradient of the BN loss is at least b > 0 long.
- **(d)** The box does not contain 0.
- **(e)** The inputs less their mean (without centring: the inputs) have rank d.

The chapter on activations proves that the lemma is then false at W₀ = W*; the chapter on proofs
by computer proves Krawczyk's test, by which (a) is proved. The left side is an infimum: that a
BN optimum is closest is not claimed. With C near the inverse of the Hessian at the middle c of
the box, and balls H that contain the Hessian everywhere on it,

.. math:: K = c - C\,\nabla L(c) + (I - C H)(\text{box} - c)

must lie in the interior of the box. (b) is proved by the pivots of H, (c) by a ball evaluation
of the gradient, (e) by exact elimination. Where φ″ jumps (ReLU, leaky ReLU, ELU), no ball of a
pre-activation may touch 0.

**Identity, ReLU and leaky ReLU** need no balls. On a linear piece W* solves rational normal
equations, and signs say whether it lies inside; the box is the point W*, and (c) then holds in a
neighbourhood because the gradient is continuous there. It is (γ/v)(Aσ + B) with σ² = v and
rational vectors A and B, so it is decided, not estimated, whether it is 0.

What is not shown: a certificate says nothing about other starts W₀, and "not certified" does
not say that the lemma holds. `verify` checks a certificate by other means.
The module needs python-flint: ``pip install "bnlib[certify]"``. It sets the precision of
python-flint, which is one for all threads, and sets it back.

**Trained γ > 0 and β** (`certify_trained`). Batch norm then computes
:math:`\varphi(\gamma \hat y + \beta) = \varphi(x \cdot v + b)` with
:math:`v = \gamma w / \sigma` and :math:`b = \beta - \gamma \mu / \sigma`. The map from (w, γ, β)
to (v, b) is open and v has the direction of w, so w is optimal for some γ > 0 and β exactly if
(kw, b), with some k > 0 and b, is a local minimum of the loss of the neuron *with* a bias,

.. math:: L_b(v, b) = \frac1m \sum_i \bigl(\varphi(x_i \cdot v + b) - t_i\bigr)^2 .

A certificate names a box of weights W* and a box of (v, b), both with rational ends, and claims:

- **(a)**, **(b)**, **(d)** As above, for the box of W* and L, the loss without a bias.
- **(c)** For no W in the box, k > 0 and b is (kW, b) a stationary point of the loss with a bias.
  Where φ has two linear pieces: for W = W* it is no strict local minimum.
- **(e)** The other box contains a stationary point (v, b) of the loss with a bias, with a
  positive definite Hessian and v ≠ 0. The inputs less their mean have rank d.

The lemma is then false at W₀ = W* if γ > 0 and β are trained: W* is on no ray of BN optima nor
a limit of such rays, and there is one. (a), (b) and (e) are proved as in `certify`; (c) by signs
and by ball arithmetic on a rectangle of (k, b), which signs show to be enough. For identity,
ReLU and leaky ReLU it is a finite list of normal equations in rational numbers.

It depends on the minima that count. **ReLU** has flat ones: where every pre-activation is
negative the loss is constant, so with a trained β every direction is that of a weak minimum, and
counting those makes the lemma true. The claim is about strict minima. For the others it is about
all local minima: leaky ReLU has no flat ones here, and a smooth φ no stationary point at all.
Normalization by scale alone has the same rays as long as β is trained, so a certificate is one
for it too.

Examples
--------
>>> proof = certify([[1, 0], [0, 1], [1, 1]], [2, 0, 5], "identity", [3, 1])
>>> print(proof)
Certificate: Lemma 4.5 is false for
  neuron    identity; batch norm: centre and scale, γ = 1, β = 0, ε = 0
  inputs    (1, 0), (0, 1), (1, 1)
  targets   2, 0, 5
  W*        the point (3, 1)
  minimum   L has a positive definite Hessian at W*
  BN loss   its gradient is at least 12/25 long at W*: no BN optimum there
  optima    BN has some, because the inputs less their mean have rank 2
  hence     at W₀ = W* the lemma's right side is 0 and its left side is not
>>> print(certify([[1, 0], [0, 1], [1, 1]], [3, 1, 4], "identity", [3, 1]))
Not certified: the gradient of the BN loss is exactly 0 at W*.

References
----------
Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken",
Computing 4 (1969), 187-201; Johansson, "Arb: efficient arbitrary-precision midpoint-radius
interval arithmetic", IEEE Transactions on Computers 66 (2017), 1281-1292.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from flint import ctx

from bn_experiments.certify._balls import LINEAR_PIECES, NotProvedError
from bn_experiments.certify._half_plane import refuse_stationary_ray
from bn_experiments.certify._krawczyk import isolate, search
from bn_experiments.certify._linear_piece import bits, minimum, refuse_minimum_on_the_ray, solve
from bn_experiments.certify._problem import (
    Problem,
    Vector,
    number,
    point,
    problem,
    require_precision,
)
from bn_experiments.certify.certificate import Certificate, TrainedCertificate

_HALVINGS = 40  # of the box of W*, so that (c) is decided on all of it
_COARSE = 12  # of the box with a bias, of which only existence is claimed


@dataclass(frozen=True)
class NotCertified:
    """No certificate, which is not a proof that the lemma holds. False as a truth value.

    Parameters
    ----------
    reason : str
        The first condition that could not be proved, on the smallest box that was tried.
    """

    reason: str

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return f"Not certified: {self.reason}."


def certify(
    inputs: Any,
    targets: Any,
    activation: str,
    approximate: Any,
    *,
    center: bool = True,
    gamma: Any = 1,
    beta: Any = 0,
    radius: Any = None,
    precision: int = 256,
) -> Certificate | NotCertified:
    """Try to prove that Lemma 4.5 is false at W₀ = W* for one neuron and learning set.

    Numbers are int, Fraction, SymPy rationals or strings (``"p/q"``, ``"0.25"``). A float stands
    for the binary fraction it is, so 0.1 is not one tenth; in this way the arrays of a
    `LearningSet` can be given.

    Parameters
    ----------
    inputs, targets, center, gamma, beta
        As in `Certificate`; any sequences.
    activation : str
        ``"identity"``, ``"tanh"``, ``"sigmoid"``, ``"softplus"``, ``"relu"``,
        ``"leaky_relu"`` (slope 1/100), ``"gelu"`` (with the exact normal distribution
        function), ``"silu"`` or ``"elu"`` (α = 1).
    approximate : sequence, shape (d,)
        An approximation of W*, as a numerical optimiser gives it.
    radius : number, optional
        Half the width of the box. By default the largest that succeeds among powers of 2; for
        identity, ReLU and leaky ReLU the exact point.
    precision : int
        Bits of the ball arithmetic.

    Returns
    -------
    Certificate or NotCertified
        `NotCertified` is false as a truth value and has a ``reason``.

    Raises
    ------
    ValueError
        If a number is not a finite rational, a shape does not fit, the activation is unknown,
        or the precision is below 53 or above 16384 bits.
    """
    posed = problem(inputs, targets, activation, center, gamma, beta)
    start = point("approximate", approximate, posed.d)
    half = None if radius is None else number("radius", radius)
    if half is not None and half <= 0:
        raise ValueError(f"radius: must be positive, got {half}.")
    require_precision(precision)
    try:
        posed.require_optimum()
        if half is None and activation in LINEAR_PIECES:
            return solve(posed, start, precision)
        with ctx.workprec(precision):
            return search(posed, start, half, precision)
    except NotProvedError as refusal:
        return NotCertified(str(refusal))


def certify_trained(
    inputs: Any,
    targets: Any,
    activation: str,
    approximate: Any,
    with_bias: Any,
    *,
    precision: int = 128,
) -> TrainedCertificate | NotCertified:
    r"""Try to prove that Lemma 4.5 is false at W₀ = W* when γ > 0 and β are trained.

    The standard neuron has no bias. With one the lemma is true, for every activation.

    Parameters
    ----------
    inputs, targets, activation, precision
        As in `certify`, where numbers may be given in the same ways.
    approximate, with_bias : sequence, shapes (d,) and (d + 1,)
        Approximations of W*, a strict minimum of the loss without a bias, and of a strict
        minimum (v, b) of the loss with one.

    Returns
    -------
    TrainedCertificate or NotCertified

    Raises
    ------
    ValueError
        As `certify` does.
    """
    posed = problem(inputs, targets, activation, True, 1, 0)
    start = point("approximate", approximate, posed.d)
    other = point("with_bias", with_bias, posed.d + 1)
    require_precision(precision)
    biased = replace(posed, inputs=tuple((*row, Fraction(1)) for row in posed.inputs))
    try:
        posed.require_optimum()
        if activation in LINEAR_PIECES:
            return _exactly(posed, biased, start, other, precision)
        with ctx.workprec(precision):
            box = isolate(posed, start, _HALVINGS, precision)
            around = isolate(biased, other, _COARSE, precision)
            if all(low <= 0 <= high for low, high in around[:-1]):
                raise NotProvedError("the optimum with a bias may have no direction: v may be 0")
            refuse_stationary_ray(posed, box)
    except NotProvedError as refusal:
        return NotCertified(str(refusal))
    return TrainedCertificate(
        posed.inputs, posed.targets, activation, tuple(box), tuple(around), precision
    )


def _exactly(
    posed: Problem, biased: Problem, start: Vector, other: Vector, precision: int
) -> TrainedCertificate:
    star, best = minimum(posed, start), minimum(biased, other)
    if not any(best[:-1]):
        raise NotProvedError("the optimum with a bias has no direction: v = 0")
    refuse_minimum_on_the_ray(posed, star)
    box, around = (tuple((each, each) for each in found) for found in (star, best))
    enough = bits(posed, [*star, *best], precision)
    return TrainedCertificate(posed.inputs, posed.targets, posed.activation, box, around, enough)
