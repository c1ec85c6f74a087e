"""The verifier accepts what is true and provable, and refuses every falsified certificate."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import mpmath as mp
import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from bn_experiments.certify import _balls, _krawczyk, _linear_piece, _problem
from bn_experiments.certify import verifier as module
from bn_experiments.certify.certificate import Certificate
from bn_experiments.certify.certifier import certify
from bn_experiments.certify.verifier import verify
from tests import oracles
from tests.oracles import certificates
from tests.oracles.certificates import as_ball, confirm, gradient, hessian, losses, points_in
from tests.oracles.witnesses import WITNESSES

Change = Callable[[Certificate], Certificate]


def made(name: str, **options: Any) -> Certificate:
    w = WITNESSES[name]
    found = certify(w.inputs, w.targets, w.activation, w.approximate, **options)
    assert isinstance(found, Certificate)
    return found


CERTIFICATES = {name: made(name) for name in WITNESSES}
POINTS = [name for name in WITNESSES if CERTIFICATES[name].is_point]
BOXES = [name for name in WITNESSES if not CERTIFICATES[name].is_point]


def moved(claim: Certificate, by: Fraction, *which: int) -> Certificate:
    box = [
        (low + by, high + by) if j in which else (low, high)
        for j, (low, high) in enumerate(claim.box)
    ]
    return replace(claim, box=tuple(box))


def grown(claim: Certificate, factor: Fraction) -> Certificate:
    box = []
    for low, high in claim.box:
        middle, half = (low + high) / 2, factor * (high - low) / 2
        box.append((middle - half, middle + half))
    return replace(claim, box=tuple(box))


def width(claim: Certificate) -> Fraction:
    return claim.box[0][1] - claim.box[0][0]


# ---------------------------------------------------------------- accepted


@pytest.mark.parametrize("name", WITNESSES)
def test_accepts_a_certificate_and_its_json(name: str) -> None:
    claim = CERTIFICATES[name]
    for form in (claim, claim.to_json(), json.dumps(json.loads(claim.to_json()), indent=2)):
        answer = verify(form)
        assert answer.accepted
        assert bool(answer) is True
        assert answer.reason == "every claim has been proved again"


WEAKER: dict[str, Change] = {
    "a smaller bound": lambda c: replace(c, bound=c.bound / 2),
    "less precision": lambda c: replace(c, precision=128),
    "more precision": lambda c: replace(c, precision=1000),
    "a smaller box": lambda c: grown(c, Fraction(3, 4)),
    "a box with long ends": lambda c: grown(c, Fraction(999999999999, 10**12)),
}


@pytest.mark.parametrize("change", WEAKER)
@pytest.mark.parametrize("name", BOXES)
def test_accepts_what_is_still_true(name: str, change: str) -> None:
    assert verify(WEAKER[change](CERTIFICATES[name]))


@pytest.mark.parametrize("name", POINTS)
def test_accepts_a_box_around_an_exact_point(name: str) -> None:
    claim = replace(CERTIFICATES[name], bound=CERTIFICATES[name].bound / 2)
    around = tuple((w - Fraction(1, 999), w + Fraction(1, 1001)) for w in claim.centre)
    assert verify(replace(claim, box=around))


# ---------------------------------------------------------------- refused


def with_target(value: str) -> Change:
    return lambda c: replace(c, targets=(*c.targets[:-1], Fraction(value)))


def rank_deficient(claim: Certificate) -> Certificate:
    rows = tuple((row[0], row[0], *row[2:]) for row in claim.inputs)
    return replace(claim, inputs=rows)


FALSE: dict[str, tuple[Change, str]] = {
    "bound doubled": (lambda c: replace(c, bound=2 * c.bound), r"\(c\)"),
    "bound zero": (lambda c: replace(c, bound=Fraction(0)), "bound is not positive"),
    "bound negative": (lambda c: replace(c, bound=-c.bound), "bound is not positive"),
    "target changed": (with_target("3/5"), r"\(a\)"),
    "inputs of lower rank": (rank_deficient, r"\(e\): .* rank 1"),
    "example left out": (
        lambda c: replace(c, inputs=c.inputs[:2], targets=c.targets[:2]),
        r"\(e\): .* rank 1",
    ),
    "activation unknown": (lambda c: replace(c, activation="relu6"), "'relu6' is unknown"),
    "gamma zero": (lambda c: replace(c, gamma=Fraction(0)), r"\(c\)|kink"),
    "box mirrored": (
        lambda c: replace(c, box=tuple((-high, -low) for low, high in c.box)),
        r"\([abc]\)|kink",
    ),
    "weights swapped": (lambda c: replace(c, box=c.box[::-1]), r"\([abc]\)|kink"),
    "all of the plane": (
        lambda c: replace(c, box=tuple((Fraction(-(10**9)), Fraction(10**9)) for _ in c.box)),
        r"\(d\)",
    ),
}

FALSE_BOXES: dict[str, tuple[Change, str]] = {
    "box shifted by its width": (lambda c: moved(c, width(c), 0), r"\([ab]\)"),
    "box shifted by half and a bit": (lambda c: moved(c, width(c) * 9 / 16, 1), r"\([ab]\)"),
    "ends swapped": (
        lambda c: replace(c, box=((c.box[0][1], c.box[0][0]), *c.box[1:])),
        "swapped",
    ),
    "one coordinate a point": (
        lambda c: replace(c, box=((c.centre[0], c.centre[0]), *c.box[1:])),
        r"\(a\)",
    ),
    "a point for a box": (
        lambda c: replace(c, box=tuple((w, w) for w in c.centre)),
        "a single point cannot be checked",
    ),
    "ten thousand times the box": (lambda c: grown(c, Fraction(10**4)), r"\([abd]\)|kink"),
    "two hundred times the box": (lambda c: grown(c, Fraction(200)), r"\([abd]\)|kink"),
}

FALSE_POINTS: dict[str, tuple[Change, str]] = {
    "point off by 1e-30": (lambda c: moved(c, Fraction(1, 10**30), 1), r"\(a\)"),
    "point off by 1e-300": (lambda c: moved(c, Fraction(1, 10**300), 0), r"\(a\)"),
    "point off by 1e-6": (lambda c: moved(c, Fraction(-1, 10**6), 0, 1), r"\(a\)"),
}


def refused(claim: Certificate, reason: str) -> None:
    for form in (claim, claim.to_json()):
        answer = verify(form)
        assert not answer
        assert not answer.accepted
        assert re.search(reason, answer.reason), answer.reason


@pytest.mark.parametrize("change", FALSE)
@pytest.mark.parametrize("name", WITNESSES)
def test_refuses_a_falsified_certificate(name: str, change: str) -> None:
    falsify, reason = FALSE[change]
    refused(falsify(CERTIFICATES[name]), reason)


@pytest.mark.parametrize("change", FALSE_BOXES)
@pytest.mark.parametrize("name", BOXES)
def test_refuses_a_falsified_box(name: str, change: str) -> None:
    falsify, reason = FALSE_BOXES[change]
    refused(falsify(CERTIFICATES[name]), reason)


@pytest.mark.parametrize("change", FALSE_POINTS)
@pytest.mark.parametrize("name", POINTS)
def test_refuses_a_falsified_point(name: str, change: str) -> None:
    falsify, reason = FALSE_POINTS[change]
    refused(falsify(CERTIFICATES[name]), reason)


@pytest.mark.parametrize("other", WITNESSES)
@pytest.mark.parametrize("name", WITNESSES)
def test_refuses_another_activation(name: str, other: str) -> None:
    claim = CERTIFICATES[name]
    answer = verify(replace(claim, activation=other))
    assert answer.accepted == (name == other)


def test_refuses_a_box_with_two_stationary_points() -> None:
    # The SiLU neuron has two minima here; each has a certificate of its own.
    inputs, targets = WITNESSES["silu"].inputs, ["-1", "-1/2", "0", "3/2"]
    found = [
        certify(inputs, targets, "silu", start) for start in (["-1.73", "-2.23"], [".49", ".129"])
    ]
    first, second = (each for each in found if isinstance(each, Certificate))
    assert verify(first)
    assert verify(second)
    hull = tuple(
        (min(a, c), max(b, d)) for (a, b), (c, d) in zip(first.box, second.box, strict=True)
    )
    refused(replace(first, box=hull), r"\([abd]\)")


def test_refuses_a_saddle_and_a_maximum() -> None:
    # Stationary, exactly: relu with both a wrong sign pattern and a true zero gradient.
    claim = CERTIFICATES["identity"]
    flat = replace(claim, activation="relu", box=((Fraction(-1),) * 2,) * 2)
    refused(flat, r"\(b\)")  # every example is silent: the gradient of L is 0, and flat


def test_refuses_a_point_at_a_kink() -> None:
    # The normal equations hold at (1, 1), where the third pre-activation is 0.
    claim = replace(
        CERTIFICATES["relu"],
        inputs=tuple((Fraction(a), Fraction(b)) for a, b in [(1, 0), (0, 1), (1, -1)]),
        targets=(Fraction(1), Fraction(1), Fraction(-1)),
        box=((Fraction(1),) * 2,) * 2,
    )
    refused(claim, "kink")


def test_refuses_a_true_zero_gradient_at_any_bound() -> None:
    claim = replace(CERTIFICATES["identity"], targets=(Fraction(3), Fraction(1), Fraction(4)))
    for exponent in (1, 30, 300):
        refused(replace(claim, bound=Fraction(1, 10**exponent)), r"\(c\)")


def test_refuses_scale_only_identity() -> None:
    claim = replace(CERTIFICATES["identity"], center=False)
    for bound in (claim.bound, Fraction(1, 10**100)):
        refused(replace(claim, bound=bound), r"\(c\)")


def test_refuses_an_optimum_at_zero() -> None:
    claim = replace(CERTIFICATES["identity"], targets=(Fraction(0),) * 3)
    refused(replace(claim, box=((Fraction(0),) * 2,) * 2), r"\(d\)")


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
def test_random_tampering_is_refused_unless_still_true(
    name: str, place: tuple[str, int, int], kind: str, seed: int
) -> None:
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


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize("name", WITNESSES)
def test_json_holds_no_float_and_comes_back_equal(name: str) -> None:
    claim = CERTIFICATES[name]
    text = claim.to_json()

    def refuse(value: str) -> None:
        raise AssertionError(value)

    json.loads(text, parse_float=refuse, parse_constant=refuse)
    assert Certificate.from_json(text) == claim
    assert Certificate.from_json(text).to_json() == text
    assert hash(Certificate.from_json(text)) == hash(claim)


def altered(**changes: Any) -> str:
    content = json.loads(CERTIFICATES["tanh"].to_json()) | changes
    return json.dumps({key: value for key, value in content.items() if value is not ...})


MALFORMED = {
    "empty": "",
    "no JSON": "{",
    "a list": "[]",
    "a number": "3",
    "null": "null",
    "NaN": "NaN",
    "deep": "[" * 100_000,
    "no format": altered(format=...),
    "other format": altered(format="bnlib certificate 2"),
    "missing key": altered(bound=...),
    "unknown key": altered(note="trust me"),
    "key twice": CERTIFICATES["tanh"].to_json()[:-1] + ', "bound": "1/2"}',
    "float bound": altered(bound=0.1),
    "decimal bound": altered(bound="0.1"),
    "exponent": altered(bound="1e999999999"),
    "not in lowest terms": altered(bound="2/40"),
    "zero denominator": altered(bound="1/0"),
    "underscore": altered(bound="1_0"),
    "space": altered(bound=" 1"),
    "plus": altered(bound="+1"),
    "minus zero": altered(bound="-0"),
    "other digits": altered(bound="١"),
    "newline": altered(bound="1\n"),
    "too long": altered(bound="1" * 5000),
    "box of numbers": altered(box=["1", "2"]),
    "box of three": altered(box=[["1", "2", "3"], ["1", "2", "3"]]),
    "box of one": altered(box=[["1", "2"]]),
    "box a string": altered(box="12"),
    "no inputs": altered(inputs=[]),
    "empty rows": altered(inputs=[[]] * 4),
    "ragged": altered(inputs=[["1", "0"], ["0", "1"], ["1", "1"], ["2"]]),
    "a target short": altered(targets=["0", "1", "1/2"]),
    "targets a string": altered(targets="0123"),
    "targets null": altered(targets=None),
    "center a word": altered(center="true"),
    "center a number": altered(center=1),
    "activation a list": altered(activation=["tanh"]),
    "precision a string": altered(precision="256"),
    "precision a float": altered(precision=256.0),
    "precision true": altered(precision=True),
    "precision low": altered(precision=52),
    "precision absurd": altered(precision=10**9),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_json_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^\w+: |^Expecting"):
        Certificate.from_json(MALFORMED[name])
    answer = verify(MALFORMED[name])
    assert not answer
    assert answer.reason.startswith("malformed certificate: ")


@pytest.mark.parametrize("value", [None, 3, b"{}", [], object()])
def test_only_a_certificate_or_its_json_can_be_verified(value: Any) -> None:
    with pytest.raises(ValueError, match="certificate: expected a Certificate or its JSON"):
        verify(value)


class Liar(Fraction):
    """A fraction that says it is larger than any other."""

    def __ge__(self, other: Any) -> bool:
        return True


@pytest.mark.parametrize(
    "changes",
    [
        {"bound": 0.1},
        {"bound": Liar(1, 10)},
        {"bound": 1},
        {"targets": [Fraction(1)] * 4},
        {"targets": (1, 2, 3, 4)},
        {"inputs": ()},
        {"box": ((Fraction(1), Fraction(2)),)},
        {"precision": 10},
    ],
)
def test_certificate_refuses_inexact_fields(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is this a certificate of bnlib"):
        replace(CERTIFICATES["tanh"], **changes)


# ---------------------------------------------------------------- independence


def test_verifier_shares_only_the_certificate() -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    imported = {
        each.module if isinstance(each, ast.ImportFrom) else alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.Import | ast.ImportFrom)
        for alias in each.names
    }
    assert {each for each in imported if str(each).startswith("bnlib")} == {
        "bn_experiments.certify.certificate"
    }
    source = Path(_krawczyk.__file__).read_text(encoding="utf-8")
    assert "verify" not in source.replace("verifier", "")


def doubled(function: Any) -> Any:
    return lambda *args: [2 * each for each in function(*args)]


def bent(name: str, part: int, factor: Fraction) -> dict[str, Any]:
    original = _balls.JETS[name]

    def jet(z: Any) -> Any:
        parts = list(original(z))
        parts[part] = parts[part] * _balls.ball(factor)
        return tuple(parts)

    return {name: jet}


def always(*args: Any) -> None:
    """Prove nothing."""


def near_saddle(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(_krawczyk, "_require_positive_definite", always)
    return SADDLE


# A stationary point of L with one direction of each curvature; the BN gradient is not 0.
SADDLE = (
    [(1, 0), (0, 1), (1, 1), (2, 1)],
    ["1/2", "2/5", "3/4", "1/3"],
    "gelu",
    ["0.838336", "-1.921288"],
)


def test_saddle_is_not_certified_without_the_plant() -> None:
    assert str(certify(*SADDLE)).endswith("the Hessian of L is not positive definite on the box.")


def beside_the_optimum(monkeypatch: pytest.MonkeyPatch) -> Any:
    polish = _krawczyk._polish
    monkeypatch.setattr(_krawczyk, "_require_stationary_point", always)
    monkeypatch.setattr(
        _krawczyk, "_polish", lambda *args: [w + Fraction(1, 50) for w in polish(*args)]
    )
    return tanh_witness()


def tanh_witness() -> Any:
    w = WITNESSES["tanh"]
    return w.inputs, w.targets, "tanh", w.approximate


def patched(name: str, value: Any) -> Callable[[pytest.MonkeyPatch], Any]:
    def plant(monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(_krawczyk, name, value)
        return tanh_witness()

    return plant


PLANTS: dict[str, Callable[[pytest.MonkeyPatch], Any]] = {
    "BN gradient doubled": patched("_normalized_gradient", doubled(_krawczyk._normalized_gradient)),
    "bound rounded up": patched("rounded_down", lambda value: 4 * value),
    "any Hessian will do": near_saddle,
    "any box will do": beside_the_optimum,
    "wrong φ": patched("JETS", _balls.JETS | bent("tanh", 0, Fraction(33, 32))),
    "wrong φ′": patched("JETS", _balls.JETS | bent("tanh", 1, Fraction(17, 16))),
}


@pytest.mark.parametrize("plant", PLANTS)
def test_errors_planted_in_the_search_are_caught(
    plant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = PLANTS[plant](monkeypatch)
    found = certify(*arguments, radius="1/1000000")
    assert isinstance(found, Certificate), found
    assert confirm(found, n=20) != [], "the plant does no harm"
    assert not verify(found)


def test_errors_planted_in_the_exact_proof_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    w = WITNESSES["relu"]
    monkeypatch.setattr(_linear_piece, "rounded_down", lambda value: value * Fraction(21, 20))
    found = certify(w.inputs, w.targets, "relu", w.approximate)
    assert isinstance(found, Certificate)
    assert not verify(found)
    monkeypatch.undo()
    monkeypatch.setitem(_balls.LINEAR_PIECES, "leaky_relu", Fraction(1, 99))
    found = certify(w.inputs, w.targets, "leaky_relu", w.approximate)
    assert isinstance(found, Certificate)
    assert not verify(found)


# ---------------------------------------------------------------- enclosures


@pytest.mark.parametrize("terms", [2, 3, module._TERMS])  # the fewer, the more is remainder
@pytest.mark.parametrize("radius", [0, 1e-20, 1e-3, 0.3])
@pytest.mark.parametrize("middle", [-30.0, -3.0, -0.5, 0.7, 2.5, 40.0])
@pytest.mark.parametrize("name", module._PHI)
def test_taylor_coefficients_are_enclosures(
    name: str, middle: float, radius: float, terms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TERMS", terms)
    with mp.workdps(certificates.DIGITS), ctx.workprec(300):
        found = module._taylor(name, arb(middle) + arb(0, 1) * arb(radius))
        for share in (-1, -0.4, 0, 0.7, 1):
            z = mp.mpf(middle) + share * mp.mpf(radius) * (1 - mp.mpf(10) ** -20)
            phi = lambda w: certificates.PHI[name](w[0])  # noqa: E731
            expected = [phi([z]), gradient(phi, [z])[0], hessian(phi, [z])[0, 0] / 2]
            for enclosure, value in zip(found, expected, strict=True):
                assert enclosure.overlaps(as_ball(value, 1e-45))
        if radius < 1e-10:
            assert all(each.rad() < 1e-15 * (1 + abs(each)) for each in found)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("radius", ["1/20", "1/1000000000000"])
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "gelu", "silu"])
def test_boxes_contain_the_derivatives(name: str, radius: str, center: bool) -> None:
    half = Fraction(radius)
    box = tuple((each - half, each + half) for each in (Fraction(4, 5), Fraction(1, 3)))
    claim = replace(
        CERTIFICATES["tanh"], activation=name, box=box, center=center, gamma=Fraction(3, 2)
    )
    with mp.workdps(certificates.DIGITS), ctx.workprec(300):
        w = [_balls.interval(*ends) for ends in box]
        loss, bn_loss = losses(claim)
        slopes, bends = module._derivatives(claim, w)
        problem = _problem.problem(claim.inputs, claim.targets, name, center, claim.gamma, 0)
        columns = [list(column) for column in zip(*problem.columns, strict=True)]
        bn_slopes = module._bn_gradient(claim, columns, w)
        for point in points_in(box, 5, seed=3):
            curvature = hessian(loss, point)
            bn_expected = gradient(bn_loss, point)
            for j, value in enumerate(gradient(loss, point)):
                assert slopes[j, 0].overlaps(as_ball(value, 1e-45))
                assert bn_slopes[j].overlaps(as_ball(bn_expected[j], 1e-45))
                for k in range(2):
                    assert bends[j, k].overlaps(as_ball(curvature[j, k], 1e-45))
        if half < 1e-10:
            assert max(each.rad() for each in [*slopes.entries(), *bn_slopes]) < 1e-9


def test_every_field_takes_part() -> None:
    """Each field of a certificate can make it false, except the precision of the check."""
    falsified = {
        "inputs": rank_deficient,
        "targets": with_target("9"),
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


@pytest.mark.parametrize("seed", range(3))
def test_oracle_itself_contradicts_false_claims(seed: int) -> None:
    rng = np.random.default_rng(seed)
    claim = CERTIFICATES["tanh"]
    assert confirm(replace(claim, bound=2 * claim.bound), seed=seed)
    assert confirm(moved(claim, width(claim) * int(rng.integers(1, 5)), 0), seed=seed)
    assert confirm(replace(claim, box=((Fraction(-1, 99), Fraction(1, 99)),) * 2), seed=seed)


def test_refuses_where_python_flint_would_drop_the_remainder() -> None:
    cap = ctx.cap
    try:
        ctx.cap = module._TERMS
        refused(CERTIFICATES["tanh"], "ctx.cap")
    finally:
        ctx.cap = cap
    assert verify(CERTIFICATES["tanh"])


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu"])
@pytest.mark.parametrize("touching", [arb(0), arb(0, 1), arb(1, 1), arb(-1, 1), arb("nan")])
def test_ball_that_touches_the_kink_proves_nothing(name: str, touching: Any) -> None:
    with pytest.raises(module._NotProvedError, match="kink"):
        module._taylor(name, touching)


@given(st.lists(st.integers(-9, 9), min_size=8, max_size=8))
def test_opposite_signs_on_opposite_faces(numbers: list[int]) -> None:
    # An affine map v -> M v + s: its components on the faces are largest and smallest at corners.
    spread, step = np.array(numbers[:4]).reshape(2, 2), np.array(numbers[4:6])
    radius = np.abs(numbers[6:]) + 1
    corners = [np.array([a, b]) * radius for a in (-1, 1) for b in (-1, 1)]
    expected = all((spread @ v + step)[j] * np.sign(v[j]) > 0 for v in corners for j in range(2))
    balls = flint.arb_mat(spread.tolist()), flint.arb_mat([[int(each)] for each in step])
    assert module._opposite_signs(*balls, [arb(int(r)) for r in radius]) == expected


@pytest.mark.parametrize("bad", [arb("nan"), arb(1, 10)])
def test_opposite_signs_are_not_found_in_what_is_unknown(bad: Any) -> None:
    step, radius = flint.arb_mat([[0], [0]]), [arb(1), arb(1)]
    assert module._opposite_signs(flint.arb_mat([[1, 0], [0, 1]]), step, radius)
    assert not module._opposite_signs(flint.arb_mat([[bad, 0], [0, 1]]), step, radius)
    assert not module._opposite_signs(flint.arb_mat([[1, 0], [bad, 1]]), step, radius)
