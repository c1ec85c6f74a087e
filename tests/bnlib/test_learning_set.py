"""The learning set: moments, immutability, equality, and the three points of the book."""

import contextlib
import copy
import pickle

import numpy as np
import pytest
from hypothesis import given

from bn_experiments import exact
from bnlib import LearningSet, counterexample
from tests import oracles


@given(data=oracles.well_conditioned())
def test_moments_are_population_moments(data):
    x, t = data.inputs, data.targets
    covariance = np.cov(x.T, bias=True).reshape(data.d, data.d)
    both = np.cov(np.column_stack([x, t]).T, bias=True)
    oracles.agree("x̄", data.mean_input, x.sum(axis=0) / data.m, 1e-14, np.abs(x).max())
    oracles.agree("t̄", data.mean_target, t.sum() / data.m, 1e-14, np.abs(t).max())
    oracles.agree("Σ", data.input_covariance, covariance, 1e-13)
    size = float(np.sqrt(both.max() * both[-1, -1]))
    oracles.agree("c", data.cross_covariance, both[:-1, -1], 1e-13, size)
    oracles.agree("τ", data.target_std, np.sqrt(both[-1, -1]), 1e-13)
    assert (data.m, data.d) == x.shape


def test_the_three_points_and_their_moments():
    data = counterexample()
    assert data.inputs.tolist() == [[1, 0], [0, 1], [1, 1]]
    assert data.targets.tolist() == [2, 0, 5]
    oracles.agree("x̄", data.mean_input, [2 / 3, 2 / 3], 1e-15)
    oracles.agree("Σ", data.input_covariance, [[2 / 9, -1 / 9], [-1 / 9, 2 / 9]], 1e-15)
    oracles.agree("c", data.cross_covariance, [7 / 9, 1 / 9], 1e-14)
    oracles.agree("τ²", data.target_std**2, 38 / 9, 1e-15)
    same = exact.counterexample()
    assert np.array_equal(np.array(same.inputs.tolist(), float), data.inputs)
    assert [float(each) for each in same.targets] == data.targets.tolist()


@oracles.each([1e-150, 1e-75, 1e75, 1e150])
def test_moments_follow_the_units(size):
    data = counterexample()
    scaled = LearningSet(data.inputs * size, data.targets * size)
    oracles.agree("Σ", scaled.input_covariance / size / size, data.input_covariance, 1e-13)
    oracles.agree("c", scaled.cross_covariance / size / size, data.cross_covariance, 1e-13)
    oracles.agree("τ", scaled.target_std / size, data.target_std, 1e-13)


def test_moments_of_the_largest_numbers_are_finite_or_refused():
    huge = LearningSet([[1.7e308], [1.7e308]], [1.7e308, 1.6e308])
    for moment in ("mean_input", "mean_target", "input_covariance", "target_std"):
        with contextlib.suppress(ValueError):
            assert np.isfinite(getattr(huge, moment)).all(), moment


def test_the_arrays_are_frozen_copies_of_any_type_and_memory_order():
    x, t = np.eye(2), np.ones(2)
    data = LearningSet(x, t)
    x[0, 0] = t[0] = 9.0
    assert data.inputs[0, 0] == data.targets[0] == 1.0
    for array in (data.inputs, data.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5.0
        oracles.refused("WRITEABLE", array.setflags, write=True)
        assert array.dtype == np.float64
    with pytest.raises(AttributeError):
        data.inputs = x
    for dtype in (np.int8, np.uint64, np.float16, np.float32, bool):
        data = LearningSet(np.array([[1, 0], [0, 1], [1, 1]], dtype), [2, 0, 5])
        assert data == counterexample(), dtype
    x = np.arange(12.0).reshape(3, 4)
    assert LearningSet(np.asfortranarray(x), np.ones(3)) == LearningSet(x, np.ones(3))
    assert LearningSet(x[:, ::-1][:, ::-1], np.ones(6)[::2]) == LearningSet(x, np.ones(3))


def test_equality_hash_copies_other_targets_and_what_a_reader_sees():
    data = counterexample()
    for same in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert (same, hash(same)) == (data, hash(data))
        with pytest.raises(ValueError, match="read-only"):
            same.inputs[0, 0] = 1.0
    assert data != data.with_targets([2, 0, 4])
    assert data != LearningSet([[1], [0], [1]], [2, 0, 5])
    assert data != "data"
    assert len({hash(data.with_targets([2, 0, each])) for each in range(9)}) > 1
    zero, negative = LearningSet([[0.0]], [0.0]), LearningSet([[-0.0]], [-0.0])
    assert (zero, hash(zero)) == (negative, hash(negative))
    data = counterexample().with_targets([1, 2, 3])
    assert data.targets.tolist() == [1, 2, 3]
    assert repr(data) == "LearningSet(3 examples, 2 inputs)"
    assert repr(LearningSet([[1, 2]], [1])) == "LearningSet(1 example, 2 inputs)"
    assert repr(LearningSet([[1]], [1])) == "LearningSet(1 example, 1 input)"
    oracles.refused("targets: 2 targets for 3 examples", data.with_targets, [1, 2])
