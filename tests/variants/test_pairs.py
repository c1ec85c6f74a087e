"""Batches of two: what the loss sees, which sectors are optimal, and the lemma with them."""

from itertools import combinations

import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import nnls

import bnlib
from bn_experiments.probability import verdict
from bn_experiments.variants import MiniBatchNeuron, Sector, best_sectors, check_sectors
from bnlib import LearningSet, Point, Ray
from tests import oracles
from tests.oracles import certificates
from tests.variants.test_mini_batch import BN, SIX

TWO = MiniBatchNeuron(BN, 2)
THREE = bnlib.counterexample()
SETS = [THREE, SIX, *(oracles.normal_set(seed, m=3 + seed, d=2) for seed in range(6))]


def test_batches_of_two_see_only_the_order():
    w = np.random.default_rng(1).normal(size=(200, 2))
    i, j = np.array(list(combinations(range(6), 2))).T
    signs = np.sign(w @ (SIX.inputs[i] - SIX.inputs[j]).T)
    score = (signs * (SIX.targets[i] - SIX.targets[j]) / 2).mean(axis=1)
    expected = 1 + np.mean(SIX.targets**2) - 2 * score
    assert np.allclose(TWO.loss(w, SIX), expected, rtol=1e-13)
    assert np.abs(TWO.gradient(w, SIX)).max() < 1e-12
    oracles.refused(r"examples \[0, 1\] are collinear.*sectors", TWO.optima, SIX)


@pytest.mark.parametrize("data", SETS, ids=repr)
def test_the_loss_is_smallest_in_these_sectors_and_nowhere_else(data):
    w = np.random.default_rng(2).normal(size=(20_000, 2))
    losses, sectors = TWO.loss(w, data), best_sectors(data)
    lowest = losses < losses.min() + 1e-9
    assert np.array_equal(np.any([each.contains(w) for each in sectors], axis=0), lowest)
    for sector in sectors:
        inside = (sector.first.direction + sector.last.direction) / 2
        assert TWO.loss(inside, data) == pytest.approx(losses.min(), rel=1e-12)
        for edge in sector:  # two pre-activations are equal there
            y = np.sort(data.inputs @ edge.direction)
            assert np.diff(y).min() < 1e-11


def test_on_the_three_points_the_sector_holds_the_standard_optimum():
    (sector,) = best_sectors(THREE)
    assert np.allclose([each.direction for each in sector], [[1, 0], [0.5**0.5, 0.5**0.5]])
    stars = bnlib.Neuron().optima(THREE)
    starts = np.random.default_rng(3).normal(size=(500, 2))
    assert verdict(starts, stars, [sector], check=check_sectors) == "true"
    # Turned by a right angle, the sector no longer holds it.
    away = Sector(*(Ray([-each.direction[1], each.direction[0]]) for each in sector))
    assert verdict(starts, stars, [away], check=check_sectors) == "fails"


def test_constant_targets_and_two_examples():
    everything = best_sectors(THREE.with_targets([2, 2, 2]))
    assert len(everything) == 6
    assert np.any([each.contains([-3.0, 0.2]) for each in everything])
    (half,) = best_sectors(LearningSet([[0, 0], [2, 0]], [0, 1]))  # where w₁ > 0
    w = np.array([[1.0, 5.0], [1.0, -5.0], [-1.0, 5.0], [-1.0, -5.0]])
    assert half.contains(w).tolist() == [True, True, False, False]


@pytest.mark.parametrize("data", SETS, ids=repr)
def test_the_left_side_is_the_distance_to_the_cone(data):
    """Against non-negative least squares: the point of a cone closest to a start."""
    starts, stars = 3 * np.random.default_rng(4).normal(size=(60, 2)), bnlib.Neuron().optima(data)
    sectors = best_sectors(data)
    cones = [np.column_stack([edge.direction for edge in each]) for each in sectors]
    expected = [min(nnls(cone, w)[1] ** 2 for cone in cones) for w in starts]
    check = check_sectors(starts, stars, sectors)
    oracles.agree("left", check.left, expected, 1e-12)
    plain = bnlib.check_lemma(starts, stars, [Ray([1.0, 1.0])])
    assert np.array_equal(check.right, plain.right)
    assert np.array_equal(check.applies, plain.applies)
    beyond = check.left > check.right + 1e-9
    assert np.array_equal(check.violated, check.applies & beyond)
    one = check_sectors(starts[0], stars, sectors)
    assert (one.left, one.violated) == (check.left[0], check.violated[0])


@oracles.each(range(12))
def test_edges_are_as_close_to_a_line_of_two_examples_as_they_say(seed):
    rng = np.random.default_rng(seed)
    data = oracles.normal_set(seed, m=6, d=2)
    offset = 10 ** rng.uniform(-3, 6) * rng.normal(size=2)
    data = LearningSet(data.inputs * 10 ** rng.uniform(-5, 5, 2) + offset, data.targets)
    with certificates.digits():
        rows = [mp.matrix([mp.mpf(v) for v in row]) for row in data.inputs.tolist()]
        normals = [(a - b) / mp.norm(a - b) for a, b in combinations(rows, 2)]
        for edge in (edge for sector in best_sectors(data) for edge in sector):
            u, v = (mp.mpf(each) for each in edge.direction.tolist())
            turned = [sign * mp.matrix([-v, u]) for sign in (1, -1)]
            away = min(mp.norm(n - each) for n in normals for each in turned)
            assert away <= edge.error < 1e-11


def test_inside_a_sector_the_lemma_is_true_by_structure_and_at_its_edge_it_is_undecided():
    # W* is so badly known that every verdict hangs on it, except inside.
    stars = [Point([3.0, 1.0], error=5.0)]
    error = 1e-6
    sector = Sector(Ray([1.0, 0.0], error), Ray([1.0, 1.0], error))
    angles = np.array([0.4, 2 * error, error / 2, -error / 2, -2 * error, 0.0])
    starts = 7 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    check = check_sectors(starts, stars, [sector])
    assert check.exists.all()
    assert not check.violated.any()
    assert check.undecided.tolist() == [False, False, True, True, True, True]
    assert (check.left == 0).tolist() == [True, True, True, False, False, True]
    assert (check.error >= 0).all()
    # An edge that is W* itself: on it both sides are 0.
    known = Sector(Ray([3.0, 1.0], error), Ray([1.0, 1.0], error))
    beside = np.array([[3.0, 1.0], [3.0, 1.0 - error], [3.0, 1.0 + 1e-3]])
    assert check_sectors(beside, [Point([3.0, 1.0])], [known]).undecided.tolist() == [1, 1, 0]
    away = check_sectors([[3.0, 0.9], [-1.0, -3.0]], [Point([0.5, 2.0])], [known])
    assert away.exists.tolist() == [True, False]


def test_data_without_sectors_are_refused():
    wide, twice = [[1, 2, 3], [0, 1, 5]], [[1, 2], [3, 4], [1, 2]]
    sets = [LearningSet(x, range(len(x))) for x in (wide, [[1, 2]], twice)]
    for data in [*sets, "three"]:
        oracles.refused(r"^data: ", best_sectors, data)
