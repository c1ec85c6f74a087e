"""The verifier accepts what is true and provable, and refuses every falsified certificate."""

import json
import re
from dataclasses import fields, replace
from fractions import Fraction

import flint
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from bn_experiments.certify import Certificate, _balls, _krawczyk, _linear_piece, certify, verify
from bn_experiments.certify import verifier as module
from tests import oracles
from tests.oracles import certificates
from tests.oracles.certificates import confirm, digits
from tests.oracles.witnesses import WITNESSES, certified

CERTIFICATES = {name: certified(name) for name in WITNESSES}
POINTS = [name for name in WITNESSES if CERTIFICATES[name].is_point]
BOXES = [name for name in WITNESSES if not CERTIFICATES[name].is_point]


def moved(claim, by, *which):
    steps = [by * (j in which) for j in range(claim.d)]
    box = ((low + s, high + s) for s, (low, high) in zip(steps, claim.box, strict=True))
    return replace(claim, box=tuple(box))


def grown(claim, factor):
    halves = [factor * (high - low) / 2 for low, high in claim.box]
    box = tuple((w - half, w + half) for w, half in zip(claim.centre, halves, strict=True))
    return replace(claim, box=box)


def width(claim):
    return claim.box[0][1] - claim.box[0][0]


@oracles.each(CERTIFICATES)
def test_json_holds_no_float_and_comes_back_equal_and_each_form_is_accepted(claim):
    for form in (claim, claim.to_json(), json.dumps(json.loads(claim.to_json()), indent=2)):
        answer = verify(form)
        assert bool(answer) is answer.accepted is True
        assert answer.reason == "every claim has been proved again"
    text = claim.to_json()

    def refuse(value):
        raise AssertionError(value)

    json.loads(text, parse_float=refuse, parse_constant=refuse)
    assert Certificate.from_json(text) == claim
    assert Certificate.from_json(text).to_json() == text
    assert hash(Certificate.from_json(text)) == hash(claim)


WEAKER = {
    "a smaller bound": lambda c: replace(c, bound=c.bound / 2),
    "less precision": lambda c: replace(c, precision=128),
    "more precision": lambda c: replace(c, precision=1000),
    "a smaller box": lambda c: grown(c, Fraction(3, 4)),
    "a box with long ends": lambda c: grown(c, Fraction(999999999999, 10**12)),
}


@oracles.each([(name, change) for name in BOXES for change in WEAKER])
def test_accepts_what_is_still_true(name, change):
    assert verify(WEAKER[change](CERTIFICATES[name]))


@oracles.each(POINTS)
def test_accepts_a_box_around_an_exact_point(name):
    claim = replace(CERTIFICATES[name], bound=CERTIFICATES[name].bound / 2)
    around = tuple((w - Fraction(1, 999), w + Fraction(1, 1001)) for w in claim.centre)
    assert verify(replace(claim, box=around))


def rank_deficient(claim):
    return replace(claim, inputs=tuple((row[0], row[0], *row[2:]) for row in claim.inputs))


def last_target(value):
    return lambda c: replace(c, targets=(*c.targets[:-1], value))


def with_box(box):
    return lambda c: replace(c, box=tuple(box(c)))


PLANE = (Fraction(-(10**9)), Fraction(10**9))
FALSE = {
    "bound doubled": (lambda c: replace(c, bound=2 * c.bound), r"\(c\)"),
    "bound zero": (lambda c: replace(c, bound=Fraction(0)), "bound is not positive"),
    "bound negative": (lambda c: replace(c, bound=-c.bound), "bound is not positive"),
    "target changed": (last_target(Fraction(3, 5)), r"\(a\)"),
    "inputs of lower rank": (rank_deficient, r"\(e\): .* rank 1"),
    "example left out": (
        lambda c: replace(c, inputs=c.inputs[:2], targets=c.targets[:2]),
        r"\(e\): .* rank 1",
    ),
    "activation unknown": (lambda c: replace(c, activation="relu6"), "'relu6' is unknown"),
    "gamma zero": (lambda c: replace(c, gamma=Fraction(0)), r"\(c\)|kink"),
    "box mirrored": (with_box(lambda c: [(-b, -a) for a, b in c.box]), r"\([abc]\)|kink"),
    "weights swapped": (with_box(lambda c: c.box[::-1]), r"\([abc]\)|kink"),
    "all of the plane": (with_box(lambda c: [PLANE] * c.d), r"\(d\)"),
}
FALSE_BOXES = {
    "box shifted by its width": (lambda c: moved(c, width(c), 0), r"\([ab]\)"),
    "box shifted by half and a bit": (lambda c: moved(c, width(c) * 9 / 16, 1), r"\([ab]\)"),
    "ends swapped": (with_box(lambda c: (c.box[0][::-1], *c.box[1:])), "swapped"),
    "one coordinate a point": (with_box(lambda c: ((c.centre[0],) * 2, *c.box[1:])), r"\(a\)"),
    "a point for a box": (with_box(lambda c: [(w, w) for w in c.centre]), "a single point cannot"),
    "ten thousand times the box": (lambda c: grown(c, Fraction(10**4)), r"\([abd]\)|kink"),
    "two hundred times the box": (lambda c: grown(c, Fraction(200)), r"\([abd]\)|kink"),
}
FALSE_POINTS = {
    "point off by 1e-30": (lambda c: moved(c, Fraction(1, 10**30), 1), r"\(a\)"),
    "point off by 1e-300": (lambda c: moved(c, Fraction(1, 10**300), 0), r"\(a\)"),
    "point off by 1e-6": (lambda c: moved(c, Fraction(-1, 10**6), 0, 1), r"\(a\)"),
}


def refused(claim, reason):
    for form in (claim, claim.to_json()):
        answer = verify(form)
        assert bool(answer) is answer.accepted is False
        assert re.search(reason, answer.reason), answer.reason


@oracles.each(
    [
        (name, change)
        for names, changes in ((WITNESSES, FALSE), (BOXES, FALSE_BOXES), (POINTS, FALSE_POINTS))
        for name in names
        for change in changes
    ]
)
def test_refuses_a_falsified_certificate(name, change):
    falsify, reason = (FALSE | FALSE_BOXES | FALSE_POINTS)[change]
    refused(falsify(CERTIFICATES[name]), reason)


@oracles.each([(name, other) for name in WITNESSES for other in WITNESSES])
def test_refuses_another_activation(name, other):
    assert verify(replace(CERTIFICATES[name], activation=other)).accepted == (name == other)


def test_refuses_a_box_with_two_stationary_points():
    # The SiLU neuron has two minima here; each has a certificate of its own.
    problem = WITNESSES["silu"].inputs, ["-1", "-1/2", "0", "3/2"], "silu"
    found = [certify(*problem, start) for start in (["-1.73", "-2.23"], [".49", ".129"])]
    first, second = (each for each in found if isinstance(each, Certificate))
    assert verify(first)
    assert verify(second)
    pairs = zip(first.box, second.box, strict=True)
    hull = tuple((min(a, c), max(b, d)) for (a, b), (c, d) in pairs)
    refused(replace(first, box=hull), r"\([abd]\)")


def test_refuses_points_without_a_minimum_and_what_the_lemma_is_true_for():
    identity, pairs = CERTIFICATES["identity"], lambda value: ((Fraction(value),) * 2,) * 2
    # Every example is silent: the gradient of L is exactly 0, but the Hessian too.
    refused(replace(identity, activation="relu", box=pairs(-1)), r"\(b\)")
    # The normal equations hold at (1, 1), where the third pre-activation is 0.
    inputs = tuple((Fraction(a), Fraction(b)) for a, b in [(1, 0), (0, 1), (1, -1)])
    targets = (Fraction(1), Fraction(1), Fraction(-1))
    kink = replace(CERTIFICATES["relu"], inputs=inputs, targets=targets, box=pairs(1))
    refused(kink, "kink")
    refused(replace(identity, targets=(Fraction(0),) * 3, box=pairs(0)), r"\(d\)")
    zero = replace(identity, targets=(Fraction(3), Fraction(1), Fraction(4)))
    for claim in (zero, replace(identity, center=False)):
        for bound in (claim.bound, *(Fraction(1, 10**n) for n in (1, 30, 100, 300))):
            refused(replace(claim, bound=bound), r"\(c\)")


NUMBERS = [
    *((name, i, j) for name in ("inputs", "box") for i in range(4) for j in range(2)),
    *(("targets", i, 0) for i in range(4)),
    *((name, 0, 0) for name in ("gamma", "beta", "bound")),
]


@settings(oracles.settings(), max_examples=300)
@given(
    st.sampled_from(sorted(WITNESSES)),
    st.sampled_from(NUMBERS),
    st.sampled_from(["digit", "sign", "tiny", "scale", "swap"]),
    st.integers(0, 10**6),
)
def test_random_tampering_is_refused_unless_still_true(name, place, kind, seed):
    content = json.loads(CERTIFICATES[name].to_json())
    field, i, j = place
    holder, key = content, field
    if field in ("inputs", "box"):
        holder, key = content[field][i % len(content[field])], j
    elif field == "targets":
        holder, key = content[field], i % len(content[field])
    old = Fraction(holder[key])
    digits = list(str(old.numerator))
    where = seed % len(digits)
    digits[where] = str(seed % 10) if digits[where] != "-" else ""
    new = {
        "digit": lambda: Fraction(int("".join(digits) or "0"), old.denominator),
        "sign": lambda: -old,
        "tiny": lambda: old + Fraction(1, 10 ** (seed % 40)),
        "scale": lambda: old * Fraction(seed % 19 + 1, 10),
        "swap": lambda: 1 / old if old else Fraction(1),
    }[kind]()
    holder[key] = str(new)
    claim = Certificate.from_json(json.dumps(content))
    if verify(claim):
        assert confirm(claim, n=3, seed=seed) == []
    else:
        assert claim != CERTIFICATES[name]


def altered(**changes):
    content = json.loads(CERTIFICATES["tanh"].to_json()) | changes
    return json.dumps({key: value for key, value in content.items() if value is not ...})


ROWS = [["1", "0"], ["0", "1"], ["1", "1"], ["2"]]
DEEP = json.loads("[" * 900 + "]" * 900)
FIELDS = {
    "format": [..., "bnlib certificate 2"],
    "note": ["trust me"],
    "bound": [..., 0.1, "0.1", "1e999999999", "2/40", "1/0", "1_0", " 1", "+1", "-0", "١", "1\n"],
    "gamma": ["1" * 5000, ["1"]],
    "box": [["1", "2"], [["1", "2", "3"]] * 2, [["1", "2"]], "12"],
    "inputs": [[], [[]] * 4, ROWS, DEEP, ["1", "2", "3", "4"], [[["1"], ["0"]]] * 4],
    "targets": [["0", "1", "1/2"], "0123", "3", None],
    "center": ["true", 1],
    "activation": [["tanh"]],
    "precision": ["256", 256.0, True, 52, 10**9],
}
MALFORMED = {
    **{f"text {text:.9}": text for text in ("", "{", "[]", "3", "null", "NaN", "[" * 100_000)},
    "key twice": CERTIFICATES["tanh"].to_json()[:-1] + ', "bound": "1/2"}',
    **{
        f"{name} {value!r:.20}": altered(**{name: value})
        for name, values in FIELDS.items()
        for value in values
    },
}


@oracles.each(MALFORMED)
def test_malformed_json_is_refused(text):
    oracles.refused(r"^\w+: |^Expecting", Certificate.from_json, text)
    answer = verify(text)
    assert not answer
    assert answer.reason.startswith("malformed certificate: ")


class Elsewhere(Certificate):
    """A certificate that hands in another one than it holds, prints and compares."""

    def to_json(self):
        return CERTIFICATES["relu"].to_json()


class Text(str):
    """A text that is not what it says."""


def test_anything_else_and_a_subclass_is_refused_whatever_it_hands_in():
    relu = CERTIFICATES["relu"]
    lies = [Elsewhere(**vars(each)) for each in (replace(relu, bound=Fraction(9)), relu)]
    for value in (None, 3, b"{}", [], object(), *lies, text := Text(relu.to_json())):
        told = f"certificate: expected a Certificate or its JSON, .* {type(value).__name__}; make"
        oracles.refused(told, verify, value)
    assert all(verify(each.to_json()) for each in lies)  # what they hand in is true
    assert verify(str(text))


def test_only_the_fields_of_a_certificate_count():
    good, wrong = CERTIFICATES["tanh"], replace(CERTIFICATES["tanh"], bound=Fraction(9))
    for claim, expected in ((replace(good), True), (wrong, False)):
        vars(claim)["to_json"] = good.to_json
        assert verify(claim).accepted is expected
    forced = replace(good)
    object.__setattr__(forced, "bound", Liar(9))
    assert verify(forced).reason.startswith("malformed certificate: bound: must be a Fraction")


class Liar(Fraction):
    """A fraction that says it is larger than any other."""

    def __ge__(self, other):
        return True


def test_certificate_refuses_inexact_fields():
    wrong = [("bound", 0.1), ("bound", Liar(1, 10)), ("bound", 1), ("targets", [Fraction(1)] * 4)]
    wrong += [("targets", (1, 2, 3, 4)), ("inputs", ()), ("precision", 10)]
    for name, value in (*wrong, ("box", ((Fraction(1), Fraction(2)),))):
        message = ".*is this a certificate of bnlib"
        oracles.refused(message, replace, CERTIFICATES["tanh"], **{name: value})


def bent(part, factor):
    """Return the jets, with one part of that of tanh multiplied."""

    def jet(z):
        parts = list(_balls.JETS["tanh"](z))
        parts[part] = parts[part] * _balls.ball(factor)
        return tuple(parts)

    return _balls.JETS | {"tanh": jet}


polish, bn_gradient = _krawczyk._polish, _krawczyk._normalized_gradient

# A stationary point of L with one direction of each curvature; the BN gradient is not 0. It is
# refused without the plant (test_certify).
SADDLE = WITNESSES["tanh"].inputs, ["1/2", "2/5", "3/4", "1/3"], "gelu", ["0.838336", "-1.921288"]
PLANTS = {
    "BN gradient doubled": {"_normalized_gradient": lambda *a: [2 * b for b in bn_gradient(*a)]},
    "bound rounded up": {"rounded_down": lambda value: 4 * value},
    "any Hessian will do": {"_require_positive_definite": lambda *_: None},
    "any box will do": {
        "_require_stationary_point": lambda *_: None,
        "_polish": lambda *args: [w + Fraction(1, 50) for w in polish(*args)],
    },
    "wrong φ": {"JETS": bent(0, Fraction(33, 32))},
    "wrong φ′": {"JETS": bent(1, Fraction(17, 16))},
}


@oracles.each(PLANTS)
def test_errors_planted_in_the_search_are_caught(wrong):
    arguments = SADDLE if "_require_positive_definite" in wrong else WITNESSES["tanh"]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in wrong.items():
            patch.setattr(_krawczyk, name, value)
        found = certify(*arguments, radius="1/1000000")
    assert isinstance(found, Certificate), found
    assert confirm(found, n=20) != [], "the plant does no harm"
    assert not verify(found)


def test_errors_planted_in_the_exact_proof_are_caught(monkeypatch):
    monkeypatch.setitem(_balls.LINEAR_PIECES, "leaky_relu", Fraction(1, 99))
    wrong_slope = certify(*WITNESSES["leaky_relu"])
    monkeypatch.setattr(_linear_piece, "rounded_down", lambda value: value * Fraction(21, 20))
    for found in (wrong_slope, certify(*WITNESSES["relu"])):
        assert not verify(found)


@oracles.each([(name, terms) for name in module._PHI for terms in (2, 3, module._TERMS)])
def test_taylor_coefficients_are_enclosures(name, terms):  # the fewer, the more is remainder
    with pytest.MonkeyPatch.context() as patch, digits(), ctx.workprec(300):
        patch.setattr(module, "_TERMS", terms)
        certificates.compare_jet(lambda z: module.taylor(name, z), name, (1, 1, 2))


def test_every_field_takes_part():
    """Each field of a certificate can make it false, except the precision of the check."""
    falsified = {
        "inputs": rank_deficient,
        "targets": last_target(Fraction(9)),
        "activation": lambda c: replace(c, activation="gelu"),
        "center": lambda c: replace(c, center=False),
        "gamma": lambda c: replace(c, gamma=Fraction(0)),
        "beta": lambda c: replace(c, beta=Fraction(99)),
        "box": lambda c: moved(c, Fraction(1), 0),
        "bound": lambda c: replace(c, bound=Fraction(9)),
    }
    assert {*falsified, "precision"} == {each.name for each in fields(Certificate)}
    identity = CERTIFICATES["identity"]
    for name, falsify in falsified.items():
        claim = identity if name == "center" else CERTIFICATES["tanh"]
        assert verify(claim)
        assert not verify(falsify(claim)), name


@oracles.each(range(3))
def test_oracle_itself_contradicts_false_claims(seed):
    rng = np.random.default_rng(seed)
    claim = CERTIFICATES["tanh"]
    assert confirm(replace(claim, bound=2 * claim.bound), seed=seed)
    assert confirm(moved(claim, width(claim) * int(rng.integers(1, 5)), 0), seed=seed)
    assert confirm(replace(claim, box=((Fraction(-1, 99), Fraction(1, 99)),) * 2), seed=seed)


def test_refuses_where_python_flint_would_drop_the_remainder():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctx, "cap", module._TERMS)
        refused(CERTIFICATES["tanh"], "ctx.cap")
    assert verify(CERTIFICATES["tanh"])


@given(st.lists(st.integers(-9, 9), min_size=8, max_size=8))
def test_opposite_signs_on_opposite_faces(numbers):
    # An affine map v -> M v + s: its components on the faces are largest and smallest at corners.
    spread, step = np.array(numbers[:4]).reshape(2, 2), np.array(numbers[4:6])
    radius = np.abs(numbers[6:]) + 1
    corners = [np.array([a, b]) * radius for a in (-1, 1) for b in (-1, 1)]
    expected = all((spread @ v + step)[j] * np.sign(v[j]) > 0 for v in corners for j in range(2))
    balls = flint.arb_mat(spread.tolist()), flint.arb_mat([[int(each)] for each in step])
    assert module._opposite_signs(*balls, [arb(int(r)) for r in radius]) == expected


def test_opposite_signs_are_not_found_in_what_is_unknown():
    step, radius = flint.arb_mat([[0], [0]]), [arb(1), arb(1)]
    assert module._opposite_signs(flint.arb_mat([[1, 0], [0, 1]]), step, radius)
    for bad in (arb("nan"), arb(1, 10)):
        assert not module._opposite_signs(flint.arb_mat([[bad, 0], [0, 1]]), step, radius)
        assert not module._opposite_signs(flint.arb_mat([[1, 0], [bad, 1]]), step, radius)
