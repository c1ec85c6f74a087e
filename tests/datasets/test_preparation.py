"""Preparations against scikit-learn, and the columns that are kept against ranks in NumPy."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler

from bn_experiments.datasets import PREPARATIONS, independent_columns, load_tasks, prepare, with_fit
from bn_experiments.datasets.preparation import centred_targets, without_intercept
from bnlib import BatchNorm, LearningSet, Ray
from bnlib.closed_form import linear_optima
from tests import oracles

GOOD = LearningSet([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.5]], [2.0, 0.0, 5.0, 1.0])
FLAT = LearningSet([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [2.0, 0.0, 5.0])


@oracles.each(["iris", "breast_cancer", "linnerud"])
def test_preparations_are_those_of_scikit_learn(source):
    data = load_tasks([source])[0].data
    wanted = zip(PREPARATIONS[1:], (False, True, True), (True, False, True), strict=True)
    for preparation, mean, scale in wanted:
        expected = StandardScaler(with_mean=mean, with_std=scale).fit_transform(data.inputs)
        found, size = prepare(data, preparation), np.abs(expected).max()
        np.testing.assert_allclose(found.inputs, expected, rtol=1e-9, atol=1e-11 * size)
        np.testing.assert_array_equal(found.targets, data.targets)
    assert prepare(data, "raw") == data
    assert not prepare(FLAT, "centred").inputs[:, 0].any()


@oracles.each(["iris", "wine", "linnerud"])
def test_targets_have_the_fit_that_was_asked_for(source):
    data = load_tasks([source])[0].data
    fit, size = LinearRegression().fit(data.inputs, data.targets), np.abs(data.targets).max()
    residuals = data.targets - fit.predict(data.inputs)
    slope = np.arange(1.0, 1.0 + data.d)
    for prepared, v, a in (
        (without_intercept(data), fit.coef_, 0.0),
        (centred_targets(data), fit.coef_, fit.intercept_ - data.targets.mean()),
        (with_fit(data, slope, -2.0), slope, -2.0),
    ):
        np.testing.assert_array_equal(prepared.inputs, data.inputs)
        expected = data.inputs @ v + a + residuals
        np.testing.assert_allclose(prepared.targets, expected, atol=1e-9 * size)


def test_constant_and_collinear_columns_are_told_apart_even_if_only_after_centring():
    a, b, c = np.random.default_rng(0).normal(size=(3, 40))
    x = np.column_stack([a, np.full(40, 0.1), b, 2 * a - b + 7, 1e9 * c, np.zeros(40)])
    kept, dropped = independent_columns(x)
    assert [j for j, why in dropped.items() if why == "constant"] == [1, 5]
    assert len(kept) == 3
    assert 4 in kept
    assert len({0, 2, 3} & set(kept)) == 2
    assert sorted([*kept, *dropped]) == list(range(6))
    # More columns than examples leave fewer than the examples.
    kept, dropped = independent_columns(np.random.default_rng(3).normal(size=(5, 9)))
    assert len(kept) == 4
    assert set(dropped.values()) == {"collinear"}
    groups = np.eye(3)[np.arange(30) % 3]  # indicators of three groups: they add up to 1
    assert np.linalg.matrix_rank(groups) == 3
    kept, dropped = independent_columns(groups)
    assert len(kept) == 2
    assert list(dropped.values()) == ["collinear"]
    t = np.random.default_rng(1).normal(size=30)
    (ray,) = linear_optima(LearningSet(groups, t), BatchNorm())
    (alone,) = linear_optima(LearningSet(groups[:, kept], t), BatchNorm())
    oracles.agree("kernel", np.abs(ray.along), np.full((3, 1), 1 / np.sqrt(3)), 1e-15)
    # The same optimum: the weight of the dropped column is 0 after a step along the kernel.
    (j,) = dropped
    moved = ray.direction - ray.direction[j]
    oracles.agree("ray", Ray(moved[kept]).direction, alone.direction, 1e-14)
    assert not alone.along.size


@oracles.each([1e-2, 1e-4, 1e-8])
def test_the_tolerance_is_the_distance_from_the_span(distance):
    rng = np.random.default_rng(2)
    frame = np.linalg.qr(np.column_stack([np.ones(50), rng.normal(size=(50, 2))]))[0][:, 1:]
    second = np.sqrt(1 - distance**2) * frame[:, 0] + distance * frame[:, 1]
    x = np.column_stack([frame[:, 0], second])
    for factor, number in ((0.5, 2), (2.0, 1)):
        assert len(independent_columns(x, tolerance=factor * distance)[0]) == number


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 4), st.integers(0, 2))
def test_the_kept_columns_are_a_basis(seed, rank, more, constant):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(30, rank))
    x = np.hstack([base, base @ rng.normal(size=(rank, more)), np.full((30, constant), 3.5)])
    x = (x * 10.0 ** rng.integers(-5, 6, x.shape[1]))[:, rng.permutation(x.shape[1])]
    kept, dropped = independent_columns(x)
    assert len(kept) == rank
    assert sum(why == "constant" for why in dropped.values()) == constant
    z = x[:, kept] - x[:, kept].mean(axis=0)
    assert np.linalg.matrix_rank(z / z.std(axis=0)) == rank


def test_bad_input_is_refused_with_a_reason():
    for inputs, message in (
        ([[1.0], [1.0]], "inputs: every column is constant"),
        ([1.0, 2.0], "inputs: expected shape"),
        ([[np.inf], [1.0]], "inputs: entry"),
        (np.empty((0, 2)), "inputs: need at least"),
        (np.empty((2, 0)), "inputs: need at least"),
    ):
        oracles.refused(f"^{message}", independent_columns, inputs)
    for each in (0.0, 1.0):
        oracles.refused("^tolerance: must lie", independent_columns, GOOD.inputs, tolerance=each)
    none = "data: expected a LearningSet"
    for call, arguments, message in (
        (prepare, (GOOD, "whitened"), "preparation: 'whitened' is unknown"),
        (prepare, (GOOD.inputs, "raw"), none),
        (prepare, (FLAT, "scaled"), "data: input 0 is constant"),
        (prepare, (FLAT, "standardised"), "data: input 0 is constant"),
        (without_intercept, (FLAT,), "inputs: "),
        (without_intercept, ("iris",), none),
        (centred_targets, ("iris",), none),
        (with_fit, ("iris", [1.0], 0.0), none),
        (with_fit, (GOOD, [1.0], 0.0), "slope: "),
        (with_fit, (GOOD, [1.0, 2.0], np.nan), "intercept: "),
    ):
        oracles.refused(f"^{message}", call, *arguments)
