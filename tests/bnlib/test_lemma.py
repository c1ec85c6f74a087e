"""The lemma: both sides against the printed formula in rationals and a blind search."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bnlib
import bnlib._verdict
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma, counterexample
from tests import oracles

STAR, RAY = Point([3.0, 1.0]), Ray([5.0, 3.0])


@pytest.mark.parametrize("d", [1, 2, 3, 10])
def test_both_sides_and_the_verdict_agree_with_the_printed_formula(d: int) -> None:
    rng = np.random.default_rng(d)
    star, ray = rng.normal(1.0, 1.0, (2, d))
    oracles.compare_lemma(rng.normal(size=(60, d)), star, ray)


@settings(max_examples=20)
@given(oracles.vectors(2), oracles.vectors(2), oracles.vectors(2))
def test_the_geometry_of_the_right_side(
    start: oracles.Array, star: oracles.Array, ray: oracles.Array
) -> None:
    # R0: it is the squared distance to the line of W*, so to its ray under the hypothesis.
    check = check_lemma(start, [Point(star)], [Ray(ray)])
    size = float(start @ start)
    printed = float(oracles.printed_right_side(start, star))
    oracles.agree("right", check.right, printed, 1e-13, size)
    sine = np.sin(bnlib.angle(start, star))
    oracles.agree("Pythagoras", check.right, size * sine**2, 1e-13, size)
    if check.applies:
        oracles.agree("distance", check.right, Ray(star).squared_distance(start), 1e-14, size)
    oracles.agree("margin", check.margin, check.right - check.left, 0.0)
    assert check.holds == (not check.violated)


def test_the_counterexample_of_the_book() -> None:
    data = counterexample()
    standard = Neuron().optima(data)
    normalized = Neuron(normalization=BatchNorm()).optima(data)
    check = check_lemma([3, 1], standard, normalized)
    oracles.agree("left", check.left, 8 / 17, 1e-14)
    assert 0 <= check.right < 1e-29
    assert (check.applies, check.violated, check.holds) == (True, True, False)
    assert "holds=False" in repr(check)
    theta = bnlib.angle([3, 1], normalized[0].direction)
    oracles.agree("tan θ", np.tan(theta), 2 / 9, 1e-14)
    oracles.agree("cos θ", np.cos(theta), 9 / np.sqrt(85), 1e-15)


@given(data=oracles.well_conditioned(), draw=st.data())
def test_scale_alone_gives_equality(data: LearningSet, draw: st.DataObject) -> None:
    starts = np.array([draw.draw(oracles.vectors(data.d)) for _ in range(3)])
    for repaired in (
        (Neuron().optima(data), Neuron(normalization=BatchNorm(center=False)).optima(data)),  # R6
        (Neuron().optima(data), [Ray(Neuron().optima(data)[0].weights)]),
    ):
        check = check_lemma(starts, *repaired)
        sizes = (starts**2).sum(axis=1)
        assert check.holds.all()
        applied = check.applies
        assert (np.abs(check.margin[applied]) <= 1e-12 * sizes[applied]).all()


def test_the_closest_standard_optimum_decides_and_ties_go_to_the_first() -> None:
    points, rays = [Point([2.0, 0.0]), Point([0.0, 2.0])], [RAY, Ray([0.0, 1.0])]
    starts = np.array([[2.0, 0.5], [0.5, 2.0], [1.0, 1.0]])
    check = check_lemma(starts, points, rays)
    for index, first in enumerate([points[0], points[1], points[0]]):
        alone = [check_lemma(starts[index], [first], [ray]) for ray in rays]
        assert check.right[index] == alone[0].right
        assert check.left[index] == min(each.left for each in alone)
    swapped = check_lemma(starts[2], points[::-1], rays)
    assert swapped.right == check_lemma(starts[2], [points[1]], rays).right


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes_follow_the_starts(batch: tuple[int, ...]) -> None:
    starts = np.random.default_rng(2).normal(size=(*batch, 2))
    check = check_lemma(starts, [STAR], [RAY])
    for name in ("applies", "left", "right", "violated", "margin", "holds"):
        assert np.shape(getattr(check, name)) == batch
    for index in np.ndindex(batch):
        one = check_lemma(starts[index], [STAR], [RAY])
        assert one.applies == check.applies[index]
        assert one.violated == check.violated[index]
        oracles.agree("left", check.left[index], one.left, 1e-13)
    assert repr(check).startswith("LemmaCheck(")


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_the_verdict_does_not_depend_on_units(size: float) -> None:
    starts = np.random.default_rng(3).normal(size=(50, 2))
    check, scaled = (check_lemma(s * starts, [Point(s * STAR.weights)], [RAY]) for s in (1.0, size))
    assert (scaled.violated == check.violated).all()
    assert (scaled.applies == check.applies).all()
    oracles.agree("left", scaled.left / size / size, check.left, 1e-12)
    oracles.agree("right", scaled.right / size / size, check.right, 1e-12)


def test_equal_sides_are_never_a_violation() -> None:
    rng = np.random.default_rng(4)
    for d in (2, 5, 50):
        star = rng.normal(size=d)
        around = rng.normal(size=(300, d))
        starts = np.concatenate([around, star + 1e-9 * around])
        assert check_lemma(starts, [Point(star)], [Ray(star)]).holds.all()


@settings(max_examples=200)
@given(*[st.integers(-20, 20)] * 3)
def test_an_orthogonal_start_does_not_fulfil_the_hypothesis(a: int, b: int, k: int) -> None:
    # ⟨W₀, W*⟩ is exactly 0 in floating point too: the products are integers.
    check = check_lemma([-k * b, k * a], [Point([a, b])], [RAY])
    assert not check.applies
    assert check.holds


def test_degenerate_cases_have_their_documented_answers() -> None:
    at_zero = check_lemma([0.0, 0.0], [STAR], [RAY])
    assert (at_zero.left, at_zero.right, at_zero.applies, at_zero.holds) == (0, 0, False, True)
    no_star = check_lemma([3.0, 4.0], [Point([0.0, 0.0])], [RAY])
    assert (no_star.right, no_star.applies) == (25.0, False)
    behind = check_lemma([-3.0, -4.0], [STAR], [RAY])
    assert (behind.left, behind.applies, behind.holds) == (25.0, False, True)
    single = check_lemma([2.0, 0.0], [STAR], [Point([1.0, 1.0])])  # centre only: a point
    assert single.left == 2.0


@settings(max_examples=200)
@given(*[st.lists(oracles.wild_number, min_size=2, max_size=2)] * 3)
def test_wild_numbers_give_finite_sides_or_a_value_error(
    start: list[float], star: list[float], ray: list[float]
) -> None:
    try:
        check = check_lemma(start, [Point(star)], [Ray(ray)])
    except ValueError:
        return
    assert np.isfinite([check.left, check.right]).all()
    assert min(check.left, check.right) >= 0


@pytest.mark.parametrize("optima", [([STAR], [RAY]), ([STAR, Point([0.0, 2.0])], [RAY, STAR])])
@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_results_do_not_depend_on_the_blocks(
    optima: tuple[list[Point], list[Ray | Point]], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = np.random.default_rng(5).normal(size=(2, 4, 2))
    whole = check_lemma(starts, *optima)
    monkeypatch.setattr(bnlib._verdict, "_BLOCK", 2 * size)
    parts = check_lemma(starts, *optima)
    assert (parts.applies == whole.applies).all()
    assert (parts.violated == whole.violated).all()
    oracles.agree("left", parts.left, whole.left, 1e-14)
    oracles.agree("right", parts.right, whole.right, 1e-14)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_entry_that_is_not_finite_is_named_in_any_block(wrong: float) -> None:
    starts = np.ones((2, 100_000, 2))
    starts[1, 99_999, 1] = wrong
    with pytest.raises(ValueError, match=rf"^start: entry \(1, 99999, 1\) is {wrong}; remove"):
        check_lemma(starts, [STAR], [RAY])
    starts[1, 99_999, 1] = 1e200
    with pytest.raises(ValueError, match="^start: the squared norm is too large.*rescale"):
        check_lemma(starts, [STAR], [RAY])
    for optimum in (STAR, RAY):
        with pytest.raises(ValueError, match=rf"^start: entry \(1, 0\) is {wrong}; remove"):
            optimum.squared_distance([[1.0, 2.0], [wrong, 1.0]])


def test_beside_the_starts_only_a_block_is_in_memory() -> None:
    d = 64
    starts = np.random.default_rng(6).normal(size=(60_000, d))  # 31 MB
    star, ray = np.random.default_rng(7).normal(size=(2, d))
    starts[::2] = star + 1e-6 * starts[::2]  # near the ray too, where rows are done again
    tracemalloc.start()
    check = check_lemma(starts, [Point(star), Point(2 * star)], [Ray(star), Ray(ray), Point(ray)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert check.holds.shape == (60_000,)
    assert peak < starts.nbytes / 4
