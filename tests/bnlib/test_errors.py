"""Errors: each names the argument, the problem and the remedy; degenerate cases have answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import bnlib
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma, counterexample

DATA = counterexample()
STAR, RAY = [Point([3, 1])], [Ray([5, 3])]
BN = Neuron(normalization=BatchNorm())
COLLINEAR = LearningSet([[1, 2], [2, 4], [3, 6]], [1, 2, 4])
CONSTANT = LearningSet([[1, 2], [2, 2], [4, 2]], [1, 2, 4])
UNCORRELATED = LearningSet([[-1], [0], [1]], [1, 0, 1])

Case = tuple[Callable[[], Any], str]

SHAPES: dict[str, Case] = {
    "inputs-vector": (lambda: LearningSet([1, 2], [1, 2]), r"inputs: .*\(m, d\).*got \(2,\)"),
    "inputs-cube": (lambda: LearningSet(np.ones((1, 1, 1)), [1]), r"inputs: .*\(1, 1, 1\)"),
    "inputs-ragged": (lambda: LearningSet([[1], [1, 2]], [1, 2]), "inputs: not a rectangular"),
    "no-examples": (lambda: LearningSet(np.ones((0, 2)), []), "inputs: need at least one example"),
    "no-inputs": (lambda: LearningSet(np.ones((2, 0)), [1, 2]), "inputs: .*one input"),
    "targets-column": (lambda: LearningSet([[1]], [[1]]), r"targets: .*\(m,\).*got \(1, 1\)"),
    "targets-count": (lambda: LearningSet([[1], [2]], [1]), "targets: 1 targets for 2 .*need one"),
    "weights-count": (lambda: BN.loss([1, 2, 3], DATA), r"weights: .*2 entries.*got \(3,\)"),
    "weights-number": (lambda: BN.gradient(1.0, DATA), r"weights: .*got \(\)"),
    "weights-bias": (lambda: Neuron(bias=True).loss([1, 2], DATA), "weights: .*3 entries"),
    "vector-count": (lambda: BatchNorm().derivative([1, 2], [1]), "vector: .*2 entries"),
    "cotangent-count": (
        lambda: BatchNorm().second_derivative([1, 2], [1], [1, 2], [1, 2]),
        "cotangent: .*2 entries",
    ),
    "start-count": (lambda: RAY[0].nearest([1, 2, 3]), "start: .*2 entries"),
    "lemma-count": (lambda: check_lemma([1, 2, 3], STAR, RAY), "standard_optima: .*2 weights.*3"),
    "lemma-ray-count": (
        lambda: check_lemma([1, 2], STAR, [Ray([1, 2, 3])]),
        "normalized_optima: .*3 weights.*2",
    ),
    "angle-count": (lambda: bnlib.angle([1, 2], [1, 2, 3]), "second: has 3 entries, but first"),
    "no-preactivations": (lambda: BatchNorm().forward([]), "preactivations: "),
}

VALUES: dict[str, Case] = {
    "inputs-nan": (
        lambda: LearningSet([[1.0, np.nan]], [1]),
        r"inputs: entry \(0, 1\) is nan; rem",
    ),
    "inputs-inf": (
        lambda: LearningSet([[-np.inf]], [1]),
        r"inputs: entry \(0, 0\) is -inf; remove",
    ),
    "targets-nan": (lambda: LearningSet([[1]], [np.nan]), r"targets: entry \(0,\) is nan; remove"),
    "inputs-text": (lambda: LearningSet([["a"]], [1]), "inputs: .*real numbers.*convert"),
    "inputs-complex": (lambda: LearningSet([[1j]], [1]), "inputs: .*real numbers.*convert"),
    "inputs-none": (lambda: LearningSet([[None]], [1]), "inputs: .*real numbers.*convert"),
    "weights-nan": (lambda: BN.loss([np.nan, 1], DATA), r"weights: entry \(0,\) is nan; remove"),
    "start-nan": (lambda: check_lemma([np.nan, 1], STAR, RAY), "start: .*nan; remove"),
    "point-nan": (lambda: Point([np.nan]), "weights: .*nan; remove"),
    "gamma-nan": (lambda: BatchNorm(gamma=np.nan), "gamma: .*nan"),
    "beta-inf": (lambda: BatchNorm(beta=np.inf), "beta: .*inf"),
    "epsilon-negative": (lambda: BatchNorm(epsilon=-1e-9), "epsilon: must be at least 0"),
    "epsilon-useless": (lambda: BatchNorm(scale=False, epsilon=1), "epsilon: .*use epsilon=0 or"),
    "center-text": (lambda: BatchNorm(center="no"), "center: must be True or False, got 'no'"),
    "rtol-negative": (lambda: check_lemma([1, 2], STAR, RAY, rtol=-1), "rtol: must be at least 0"),
    "angle-negative": (lambda: bnlib.failure_probability(-0.1), r"angle: .*\[0, π\].*degrees"),
    "angle-degrees": (lambda: bnlib.mean_excess(12.5), r"angle: .*\[0, π\].*degrees"),
    "scale-zero": (lambda: bnlib.mean_excess(1, 0), "scale: must be positive, got 0"),
    "angle-zero": (lambda: bnlib.angle([1, 2], [0, 0]), "second: is zero.*give a non-zero"),
    "ray-zero": (lambda: Ray([0, 0]), "direction: is zero.*give a non-zero"),
}

TYPES: dict[str, Case] = {
    "activation": (lambda: Neuron("swish"), "activation: 'swish' is unknown; use one of"),
    "normalization-class": (
        lambda: Neuron("tanh", BatchNorm),
        "normalization: .*bnlib.BatchNorm()",
    ),
    "bias-centred": (
        lambda: Neuron("tanh", BatchNorm(), bias=True),
        "bias: centring.*use bias=False",
    ),
    "optima-none": (lambda: check_lemma([1, 2], STAR, []), "normalized_optima: is empty"),
    "optima-single": (
        lambda: check_lemma([1, 2], STAR[0], RAY),
        "standard_optima: expected a list",
    ),
    "optima-array": (
        lambda: check_lemma([1, 2], [[3, 1]], RAY),
        "standard_optima: expected Point or",
    ),
    "optima-swapped": (lambda: check_lemma([1, 2], RAY, STAR), "standard_optima: .*lists swapped"),
    "optima-tanh": (lambda: Neuron("tanh").optima(DATA), "activation: .*'tanh'; minimise"),
}

DEGENERATE: dict[str, Case] = {
    "constant-preactivation": (
        lambda: BN.loss([0, 0], DATA),
        "constant over the examples.*use epsilon",
    ),
    "constant-in-a-batch": (
        lambda: BN.gradient([[1, 2], [0, 0]], DATA),
        r"constant over the examples.*batch index \(1,\).*use epsilon",
    ),
    "zero-preactivation": (
        lambda: Neuron(normalization=BatchNorm(center=False)).hessian([0, 0], DATA),
        "zero on every example.*use epsilon",
    ),
    "one-example": (lambda: BN.loss([1], LearningSet([[2]], [3])), "constant over the examples"),
    "one-example-optimum": (lambda: BN.optima(LearningSet([[2]], [3])), "inputs: centred rank 0"),
    "collinear": (lambda: Neuron().optima(COLLINEAR), "inputs: rank 1 with 2 weights.*drop"),
    "collinear-bn": (lambda: BN.optima(COLLINEAR), "inputs: centred rank 1 with 2 weights.*drop"),
    "constant-input-bn": (lambda: BN.optima(CONSTANT), "inputs: centred rank 1 with 2"),
    "too-few": (
        lambda: Neuron().optima(LearningSet([[1, 2]], [1])),
        "inputs: rank 1.*add examples",
    ),
    "no-correlation": (lambda: BN.optima(UNCORRELATED), "targets: uncorrelated.*use other targets"),
    "constant-targets": (lambda: BN.optima(DATA.with_targets([0.1] * 3)), "targets: uncorrelated"),
    "gamma-zero": (
        lambda: Neuron(normalization=BatchNorm(gamma=0)).optima(DATA),
        "gamma: is 0.*use gamma != 0",
    ),
    "loss-overflow": (lambda: Neuron().loss([1e200, 0], DATA), "loss is too large.*rescale"),
    "preactivation-overflow": (lambda: BN.loss([1.7e308, 1.7e308], DATA), "too large.*rescale"),
    "start-overflow": (lambda: check_lemma([1e200, 1], STAR, RAY), "start: .*too large.*rescale"),
}

CASES = SHAPES | VALUES | TYPES | DEGENERATE


@pytest.mark.parametrize(("call", "message"), CASES.values(), ids=CASES)
def test_the_error_names_argument_problem_and_remedy(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith((".", "?")), "a sentence"
    assert "array(" not in str(caught.value), "no dump of data"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Neuron().loss([1, 2], [[1, 2]]), "data: "),
        (lambda: bnlib.linear_optima([[1, 2]]), "data: "),
        (lambda: bnlib.linear_optima(DATA, "bn"), "normalization: "),
        (lambda: Neuron(bias="no"), "bias: "),
    ],
    ids=["loss", "optima", "normalization", "bias"],
)
def test_an_object_of_the_wrong_kind_is_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_degenerate_cases_that_have_an_answer() -> None:
    one = LearningSet([[2.0]], [3.0])
    assert Neuron().optima(one) == [Point([1.5])]
    assert Neuron(normalization=BatchNorm(center=False)).optima(one) == [Ray([1.0])]
    flat = LearningSet([[1.0], [2.0]], [0.0, 0.0])
    assert Neuron().optima(flat) == [Point([0.0])]  # W* = 0
    check = check_lemma([1.0], Neuron().optima(flat), [Ray([1.0])])
    assert (check.applies, check.holds, check.right) == (False, True, 1.0)
    epsilon = Neuron(normalization=BatchNorm(epsilon=1e-5))
    assert np.isfinite(epsilon.hessian([0, 0], DATA)).all()
    assert epsilon.loss([0, 0], DATA) == Neuron().loss([0, 0], DATA)


def test_masked_entries_are_not_taken_for_numbers() -> None:
    masked = np.ma.masked_array([[1.0, 2.0]], [[True, False]])
    with pytest.raises(ValueError, match="inputs: "):
        LearningSet(masked, [1.0])
