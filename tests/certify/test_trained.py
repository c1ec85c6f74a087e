"""Certificates for trained γ and β: true ones are found, false ones refused, by both sides."""

import ast
import itertools
import json
import re
from collections import Counter
from contextlib import nullcontext
from dataclasses import fields, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from flint import arb, ctx, fmpq, fmpq_mat
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, least_squares

from bn_experiments import certify, search
from bn_experiments.certify import (
    TrainedCertificate,
    _half_plane,
    _linear_piece,
    certifier,
    certify_trained,
    trained_verifier,
    verifier,
    verify_trained,
)
from bn_experiments.certify._balls import NotProvedError
from bn_experiments.certify._problem import problem
from bnlib import BatchNorm, LearningSet, Neuron, angle
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import rational

INPUTS = [(1, 0), (0, 1), (1, 1), (-1, 1)]
TARGETS = ["3/4", "1/4", "7/8", "1/8"]
DATA = LearningSet(INPUTS, [float(Fraction(each)) for each in TARGETS])
SMOOTH = ("tanh", "sigmoid", "softplus", "gelu", "silu", "elu")
EXACT = ("identity", "relu", "leaky_relu")
RNG = np.random.default_rng


@cache
def optima(name, bias):
    rng = np.random.default_rng(1)
    neuron = Neuron(name, bias=bias)
    return [point.weights for point in search.numerical_optima(neuron, DATA, rng)]


@cache
def certified(name):
    found = certify_trained(INPUTS, TARGETS, name, optima(name, False)[0], optima(name, True)[0])
    assert isinstance(found, TrainedCertificate), found
    return found


def test_every_activation_of_the_library_has_a_certificate_that_is_accepted():
    assert {*SMOOTH, *EXACT} == set(ACTIVATIONS)
    for name in ACTIVATIONS:
        claim = certified(name)
        for form in (claim, claim.to_json(), json.dumps(json.loads(claim.to_json()), indent=1)):
            assert verify_trained(form) == certify.Verification(
                True, "every claim has been proved again"
            )
        assert TrainedCertificate.from_json(claim.to_json()) == claim
        assert f"neuron    {name}, no bias; batch norm: γ > 0 and β trained" in str(claim)
        assert claim.is_point == (name in EXACT)


@oracles.each(SMOOTH)
def test_batch_norm_trained_with_gamma_and_beta_ends_elsewhere(name):
    """Another way to the optima: SciPy trains w, log γ and β; no end has the direction of W*."""
    star, rng, ends = optima(name, False)[0], np.random.default_rng(3), []

    def residuals(p):
        norm = BatchNorm(gamma=float(np.exp(p[2])), beta=float(p[3]))
        return Neuron(name, norm).output(p[:2], DATA) - DATA.targets

    for _ in range(4):
        found = least_squares(residuals, rng.normal(size=4), jac="3-point", gtol=1e-13)
        if found.optimality < 1e-6 and np.exp(found.x[2]) < 50:
            ends.append(angle(found.x[:2], star))
    assert min(ends) > 0.1


@oracles.each(("relu", "leaky_relu"))
def test_no_pattern_of_active_examples_has_its_optimum_on_the_ray(name):
    """By SymPy, for all 2^m patterns and not only those that the half-plane meets."""
    star, flat = sp.Matrix(certified(name).centre), sp.Rational(name == "leaky_relu", 100)
    target = sp.Matrix([sp.Rational(each) for each in TARGETS])
    for active in itertools.product([True, False], repeat=4):
        rows = sp.Matrix(
            [
                [(1 if on else flat) * x for x in (*row, 1)]
                for on, row in zip(active, INPUTS, strict=True)
            ]
        )
        if rows.rank() == 3:
            v = (rows.T * rows).LUsolve(rows.T * target)
            assert v[0] * star[1] != v[1] * star[0] or v[:2] == [0, 0]


def interpolated(name):
    """Targets that the neuron without a bias fits: (W*, 0) is an optimum with a bias too."""
    return [float(each) for each in Neuron(name).output(np.array([0.5, 0.25]), DATA)]


@oracles.each(("tanh", "sigmoid", "softplus", "elu"))
def test_both_sides_refuse_a_ray_that_is_optimal(name):
    arguments = INPUTS, interpolated(name), name, [0.5, 0.25], [0.5, 0.25, 0.0]
    refusal = certify_trained(*arguments)
    assert re.search("may be stationary with a bias, near k = 1, b = -?[0-9.e-]+", refusal.reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifier, "refuse_stationary_ray", lambda *_: None)
        forged = certify_trained(*arguments)
    assert "(c): (kW*, b) may be stationary" in verify_trained(forged).reason


@oracles.each(EXACT)
def test_both_sides_refuse_an_exact_ray_that_is_optimal(name):
    inputs, targets = [(1, 0), (0, 1), (1, 1), (2, 1)], ["1/2", "1/4", "3/4", "5/4"]
    arguments = inputs, targets, name, ["1/2", "1/4"], ["1/2", "1/4", 0]
    refusal = certify_trained(*arguments)
    assert "W* is on a BN ray" in refusal.reason
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifier, "refuse_minimum_on_the_ray", lambda *_: None)
        forged = certify_trained(*arguments)
    assert verify_trained(forged).reason == "(c): a multiple of W* is optimal with a bias"


def optimal_on_the_ray(inputs, targets, star, flat):
    """Return whether a (kW*, b) is the only minimum of its piece: all 2^m pieces are looked at."""
    t = fmpq_mat(len(targets), 1, [fmpq(*each.as_integer_ratio()) for each in targets])
    for slopes in itertools.product((Fraction(1), flat), repeat=len(inputs)):
        rows = [[s * x for x in (*row, 1)] for s, row in zip(slopes, inputs, strict=True)]
        entries = [fmpq(*Fraction(each).as_integer_ratio()) for row in rows for each in row]
        found = rational.solutions(fmpq_mat(len(rows), 3, entries), t, intercept=False)
        first, second, b = (Fraction(int(each.p), int(each.q)) for each in found.w.entries())
        z = [first * x + second * y + b for x, y in inputs]
        inside = flat == 1 or [each > 0 for each in z] == [each == 1 for each in slopes]
        ahead = first * star[0] + second * star[1] > 0 == first * star[1] - second * star[0]
        if found.rank == 3 and inside and ahead:
            return True
    return False


def drawn_on_the_ray(flat, rng):
    """Return inputs, targets and W*: often (kW*, b) is stationary, at times up to one target."""
    inputs = tuple(tuple(map(Fraction, row.tolist())) for row in rng.integers(-2, 3, (5, 2)))
    star, k = rng.permutation([1, int(rng.integers(-2, 3))]).tolist(), Fraction(1, 2)
    at_kink = int(rng.integers(5)) if rng.random() < 0.3 else None
    a = [k * (x * star[0] + y * star[1]) for x, y in inputs]
    b = Fraction(int(rng.integers(-2, 4)), 2) if at_kink is None else -a[at_kink]
    slopes = [Fraction(1) if z + b > 0 or i == at_kink else flat for i, z in enumerate(a)]
    rows = sp.Matrix([[s * x for x in (*r, 1)] for s, r in zip(slopes, inputs, strict=True)])
    free = sp.Matrix.hstack(*rows.T.nullspace(), sp.zeros(5, 1))
    off = free * sp.Matrix(rng.integers(-2, 4, free.cols).tolist()) / int(rng.integers(1, 9))
    targets = [
        s * (z + b) + Fraction(*each.as_numer_denom())
        for s, z, each in zip(slopes, a, off, strict=True)
    ]
    targets[0] += int(rng.random() < 0.2)
    return inputs, tuple(targets), [-w for w in star] if rng.random() < 0.1 else star


def asked(name, seed):
    """Return what the enumeration says of a drawn problem, having compared both sides with it."""
    flat, rng = {"identity": 1, "relu": 0, "leaky_relu": Fraction(1, 100)}[name], RNG(seed)
    inputs, targets, star = drawn_on_the_ray(flat, rng)
    while flat != 1 and seed % 10 and min(targets) <= 0:
        inputs, targets, star = drawn_on_the_ray(flat, rng)
    point = tuple((Fraction(w),) * 2 for w in star)
    claim = replace(certified(name), inputs=inputs, targets=targets, box=point)
    told = "optimal with a bias" if optimal_on_the_ray(inputs, targets, star, flat) else ""
    told = "may lie at a kink" if flat != 1 and min(targets) <= 0 else told
    posed = problem(inputs, targets, name, True, 1, 0)
    refusals = NotProvedError, verifier.NotProvedError
    for side, posed_there in (
        (trained_verifier._check_pieces, (claim,)),
        (_linear_piece.refuse_minimum_on_the_ray, (posed, star)),
    ):
        with pytest.raises(refusals, match=told) if told else nullcontext():
            side(*posed_there)
    return told


def test_both_sides_refuse_exactly_the_exact_rays_that_are_optimal():
    for name in EXACT:
        seen = Counter(asked(name, seed) for seed in range(150))
        assert min(seen[""], seen["optimal with a bias"]) >= 20, (name, seen)
        assert (seen["may lie at a kink"] > 0) is (name != "identity")


def with_box(claim, part, by):
    (low, high), *others = getattr(claim, part)
    return replace(claim, **{part: ((low + by, high + by), *others)})


FORGED = {
    "W* elsewhere": (lambda c: with_box(c, "box", Fraction(1, 50)), r"\((a|b|d)\)"),
    "optimum elsewhere": (lambda c: with_box(c, "with_bias", Fraction(1, 50)), r"\((a|b)\)"),
    "box too wide": (
        lambda c: replace(c, box=tuple((a - 9, b + 9) for a, b in c.box)),
        r"\([abd]\)|kink|point",
    ),
    "target changed": (lambda c: replace(c, targets=(Fraction(2, 3), *c.targets[1:])), r"\([ab]\)"),
    "ends swapped": (lambda c: replace(c, box=tuple(ends[::-1] for ends in c.box)), "swapped|a"),
    "unknown activation": (lambda c: replace(c, activation="relu6"), "unknown"),
    "one line": (
        lambda c: replace(c, inputs=tuple((Fraction(n),) * 2 for n in range(4))),
        r"^\(e\): the centred inputs have a lower rank$",
    ),
}


@oracles.each([(name, kind) for name in ACTIVATIONS for kind in FORGED])
def test_a_forged_certificate_is_refused(name, kind):
    if kind == "ends swapped" and name in EXACT:
        return  # a point has no ends to swap
    forge, reason = FORGED[kind]
    answer = verify_trained(forge(certified(name)))
    assert not answer
    assert re.search(reason, answer.reason), answer.reason


def test_the_optimum_with_a_bias_needs_a_direction(monkeypatch):
    """One of the weights, and not the bias, has to be away from 0, also by less than 1."""
    for part in ("require_minimum", "_check_half_plane"):
        monkeypatch.setattr(trained_verifier, part, lambda *_: None)
    near, below, above = ((Fraction(a, 2), Fraction(b, 2)) for a, b in ((-1, 1), (-2, -1), (1, 2)))
    for box, apart in (
        ((near, near, above), False),
        ((near, (Fraction(0), Fraction(1)), above), False),
        (((Fraction(-1), Fraction(0)), near, above), False),
        ((near, above, near), True),
        ((near, below, near), True),
        ((above, near, near), True),
    ):
        answer = verify_trained(replace(certified("tanh"), with_bias=box))
        assert bool(answer) is apart, box
        assert apart or answer.reason == "(e): the optimum with a bias may have no direction"
    answer = verify_trained(replace(certified("relu"), box=certified("tanh").box))
    assert answer.reason == "(c): for this activation W* must be a point"


def test_another_activation_is_refused_but_where_the_pieces_agree():
    for name, other in itertools.permutations(ACTIVATIONS, 2):
        assert not verify_trained(replace(certified(name), activation=other)), (name, other)


def test_hostile_json_and_other_classes_are_refused():
    claim = certified("tanh")
    content = json.loads(claim.to_json())
    for change in ({"format": "bnlib certificate 1"}, {"extra": 1}, {"with_bias": content["box"]}):
        answer = verify_trained(json.dumps(content | change))
        assert answer.reason.startswith("malformed certificate")

    class Liar(TrainedCertificate):
        def to_json(self):
            return claim.to_json()

    lie = Liar(**{each.name: getattr(claim, each.name) for each in fields(claim)})
    for bad in (lie, 3):
        oracles.refused("expected a TrainedCertificate or its JSON", verify_trained, bad)
    for part, value in (("with_bias", claim.box), ("with_bias", [1, 2, 3]), ("box", ())):
        oracles.refused(part, replace, claim, **{part: value})


def test_bad_arguments_are_named():
    right = (INPUTS, TARGETS, "tanh", [1, 1], [1, 1, 0])
    for position, value, name in ((3, [1], "approximate"), (4, [1, 1], "with_bias")):
        wrong = [*right]
        wrong[position] = value
        oracles.refused(f"{name}: expected", certify_trained, *wrong)
    oracles.refused("precision", certify_trained, *right, precision=10)
    refusal = certify_trained(INPUTS, TARGETS, "tanh", [9, 9], [0.4, -0.07, 0.55])
    assert "not near a minimum" in str(refusal) or "converge" in str(refusal)


def test_problems_that_signs_do_not_settle_are_refused():
    twice = [*INPUTS, (1, 0)]
    cases = {
        "within the range of the activation": (INPUTS, ["3/4", "1/4", "9/8", "1/8"], "tanh"),
        "every target must be positive": (INPUTS, ["3/4", "1/4", "7/8", "-1/8"], "gelu"),
        "the same pre-activation": (twice, [*TARGETS, "1/2"], "tanh"),
    }
    for reason, (inputs, targets, name) in cases.items():
        posed = problem(inputs, targets, name, True, 1, 0)
        with pytest.raises(NotProvedError, match=reason):
            _half_plane.refuse_stationary_ray(posed, certified(name).box)
    tiny = tuple((Fraction(n, 10**7),) * 2 for n in (1, 3))
    short = replace(certified("tanh"), box=tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trained_verifier, "_CELLS", 3)
        for claim, told in ((certified("tanh"), "not decided"), (short, "too close to each other")):
            with pytest.raises(verifier.NotProvedError, match=rf"^\(c\): .*{told}"):
                trained_verifier._check_half_plane(claim)
    flat = replace(certified("identity"), targets=(Fraction(1),) * 4)
    trained_verifier._check_pieces(flat)  # the optimum (0, 1) is no positive multiple of W*
    kink = INPUTS, ["3/4", "-1/4", "7/8", "1/8"], "relu"
    with pytest.raises(NotProvedError, match="kink"):
        _linear_piece.refuse_minimum_on_the_ray(
            problem(*kink, True, 1, 0), certified("relu").centre
        )


@given(st.sampled_from(SMOOTH), st.integers(0, 10**6))
def test_neither_side_excludes_a_stationary_point(name, seed):
    """A true optimum (v, b), as (kW, b) with W = v/k: no cell around it may be excluded."""
    rng = np.random.default_rng(seed)
    k, shift = np.exp(rng.uniform(-1.6, 5.3)), rng.uniform(0.01, 1, 2)
    v, b = optima(name, True)[0][:2], optima(name, True)[0][2]
    w = [Fraction(float(each)) for each in v / k]
    box = tuple((each - Fraction(1, 10**10), each + Fraction(1, 10**10)) for each in w)
    posed = problem(INPUTS, TARGETS, name, True, 1, 0)
    with ctx.workprec(128):
        plane = _half_plane._half_plane(posed, box)
        cell = (k - shift[0], k + 1 - shift[0], b - shift[1], b + 1 - shift[1])
        for each in (cell, (k - 1e-6, k + 1e-6, b - 1e-6, b + 1e-6)):
            assert not _half_plane._signs_exclude(plane, each)
            for x in (plane.x, [[arb(0)] * 2] * 4):  # a sum that is 0 says nothing
                assert not _half_plane._sums_exclude(plane._replace(x=x), each)
        with pytest.raises(NotProvedError, match="may be stationary"):
            _half_plane.refuse_stationary_ray(posed, box)
        claim = replace(certified(name), box=box)
        with pytest.raises(verifier.NotProvedError, match="may be stationary"):
            trained_verifier._check_half_plane(claim)


@oracles.each(("gelu", "silu"))
def test_one_term_from_the_right_outweighs_from_where_floats_say(name):
    """The least z of the search and the largest target of the verifier, on both sides of each."""
    phi, gap, spread, top = ACTIVATIONS[name], 0.25, 3.5, 0.75

    def surplus(z, top):
        left = (top - phi.value(-z)) * -phi.derivative(-z)
        return (phi.value(z) - top) * gap - 4 * left * spread

    # As far as they are known, the first target is up to `top`, the last distance down to `gap`.
    t, a = [arb(0.5, 0.25), arb(0.25)], [*map(arb, (-1, 0, 1.75)), arb(2.25, 0.25)]
    plane = _half_plane._HalfPlane(name, [], [*t, *t], a)
    z, most = brentq(surplus, 1.5, 20, (top,)), brentq(lambda top: surplus(8.0, top), 0, 8)
    gaps = [after - before for before, after in itertools.pairwise(a)]
    for off in (-1e-6, 1e-6):
        assert _half_plane._dominates(plane, z + off) is (off > 0)
        claim = replace(
            certified(name), targets=(*certified(name).targets[1:], Fraction(most + off))
        )
        assert trained_verifier._outweighs(claim, gaps) is (off < 0)


@oracles.each([(name, t) for name in SMOOTH for t in ("3/4", "1/8", "-3/8")])
def test_a_sign_on_a_ball_is_that_of_all_its_points_and_known_where_it_is_clear(name, target):
    """Of φ - t and of φ′: by the search, and by the tables of the verifier, with cells of 1/16."""
    phi, t, turning = ACTIVATIONS[name], Fraction(target), name in ("gelu", "silu")
    if phi.value(-8.0) >= t or (turning and t < 0):
        return  # refused before
    tables = [trained_verifier._table(certified(name), -1, each) for each in (t, None)]
    for middle, radius in RNG(5).uniform((-6, -3), (6, 0), (300, 2)):
        x = middle + 10**radius * np.linspace(-1, 1, 201)
        z, residual, slope = arb(middle, 10**radius), phi.value(x) - float(t), phi.derivative(x)
        found = [(_half_plane._residual_sign(name, z, arb(fmpq(*t.as_integer_ratio()))), residual)]
        found += [(_half_plane._slope_sign(name, z), slope), (tables[0](z), residual)]
        found += [(tables[1](z), slope)] if turning else []
        for sign, values in found:
            assert not sign or {*np.sign(values)} == {sign}, (middle, radius)
            assert sign or radius > -2 or np.abs(values).min() < 0.2, (middle, radius)


def test_around_its_kink_elu_has_what_both_sides_have():
    for low, high in ((-0.5, 0.25), (-0.5, 0), (0, 0.25)):
        e, z = np.exp(low), arb(low).union(arb(high))
        ends = [(min(e - 1, 0), max(high, 0)), (e, 1), (0, 1)]
        for jet, share in ((_half_plane._jet("elu", z), 1), (trained_verifier._jet("elu", z), 2)):
            for found, (least, most), unit in zip(jet, ends, (1, 1, share), strict=True):
                found = [float(each) * unit for each in (found.lower(), found.upper())]
                oracles.agree(f"{low} {high}", found, [least, most], 1e-7)


@oracles.each(SMOOTH)
def test_the_facts_about_activations_that_are_not_computed(name):
    """At many points: where φ rises and falls, where φ′ exceeds 1, how the tails fall."""
    z = np.linspace(-12, 12, 24001)
    phi = ACTIVATIONS[name]
    value, slope = phi.value(z), phi.derivative(z)
    if name not in ("gelu", "silu"):
        assert np.all(slope > 0)
        return
    assert np.count_nonzero(np.diff(np.sign(slope))) == 1
    assert np.all(slope[z > 0] > 0)
    assert np.all(value[z < 0] < 0)
    assert np.all(slope[z >= 1.5] >= 1)
    assert np.all(slope[z < -1.5] < 0)
    far = z <= -3
    assert np.all(np.diff(slope[far]) <= 0)
    assert np.all(np.diff(value[far]) <= 0)


def test_signs_need_two_changes():
    """Σ g (a - c) has one sign if those of g change once; the rule must not exclude more."""
    plane = _half_plane._half_plane(
        problem(INPUTS, TARGETS, "tanh", True, 1, 0), certified("tanh").box
    )
    patterns = {
        (-1, 0, 1, 1): True,
        (-1, 1, -1, 1): False,
        (-1, 0, -1, -1): False,
        (0, 0, 0, 0): False,
        (0, 1, 1, 1): True,
    }
    for signs, expected in patterns.items():
        with pytest.MonkeyPatch.context() as patch:
            shown = iter(signs)
            patch.setattr(_half_plane, "_residual_sign", lambda *_, shown=shown: next(shown))
            assert _half_plane._signs_exclude(plane, (0.0, 1.0, 0.0, 1.0)) is expected


PLANTS = {
    "half of the rectangle": (_half_plane, "_halves", lambda plane, cell: []),
    "signs always exclude": (_half_plane, "_signs_exclude", lambda *_: True),
    "sums always exclude": (_half_plane, "_sums_exclude", lambda *_: True),
}


def test_errors_planted_in_the_search_and_in_the_enumeration_are_caught():
    arguments = (INPUTS, interpolated("tanh"), "tanh", [0.5, 0.25], [0.5, 0.25, 0.0])
    for name, (where, function, wrong) in PLANTS.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(where, function, wrong)
            found = certify_trained(*arguments)
        assert found, name
        assert not verify_trained(found), name
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(_linear_piece.LINEAR_PIECES, "leaky_relu", Fraction(1, 99))
        found = certify_trained(
            INPUTS, TARGETS, "leaky_relu", *(optima("leaky_relu", b)[0] for b in (False, True))
        )
    assert found
    assert not verify_trained(found)


def test_the_verifier_shares_only_certificates_with_the_search():
    tree = ast.parse(Path(str(trained_verifier.__file__)).read_text(encoding="utf-8"))
    imported = {each.module for each in ast.walk(tree) if isinstance(each, ast.ImportFrom)}
    room = "bn_experiments.certify"
    assert {each for each in imported if str(each).startswith("bn")} == {
        f"{room}.certificate",
        f"{room}.verifier",
    }
