"""``python -m bnlib``: the verdict on the lemma, computed exactly and in floating point.

``python -m bnlib COMMAND`` runs what an installed package declares as an entry point of the group
"bnlib.commands": a function that takes the arguments and returns the exit code.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from typing import Any

import bnlib


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
    (start, check, angle), (_, rounded, _) = at_star(bnlib.exact), at_star(bnlib)
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


def main(arguments: list[str]) -> int:
    """Print the verdict, or run a command; return its exit code, or 2 if it is unknown."""
    commands = {each.name: each for each in entry_points(group="bnlib.commands")}
    match arguments:
        case []:
            print(verdict())
        case ["-h" | "--help"]:
            lines = [f"  {k}  {c.load().__doc__.splitlines()[0]}" for k, c in commands.items()]
            print("usage: python -m bnlib [COMMAND ...]\n\nWithout a command: the verdict.")
            print("\n".join(["Commands, each with --help:", *lines]))
        case [name, *rest] if name in commands:
            return int(commands[name].load()(rest))
        case [name, *_]:
            known = ", ".join(commands) or "none (install bnlib again, by pip)"
            told = f"unknown command {name!r}; there are: {known}. See python -m bnlib --help."
            print(f"Error: {told}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
