"""The verdict on the lemma, computed exactly and in floating point: ``python -m bnlib``."""

from collections.abc import Sequence
from typing import Any

import bnlib
from bn_experiments import exact


def _at_star(library: Any) -> tuple[Any, Any, float]:
    """Return W₀ = W* of the counterexample, its check, and the angle to the BN ray."""
    data = library.counterexample()
    standard = library.Neuron().optima(data)
    normalized = library.Neuron(normalization=library.BatchNorm()).optima(data)
    start = standard[0].weights
    angle = float(library.angle(start, normalized[0].direction))
    return start, library.check_lemma(start, standard, normalized), angle


def verdict() -> str:
    """Check Lemma 4.5 exactly and in floating point; raise if the two results differ."""
    (start, check, angle), (_, rounded, _) = _at_star(exact), _at_star(bnlib)
    apart = max(abs(check.left - rounded.left), abs(check.right - rounded.right))
    if not apart < 1e-12 or rounded.holds != check.holds:
        raise SystemExit(f"Exact and floating-point results disagree: {check} and {rounded}")
    sign, word = (">", "FAILS") if check.left > check.right else ("<=", "holds")
    return (
        f"Verdict: at W0 = W* = ({', '.join(map(str, start))}) the left side is {check.left}, the "
        f"right side is {check.right}; {check.left} {sign} {check.right}: the lemma {word}.\n"
        f"From a random start that meets its hypothesis it fails with probability "
        f"{bnlib.failure_probability(angle):.4f};\nwhere a BN optimum is closest to the start, "
        f"with probability {bnlib.failure_probability(angle, 'given_closest'):g}."
    )


def main(arguments: Sequence[str] = ()) -> int:  # noqa: ARG001 (as every command has)
    """Print the verdict on the lemma at the counterexample, exactly and in floating point."""
    print(verdict())
    return 0
