"""The lemma: both sides against the printed formula in rationals and a blind search."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bnlib
import bnlib._verdict
from bn_experiments.probability import Estimate, check_weaker
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, check_lemma, counterexample
from tests import oracles
from tests.oracles import rational, sampling

BIG = 1.7e308
BN = Neuron(normalization=BatchNorm())
STAR, RAY = Point([3.0, 1.0]), Ray([5.0, 3.0])


@pytest.mark.parametrize("d", [1, 2, 3, 10])
def test_both_sides_and_the_verdict_agree_with_the_printed_formula(d):
    rng = np.random.default_rng(d)
    star, ray = rng.normal(1.0, 1.0, (2, d))
    oracles.compare_lemma(rng.normal(size=(60, d)), star, ray)


@settings(max_examples=20)
@given(oracles.vectors(2), oracles.vectors(2), oracles.vectors(2))
def test_the_geometry_of_the_right_side(start, star, ray):
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


def test_the_counterexample_of_the_book():
    data = counterexample()
    standard, normalized = Neuron().optima(data), BN.optima(data)
    check = check_lemma([3, 1], standard, normalized)
    oracles.agree("left", check.left, 8 / 17, 1e-14)
    assert 0 <= check.right < 1e-29
    assert (check.applies, check.violated, check.holds) == (True, True, False)
    assert "holds=False" in repr(check)
    theta = bnlib.angle([3, 1], normalized[0].direction)
    oracles.agree("tan θ", np.tan(theta), 2 / 9, 1e-14)
    oracles.agree("cos θ", np.cos(theta), 9 / np.sqrt(85), 1e-15)


@given(data=oracles.well_conditioned(), draw=st.data())
def test_scale_alone_gives_equality(data, draw):
    starts = np.array([draw.draw(oracles.vectors(data.d)) for _ in range(3)])
    stars, sizes = Neuron().optima(data), (starts**2).sum(axis=1)
    scaled = Neuron(normalization=BatchNorm(center=False)).optima(data)  # R6
    for rays in (scaled, [Ray(stars[0].weights)]):
        check = check_lemma(starts, stars, rays)
        assert check.holds.all()
        assert (np.abs(check.margin) <= 1e-12 * sizes)[check.applies].all()


def test_the_closest_standard_optimum_decides_and_ties_go_to_the_first():
    points, rays = [Point([2.0, 0.0]), Point([0.0, 2.0])], [RAY, Ray([0.0, 1.0])]
    starts = np.array([[2.0, 0.5], [0.5, 2.0], [1.0, 1.0]])
    check = check_lemma(starts, points, rays)
    for index, first in enumerate([points[0], points[1], points[0]]):
        alone = [check_lemma(starts[index], [first], [ray]) for ray in rays]
        assert check.right[index] == alone[0].right
        assert check.left[index] == min(each.left for each in alone)
    assert check_lemma([[-3, 1], [1, -1], [-1, -1]], points, rays).exists.tolist() == [1, 1, 0]
    swapped = check_lemma(starts[2], points[::-1], rays)
    assert swapped.right == check_lemma(starts[2], [points[1]], rays).right


def test_of_two_parallel_lines_of_optima_the_closer_one_decides():
    lines = [Point([0, each], along=[[1], [0]]) for each in (1, 3)]
    for start, star in (([4, 1.5], [4, 1]), ([4, 2.5], [4, 3])):
        right = check_lemma(start, lines, [RAY]).right, check_weaker(start, lines, [RAY]).right
        oracles.agree("right", right, [float(oracles.printed_right_side(start, star)), 0.25], 1e-13)


def test_on_the_ray_with_another_kernel_the_lemma_is_not_true_by_structure():
    star = Point([1, 0, 0, 0], along=[[0], [0], [1], [0]])
    for kernel in (None, np.eye(4)[:, [1, 3]]):
        ray = Ray([1, 0, 0, 0], along=kernel)
        assert check_lemma([1, 0, 5, 0], [star], [ray]).violated  # 25 > 0


def test_off_the_ray_by_less_than_both_errors_it_is_true_by_structure():
    kernel = [[0], [0], [1]]
    for off, error in ((3e-14, 0), (8e-14, 2.8e-14), (1.5e-9, 1e-9)):
        star, ray = Point([1, off, 0], error), Ray([1, 0, 0], error, along=kernel)
        assert not check_lemma([1, off, 0], [star], [ray]).undecided
    assert check_lemma([1, 1e-5, 0], [Point([1, 1e-5, 0], 1e-9)], [ray]).violated
    assert not check_lemma([1, 0, 0], [Point([1e-200, 0, 0])], [ray]).undecided


def test_the_projections_say_nothing_of_what_is_weaker():
    check = check_weaker([0.625, 0.5], [Point([1, 0])], [Ray([0, 1])])  # both sides: 0.625²
    assert (check.left == check.right, check.undecided, check.violated) == (True, True, False)


def test_where_the_squares_are_equal_up_to_rounding_the_projections_decide():
    starts = np.array([[2, 1, 0], [1, 2, 0], [2, -1, 0], [1 + 3e-5, 1, 0], [1, 1 + 3e-5, 0]])
    starts = np.column_stack([1e-9 * starts, np.ones(5)])  # ⟨W*, W₀⟩, and so for the ray: tiny
    stars, u, kernel = [Point([1, 0, 0, 0])], [0, 1, 0, 0], [[0], [0], [1], [0]]
    check = check_lemma(starts, stars, [Ray(u)])
    assert check.violated.tolist() == [True, False, True, False, False]
    assert check.undecided.tolist() == [False, False, False, True, True]
    starts[:, 2] = 5e-9  # in the kernel: closer than the ray alone
    assert not check_lemma(starts, stars, [Ray(u, along=kernel)]).violated.any()


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3), (0,)])
def test_shapes_follow_the_starts(batch):
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


REPRS = {  # a side that is 1e-15 of the other one, or less, is rounding
    "applies=True, left=4, right=0, holds=False": (1, 1, 4.0, 4e-15, 0, 1, 0),
    "applies=False, left=4, right=5e-15, holds=True": (0, 1, 4.0, 5e-15, 0, 0, 0),
    "applies=False, left=0, right=2.5, holds=True, exists=False": (0, 0, 1e-15, 2.5, 0, 0, 0),
    "applies=True, left=1, right=1, holds=True, undecided=True": (1, 1, 1.0, 1.0, 0, 0, 1),
    "4 initializations: 3 with the hypothesis, 2 of them violated, 1 undecided": (
        *([1, 1, 1, 0], [1, 1, 1, 1], [4.0, 4.0, 1.0, 1.0], [1.0, 1.0, 1.0, 4.0]),
        *([0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]),
    ),
    "1 initializations: 1 with the hypothesis, 0 of them violated": (*[[1]] * 5, [0], [0]),
}


@oracles.each(REPRS.items())
def test_what_it_shows(told, fields):
    assert repr(bnlib.LemmaCheck(*map(np.asarray, fields))) == f"LemmaCheck({told})"


@pytest.mark.parametrize("size", [1e-150, 1.0, 1e150])
def test_the_verdict_does_not_depend_on_units(size):
    starts = np.random.default_rng(3).normal(size=(50, 2))
    check, scaled = (check_lemma(s * starts, [Point(s * STAR.weights)], [RAY]) for s in (1.0, size))
    assert (scaled.violated == check.violated).all()
    assert (scaled.applies == check.applies).all()
    oracles.agree("left", scaled.left / size / size, check.left, 1e-12)
    oracles.agree("right", scaled.right / size / size, check.right, 1e-12)


def test_equal_sides_are_never_a_violation():
    rng = np.random.default_rng(4)
    for d in (2, 5, 50):
        star = rng.normal(size=d)
        around = rng.normal(size=(300, d))
        starts = np.concatenate([around, star + 1e-9 * around])
        assert check_lemma(starts, [Point(star)], [Ray(star)]).holds.all()


@settings(max_examples=200)
@given(*[st.integers(-20, 20)] * 3)
def test_an_orthogonal_start_does_not_fulfil_the_hypothesis(a, b, k):
    # ⟨W₀, W*⟩ is exactly 0 in floating point too: the products are integers.
    check = check_lemma([-k * b, k * a], [Point([a, b])], [RAY])
    assert not check.applies
    assert check.holds


def test_degenerate_cases_and_where_a_closest_optimum_exists():
    at_zero = check_lemma([0.0, 0.0], [STAR], [RAY])
    assert (at_zero.left, at_zero.right, at_zero.applies, at_zero.holds) == (0, 0, False, True)
    no_star = check_lemma([3.0, 4.0], [Point([0.0, 0.0])], [RAY])
    assert (no_star.right, no_star.applies) == (25.0, False)
    assert no_star.error < 1e-11
    assert check_lemma([1, 0], [Point([0, 0], 0.5)], [Ray([1, 0.5])]).undecided  # W* = (±0.5, 0)?
    behind = check_lemma([-3.0, -4.0], [STAR], [RAY])
    assert (behind.left, behind.applies, behind.holds) == (25.0, False, True)
    single = check_lemma([2.0, 0.0], [STAR], [Point([1.0, 1.0])])  # centre only: a point
    assert single.left == 2.0
    check = check_lemma([[3, -4], [3, -6], [0, 0]], [STAR], [RAY])
    assert check.exists.tolist() == [True, False, False]
    assert check.left.tolist()[1:] == [45.0, 0.0]  # ‖W₀‖², the infimum
    assert "exists=False" in repr(check_lemma([3, -6], [STAR], [RAY]))
    assert check_lemma([3, -6], [STAR], [STAR]).exists


@pytest.mark.parametrize("optima", [([STAR], [RAY]), ([STAR, Point([0.0, 2.0])], [RAY, STAR])])
@pytest.mark.parametrize("size", [1, 3, 7, 8])
def test_results_do_not_depend_on_the_blocks(optima, size, monkeypatch):
    starts = np.random.default_rng(5).normal(size=(2, 4, 2))
    whole = check_lemma(starts, *optima)
    monkeypatch.setattr(bnlib._verdict, "_BLOCK", 2 * size)
    parts = check_lemma(starts, *optima)
    assert (parts.applies == whole.applies).all()
    assert (parts.violated == whole.violated).all()
    oracles.agree("left", parts.left, whole.left, 1e-14)
    oracles.agree("right", parts.right, whole.right, 1e-14)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_entry_that_is_not_finite_is_named_in_any_block(wrong):
    starts = np.ones((2, 100_000, 2))
    starts[1, 99_999, 1] = wrong
    told = rf"^start: entry \(1, {{}}\) is {wrong}; remove"
    oracles.refused(told.format("99999, 1"), check_lemma, starts, [STAR], [RAY])
    starts[1, 99_999, 1] = 1e200
    told_large = "^start: the squared norm is too large.*rescale"
    oracles.refused(told_large, check_lemma, starts, [STAR], [RAY])
    for optimum in (STAR, RAY):
        oracles.refused(told.format(0), optimum.squared_distance, [[1.0, 2.0], [wrong, 1.0]])


def test_beside_the_starts_only_a_block_is_in_memory():
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


@oracles.each([(0.3, 2), (np.pi / 2, 3), (2.5, 5)])
def test_the_failure_rate_is_the_law_in_both_readings(theta, d):
    star, ray = sampling.plane_with(theta, d, seed=1)
    starts = np.random.default_rng(d).normal(size=(200_000, d))
    check = check_lemma(starts, [star], [ray])
    n, closest = (np.count_nonzero(check.applies & each) for each in (True, check.exists))
    assert not check.undecided.any()
    for name, count, law in (  # R4
        ("infimum", n, 0.5 + theta / (2 * np.pi)),
        ("strict", n, 0.5 - theta / (2 * np.pi)),
        ("given_closest", closest, 0.5),
    ):
        rate = getattr(check.failure_rate, name)
        sampling.within(name, Estimate.of_proportion(round(rate * count), count), law)


def test_what_the_errors_of_the_optima_cannot_tell_is_undecided():
    bisector = STAR.weights / np.sqrt(10) + RAY.direction  # where both sides are equal
    turn = np.array([-bisector[1], bisector[0]])
    starts = [bisector, bisector + 1e-5 * turn, bisector - 0.1 * turn, bisector + 0.1 * turn]
    starts = [*starts, STAR.weights, [1.0, -3.0], [1.00001, -3.0], [-3.0, -1.0]]
    rough = Point(STAR.weights, error=1e-3)
    check = check_lemma(starts, [rough], [RAY])
    assert check.undecided.tolist() == [True, True, False, False, False, True, True, False]
    assert check.violated.tolist() == [False, False, True, False, True, False, False, False]
    assert (check.holds != check.violated).all()
    assert (check.error > 0).all()
    assert check_lemma([0, 0], [STAR], [RAY]).error > 0  # squares that underflow are lost
    assert "4 undecided" in repr(check)
    assert "undecided=True" in repr(check_lemma(starts[0], [rough], [RAY]))
    sharp = check_lemma(starts[1:], [STAR], [RAY])
    assert not sharp.undecided.any()
    assert sharp.violated.tolist() == [False, True, False, True, False, True, False]
    known = check_lemma(starts, [STAR], [Ray(RAY.direction, error=2.0)])
    assert not known.violated.any()  # of a direction that is not known at all
    assert known.failure_rate.infimum == 0
    vast = Point([BIG, BIG, 0], along=[[0], [0], [1]]), Ray([1, 2, 0], error=BIG)
    assert check_lemma([5e9, 1, 1], vast[:1], vast[1:]).undecided  # the bound is infinite
    ray, points = Ray([1.0, 0.0]), [Point([4.0, 2.0]), Point([4.0, 0.0])]
    check = check_lemma([[4.0, 1.0], [4.0, 1.01], [4.0, 0.99]], points, [ray])
    assert check.undecided.tolist() == [True, False, False]
    assert check.violated.tolist() == [False, True, False]
    rough = [Point([4.0, 2.0], error=0.02), points[1]]
    assert check_lemma([[4.0, 1.01], [4.0, 1.5]], rough, [ray]).undecided.tolist() == [True, False]
    both = [Point([4.0, 2.0]), Point([4.1, 1.0])]  # a tie, and violated for either
    at = np.array([4.05, 1.5])
    assert check_lemma(at + [[0.0, 0.0]], both, [ray]).violated.all()


CENTRED = [[-1, 0], [0, 1], [1, -1]]  # x̄ = 0, W* = û with thirds
SAME = {
    "scale only": (counterexample(), Neuron(normalization=BatchNorm(center=False))),
    "scale only, γ": (counterexample(), Neuron(normalization=BatchNorm(center=False, gamma=3.0))),
    "centred": (LearningSet(CENTRED, [1, 2, 5]), BN),
    "centred and short": (LearningSet(CENTRED, [1e-3, 2e-3, 5e-3]), BN),
    "centred by thirds": (LearningSet([[-1], [0], [1]], [1, 2, 5]), BN),
    "exact": (LearningSet([[1, 0], [0, 1], [1, 1]], [5, 3, 8]), BN),
}


@oracles.each(SAME)
def test_equality_is_known_from_the_structure(data, neuron):
    (star,), normalized = Neuron().optima(data), neuron.optima(data)
    around = np.random.default_rng(4).normal(size=(300, data.d))
    close = star.weights * (1 + 1e-9 * around) + 1e-16 * around
    check = check_lemma(np.vstack([around, close, star.weights]), [star], normalized)
    assert not (check.violated | check.undecided).any()
    assert (check.margin[check.applies] == 0).all()
    assert (check.error[check.applies] == 0).all()
    assert np.count_nonzero(check.applies) > 400


def test_equal_directions_are_one_ray_only_if_they_are_exact():
    starts = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-9], [1e9, 1.0]])
    for size in (1.0, 1e-100, 0.75, 1e100):
        check = check_lemma(starts, [Point([size, 2 * size])], [Ray([0.5, 1.0])])
        assert not (check.violated | check.undecided).any()
        assert (check.margin == 0).all()
    for point, ray in (
        (Point([1.0, 2.0], error=1e-9), Ray([1.0, 2.0])),
        (Point([1.0, 2.0]), Ray([1.0, 2.0], error=1e-9)),
    ):
        assert check_lemma(starts, [point], [ray]).undecided.any()


GENERIC = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
KERNELS = {
    "constant column": (np.column_stack([np.full(4, 3.0), GENERIC]), [2, 0, 5, 1], True),
    "combination of ones": (np.column_stack([GENERIC, 1 - GENERIC[:, 0]]), [2, 0, 5, 1], True),
    "as many as examples": ([[1, 2, 0], [0, 1, 5]], [1, 3], True),
    "doubled column": (GENERIC[:, [0, 1, 1]], [2, 0, 5, 1], False),
    "doubled, as (1, 2)": (GENERIC @ [[1, 0, 0], [0, 1, 2]], [2, 0, 5, 1], False),
    "zero column": (np.column_stack([GENERIC, 0 * GENERIC[:, :1]]), [2, 0, 5, 1], False),
    "doubled and constant": (np.c_[np.ones(4), GENERIC, GENERIC[:, 1]], [2, 0, 5, 1], True),
    "uncorrelated": ([[-1, -1], [0, 0], [1, 1]], [1, 0, 1], True),
    "doubled, centred": ([[-1, -1], [0, 0], [1, 1]], [1, 2, 5], True),
}


@oracles.each(KERNELS)
def test_with_a_kernel_the_lemma_is_true_or_fails_as_the_theorem_says(x, t, true):  # R12
    data = LearningSet(x, t)
    (star,), normalized = Neuron().optima(data), BN.optima(data)
    rng = np.random.default_rng(3)
    far, near = rng.normal(size=(20, data.d)), star.weights + 0.1 * rng.normal(size=data.d)
    rational.compare_lemma(data, np.vstack([far, near]))
    many = np.vstack([rng.normal(size=(2000, data.d)), star.weights * np.ones((1, 1))])
    check = check_lemma(many, [star], normalized)
    assert check.violated.any() == (not true)
    assert check.violated[-1] == (not true)  # at W₀ = w*
    assert not check.undecided.any()


def test_where_the_loss_is_constant_every_start_is_optimal_or_the_limit_of_optima():
    data = LearningSet([[-1, -1, 0], [0, 0, 1], [1, 1, 0]], [1, 0, 1])
    data = data.with_targets([1.0, 1.0, 1.0])  # c = 0, W* = (0, 0, 1)
    normalized = BN.optima(data)
    assert normalized == [Point(np.zeros(3), along=np.eye(3))]
    starts = [[1, 2, 3], [1, -1, 1], [1, -1, 0], [0, 0, 1]]
    check = check_lemma(starts, Neuron().optima(data), normalized)
    assert check.exists.tolist() == [True, True, False, True]  # ker X_c: (1, −1, 0)
    assert not check.left.any()
    assert not (check.violated | check.undecided).any()


def test_a_point_known_too_little_is_not_taken_to_lie_in_a_kernel():
    half_plane = [Ray([1.0, 0.0], along=[[0.0], [1.0]])]
    for size, error, undecided in ((1, 0.0, False), (1, 0.5, True), (1e3, 1e-4, False)):
        check = check_lemma([size, 0.0], [Point([size, 0.0], error)], half_plane)
        assert not check.violated
        assert check.undecided == undecided
