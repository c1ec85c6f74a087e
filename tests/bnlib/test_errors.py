"""Errors: each names the argument, the problem and the remedy; degenerate cases have answers."""

from functools import partial

import numpy as np
import pytest

import bnlib
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma, counterexample
from tests import oracles

DATA = counterexample()
STAR, RAY = [Point([3, 1])], [Ray([5, 3])]
BN, SCALE = (Neuron(normalization=BatchNorm(center=each)) for each in (True, False))
ULP = oracles.EPS
COLLINEAR = LearningSet([[1, 1 + ULP], [1 + ULP, 1 - ULP], [1, 1]], [1, 2, 4])  # nearly
# The covariance is 2⁻¹⁰⁴, of numbers of size 1.
UNCORRELATED = LearningSet([[1 + ULP], [1], [-1 - ULP], [-1]], [1 - ULP, -1, ULP - 1, 1])
MASKED = np.ma.masked_array([[1.0, 2.0]], [[True, False]])
LARGE = 2**53 + 1


class Raising:
    """An array of another library, which does not let its numbers out."""

    def __init__(self, error):
        self.error = error

    def __array__(self, *_, **__):
        raise self.error


TENSOR = Raising(RuntimeError("Can't call numpy() on Tensor that requires grad."))
TRACER = Raising(TypeError("a traced array\nhas no numbers"))

BIG = 1.7e308
HALVES = np.column_stack([np.ones(600), np.repeat([1, -1], 300)])
SIGNS = np.resize([1.0, -1.0], 64)  # so many that both infinities come up, in whatever order
FAR = LearningSet(1e200 * np.resize([1, 1, -1, -1], (64, 1)), 1e200 * SIGNS)
APART, LONG = LearningSet(1e200 * SIGNS[:, None], [1e300] * 64), LearningSet([BIG * SIGNS], [0])
WIDE, EVEN = LearningSet([[BIG, 0]], [0]), LearningSet([[BIG, BIG]], [0])
ONE, HIGH = LearningSet([[BIG]], [BIG]), LearningSet([[1]], [BIG])
NORM, STEEP = BatchNorm(), BatchNorm(gamma=BIG)
TINY = Neuron(normalization=BatchNorm(scale=False, gamma=1e-310))
EDGE, HALF = Point([-BIG, 0], along=[[0], [1]]), Ray([1, 1, 0])
CROSSED, ROWS = ([BIG, -BIG], [BIG, BIG / 2]), np.arange(6.0).reshape(3, 2)
CONSTANT = "the pre-activations are constant over the examples"


def second(y, a, b=(1, 2), epsilon=0):
    return BatchNorm(epsilon=epsilon).second_derivative(y, [1, 3], a, b)


CASES = [
    # shapes
    (r"^inputs: expected shape \(m, d\), got \(2,\)", lambda: LearningSet([1, 2], [1, 2])),
    (r"inputs: .*\(1, 1, 1\)", lambda: LearningSet(np.ones((1, 1, 1)), [1])),
    ("inputs: not a rectangular", lambda: LearningSet([[1], [1, 2]], [1, 2])),
    ("inputs: need at least one example", lambda: LearningSet(np.ones((0, 2)), [])),
    ("inputs: .*one input", lambda: LearningSet(np.ones((2, 0)), [1, 2])),
    (r"targets: .*\(m,\).*got \(1, 1\)", lambda: LearningSet([[1]], [[1]])),
    ("targets: 1 targets for 2 .*need one", lambda: LearningSet([[1], [2]], [1])),
    (r"weights: .*2 entries.*got \(3,\)", lambda: BN.loss([1, 2, 3], DATA)),
    (r"^weights: .*\(\.\.\., d\).*got \(\)", lambda: BN.gradient(1.0, DATA)),
    (r"^weights: .*, d \+ 1\).*3 entries", lambda: Neuron(bias=True).loss([1, 2], DATA)),
    (r"^vector: .*, m\).*2 entries", lambda: BatchNorm().derivative([1, 2], [1])),
    (r"^first: .*\(\.\.\., m\), got \(\)", lambda: second([1, 2], 1, [1, 2])),
    (r"^second: .*\(\.\.\., m\), got \(\)", lambda: second([1, 2], [1, 2], 1)),
    (r"^preactivations, vector: shapes \(3", lambda: NORM.derivative(ROWS, ROWS[1:])),
    ("^preactivations, cotangent, first, second: ", lambda: second([1, 2], ROWS[1:], ROWS)),
    ("cotangent: .*2 entries", lambda: BatchNorm().second_derivative([1, 2], [1], [1, 2], [1, 2])),
    ("start: .*2 entries", lambda: RAY[0].nearest([1, 2, 3])),
    *(
        (rf"^start: expected shape \(\.\.\., d\){more}", partial(getattr(each, name), wrong))
        for each in (EDGE, HALF)
        for name in ("nearest", "squared_distance", "exists")
        for wrong, more in ((1, ", got"), (np.ones(each.d - 1), f" with {each.d}"))
    ),
    (r"^start: expected shape \(\.\.\., d\), got", lambda: check_lemma(1, STAR, RAY)),
    (r"^weights: expected shape \(d,\), got", lambda: Point(1.0)),
    ("standard_optima: .*2 weights.*3", lambda: check_lemma([1, 2, 3], STAR, RAY)),
    ("normalized_optima: .*3 weights.*2", lambda: check_lemma([1, 2], STAR, [Ray([1, 2, 3])])),
    ("second: has 3 entries, but first", lambda: bnlib.angle([1, 2], [1, 2, 3])),
    (r"^preactivations: .*\(\.\.\., m\), got \(\)", lambda: NORM.forward(1)),
    ("preactivations: ", lambda: BatchNorm().forward([])),
    # values
    ("inputs: has masked entries; fill", lambda: LearningSet(MASKED, [1.0])),
    ("inputs: has masked entries; fill", lambda: LearningSet([MASKED[0], [1, 2]], [1, 2])),
    ("weights: has masked entries; fill", lambda: BN.loss([list(MASKED[0]), (1, 2)], DATA)),
    (f"inputs: entry .0, 1. is {LARGE}, an integer", lambda: LearningSet([[1, LARGE]], [1])),
    (f"targets: entry .1,. is {LARGE}.*subtract", lambda: LearningSet([[1], [2]], [1.5, LARGE])),
    (f"start: entry .1,. is -{LARGE}", lambda: check_lemma(np.array([1, -LARGE]), STAR, RAY)),
    (r"inputs: cannot be read.*RuntimeError: Can't call.*grad\)", lambda: LearningSet(TENSOR, [1])),
    (r"targets: cannot .*TypeError: a traced array\)", lambda: LearningSet([[1]], TRACER)),
    ("start: cannot be read as an array", lambda: check_lemma(TRACER, STAR, RAY)),
    (r"inputs: entry \(0, 1\) is nan; rem", lambda: LearningSet([[1.0, np.nan]], [1])),
    (r"inputs: entry \(0, 0\) is -inf; remove", lambda: LearningSet([[-np.inf]], [1])),
    (r"targets: entry \(0,\) is nan; remove", lambda: LearningSet([[1]], [np.nan])),
    ("inputs: .*real numbers.*convert", lambda: LearningSet([["a"]], [1])),
    ("inputs: .*real numbers.*convert", lambda: LearningSet([[1j]], [1])),
    ("inputs: .*real numbers.*convert", lambda: LearningSet([[None]], [1])),
    (r"weights: entry \(0,\) is nan; remove", lambda: BN.loss([np.nan, 1], DATA)),
    ("start: .*nan; remove", lambda: check_lemma([np.nan, 1], STAR, RAY)),
    ("weights: .*nan; remove", lambda: Point([np.nan])),
    ("gamma: .*nan", lambda: BatchNorm(gamma=np.nan)),
    ("beta: .*inf", lambda: BatchNorm(beta=np.inf)),
    ("epsilon: must be at least 0", lambda: BatchNorm(epsilon=-1e-9)),
    ("^epsilon: has no effect.*=0 or scale=True.$", lambda: BatchNorm(scale=False, epsilon=1)),
    ("center: must be True or False, got 'no'", lambda: BatchNorm(center="no")),
    ("error: must be at least 0, got -1", lambda: Point([1, 2], error=-1)),
    ("along_error: .*nan", lambda: Ray([1, 2], along_error=np.nan)),
    ("along: pass orthonormal columns of 2", lambda: Point([1, 2], along=[[1], [1]])),
    ("along: pass orthonormal columns of 2", lambda: Ray([1, 2], along=[[1, 0, 0]])),
    ("along: pass orthonormal", lambda: Point(np.ones(600), along=BIG * HALVES)),
    ("direction: lies in the kernel", lambda: Ray([1e-9, 0, 1], along=[[0], [0], [1]])),
    (r"along: expected shape \(d, k\)", lambda: Ray([1, 2], along=[1, 0])),
    ("excluded: pass orthonormal", lambda: Point([1, 2], excluded=[[2], [0]])),
    ("direction: lies in the kernel", lambda: Ray([2, 0], along=[[-1], [0]])),
    ("^angle: entry .* is nan", lambda: bnlib.failure_probability(np.nan)),
    ("^angle: at π no BN .*reading.$", lambda: bnlib.failure_probability(np.pi, "given_closest")),
    ("^scale: entry .* is nan", lambda: bnlib.mean_excess(1, np.nan)),
    (r"angle: .*\[0, π\].*degrees", lambda: bnlib.failure_probability(-0.1)),
    (r"angle: .*\[0, π\].*degrees", lambda: bnlib.mean_excess(12.5)),
    ("scale: must be positive, got 0", lambda: bnlib.mean_excess(1, 0)),
    ("^first: is zero", lambda: bnlib.angle([0, 0], [1, 2])),
    ("second: is zero.*give a non-zero", lambda: bnlib.angle([1, 2], [0, 0])),
    ("direction: is zero.*give a non-zero", lambda: Ray([0, 0])),
    # kinds of objects
    ("activation: 'swish' is unknown; use one of", lambda: Neuron("swish")),
    ("normalization: .*bnlib.BatchNorm()", lambda: Neuron("tanh", BatchNorm)),
    ("bias: centring.*use bias=False", lambda: Neuron("tanh", BatchNorm(), bias=True)),
    ("^bias: centring", lambda: bnlib.closed_form.linear_optima(DATA, NORM, bias=True)),
    ("normalized_optima: is empty", lambda: check_lemma([1, 2], STAR, [])),
    ("of optima, got Point; pass what Neuron", lambda: check_lemma([1, 2], STAR[0], RAY)),
    ("standard_optima: .* or Ray, got list", lambda: check_lemma([1, 2], [[3, 1]], RAY)),
    ("standard_optima: .*Are the two lists", lambda: check_lemma([1, 2], RAY, STAR)),
    ("^activation: .*'tanh'; minimise", lambda: Neuron("tanh").optima(DATA)),
    ("data: .*bnlib.LearningSet", lambda: Neuron().loss([1, 2], [[1, 2]])),
    ("data: .*bnlib.LearningSet", lambda: bnlib.closed_form.linear_optima([[1, 2]])),
    ("normalization: .*bnlib.BatchNorm", lambda: bnlib.closed_form.linear_optima(DATA, "bn")),
    ("bias: must be True or False, got 'no'", lambda: Neuron(bias="no")),
    # degenerate cases
    (f"^weights: {CONSTANT}, so.*use epsilon", lambda: BN.loss([0, 0], DATA)),
    (f"^preactivations: {CONSTANT}, so", lambda: NORM.forward([3, 3])),
    (
        rf"^weights: {CONSTANT} at batch index \(1,\), so.*use epsilon",
        lambda: BN.gradient([[1, 2], [0, 0]], DATA),
    ),
    (
        "^weights: .* are zero on every example, so.*use epsilon",
        lambda: SCALE.hessian([0, 0], DATA),
    ),
    ("constant over the examples", lambda: BN.loss([1], LearningSet([[2]], [3]))),
    ("inputs: all examples are equal.*vary them", lambda: BN.optima(LearningSet([[2]], [3]))),
    ("inputs: all examples are zero.*vary them", lambda: SCALE.optima(LearningSet([[0]], [3]))),
    (r"inputs: columns \[0, 1\] are collinear up to", lambda: Neuron().optima(COLLINEAR)),
    ("targets: uncorrelated.*use other targets", lambda: BN.optima(UNCORRELATED)),
    ("targets: orthogonal.*use other targets", lambda: SCALE.optima(UNCORRELATED)),
    ("start: none meets the hypothesis", lambda: check_lemma([-3, -1], STAR, RAY).failure_rate),
    ("start: none .* has a closest", lambda: check_lemma([2, -4], STAR, RAY).failure_rate),
    ("gamma: is 0.*use gamma != 0", lambda: Neuron(normalization=BatchNorm(gamma=0)).optima(DATA)),
    ("^weights, data: the loss is too large.*rescale", lambda: Neuron().loss([1e200, 0], DATA)),
    ("too large.*rescale", lambda: BN.loss([1.7e308, 1.7e308], DATA)),
    ("start: .*too large.*rescale", lambda: check_lemma([1e200, 1], STAR, RAY)),
    # too large: infinities of both signs meet, or one and 0, and nothing is told but the error
    ("^start: the projection is", lambda: EDGE.nearest([[BIG, 1], [BIG, BIG]])),
    ("^start: the projection is", lambda: HALF.nearest([BIG, BIG, 0])),
    ("^start: the squared norm is", lambda: EDGE.squared_distance([BIG, 0])),
    ("^scale: the mean excess is", lambda: bnlib.mean_excess([0, 1], 1e200)),
    ("^inputs, targets: the covariance is", lambda: FAR.cross_covariance),
    ("^error: the bound is", lambda: Ray([1, 1], BIG, along=[[0], [1]])),
    ("^weights, data: the gradient is", lambda: Neuron().gradient([1], APART)),
    ("^weights, data: the gradient is", lambda: Neuron().gradient([-1], ONE)),
    ("^weights, data: the Hessian is", lambda: Neuron().hessian([0, 0], WIDE)),
    ("^weights, data: the Hessian is", lambda: Neuron("tanh").hessian([0.6], HIGH)),
    ("^weights, inputs: the pre-activation is", lambda: Neuron().output([2] * 64, LONG)),
    ("^weights, inputs: the pre-activation is", lambda: SCALE.output([1, -1], EVEN)),
    ("^preactivations, gamma or beta: the output is", lambda: STEEP.forward([0, 0, 9])),
    ("^preactivations or vector: the deriv", lambda: NORM.derivative([0, 0, 1], [BIG] * 3)),
    ("^preactivations or directions: the second deriv", lambda: second([0, 1e-9], *CROSSED, 1)),
    ("^inputs, targets or gamma: the optimum is", lambda: TINY.optima(DATA)),
]


@oracles.each(CASES)
def test_the_error_names_argument_problem_and_remedy(message, call):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith((".", "?")), "a sentence"
    assert "array(" not in str(caught.value), "no dump of data"


def test_degenerate_cases_that_have_an_answer():
    one = LearningSet([[2.0]], [3.0])
    assert Neuron().optima(one) == [Point([1.5])]
    assert SCALE.optima(one) == [Ray([1.0])]
    flat = LearningSet([[1.0], [2.0]], [0.0, 0.0])
    assert Neuron().optima(flat) == [Point([0.0])]  # W* = 0
    check = check_lemma([1.0], Neuron().optima(flat), [Ray([1.0])])
    assert (check.applies, check.holds, check.right) == (False, True, 1.0)
    epsilon = Neuron(normalization=BatchNorm(epsilon=1e-5))
    assert np.isfinite(epsilon.hessian([0, 0], DATA)).all()
    assert epsilon.loss([0, 0], DATA) == Neuron().loss([0, 0], DATA)
