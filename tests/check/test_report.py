"""The answer to one table: every rank, both readings, the repairs; and planted errors."""

import json
from collections import Counter
from dataclasses import replace
from functools import partial

import jsonschema
import numpy as np
import pytest

import bn_solver
import bnlib
from bn_experiments.check import check, laws, report, verdict, words
from bnlib import LearningSet, counterexample
from tests.check.comparisons import compare_json, compare_large, compare_laws, compare_theorem
from tests.oracles import Disagreement, each, normal_set, refused
from tools.project import ROOT

SCHEMA = json.loads((ROOT / "bn_experiments/check/report.schema.json").read_text(encoding="utf-8"))
X = np.random.default_rng(1).integers(-9, 10, (12, 3)).astype(float)
T = np.random.default_rng(2).integers(-9, 10, 12).astype(float)
ONE, TWICE = np.ones((12, 1)), X[:, :1]
TILTED = LearningSet(X + 1.0, T + 5.0)
SQUARES = np.arange(24.0) ** 2
SYMMETRIC = np.vstack([X, -X]), SQUARES
CROSS, PAIRS = [[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1], [1, -1], [2, 1], [2, -1]]
NEARLY = np.hstack([X, TWICE + 1e-15 * np.sign(X[:, 1:2])])


def case(x, t, said):
    """Return a learning set and what the theorem says of it, worked out by hand."""
    return LearningSet(x, t), *said.split(", ")


CASES = {
    "generic": case(X, T, "fails, fails, apart"),
    "an input twice": case(np.hstack([X, TWICE]), T, "fails, fails, apart"),
    "a constant input": case(np.hstack([X, ONE]), T, "true, true, constant"),
    "few examples": case(X[:3], T[:3], "true, true, constant"),
    "centred inputs": case(*SYMMETRIC, "true, true, one ray"),
    "centred, an input twice": case(SYMMETRIC[0][:, [0, 1, 2, 0]], SQUARES, "true, true, one ray"),
    "intercept zero": case(X, X @ [1.0, 2.0, 3.0], "true, true, one ray"),
    "uncorrelated": case([[2, 1], [0, 1], [1, 2], [1, 0]], [1] * 4, "true, true, uncorrelated"),
    "W* = 0": case([[1], [2]], [2, -1], "void, void, zero"),
    "W* = 0, twice": case([[1, 1], [2, 2]], [2, -1], "true, true, kernel"),
    "both uncorrelated": case(CROSS, [1, 1, -1, -1], "void, void, zero"),
    "opposite": case([[1], [2], [4]], [2, 1, 0], "fails, void, opposite"),
    "opposite, two inputs": case(PAIRS, [4, 4, 3, 3], "fails, void, opposite"),
    "one input": case([[1], [2], [4]], [0, 1, 2], "true, true, one ray"),
    "equal examples": case(np.ones((4, 2)), [1, 2, 3, 4], "void, void, equal"),
    "centred up to rounding": case(X - X.mean(axis=0), T, "undecided, undecided, one direction"),
    "intercept zero, an input twice": case(
        np.hstack([X, TWICE]), X @ [1.0, 2.0, 3.0], "true, true, one ray"
    ),
    "opposite, an input twice": case([[1, 1], [2, 2], [4, 4]], [2, 1, 0], "fails, true, opposite"),
    "nearly collinear": case(NEARLY, T, "undecided, undecided, solver"),
}


@each(CASES)
def test_each_case_of_the_theorem(data, infimum, strict, reason):
    found = check(data)
    assert (found.verdict, found.strict, found.reason) == (infimum, strict, reason)
    jsonschema.validate(json.loads(found.to_json()), SCHEMA)
    assert words.REASONS[reason] in str(found)


def test_reasons_of_text_and_schema_are_those_that_occur():
    known = set(SCHEMA["properties"]["reason"]["enum"])
    assert set(words.REASONS) == known
    assert known - {case[3] for case in CASES.values()} == {"orthogonal"}
    rounded = check(CASES["centred up to rounding"][0])
    assert rounded.theta < rounded.theta_error < 1e-9
    assert "angle θ     " in str(rounded)
    almost = verdict.judged(bnlib.Point([1e-20, 0.0], 1e-18), bnlib.Ray([1.0, 1.0]))
    assert almost[:3] == ("undecided", "undecided", "orthogonal")


def test_verdict_start_and_errors_for_every_rank_in_rational_arithmetic():
    found = Counter(compare_theorem(seed) for seed in range(400))
    assert len({reason for *_, reason in found}) >= 6
    assert not [infimum for infimum, *_ in found if infimum == "undecided"]
    assert sum(count for (infimum, *_), count in found.items() if infimum == "fails") > 60


def test_a_table_too_large_for_exact_arithmetic_is_right_or_undecided():
    found = Counter(compare_large(seed) for seed in range(60))
    assert found["fails"] > 5
    assert found["true"] > 15
    assert found["undecided"] < 10


def test_the_counterexample_is_that_of_the_readme_and_the_printed_call_shows_it():
    found = check(counterexample())
    assert (found.verdict, found.strict, found.start) == ("fails", "fails", (3.0, 1.0))
    assert found.theta == pytest.approx(np.arctan(2 / 9), rel=1e-14)
    assert (found.intercept, found.examples, found.columns) == (-3.0, 3, ("x1", "x2"))
    assert found.check.left == pytest.approx(8 / 17, rel=1e-14)
    shares = found.laws.infimum, found.laws.strict, found.laws.given_closest
    assert [round(float(share or 0), 4) for share in shares] == [0.5348, 0.4652, 0.5]
    assert found.repairs == ("bias", "centre", "standardise")
    assert "(3, 1)" in str(found)
    assert "53.48%" in str(found)
    assert "bnlib.check_lemma([3.0, 1.0]," in str(found)
    for seed in range(5):
        text = str(check(normal_set(seed)))
        call = text[text.index("bnlib.check_lemma(") : text.index("\n\nWhat makes")]
        assert eval(call, {"bnlib": bnlib}).violated


@pytest.mark.parametrize("options", [{"bias": True}, {"preparation": "centred"}])
@pytest.mark.parametrize("twice", [False, True])
def test_a_repair_makes_it_true_on_any_table(options, twice):
    for seed in range(20):
        data = normal_set(seed)
        if twice:
            data = LearningSet(np.hstack([data.inputs, data.inputs[:, :1]]), data.targets)
        before, after = check(data), check(data, **options)
        assert (before.verdict, after.verdict, after.strict) == ("fails", "true", "true")
        assert set(before.repairs) == {"bias", "centre", "standardise"}
        assert after.theta == 0.0
        # Both claim the slope of least squares with intercept as W*.
        slope = np.linalg.lstsq(np.column_stack([data.inputs, np.ones(data.m)]), data.targets)[0]
        np.testing.assert_allclose(after.standard[0].vector, slope[:-1], rtol=1e-9)


def test_standardised_inputs_have_the_slope_in_their_units_and_repairs_were_seen(monkeypatch):
    data = normal_set(3)
    found = check(data, preparation="standardised")
    z = (data.inputs - data.inputs.mean(axis=0)) / data.inputs.std(axis=0)
    slope = np.linalg.lstsq(z, data.targets)[0]
    np.testing.assert_allclose(found.standard[0].vector, slope, rtol=1e-12)
    assert (found.verdict, found.intercept, found.repairs) == ("true", None, ())
    assert "; inputs standardised, no bias." in str(found)
    fails = verdict.Found("fails", "fails", "apart", 0.1, 0.0)
    monkeypatch.setattr(report, "judged", lambda *arguments: fails)
    assert check(counterexample()).repairs == ()


def test_with_a_constant_column_the_scale_is_no_repair_and_collinear_ones_are_named():
    data = LearningSet(np.column_stack([X, 0 * T]), T)
    found = check(data)
    assert (found.verdict, found.repairs) == ("fails", ("bias", "centre"))
    assert found.notes == ("column 'x4' is constant, 0 in every row",)
    refused("'x4' is 0 in every row.* --drop x4", check, data, preparation="standardised")
    assert check(data.inputs, T, preparation="standardised", drop="x4").verdict == "true"
    found = check({"a": X[:, 0], "b b": X[:, 1], "c": X[:, 0] + 1e-15 * X[:, 1], "t": T}, "t")
    assert found.reason == "solver"
    assert "columns 'a', 'c' are collinear" in found.detail


@each([(TILTED, None), (TILTED, 3.0), (CASES["an input twice"][0], 0.7)])
def test_shares_and_means_are_those_of_a_count(data, scale):
    compare_laws(data, scale)


def test_the_count_for_a_kernel_is_the_same_for_the_same_seed():
    data = CASES["an input twice"][0]
    first, again, other = (check(data, seed=seed).laws for seed in (1, 1, 2))
    assert first == again != other
    assert first.counted > 9_000
    assert "\n  W*, the ray and their kernels with all digits: --json.\n" in str(check(data))


@each([counterexample(), normal_set(7), CASES["an input twice"][0]])
def test_json_holds_all_that_shows_that_it_fails(data):
    compare_json(check(data))


def test_bad_options_are_named():
    for name, value, told in (
        ("preparation", "whitened", "'whitened' is unknown; use one of"),
        ("bias", 1, "must be True or False"),
        ("scale", 0.0, "must be positive"),
        ("scale", np.nan, ""),
        ("seed", 0.5, "must be a whole number"),
    ):
        refused(f"{name}: {told}", check, counterexample(), **{name: value})


# Planted errors: each must be caught by the comparison that guards it.

JUDGED, LAWS, CHECKED = verdict.judged, laws.laws, report.check_lemma


def theorem():
    for seed in range(60):
        compare_theorem(seed)


def judged_without_kernels(*arguments):
    found = JUDGED(*arguments)
    return found._replace(infimum="fails") if found.reason == "constant" else found


def shifted_fit(x, t, **options):
    fit = bn_solver.least_squares(x, t, **options)
    return replace(fit, intercept=fit.intercept + 1e-12)


def checked(name, factor):
    """Return `check_lemma` with one of its answers times a factor."""
    return lambda *a: replace(CHECKED(*a), **{name: getattr(CHECKED(*a), name) * factor})


def rounded(optimum):
    name = "direction" if isinstance(optimum, bnlib.Ray) else "weights"
    plain = {"kind": type(optimum).__name__, "error": 0.0, "along": []}
    return plain | {name: optimum.vector.round(6).tolist()}


def strict_less_by_a_ninth(theta, reading):
    return bnlib.failure_probability(theta) * (1 - (reading == "strict") / 9)


tilted = partial(compare_laws, TILTED)
twice = partial(compare_laws, CASES["an input twice"][0])
PLANTED = [
    (theorem, "verdict", report, "judged", judged_without_kernels),
    (theorem, "verdict", verdict, "exact_sign", lambda data: -1),
    (theorem, "verdict", verdict, "exact_sign", lambda data: None),
    (theorem, "error of θ", verdict, "angle", lambda u, v: bnlib.angle(u, v) + 1e-10),
    (theorem, "violated at W0", report, "failing_start", lambda star, ray: ray.direction),
    (theorem, "start", report, "failing_start", lambda star, ray: None),
    (theorem, "error of left − right", report, "check_lemma", checked("left", 1 + 1e-9)),
    (theorem, "error of a", report, "least_squares", shifted_fit),
    (tilted, "promised", laws, "mean_gain", lambda _, size, s: size**2 - 2 * s * size + s**2),
    (tilted, "strict", laws, "failure_probability", strict_less_by_a_ninth),
    (twice, "infimum", report, "laws", lambda said, w, *a: LAWS(said, bnlib.Point(w.weights), *a)),
    (lambda: compare_json(check(normal_set(7))), "optima", report, "_plain", rounded),
    (theorem, "verdict", verdict, "check_lemma", checked("violated", False)),
]


@pytest.mark.parametrize(
    ("comparison", "told", "module", "name", "wrong"),
    PLANTED,
    ids=[f"{told}-{name}" for _, told, _, name, _ in PLANTED],
)
def test_a_planted_error_is_caught(comparison, told, module, name, wrong, monkeypatch):
    comparison()
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises((Disagreement, TypeError), match=told):
        comparison()
