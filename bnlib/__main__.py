"""``python -m bnlib``: the verdict on the lemma, computed exactly and in floating point."""

from __future__ import annotations

from typing import Any

import bnlib
from bnlib import exact


def at_star(library: Any) -> tuple[Any, Any, float]:
    """Return W₀ = W* of the counterexample, its check, and the angle to the BN ray."""
    data = library.counterexample()
    standard = library.Neuron().optima(data)
    normalized = library.Neuron(normalization=library.BatchNorm()).optima(data)
    start = standard[0].weights
    angle = float(library.angle(start, normalized[0].direction))
    return start, library.check_lemma(start, standard, normalized), angle


def verdict() -> str:
    """Check Lemma 4.5 exactly and in floating point; raise if the two results differ."""
    (start, check, angle), (_, rounded, _) = at_star(exact), at_star(bnlib)
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


if __name__ == "__main__":
    print(verdict())
