"""``python -m bnlib``: the verdict on the lemma, computed exactly and in floating point."""

from __future__ import annotations

import math

import bnlib
from bnlib import exact


def verdict() -> str:
    """Check Lemma 4.5 on the counterexample at W₀ = W*; raise if the two results differ."""
    data = exact.counterexample()
    [point] = exact.Neuron().optima(data)
    [ray] = exact.Neuron(normalization=exact.BatchNorm()).optima(data)
    assert isinstance(point, exact.Point)
    assert isinstance(ray, exact.Ray)
    start = point.weights
    check = exact.check_lemma(start, [point], [ray])

    numbers = bnlib.counterexample()
    [optimum] = bnlib.Neuron().optima(numbers)
    assert isinstance(optimum, bnlib.Point)
    normalized = bnlib.Neuron(normalization=bnlib.BatchNorm()).optima(numbers)
    rounded = bnlib.check_lemma(optimum.weights, [optimum], normalized)
    pairs = [(check.left, rounded.left), (check.right, rounded.right)]
    agree = all(math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12) for a, b in pairs)
    if not agree or bool(rounded.holds) != check.holds:
        raise SystemExit(f"Exact and floating-point results disagree: {check} and {rounded}")

    angle = float(exact.angle(start, ray.direction))
    sign, word = (">", "FAILS") if check.left > check.right else ("<=", "holds")
    where = ", ".join(str(each) for each in start)
    return (
        f"Verdict: at W0 = W* = ({where}) the left side is {check.left}, the right side is "
        f"{check.right}; {check.left} {sign} {check.right}: the lemma {word}.\n"
        f"From a random start that meets its hypothesis it fails with probability "
        f"{bnlib.failure_probability(angle):.4f}."
    )


if __name__ == "__main__":
    print(verdict())
