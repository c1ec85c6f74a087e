"""Numbers that overflow, underflow, cancel and repeat: a finite result, or a ``ValueError``."""

import contextlib
import dataclasses
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bnlib import BatchNorm, LearningSet, Point, Ray, check_lemma
from tests import oracles
from tests.bnlib.test_closed_form import CASES
from tests.bnlib.test_neuron import METHODS, NEURONS

HALVES = (True, False)
NORMS = [BatchNorm(*each) for each in itertools.product(HALVES, HALVES, (1, -1e-200, 1e200))]


def wild(*counts):
    return [st.lists(oracles.wild_number, min_size=n, max_size=n) for n in counts]


@settings(max_examples=200)
@given(*wild(6, 3, 2, 3, 3), *map(st.sampled_from, (NORMS, sorted(NEURONS), sorted(CASES))))
def test_results_are_finite_or_refused(x, t, w, y, v, norm, name, case):
    data = LearningSet(np.reshape(x, (3, 2)), t)
    neuron = dataclasses.replace(NEURONS[name], bias=False)
    results = {each: (getattr(neuron, each), w, data) for each in ("output", *METHODS)}
    results |= {
        "forward": (norm.forward, y),
        "derivative": (norm.derivative, y, v),
        "second derivative": (norm.second_derivative, y, v, v, y),
        "optima": (lambda: [each.vector for each in CASES[case].optima(data)],),
    }
    for what, (call, *arguments) in results.items():
        with contextlib.suppress(ValueError):
            assert np.isfinite(call(*arguments)).all(), what


@settings(max_examples=200)
@given(*wild(2, 2, 2))
def test_distances_and_sides_are_finite_and_not_negative_or_refused(start, star, ray):
    for kind in (Point, Ray):
        with contextlib.suppress(ValueError):
            assert np.isfinite(kind(ray).nearest(start)).all()
        with contextlib.suppress(ValueError):
            assert 0 <= kind(ray).squared_distance(start) < np.inf
    with contextlib.suppress(ValueError):
        check = check_lemma(start, [Point(star)], [Ray(ray)])
        assert 0 <= min(check.left, check.right) <= max(check.left, check.right) < np.inf
