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

NORMS = [
    BatchNorm(center, scale, gamma)
    for center, scale, gamma in itertools.product((True, False), (True, False), (1, -1e-200, 1e200))
]


@settings(max_examples=200)
@given(
    st.lists(oracles.wild_number, min_size=11, max_size=11).map(np.array),
    st.sampled_from(NORMS),
    st.sampled_from(sorted(NEURONS)),
    st.sampled_from(sorted(CASES)),
)
def test_results_are_finite_or_refused_and_distances_not_negative(numbers, norm, name, case):
    data, w, (y, v, u) = (
        LearningSet(numbers[:6].reshape(3, 2), numbers[6:9]),
        numbers[9:],
        (numbers[:9].reshape(3, 3)),
    )
    neuron = dataclasses.replace(NEURONS[name], bias=False)
    results = {
        "forward": lambda: norm.forward(y),
        "derivative": lambda: norm.derivative(y, v),
        "second derivative": lambda: norm.second_derivative(y, v, u, y),
        "optima": lambda: [each.vector for each in CASES[case].optima(data)],
        **{each: lambda each=each: getattr(neuron, each)(w, data) for each in ("output", *METHODS)},
    }
    distances = {"sides": lambda: (c := check_lemma(y, [Point(v)], [Ray(u)])) and [c.left, c.right]}
    for kind in (Point, Ray):
        results[f"nearest {kind}"] = lambda kind=kind: kind(v).nearest(y)
        distances[f"distance {kind}"] = lambda kind=kind: kind(v).squared_distance(y)
    for what, result in (results | distances).items():
        with contextlib.suppress(ValueError):
            found = np.array(result())
            assert np.isfinite(found).all(), what
            assert what in results or (found >= 0).all(), what
