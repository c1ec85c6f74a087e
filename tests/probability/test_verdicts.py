"""The four words, each where only it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bnlib
from bn_experiments.probability import check_weaker, verdict
from bnlib import Point, Ray

STAR, BEYOND = Point([3.0, 1.0]), Ray([-1.0, 3.0])
STARTS = np.random.default_rng(0).normal(size=(60, 2))
BOTH_WAYS = np.vstack([STAR.weights, STARTS, -STARTS])


@pytest.mark.parametrize(
    ("stars", "optima", "word"),
    [
        ([STAR], [Ray([5.0, 3.0])], "fails"),
        ([STAR], [Point([3.0, 1.0])], "fails"),
        ([STAR], [Ray(STAR.weights)], "equal"),
        ([STAR], [Ray(STAR.weights), BEYOND], "true"),
        ([Point([0.0, 0.0])], [BEYOND], "void"),
        ([STAR], [], "void"),
        ([], [BEYOND], "void"),
    ],
)
def test_each_word_where_it_is_right(stars: list[Any], optima: list[Any], word: str) -> None:
    assert verdict(BOTH_WAYS, stars, optima) == word
    assert verdict(1e3 * BOTH_WAYS, stars, optima) == word  # one point, one ray: no scale


def test_one_start_among_many_decides() -> None:
    star, ray = [STAR], [Ray([5.0, 3.0])]
    for start in BOTH_WAYS:
        check = bnlib.check_lemma(start, star, ray)
        word = "fails" if check.violated else "true" if check.applies else "void"
        assert verdict(start[None], star, ray) == word
    holding = BOTH_WAYS[bnlib.check_lemma(BOTH_WAYS, star, ray).holds]
    assert verdict(holding, star, ray) == "true"
    assert verdict(np.vstack([holding, STAR.weights]), star, ray) == "fails"


def test_sides_that_differ_where_the_lemma_does_not_apply_are_still_equal() -> None:
    optima = [Ray(STAR.weights)]
    gap = bnlib.check_lemma(-STAR.weights, [STAR], optima).margin
    assert abs(gap) > 1
    assert verdict([STAR.weights, -STAR.weights], [STAR], optima) == "equal"


def test_equal_is_relative_to_the_length_of_the_start() -> None:
    # Two rays: at W₀ = u the left side is 0, the right side sin² of the angle between u and W*.
    for size, angle in [(1.0, 1e-3), (1e4, 1e-3), (1e-4, 1e-3)]:
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        near = turned @ STAR.weights
        start, optima = [size * near], [Ray(STAR.weights), Ray(near)]
        assert verdict(start, [STAR], optima, tolerance=1.01e-6) == "equal"
        assert verdict(start, [STAR], optima, tolerance=0.99e-6) == "true"


def test_another_check_and_what_the_check_refuses() -> None:
    starts = 0.4 * BOTH_WAYS / np.linalg.norm(BOTH_WAYS, axis=1, keepdims=True)
    assert verdict(starts, [STAR], [Ray([5.0, 3.0])]) == "fails"
    assert verdict(starts, [STAR], [Ray([5.0, 3.0])], check=check_weaker) == "true"
    with pytest.raises(ValueError, match="start"):
        verdict([[1.0, 2.0, 3.0]], [STAR], [BEYOND])
