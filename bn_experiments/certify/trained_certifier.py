r"""Certificates for trained γ and β: no curved neuron without a bias has W* on a BN ray.

With γ > 0 and β trained, batch norm computes :math:`\varphi(\gamma \hat y + \beta) =
\varphi(x \cdot v + b)` with :math:`v = \gamma w / \sigma` and :math:`b = \beta - \gamma \mu /
\sigma`. The map from (w, γ, β) to (v, b) is open and v has the direction of w, so w is optimal
for some γ > 0 and β exactly if (kw, b), with some k > 0 and b, is a local minimum of the loss of
the neuron *with* a bias,

.. math:: L_b(v, b) = \frac1m \sum_i \bigl(\varphi(x_i \cdot v + b) - t_i\bigr)^2 .

A certificate names a box of weights W* and a box of (v, b), both with rational ends, and claims:

- **(a)** The box contains exactly one stationary point W* of L, the loss without a bias.
- **(b)** The Hessian of L is positive definite on the whole box.
- **(c)** For no W in the box, k > 0 and b is (kW, b) a stationary point of the loss with a bias.
  Where φ has two linear pieces: for W = W* it is no strict local minimum.
- **(d)** The box does not contain 0.
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
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from flint import ctx

from bn_experiments.certify._balls import LINEAR_PIECES, NotProvedError
from bn_experiments.certify._half_plane import refuse_stationary_ray
from bn_experiments.certify._krawczyk import isolate
from bn_experiments.certify._linear_piece import bits, minimum, refuse_minimum_on_the_ray
from bn_experiments.certify._problem import Problem, Vector, point, problem, require_precision
from bn_experiments.certify.certificate import NotCertified
from bn_experiments.certify.trained_certificate import TrainedCertificate

_HALVINGS = 40  # of the box of W*, so that (c) is decided on all of it
_COARSE = 12  # of the box with a bias, of which only existence is claimed


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
