"""Certificates: true ones are found, near misses are refused, and no oracle contradicts one."""

import math
import re
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction

import flint
import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import bnlib
from bn_experiments.certify import (
    Certificate,
    NotCertified,
    _balls,
    _krawczyk,
    _linear_piece,
    _problem,
    certify,
    verifier,
    verify,
)
from bnlib import BatchNorm, LearningSet, Neuron
from bnlib.activations import ACTIVATIONS
from tests import oracles
from tests.oracles import certificates
from tests.oracles.certificates import confirm, digits, gradient, length, losses, number
from tests.oracles.witnesses import WITNESSES, certified
from tests.project.test_import import loaded_after

SMOOTH = ["identity", "tanh", "sigmoid", "softplus", "gelu", "silu", "elu"]
SQUARE = [(1, 0), (0, 1), (1, 1)]
TINY = Fraction(1, 10**12)


def refusal(*args, **options):
    """Return the reason why there is no certificate."""
    result = certify(*args, **options)
    assert isinstance(result, NotCertified), result
    assert not result
    assert str(result) == f"Not certified: {result.reason}."
    return result.reason


def actual_length(found):
    """Return the length of the BN gradient in the middle of the box."""
    return length(gradient(losses(found)[1], [number(each) for each in found.centre]))


def test_every_activation_has_a_witness():
    assert set(WITNESSES) == set(_balls.JETS) == set(ACTIVATIONS)
    assert len({(w.inputs, w.targets) for w in WITNESSES.values()}) == 2


@oracles.each(list(WITNESSES))
def test_witness_is_certified_and_no_oracle_contradicts(name):
    found = certified(name)
    assert found
    assert found.is_point == (name in _balls.LINEAR_PIECES)
    assert verify(found)
    assert confirm(found, n=6) == []
    with digits():  # the bound tells the size of the gradient
        actual = actual_length(found)
        assert actual / 3 < number(found.bound) <= actual
    assert len(found.to_json()) < 400
    assert max(map(len, str(found).splitlines())) <= 80
    assert str(found.bound) in str(found)
    for bits, shown in ((40, str(2**40 - 1)), (41, "≈")):  # longer ones are rounded
        assert shown in str(replace(found, bound=Fraction(2**bits - 1)))
    for low, high in () if found.is_point else found.box:  # short binary fractions, and not tiny
        assert math.log2(low.denominator).is_integer()
        assert low.denominator < 2**20
        assert high - low > Fraction(1, 1000)


@oracles.each(list(WITNESSES))
def test_tight_boxes_on_request_but_no_huge_ones_and_no_other_starts(name):
    found = certified(name, radius=Fraction(1, 2**100))
    assert all(high - low == Fraction(2, 2**100) for low, high in found.box)
    assert verify(found)
    with digits():
        loss, _ = losses(found)
        star = mp.findroot(lambda *w: gradient(loss, w), WITNESSES[name].approximate, tol=1e-80)
        assert all(number(a) < w < number(b) for w, (a, b) in zip(star, found.box, strict=True))
    assert "±" in str(found)
    inputs, targets, _, star = WITNESSES[name]
    for start in ([5, -3], [-2, -2], [0, 0], ["1e6", "1e6"], ["1e-9", "1e-9"], ["1e400", 1]):
        assert not certify(inputs, targets, name, start), start
    for radius in (1, 100, 10**30):
        assert not certify(inputs, targets, name, star, radius=radius), radius


SETTINGS = {"gamma": "3/2"}, {"beta": "-1/4"}, {"gamma": -2, "beta": 1}, {"center": False}


@oracles.each([(name, options) for name in WITNESSES for options in SETTINGS])
def test_other_gamma_and_beta_and_scale_only(name, options):
    if name == "identity" and "center" in options:
        return  # scale only keeps the optimum of the identity, and of it alone
    found = certified(name, **options)
    assert verify(found)
    assert confirm(found, n=2) == []
    assert ("scale only" in str(found)) == ("center" in options)


def test_counterexample_exactly():
    found = certified("identity")
    assert found.centre == (3, 1)
    actual = sp.sqrt(160) / (7 * sp.sqrt(14))  # the length of (4, -12) / (7 sqrt 14)
    assert Fraction(12, 25) == found.bound
    assert sp.Rational(12, 25) < actual < sp.Rational(13, 25)


@oracles.each(["relu", "leaky_relu"])
def test_linear_pieces_against_sympy(name):
    found, phi, w = certified(name), oracles.SYMBOLIC[name], sp.symbols("w:2", real=True)
    star = {v: sp.Rational(str(each)) for v, each in zip(w, found.centre, strict=True)}
    y = sp.Matrix(found.inputs) * sp.Matrix(w)
    centred = y.applyfunc(lambda each: each - sum(y) / found.m)
    z = centred / sp.sqrt(centred.dot(centred) / found.m)

    def slopes(z):
        errors = [phi(each) - sp.Rational(t) for each, t in zip(z, map(str, found.targets))]  # noqa: B905
        loss = sum(each**2 for each in errors) / found.m
        return [sp.simplify(sp.diff(loss, v).subs(star)) for v in w]

    assert slopes(y) == [0, 0]
    squared = sum(each**2 for each in slopes(z))
    bound = sp.Rational(str(found.bound))
    assert bound**2 < squared < (2 * bound) ** 2


def test_numbers_of_every_kind():
    data = bnlib.counterexample()
    for inputs, targets, star in (
        ([["1", "0"], ["0", "1"], ["1", "1.0"]], ["2", "0", "10/2"], ["6/2", "1"]),
        ([(1, 0), (0, 1), (Fraction(1), sp.Integer(1))], (2, 0, sp.Rational(10, 2)), (3, 1)),
        (data.inputs, data.targets, Neuron().optima(data)[0].weights),
        (sp.Matrix(SQUARE), np.array([2, 0, 5], dtype=np.int16), np.float32([3, 1])),
    ):
        assert certify(inputs, targets, "identity", star) == certified("identity")
    # A float is the binary fraction it is.
    found = certify(SQUARE, [0.1, 0, 5], "identity", [1.7, 1.6])
    assert found.targets[0] == Fraction(0.1) != Fraction(1, 10)


FOUR = [(1, 0), (0, 1), (1, 1), (2, 1)]
# The third input is the mean of all: its normalized pre-activation is 0 for every w.
MIDDLE = ([(1, 2), (3, 2), (2, 2), (2, 1), (2, 3)], [4, 8, 5, 4, 7])
NEARLY = [(1, 1), (1, 1 + TINY), (2, 2), (3, 3 - TINY)]
SADDLE = (FOUR, ["1/2", "2/5", "3/4", "1/3"], "gelu")  # its loss has a saddle and a maximum
SHUT = ([(1, 0), (0, 1), (-1, 0), (0, -1)], [1, 1, 0, 0], "sigmoid")  # weights escape
# For w1 > w2 the third example pulls w2 up to w1; for w1 < w2 it is silent.
KINK = ([(1, 0), (0, 1), (1, -1)], [1, 1, -1], "relu")
NO_INTERCEPT, PLAIN = (SQUARE, [3, 1, 4], "identity", [3, 1]), (SQUARE, [2, 0, 5], "identity")
EXACT_FIT = ([(1, 0), (7, 0), (9, 1), (15, -2)], [1, 7, 9, 15], "relu")
LINE = [[1], [2], [4]], ["1/2", "1/4", "3/4"]
REFUSED = [
    # The lemma is true: in ball arithmetic a gradient that no precision separates from 0.
    ("exactly 0", NO_INTERCEPT, {}),
    *(("may be 0", NO_INTERCEPT, {"radius": TINY, "precision": n}) for n in (64, 256, 1024)),
    ("exactly 0", (*PLAIN, [3, 1]), {"center": False}),
    *(("may be 0", (*PLAIN, [3, 1]), {"center": False, "radius": r}) for r in ("1/64", TINY**2)),
    # One input has no direction to turn to; γ = 0 switches the neuron off.
    ("may be 0", (*LINE, "tanh", ["0.233"]), {}),
    ("exactly 0", (*LINE, "identity", ["0.19"]), {}),
    ("exactly 0", (*PLAIN, [3, 1]), {"gamma": 0}),
    ("may be 0", WITNESSES["tanh"], {"gamma": 0}),
    # σ = 5 and the mean 8 are rational: z = y, and batch norm changes nothing at W*.
    ("exactly 0", (*EXACT_FIT, [1, 0]), {"gamma": 5, "beta": 8}),
    ("need exist.*rank 1, not 2", ([(1, 1), (2, 2), (3, 3)], [1, 2, 4], "tanh", [1, 1]), {}),
    ("need exist.*rank 1, not 2", ([(1, 0), (0, 1)], [1, 2], "tanh", [1, 1]), {}),
    *(
        ("", (NEARLY, ["1/2", "1/3", "3/4", "1/5"], name, ["0.2", "0.2"]), {})
        for name in ("tanh", "softplus", "relu")
    ),
    ("^the Hessian of L is not pos.* on the box$", (*SADDLE, ["0.838336", "-1.921288"]), {}),
    ("^the Hessian of L is not pos.* on the box$", (*SADDLE, ["-0.364281", "-0.466289"]), {}),
    ("^L is flat: .* active .* rank 0, not 2$", (SQUARE, [1, 1, 1], "relu", [-1, -1]), {}),
    ("flat", (SQUARE, [1, 1, 1], "relu", [-1, -1]), {"radius": "1/8"}),
    ("kink", (*KINK, [1, 1]), {}),
    *(("", (*KINK, w), {}) for w in ([1, "1.001"], ["1.001", 1])),
    *(("", (*KINK, w), {"radius": "1/1024"}) for w in ([1, 1], [1, "1.001"], ["1.001", 1])),
    ("kink", (KINK[0], [1, 1, 0], "elu", [1, 1]), {}),  # it has none, but φ″ jumps
    ("^a normalized pre-act.* is 0 at W.*kink", (*MIDDLE, "relu", ["1.7", "1.2"]), {}),
    ("^a normalized pre-act.* is 0 at W.*kink", (*MIDDLE, "leaky_relu", ["1.7", "1.2"]), {}),
    ("kink", (*MIDDLE, "elu", ["1.7", "1.2"]), {}),
    *(("", (*SHUT, [w, w]), {}) for w in (5, 50, "1e5", "1e300")),
    ("W. = 0", (SQUARE, [0, 0, 0], "identity", [0, 0]), {}),  # where the hypothesis is void
    ("W. may be 0", (SQUARE, [0, 0, 0], "tanh", [0, 0]), {}),
    ("", (SQUARE, [0, 0, 0], "tanh", ["1/1000", 0]), {}),
    ("12000 bits", (SQUARE, [2 + Fraction(1, 3**9000), 0, 5], "identity", [3, 1]), {}),
]


@oracles.each({f"{i}: {each[0]}": each for i, each in enumerate(REFUSED)})
def test_near_misses_are_refused(reason, problem, options):
    assert re.search(reason, refusal(*problem, **options))


def test_neighbours_of_what_is_refused_and_perturbations_that_show_are_certified():
    assert certify(*SADDLE, ["0.1005", "0.5559"])  # the minimum of the same loss
    found = certify(*EXACT_FIT, [1, 0])
    assert (found.centre, confirm(found)) == ((1, 0), [])
    exact = certify(NEARLY, [1, 2, 1, 3], "identity", ["-571428571426.3571", "571428571427.0714"])
    assert not exact or confirm(exact) == []
    for name in ("tanh", "identity"):
        targets = [Fraction(1, 2) + Fraction(1, 10**20), "1/2", "3/4"]
        start = [SYMMETRIC.get(name, 5 / 12)] * 2
        fine = {"radius": Fraction(1, 2**80)}
        assert certify(SQUARE, targets, name, start, **fine)
        assert "may be 0" in refusal(SQUARE, targets, name, start, radius=Fraction(1, 2**10))
        assert refusal(SQUARE, targets, name, start, **fine, precision=53)


SYMMETRIC = {  # W* = (s, s) on a learning set that stays the same when the inputs are swapped
    "tanh": 0.5270944,
    "sigmoid": 0.3328902,
    "softplus": -0.1003871,
    "gelu": 0.5113427,
    "silu": 0.5678411,
    **dict.fromkeys(("relu", "leaky_relu", "elu"), 5 / 12),
}


@oracles.each(list(SYMMETRIC))
def test_gradient_that_vanishes_by_symmetry_and_nearly(name):
    # At (s, s) the BN gradient is along (1, 1) by symmetry and orthogonal to it: it is 0.
    star = [SYMMETRIC[name]] * 2
    reason = refusal(SQUARE, ["1/2", "1/2", "3/4"], name, star)
    assert "exactly 0" in reason or "may be 0" in reason
    for exponent in (12, 40):  # a perturbation is found with its true size
        targets = [Fraction(1, 2) + Fraction(1, 10**exponent), "1/2", "3/4"]
        found = certify(SQUARE, targets, name, star)
        assert 0 < found.bound < Fraction(1000, 10**exponent)
        assert verify(found)
        with digits():
            assert actual_length(found) >= number(found.bound)


GOOD = {"inputs": SQUARE, "targets": [2, 0, 5], "activation": "identity", "approximate": [3, 1]}
BAD = [
    ("inputs", [(1, 0), (0, 1), (1,)], "inputs: expected shape"),
    ("inputs", [(), (), ()], "inputs: expected shape"),
    ("inputs", [1, 2, 3], "inputs: expected a list"),
    ("inputs", "123", "inputs: expected a list"),
    ("inputs", [(1, 0), (0, 1), (1, math.nan)], "inputs: nan is not a finite"),
    ("inputs", [(1, 0), (0, 1), (1, None)], "inputs: None is not a rational"),
    ("inputs", [(1, 0), (0, 1), (1, True)], "inputs: True is not a rational"),
    ("inputs", [(1, 0), (0, 1), (1, sp.sqrt(2))], "inputs: sqrt"),
    ("targets", [2, 0], "targets: 2 targets for 3 examples"),
    ("targets", [2, 0, math.inf], "targets: inf is not a finite"),
    ("targets", [2, 0, "1/0"], "targets: '1/0' is not"),
    ("targets", [2, 0, "five"], "targets: 'five' is not"),
    ("activation", "relu6", "activation: 'relu6' is unknown"),
    ("activation", None, "activation: None is unknown"),
    ("approximate", [3], "approximate: expected 2 weights, got 1"),
    ("approximate", [3, math.nan], "approximate: nan is not a finite"),
    ("approximate", [[3, 1]], "approximate: .* is not a rational"),
    ("center", 1, "center: must be True or False"),
    ("gamma", math.nan, "gamma: nan"),
    ("beta", "x", "beta: 'x'"),
    ("radius", 0, "radius: must be positive"),
    ("radius", -1, "radius: must be positive"),
    ("precision", 52, "precision: must be at least 53"),
    ("precision", 16385, "precision: must be at most 16384"),
    ("precision", 64.0, "precision: must be a whole number"),
]


@oracles.each(BAD)
def test_bad_arguments(name, value, message):
    oracles.refused(message, certify, **GOOD | {name: value})


def test_python_flint_is_loaded_on_first_use_and_its_precision_set_back():
    assert "flint" not in loaded_after("import bnlib, bn_experiments")
    assert "flint" in loaded_after("import bn_experiments.certify")
    before = ctx.prec
    verify(certify(*WITNESSES["tanh"], precision=300))
    refusal(SQUARE, [0, 0, 0], "tanh", [0, 0], precision=300)
    assert ctx.prec == before


@oracles.each(list(_balls.JETS))
def test_jets_contain_the_derivatives(name):
    with digits(), ctx.workprec(200):
        certificates.compare_jet(_balls.JETS[name], name, (1, 1, 1))


@oracles.each(["relu", "leaky_relu", "elu"])
def test_ball_that_touches_the_kink_proves_nothing(name):
    for ball in (arb(0), arb(0, 1), arb(1, 1), arb(-1, 1), arb("nan")):
        with pytest.raises(_balls.NotProvedError, match="kink"):
            _balls.JETS[name](ball)
        with pytest.raises(verifier.NotProvedError, match="kink"):
            verifier.taylor(name, ball)


@oracles.each([(name, center) for name in SMOOTH for center in (True, False)])
def test_boxes_contain_the_derivatives_of_both_losses(name, center):
    inputs = [("1/2", -1, "1/3"), (0, 2, 1), (1, "1/7", 2), (3, 1, 0), (1, 1, "5/2")]
    posed = _problem.problem(inputs, [0, "1/3", 1, "3/4", "1/5"], name, center, "3/2", "1/4")
    for radius in (Fraction(1, 8), Fraction(1, 100), TINY):
        half = radius / (20 if name == "elu" else 1)  # ELU's ŷ must not touch 0
        middle = Fraction(4, 5), Fraction(1, 3), Fraction(2, 3)
        box = [(each - half, each + half) for each in middle]
        claim = posed.certificate(box, Fraction(1), 256)
        columns = [list(column) for column in zip(*posed.columns, strict=True)]
        with digits(), ctx.workprec(256):
            w = [_balls.interval(*ends) for ends in box]
            for (slopes, bends), bn_slopes in (
                (_krawczyk._standard(posed, w), _krawczyk._normalized_gradient(posed, w)),
                (verifier._derivatives(claim, w), verifier._bn_gradient(claim, columns, w)),
            ):
                certificates.compare_box(posed, box, slopes.entries(), bends, bn_slopes)


@oracles.each(SMOOTH)
def test_gradients_against_jax(name):
    phi = oracles.jax_activations()[name]
    import jax

    data = LearningSet([[0.5, -1], [0, 2], [1, 0.25], [3, 1]], [0, 0.25, 1, 0.75])
    posed = _problem.problem(data.inputs, data.targets, name, True, "3/2", "1/4")
    point, norm = np.array([0.75, 0.4375]), BatchNorm(gamma=1.5, beta=0.25)
    with ctx.workprec(200):
        w = [_balls.ball(Fraction(each)) for each in point]
        both = {
            Neuron(name): _krawczyk._standard(posed, w)[0].entries(),
            Neuron(name, norm): _krawczyk._normalized_gradient(posed, w),
        }
    for neuron, found in both.items():
        expected = jax.grad(lambda v, n=neuron: oracles.forward(jax.numpy, phi, n, v, data))(point)
        oracles.agree("gradient", [float(each) for each in found], expected, 1e-13)


@given(
    st.fractions(-9, 9, max_denominator=10**6),
    st.fractions(0, 2, max_denominator=10**6),
    st.sampled_from([53, 64, 256]),
)
def test_conversions_are_outward(middle, half, precision):
    with ctx.workprec(precision):
        found = _balls.interval(middle - half, middle + half)
        assert _balls.fraction(found.lower()) <= middle - half
        assert _balls.fraction(found.upper()) >= middle + half
        assert _balls.fraction(found.upper()) <= middle + half + Fraction(20, 2**28)
        assert _balls.fraction(found.abs_lower()) <= max(0, abs(middle) - half)
        exact = arb(flint.fmpq(middle.numerator, 1024))
        assert _balls.fraction(exact) == Fraction(middle.numerator, 1024)


@given(st.lists(st.fractions(-3, 3, max_denominator=99), min_size=1, max_size=4))
def test_norms_are_bounds(vector):
    with ctx.workprec(64):
        balls = [_balls.ball(each) for each in vector]
        low = _balls.fraction(_balls.norm_at_least(balls))
        high = _balls.fraction(_balls.norm_at_most(balls))
    assert low**2 <= sum(each**2 for each in vector) <= high**2
    assert high - low < Fraction(1, 2**40)


FIFTIETHS = st.fractions(-9, 9, max_denominator=50)


@given(FIFTIETHS, FIFTIETHS, st.fractions("1/50", 9, max_denominator=50))
def test_sign_in_a_quadratic_field(p, q, v):
    exact = sp.Rational(str(p)) + sp.Rational(str(q)) * sp.sqrt(sp.Rational(str(v)))
    assert _linear_piece.sign_in_field(p, q, v) == sp.sign(exact)
    # An exact zero, which no rounding would find.
    assert not p or _linear_piece.sign_in_field(-q * abs(p), q, p**2) == 0


@given(st.fractions("1/1000000", 10**6), st.sampled_from([1, 8, 64]))
def test_square_roots_between_and_rounding_down(v, bits):
    low, high = _linear_piece.sqrt_between(v, bits)
    assert low**2 <= v <= high**2
    assert high - low <= Fraction(1, v.denominator << bits)
    rounded = _problem.rounded_down(v)
    assert 0 < rounded <= v < rounded * Fraction(12, 10)
    assert set(sp.primefactors(rounded.denominator)) <= {2, 5}


@oracles.each([Fraction(each) for each in ("0", "1/2", "11/10", "-5/4", "2", "10")])
def test_krawczyk_finds_a_point_only_inside_of_the_box(offset):
    tight = certified("tanh", radius=Fraction(1, 2**100))
    posed = _problem.problem(tight.inputs, tight.targets, "tanh", True, 1, 0)
    radius = Fraction(1, 10**6)
    first, second = tight.centre
    centre = [first + offset * radius, second]
    with ctx.workprec(256):
        box = [_balls.interval(each - radius, each + radius) for each in centre]
        arguments = posed, centre, radius, _krawczyk._standard(posed, box)[1]
        outside = pytest.raises(_balls.NotProvedError, match="Krawczyk")
        with nullcontext() if abs(offset) < 1 else outside:
            _krawczyk._require_stationary_point(*arguments)


@oracles.each(range(12))
def test_exact_bound_rounds_down_whatever_the_signs(seed):
    # A coarse enclosure of σ, and no final rounding: an end taken wrongly would show.
    between, calls = _linear_piece.sqrt_between, []

    def coarse(v, bits):
        low, high = between(v, bits)
        calls.append(v)
        return (low * (1 - TINY), high * (1 + TINY)) if len(calls) == 1 else (low, high)

    rng = np.random.default_rng(seed)
    inputs, targets = rng.integers(-4, 5, (5, 2)), rng.integers(-4, 5, 5)
    near = numerical_minimum("leaky_relu", inputs, targets, rng.normal(size=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_linear_piece, "sqrt_between", coarse)
        patch.setattr(_linear_piece, "rounded_down", lambda value: value)
        found = certify(inputs, targets, "leaky_relu", near, gamma=3)
    if isinstance(found, NotCertified):
        assert seed not in (0, 2, 3, 7), found  # the others may end at a kink
        return
    with digits():
        assert 0 < actual_length(found) - number(found.bound) < 1e-9


def numerical_minimum(name, inputs, targets, start):
    data, neuron = LearningSet(np.array(inputs, float), np.array(targets, float)), Neuron(name)
    options = {"jac": neuron.gradient, "method": "BFGS", "tol": 1e-10}
    return optimize.minimize(neuron.loss, start, args=(data,), **options).x


quarters = st.integers(-8, 8).map(lambda n: Fraction(n, 4))


@st.composite
def problems(draw):
    d = draw(st.integers(1, 3))
    m = draw(st.integers(d, d + 3))
    return {
        "inputs": [[draw(quarters) for _ in range(d)] for _ in range(m)],
        "targets": [draw(quarters) for _ in range(m)],
        "activation": draw(st.sampled_from(sorted(WITNESSES))),
        "start": [float(draw(quarters)) + 0.1 for _ in range(d)],
        "center": draw(st.booleans()),
        "gamma": draw(st.sampled_from([1, "1/2", -2])),
        "beta": draw(st.sampled_from([0, "1/3", -1])),
    }


@settings(max_examples=120)
@given(problems())
def test_random_certificates_are_true(case):
    start = case.pop("start")
    near = numerical_minimum(case["activation"], case["inputs"], case["targets"], start)
    found = certify(**case, approximate=near)
    if isinstance(found, NotCertified):
        assert found.reason
        return
    assert Certificate.from_json(found.to_json()) == found
    assert verify(found)
    assert confirm(found, n=2) == []


@oracles.each(list(WITNESSES))
def test_most_random_sets_are_certified(name):
    rng, found = np.random.default_rng(5), []
    for _ in range(12):
        inputs = [[Fraction(int(n), 4) for n in row] for row in rng.integers(-8, 9, (6, 2))]
        targets = [Fraction(int(n), 8) for n in rng.integers(1, 8, 6)]
        near = numerical_minimum(name, inputs, targets, rng.normal(size=2))
        found.append(certify(inputs, targets, name, near))
    assert sum(map(bool, found)) >= 7, [each for each in found if not each]
    assert all(verify(each) for each in found if isinstance(each, Certificate))
