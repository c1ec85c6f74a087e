"""What a report says, beside exact rational arithmetic and starts counted by formulas of 2018.

A ``compare_…`` raises `Disagreement` and names the quantity, as in `tests.oracles`.
"""

import json
import math

import mpmath
import numpy as np

import bnlib
from bn_experiments.check import check
from bnlib import LearningSet
from tests.bnlib.test_conditions_of_any_rank import Exact, of_any_rank
from tests.oracles import Disagreement, agree, rational


def require(quantity, true, report):
    if not true:
        raise Disagreement(f"{quantity}: {report!r}, {report.reason}, {report.start}")


def truth(exact):
    """Return the theorem's verdicts for any rank, in both readings."""
    kernel = exact.fits[0].kernel is not None
    if not exact.fits[1].rank or (not rational.dot(exact.star, exact.star) and not kernel):
        return "void", "void"
    opposite = exact.strict and not exact.infimum
    strict = ("true" if kernel else "void") if opposite else "true" if exact.strict else "fails"
    return "true" if exact.infimum else "fails", strict


def exact_angle(exact):
    """Return the angle between w* and û to 50 digits."""
    w, u = exact.star, exact.slope
    ww, uu, wu = rational.dot(w, w), rational.dot(u, u), rational.dot(w, u)
    with mpmath.workdps(50):
        number = [mpmath.mpf(int(each.p)) / int(each.q) for each in (ww * uu - wu**2, wu)]
        return float(mpmath.atan2(mpmath.sqrt(number[0]), number[1]))


def compare_theorem(seed):
    """Compare the verdict on whole numbers of any rank with the theorem; return what was found."""
    x, t = of_any_rank(seed)
    exact, report = Exact(x, t), check(LearningSet(x, t))
    found = report.verdict, report.strict
    require("verdict", found == truth(exact), report)
    require("start", (report.start is None) == (report.verdict != "fails"), report)
    if report.start is not None:
        at = rational.verdict(report.start, *exact.fits)
        require("violated at W0", at.violated, report)
        require("closest to W0", at.exists or report.strict != "fails", report)
        gap = report.check.left - report.check.right - rational.as_float(at.left - at.right)
        require("error of left − right", abs(gap) <= report.check.error, report)
    if report.theta is not None:
        off = abs(report.theta - exact_angle(exact))
        require("error of θ", report.theta_error is not None and off <= report.theta_error, report)
    if report.intercept is not None and report.intercept_error is not None:
        ones = rational.column(np.ones(len(t)))
        rest = rational.column(t) - exact.x * exact.slope
        off = rational.column([report.intercept])[0, 0] - rational.dot(ones, rest) / len(t)
        require("error of a", abs(rational.as_float(off)) <= report.intercept_error, report)
    return (*found, report.reason)


def compare_large(seed):
    """Do the same for a table that is too large for exact arithmetic: it may be undecided."""
    x, t = of_any_rank(seed)
    copies = 5000 // x.size + 1  # many times the same examples have the same optima
    found = check(LearningSet(np.vstack([x] * copies), np.concatenate([t] * copies)))
    true = truth(Exact(x, t))
    for said, known in zip((found.verdict, found.strict), true, strict=True):
        require("verdict", said in (known, "undecided"), found)
    return found.verdict


def projector(columns):
    """Return the projection on the kernel of a matrix, from its singular values."""
    _, sizes, rows = np.linalg.svd(columns)
    rank = int(np.sum(sizes > 1e-9 * sizes[0]))
    return np.asarray(rows[rank:].T @ rows[rank:])


def counted(data, scale, n, seed):
    """Return shares and means for Gaussian starts, from the printed inequality; with their errors.

    The optima come from NumPy's least squares, the sides from distances.
    """
    x, t = data.inputs, data.targets
    xc = x - x.mean(axis=0)
    w = np.linalg.lstsq(x, t, rcond=None)[0]
    u = np.linalg.lstsq(xc, t - t.mean(), rcond=None)[0]
    starts = np.random.default_rng(seed).normal(0.0, scale, (n, data.d))
    star = w + starts @ projector(x)
    rest = starts - starts @ projector(xc)
    foot = np.maximum(rest @ u, 0.0) / (u @ u)
    left = np.sum((rest - foot[:, None] * u) ** 2, axis=1)
    inner, size = np.sum(starts * star, axis=1), np.sum(star * star, axis=1)
    plain = np.sum((starts - star) ** 2, axis=1)
    gain = (size - inner) ** 2 / size
    applies, exists = inner > 0, rest @ u > 0
    false = left > plain - gain
    values = {
        "infimum": false[applies],
        "strict": (false & exists)[applies],
        "given_closest": false[applies & exists],
        "excess": (left - plain + gain)[applies],
        "promised": gain[applies],
        "gain": (plain - left)[applies],
        "weaker": (left > plain)[applies],
    }
    return {
        name: np.array([each.mean(), each.std() / math.sqrt(len(each))])
        for name, each in values.items()
    }


def compare_laws(data, scale=None, n=200_000):
    """Compare shares and means with a count of our own."""
    report = check(data, scale=scale)
    if scale is not None:
        agree("scale", report.laws.scale, scale, 0.0)
    mine = 200_000 / (report.laws.counted or math.inf)  # the report may be a count, too
    for name, (mean, error) in counted(data, report.laws.scale, n, seed=3).items():
        off = abs(getattr(report.laws, name) - mean) / (error * math.sqrt(1 + mine) or 1.0)
        if not off < 4.5:
            raise Disagreement(f"{name}: {off:.1f} standard errors from a count")


def compare_json(report):
    """Check the lemma at W₀ with what the JSON holds, and the values with those of the report."""
    told = json.loads(report.to_json())
    kinds = {"Point": "weights", "Ray": "direction"}
    sets = [
        [
            getattr(bnlib, each["kind"])(
                each[kinds[each["kind"]]],
                each["error"],
                np.reshape(each["along"], (-1, len(report.columns))).T,
            )
            for each in told[name]
        ]
        for name in ("standard", "normalized")
    ]
    require("optima", sets == [[*report.standard], [*report.normalized]], report)
    again = bnlib.check_lemma(told["start"], *sets)
    for name, value in told["check"].items():
        # How well a kernel is known is not told.
        agree(name, getattr(again, name), value, 0.2 if name == "error" else 0.0)
    require("violated", again.violated and told["check"]["violated"], report)
    for name in ("theta", "theta_error", "intercept", "verdict", "strict", "examples", "source"):
        require(name, told[name] == getattr(report, name), report)
    require("laws", told["laws"] == vars(report.laws), report)
