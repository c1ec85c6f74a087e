"""What a report says, as text for a terminal."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from bn_experiments.check.cells import listed, plain, quoted

_WEIGHTS = 8
_TINY = 1e-6

REASONS = {
    "apart": "W*, the optimum without batch norm, is not on the ray of the batch-norm optima.",
    "opposite": "W*, the optimum without batch norm, is opposite to the ray of the batch-norm "
    "optima.",
    "one ray": "W* is itself a batch-norm optimum, with its whole ray: what the published argument "
    "takes for granted is so here.",
    "constant": "1 is a combination of the inputs, which acts as a bias: every W* is a batch-norm "
    "optimum with its whole ray.",
    "uncorrelated": "The targets are uncorrelated with every input, so the loss with batch norm is "
    "constant: all weights are (weak) minima, and the left side is 0.",
    "kernel": "The shortest W* is 0: what the starts keep of themselves are batch-norm optima.",
    "zero": "W* = 0, so no start meets the hypothesis ⟨W0, W*⟩ > 0.",
    "equal": "All examples have the same inputs, so batch norm divides by zero whatever the "
    "weights: there is no batch-norm optimum.",
    "orthogonal": "The targets are orthogonal to every input up to rounding, but not exactly, so "
    "W* has no direction.",
    "one direction": "W* and the ray of the batch-norm optima have one direction up to rounding; "
    "if exactly one, the lemma is true, otherwise it fails by nothing one could measure.",
    "solver": "The optima are not determined by these numbers:",
}
NEARLY = (
    "So small an angle is what the rounding of numbers leaves of one that is 0: of inputs that are "
    "centred\nup to rounding, of targets that are a linear map of them. For these very numbers it "
    "is not 0."
)
NEVER = "No start to which the lemma applies has a closest one: read strictly it says nothing."
ONE_WEIGHT = (
    "With one weight the loss with batch norm has two values, one on each side of 0. Only the "
    "smaller is\ncounted as optimal; with both sides as (weak) minima the lemma is true."
)
VERDICTS = {
    "fails": "FAILS",
    "true": "is TRUE",
    "void": "is VOID (it says nothing)",
    "undecided": "is UNDECIDED (working precision cannot tell)",
}
REPAIRS = {
    "bias": "--bias         a trained bias without batch norm, trained γ > 0 and β with it",
    "centre": "--centre       inputs minus their means",
    "standardise": "--standardise  and over their standard deviations; not scaling alone",
}
CLOSEST = "a batch-norm optimum is closest to W0"


def with_names(message: str, columns: Sequence[str]) -> str:
    """Return a message of the solver with the names of columns for their numbers."""

    def named(found: re.Match[str]) -> str:
        return f"columns {listed(columns[int(j)] for j in found[1].split(','))}"

    return re.sub(r"columns \[([\d, ]+)\]", named, message)


def text(report: Any) -> str:
    """Return the answer to one table, for people."""
    repairs = ["What makes it true on this table, each checked:"] * bool(report.repairs)
    repairs += [f"  {REPAIRS[each]}" for each in report.repairs]
    parts = [_head(report), _geometry(report), _often(report), _start(report), repairs]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _head(report: Any) -> list[str]:
    d = len(report.columns)
    out = f" Left out: {listed(report.left_out)}." if report.left_out else ""
    inputs = {"raw": "as they are", "centred": "centred", "standardised": "standardised"}
    bias = "with a trained bias" if report.bias else "no bias"
    verdict = f"Lemma 4.5 {VERDICTS[report.verdict]} on this table"
    if report.strict != report.verdict:
        verdict += f", with the infimum as left side; read strictly it {VERDICTS[report.strict]}"
    reason = REASONS[report.reason] + (f" {report.detail}" if report.detail else "")
    if report.reason == "apart" and report.theta < _TINY:
        reason += f"\n{NEARLY}"
    if report.reason == "opposite":
        reason += f" {NEVER}" * (report.strict == "void") + f"\n{ONE_WEIGHT}" * (d == 1)
    examples = f"{report.examples} example{'s' * (report.examples != 1)}"
    what = (
        f"{report.source}: {examples}, {d} input{'s' * (d != 1)} ({listed(report.columns, 6)}), "
        f"target {quoted(report.target)}; inputs {inputs[report.preparation]}, {bias}.{out}"
    )
    return [what, "", f"{verdict}.", reason]


def _geometry(report: Any) -> list[str]:
    lines = []
    if report.theta is not None:
        off = error(np.degrees(report.theta_error), "°")
        lines.append(f"angle θ     {np.degrees(report.theta):.6g}° between W* and the ray{off}")
    if report.intercept is not None:
        off = error(report.intercept_error)
        lines.append(f"intercept   {report.intercept:.6g} of least squares with intercept{off}")
    for name, optima in (("W*", report.standard), ("ray", report.normalized)):
        for each in optima:
            k = each.along.shape[1]
            more = f", along {k} direction{'s' * (k > 1)}" if k else ""
            lines.append(f"{name:11} {vector(each.vector)}{more}{error(each.error)}")
    return lines


def _often(report: Any) -> list[str]:
    laws = report.laws
    if laws is None:
        return []
    means = f"on average, for W0 ~ N(0, s² I) with s = {laws.scale:.6g}"
    if report.verdict == "true" and not laws.counted:
        gain = f"The closest batch-norm optimum is closer than W*, by {laws.gain:.6g} in squared"
        return [
            "It is false for no start: both sides are equal for each to which it applies.",
            f"{gain} distance {means}.",
        ]
    counted = f", counted for {laws.counted} Gaussian starts" if laws.counted else ""
    share = "never" if laws.given_closest is None else f"{laws.given_closest:.2%}"
    part = 100 * laws.excess / laws.promised if laws.promised else np.inf
    more = f" ({part:.2g}% of what is promised)" if 0 < part < 1000 else ""
    return [
        f"How often it is false, for W0 in a random direction that meets the hypothesis{counted}",
        f"  {laws.infimum:8.2%}  left side an infimum where no batch-norm optimum is closest",
        f"  {laws.strict:8.2%}  {CLOSEST}, and it is false",
        f"  {share:>8}  false, given that {CLOSEST}",
        f"By how much {means} (infimum)",
        f"  {laws.promised:.6g}  closer than W*, in squared distance: what the lemma promises",
        f"  {laws.gain:.6g}  closer than W*: what batch norm gives",
        f"  {laws.excess:.6g}  the mean excess, which is the difference{more}",
        f"  {laws.weaker:.2%} of these starts are closer to W* than to every batch-norm optimum",
    ]


def _start(report: Any) -> list[str]:
    if report.check is None:
        return []
    [star], [ray], check = report.standard, report.normalized, report.check
    right = check.right if check.right > 1e-15 * check.left else 0.0  # else it is rounding
    there = "" if check.exists else " No batch-norm optimum is closest to it; left is an infimum."
    lines = [
        f"Verify by hand: it is false at W0 = {vector(report.start, short=False)}.{there}",
        f"  left  = ‖W0‖² − ⟨û, W0⟩₊² = {check.left:.9g}, û the unit vector of the ray",
        f"  right = ‖W0‖² − ⟨W*, W0⟩² / ‖W*‖² = {right:.9g}",
        f"  left − right = {check.left - right:.6g}{error(check.error)}",
    ]
    if len(report.columns) > _WEIGHTS:
        return [*lines, "  All entries of W0, W* and û: --json (in Python report.start)."]
    if star.along.size:
        return [*lines, "  W*, the ray and their kernels with all digits: --json."]
    return [
        *lines,
        f"  bnlib.check_lemma({numbers(report.start)},",
        f"    [bnlib.Point({numbers(star.vector)}, {star.error!r})],",
        f"    [bnlib.Ray({numbers(ray.vector)}, {ray.error!r})])",
    ]


def error(bound: float, unit: str = "") -> str:
    """Return the bound of an error in words, rounded up."""
    if not bound:
        return " (exact)"
    step = 10.0 ** (np.floor(np.log10(bound)) - 1) or bound
    return f" (error at most {np.ceil(bound / step) * step:.2g}{unit})"


def numbers(values: Any) -> str:
    """Return numbers as Python reads them, with all their digits."""
    return f"[{', '.join(repr(float(each)) for each in values)}]"


def vector(values: Any, *, short: bool = True) -> str:
    """Return the first entries of a vector, with six or with all their digits."""
    first = [float(each) for each in list(values)[:_WEIGHTS]]
    shown = ", ".join(f"{each:.6g}" if short else plain(each) for each in first)
    more = len(values) - _WEIGHTS
    return f"({shown}, and {more} more)" if more > 0 else f"({shown})"
