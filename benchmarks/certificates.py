"""Certificates: how long one takes to make, and to check, beside a plain search for the minimum."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize

from benchmarks.measure import Array, Case, DisagreementError, Row, agree, alternate
from bn_experiments.certify import Certificate, certify, verify
from bnlib import LearningSet, Neuron

INPUTS = ((1, 0), (0, 1), (1, 1), (2, 1))
TARGETS = (0.0, 1.0, 0.5, 0.5)
NEAR = (-0.16, 0.94)  # the minimum of the tanh neuron, to two digits


def rows(repetitions: int) -> list[Row]:
    """Compare for one tanh neuron and four examples."""
    what = "`certify`, tanh, 4 examples"
    ours, other = alternate(what, _against_a_search(), repetitions)
    found = [Row(what, "SciPy's BFGS to the same minimum", ours, other)]
    what = "`verify`, tanh, 4 examples"
    ours, other = alternate(what, _check_against_making(), repetitions)
    return [*found, Row(what, "`certify`, which made it", ours, other, limit=1.0)]


def _made() -> Certificate:
    found = certify(INPUTS, TARGETS, "tanh", NEAR)
    if not isinstance(found, Certificate):
        raise DisagreementError(f"certify: {found}")
    return found


def _against_a_search() -> Iterator[Case]:
    data, neuron = LearningSet(INPUTS, TARGETS), Neuron("tanh")

    def search() -> Array:
        found = minimize(
            lambda w: neuron.loss(w, data), NEAR, jac=lambda w: neuron.gradient(w, data), tol=1e-10
        )
        return np.asarray(found.x)

    def check() -> None:
        box = np.array(_made().box, dtype=float).T
        agree("minimum", np.clip(search(), *box), search(), 0.0, 1.0)

    yield Case(_made, search, check)


def _check_against_making() -> Iterator[Case]:
    found = _made()

    def check() -> None:
        if not verify(found):
            raise DisagreementError("verify: refuses what certify made")

    yield Case(lambda: verify(found), _made, check)
