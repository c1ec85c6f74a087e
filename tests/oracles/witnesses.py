"""One learning set on which the lemma fails for every activation, to be certified."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from bn_experiments.certify import Certificate, certify

_INPUTS = ((1, 0), (0, 1), (1, 1), (2, 1))
_TARGETS = ("0", "1", "1/2", "1/2")


class Witness(NamedTuple):
    """The arguments of `certify`; W* is a local minimum of L, to four digits."""

    inputs: tuple[tuple[int, ...], ...]
    targets: tuple[str, ...]
    activation: str
    approximate: tuple[float, ...]


_STARS = {
    "tanh": (-0.1614, 0.9400),
    "sigmoid": (-1.4857, 2.3336),
    "softplus": (-0.9480, 0.6276),
    "relu": (-0.2500, 0.9167),
    "leaky_relu": (-0.2500, 0.9167),
    "gelu": (-0.2365, 1.0644),
    "silu": (-0.2600, 1.1821),
    "elu": (-0.1809, 0.8476),
}
WITNESSES = {"identity": Witness(_INPUTS[:3], ("2", "0", "5"), "identity", (3.0, 1.0))}
WITNESSES |= {name: Witness(_INPUTS, _TARGETS, name, star) for name, star in _STARS.items()}
"""By the name of the activation. Identity has the counterexample of the book, and all others
share one learning set: its three inputs and a fourth, (2, 1)."""


@cache
def certified(name, **options):
    """Return the certificate of a witness."""
    found = certify(*WITNESSES[name], **options)
    assert isinstance(found, Certificate), found
    return found
