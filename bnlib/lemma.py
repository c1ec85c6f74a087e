"""Lemma 4.5 of Santurkar et al. (2018): both sides of its inequality, and whether it holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bn_solver.arrays import Array
from bnlib._projection import gain
from bnlib._verdict import compare
from bnlib.optima import Optimum

Booleans = npt.NDArray[np.bool_]


class FailureRate(NamedTuple):
    """How often the inequality is false among starts that meet the hypothesis.

    Attributes
    ----------
    infimum : float
        With the left side an infimum where no BN optimum is closest.
    strict : float
        And a BN optimum is closest.
    given_closest : float
        Among those of them that have a closest BN optimum.
    """

    infimum: float
    strict: float
    given_closest: float


@dataclass(frozen=True, eq=False)
class LemmaCheck:
    """What the lemma says, and whether it is so, for each initialization.

    Attributes
    ----------
    applies : ndarray of bool, shape (...)
        The hypothesis: ⟨W₀, W*⟩ > 0.
    exists : ndarray of bool, shape (...)
        A BN optimum is closest to W₀. Where none is, as for a ray of u with ⟨u, W₀⟩ ≤ 0, the
        lemma, read strictly, says nothing, and `left` is an infimum.
    left : ndarray, shape (...)
        ‖W₀ − Ŵ*‖².
    right : ndarray, shape (...)
        ‖W₀ − W*‖² − (‖W*‖² − ⟨W*, W₀⟩)² / ‖W*‖².
    error : ndarray, shape (...)
        A bound of the error of left − right, from the errors of the optima and from rounding; 0
        where both sides are known to be equal, because both optima lie on one ray.
    violated : ndarray of bool, shape (...)
        The hypothesis is true and left > right, whatever those errors are.
    undecided : ndarray of bool, shape (...)
        They could make it true or false.
    """

    applies: Booleans
    exists: Booleans
    left: Array
    right: Array
    error: Array
    violated: Booleans
    undecided: Booleans

    @property
    def margin(self) -> Array:
        """right − left: negative where the inequality is false."""
        return self.right - self.left

    @property
    def holds(self) -> Booleans:
        """Not violated: true as an implication, vacuously where it does not apply; or undecided."""
        return np.logical_not(self.violated)

    @property
    def failure_rate(self) -> FailureRate:
        """Shares of violations among the starts of the batch; raises ``ValueError`` without any."""
        counts = [np.count_nonzero(self.applies & each) for each in (True, self.exists)]
        if 0 in counts:
            raise ValueError(
                "start: none meets the hypothesis and has a closest optimum; add some."
            )
        false, strict = (np.count_nonzero(self.violated & each) for each in (True, self.exists))
        return FailureRate(false / counts[0], strict / counts[0], strict / counts[1])

    def __repr__(self) -> str:
        if np.ndim(self.left) == 0:
            # A side that is rounding next to the other one is shown as 0.
            floor = 1e-15 * max(self.left, self.right)
            left, right = (float(side) if side > floor else 0.0 for side in (self.left, self.right))
            more = "" if self.exists else ", exists=False"
            more += ", undecided=True" if self.undecided else ""
            return (
                f"LemmaCheck(applies={bool(self.applies)}, left={left:.6g}, "
                f"right={right:.6g}, holds={bool(self.holds)}{more})"
            )
        unsure = np.count_nonzero(self.undecided)
        return (
            f"LemmaCheck({np.size(self.left)} initializations: "
            f"{np.count_nonzero(self.applies)} with the hypothesis, "
            f"{np.count_nonzero(self.violated)} of them violated"
            f"{f', {unsure} undecided' if unsure else ''})"
        )


def check_lemma(
    start: npt.ArrayLike,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
) -> LemmaCheck:
    r"""Check the inequality of Lemma 4.5 for one or many initializations.

    Let W* and Ŵ* be the optima of the standard and of the BN network that are closest to W₀.
    If ⟨W₀, W*⟩ > 0, the lemma claims

    .. math::

        \|W_0 - \hat W^*\|^2 \;\le\; \|W_0 - W^*\|^2
          - \frac{\bigl(\|W^*\|^2 - \langle W^*, W_0\rangle\bigr)^2}{\|W^*\|^2}.

    Parameters
    ----------
    start : array_like, shape (..., d)
        W₀: one initialization, or any leading batch shape of them.
    standard_optima, normalized_optima : sequence of Point, sequence of Point or Ray
        The local optima of the standard network, and of that with batch norm.

    Returns
    -------
    LemmaCheck

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, a standard optimum is not a `Point`,
        or a list of optima is empty: without an optimum the lemma says nothing.

    Notes
    -----
    The right side is evaluated as ‖W₀‖² − ⟨W*/‖W*‖, W₀⟩², to which it is equal: the squared
    distance from W₀ to the line through W*. This form has no ‖W*‖⁴ to overflow and is exactly
    comparable with the left side. Beside the starts and the result only a few megabytes are needed.

    Each distance is known up to e ‖W₀‖, where e is the error of the direction and of rounding,
    at most 12 (d + 4) 2⁻⁵² without kernel. So left − right is known up to a bound; a start is
    violated above it and undecided within it. Equality is not judged by numbers: where both
    optima solve the same problem, or are exact and have the same direction, and where the BN
    optima contain W* and more (1 is a combination of the inputs), the lemma holds by structure.
    Of several W* that may be closest, all have to agree; of equal ones the first is reported.

    W* = 0: the hypothesis is false for every W₀; the right side, 0/0 in the formula, is given
    as its bound ‖W₀‖².

    References
    ----------
    Santurkar, Tsipras, Ilyas and Mądry, "How does batch normalization help
    optimization?", NeurIPS 2018, arXiv:1805.11604, Lemma 4.5.
    """
    return LemmaCheck(**compare(start, standard_optima, normalized_optima, gain))
