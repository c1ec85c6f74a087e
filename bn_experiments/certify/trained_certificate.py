"""What a certificate for trained γ and β states; its exact form is that of `Certificate`."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from bn_experiments.certify.certificate import Box, Statement, is_exact, require, shown_box


@dataclass(frozen=True)
class TrainedCertificate(Statement):
    r"""The same statement for a neuron without bias, against batch norm with trained γ > 0 and β.

    It claims (a) to (e) of `certify_trained`: in short, the box contains exactly one stationary
    point W* of L, a strict local minimum and not 0; whatever k > 0 and b are, (kW*, b) is no
    strict minimum of the loss of the neuron with a bias, and for a smooth φ not even stationary;
    that loss has a strict minimum elsewhere. Whether that is *true* is for `verify_trained` to
    say.

    Parameters
    ----------
    inputs, targets, activation, box, precision
        As in `Certificate`.
    with_bias : tuple of (Fraction, Fraction)
        A box like `box`, of d + 1 entries, for a strict minimum (v, b) of the loss with a bias.

    Raises
    ------
    ValueError
        If a field has the wrong type or shape.
    """

    inputs: tuple[tuple[Fraction, ...], ...]
    targets: tuple[Fraction, ...]
    activation: str
    box: Box
    with_bias: Box
    precision: int

    FORMAT: ClassVar[str] = "bnlib trained certificate 1"
    NUMBERS: ClassVar[tuple[str, ...]] = ("inputs", "targets", "box", "with_bias")

    def __post_init__(self) -> None:
        self.check()
        pairs = isinstance(self.with_bias, tuple) and all(
            is_exact(ends) and len(ends) == 2 for ends in self.with_bias
        )
        require(pairs, "with_bias", "must be a tuple of pairs of Fraction")
        require(len(self.with_bias) == self.d + 1, "with_bias", "must be one pair more than d")

    def __str__(self) -> str:
        span = "at W*" if self.is_point else "on the box"
        kind = "strict minimum" if self.is_point else "stationary point"
        loss = f"no (kW*, b) with k > 0 is a {kind} of the loss with a bias"
        best = shown_box(self.with_bias)
        place = f"at {best}" if self.is_point else f"in {best}"
        return self.printed(
            {
                "neuron": f"{self.activation}, no bias; batch norm: γ > 0 and β trained, ε = 0",
                "minimum": f"L has a positive definite Hessian {span}",
                "BN loss": f"{loss}: W* is on no ray of BN optima",
                "BN optima": f"exist: the loss with a bias has one {place}",
            }
        )
