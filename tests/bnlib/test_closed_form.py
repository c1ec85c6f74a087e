"""Closed-form optima: against blind minimisation, SymPy and the identities they must obey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bn_experiments import exact
from bn_solver.linear_fit import linear_fit
from bnlib import BatchNorm, LearningSet, Neuron, Point, Ray, closed_form, counterexample
from bnlib.closed_form import linear_optima
from tests import oracles

CASES = {
    "none": Neuron(),
    "bias": Neuron(bias=True),
    "centre": Neuron(normalization=BatchNorm(scale=False, gamma=-1.5, beta=0.4)),
    "affine-only": Neuron(normalization=BatchNorm(center=False, scale=False, gamma=2.0, beta=0.7)),
    "full": Neuron(normalization=BatchNorm()),
    "full-flipped": Neuron(normalization=BatchNorm(gamma=-0.7, beta=0.4)),
    "scale": Neuron(normalization=BatchNorm(center=False)),
    "scale-beta": Neuron(normalization=BatchNorm(center=False, gamma=1.3, beta=0.8)),
    "epsilon": Neuron(normalization=BatchNorm(epsilon=0.2, gamma=4.0)),
    "epsilon-flipped": Neuron(normalization=BatchNorm(epsilon=3.0, gamma=-5.0, beta=1.0)),
    "scale-epsilon": Neuron(normalization=BatchNorm(center=False, epsilon=0.2, gamma=4.0)),
}
every_case = pytest.mark.parametrize("neuron", CASES.values(), ids=CASES)


@every_case
@pytest.mark.parametrize("seed", [1, 2])
def test_optima_agree_with_blind_minimisation(neuron, seed):
    oracles.compare_optimum(neuron, oracles.normal_set(seed, m=6, d=2))


@every_case
@given(data=oracles.well_conditioned(min_d=2))
def test_optima_are_stationary_and_minimal(neuron, data):
    for optimum in neuron.optima(data):
        w = optimum.weights if isinstance(optimum, Point) else 2.0 * optimum.direction
        step = 0.1 * np.linalg.norm(w)
        others = w + step * np.random.default_rng(0).normal(size=(20, len(w)))
        elsewhere = neuron.gradient(others, data)
        oracles.agree("gradient", neuron.gradient(w, data), 0 * w, 1e-9, np.abs(elsewhere).max())
        best, around = neuron.loss(w, data), neuron.loss(others, data)
        assert (around >= best - 1e-12 * (around + best)).all()
        curvature = np.linalg.eigvalsh(neuron.hessian(w, data))
        around = neuron.hessian(others, data)
        assert neuron.normalization is None or (around == np.swapaxes(around, 1, 2)).all()
        assert curvature[0] >= -1e-9 * curvature[-1]


def test_without_an_optimum_the_loss_falls_along_the_ray_also_at_the_threshold():
    data = counterexample()
    assert linear_optima(data, BatchNorm(epsilon=0.5, gamma=1e-310)) == []
    for gamma in (1.0, -1.0):
        neuron = Neuron(normalization=BatchNorm(epsilon=0.5, gamma=gamma))
        assert neuron.optima(data) == []
        (ray,) = Neuron(normalization=BatchNorm(gamma=gamma)).optima(data)
        k = 2.0 ** np.arange(-6, 12)
        losses = neuron.loss(k[:, None] * ray.direction, data)
        assert (np.diff(losses) < 0).all()
        infimum = Neuron(normalization=BatchNorm(gamma=gamma)).loss(ray.direction, data)
        assert 0 < losses[-1] - infimum < 1e-5 * infimum
    # Targets with unit standard deviation and an exact fit: r is 1, computed or not.
    fitted = data.inputs @ linear_optima(data, BatchNorm(scale=False))[0].weights
    for scale in (1.0, 1 / 3, 7.0, 1e-5):
        level = fitted.std() * scale
        normalization = BatchNorm(gamma=level, epsilon=1e-5)
        assert linear_optima(data.with_targets(scale * fitted), normalization) == []
        wider = BatchNorm(gamma=1.001 * level, epsilon=1e-5)
        assert len(linear_optima(data.with_targets(scale * fitted), wider)) == 1


@given(data=oracles.well_conditioned())
def test_a_small_gamma_loses_the_optimum_and_a_large_one_has_it(data):
    # R9: the optimum exists exactly if the fitted values are smaller than γ in root mean square.
    centered = data.inputs - data.mean_input
    fit = centered @ np.linalg.lstsq(centered, data.targets - data.mean_target, rcond=None)[0]
    spread = float(np.sqrt(np.mean(fit**2)))
    assert linear_optima(data, BatchNorm(gamma=0.99 * spread, epsilon=0.1)) == []
    (point,) = linear_optima(data, BatchNorm(gamma=1.01 * spread, epsilon=0.1))
    (ray,) = linear_optima(data, BatchNorm())
    oracles.agree("ray", Ray(point.weights).direction, ray.direction, 1e-9)


@given(data=oracles.well_conditioned())
def test_centring_is_a_free_intercept_and_scale_alone_changes_nothing(data):
    (star,), (slope,) = linear_optima(data), linear_optima(data, BatchNorm(scale=False))
    (with_bias,) = linear_optima(data, bias=True)  # R7
    oracles.agree("R7", with_bias.weights[:-1], slope.weights, 1e-10)
    (ray,), (flipped,) = (linear_optima(data, BatchNorm(gamma=g)) for g in (2.0, -2.0))
    oracles.agree("R2", ray.direction, Ray(slope.weights).direction, 1e-10)
    oracles.agree("flip", flipped.direction, -ray.direction, 1e-13)
    (scale_only,) = linear_optima(data, BatchNorm(center=False))  # R6
    oracles.agree("R6", scale_only.direction, Ray(star.weights).direction, 1e-12)
    for unit in (1.0, 1e-300):  # with the smaller one weights may underflow
        smaller = data.with_targets(unit * data.targets)
        (biased,) = linear_optima(smaller, BatchNorm(center=False), bias=True)
        oracles.agree("R6 with bias", biased.direction, Ray(with_bias.weights).direction, 1e-10)


@pytest.mark.parametrize(("level", "off"), [(0.99, 4e-3), (0.6, 0.39), (0.1, 0.5), (1 - 1e-9, 0.0)])
def test_the_error_covers_that_of_the_size_of_the_fitted_values(level, off, monkeypatch):
    fit = linear_fit(np.ones((1, 1)), np.ones(1), intercept=False, bias=False)

    def optimum(**known):
        given = fit._replace(**{"level": level, "level_error": off} | known)
        monkeypatch.setattr(closed_form, "linear_fit", lambda *_, **__: given)
        return next(iter(linear_optima(counterexample(), BatchNorm(epsilon=0.25))), None)

    assert optimum(level=1 - 4 * oracles.EPS, level_error=0.0) is None  # it may be 1
    for end in (abs(level - off), level + off):
        moved = optimum(level=end, level_error=0.0).weights - optimum().weights
        assert np.abs(moved) <= optimum().error
    for error in 2.0 ** np.arange(-50, 0):  # of the solution, 1: its length is added
        more = error * optimum().weights[0] * (1 - 1e-6)
        assert optimum(error=error).error >= (optimum().error + more) * (1 - oracles.EPS)


def test_inputs_without_spread_leave_all_weights_free_where_nothing_is_divided_by_zero():
    zero, equal = (LearningSet(np.full((3, 2), each), [1, 2, 3]) for each in (0.0, 2.0))
    for data, norm in ((zero, None), (equal, BatchNorm(epsilon=1.0))):
        (point,) = linear_optima(data, norm)
        assert (point.weights.tolist(), point.along.shape) == ([0.0, 0.0], (2, 2))


@given(data=oracles.well_conditioned())
def test_sherman_morrison_joins_both_optima(data):
    (star,), (hat,) = linear_optima(data), linear_optima(data, BatchNorm(scale=False))
    s = np.linalg.solve(data.input_covariance, data.mean_input)
    intercept = data.mean_target - data.mean_input @ hat.weights
    expected = hat.weights + s * intercept / (1 + data.mean_input @ s)
    oracles.agree("R2", star.weights, expected, 1e-8, float(np.abs(hat.weights).max()))
    normal = np.linalg.solve(data.input_covariance, data.cross_covariance)
    oracles.agree("Σ⁻¹c", hat.weights, normal, 1e-8)


@given(data=oracles.well_conditioned())
def test_optima_agree_with_sympy(data):
    same = exact.LearningSet(data.inputs, data.targets)
    for center, scale in ((True, True), (False, True), (True, False)):
        (actual,) = linear_optima(data, BatchNorm(center, scale))
        normal = exact.BatchNorm(center, scale)
        (expected,) = exact.Neuron(normalization=normal).optima(same)
        numbers = getattr(expected, "weights", None) or expected.direction
        vector = np.array(numbers.evalf(30).tolist(), float)[:, 0]
        if isinstance(actual, Ray):
            oracles.agree("ray", actual.direction, vector / np.linalg.norm(vector), 1e-11)
        else:
            oracles.agree("point", actual.weights, vector, 1e-11)


def test_optima_follow_the_units_of_all_inputs_or_of_each():
    data = counterexample()
    powers = [(-150, -150), (150, 150), (-75, 150), (150, -75), (0, 150), ([-140, 140], 0)]
    for p, q in powers:
        units, unit = 10.0 ** np.array(p), 10.0**q
        scaled = LearningSet(data.inputs * units, data.targets * unit)
        (point,) = linear_optima(scaled)
        oracles.agree("point", point.weights * units / unit, [3.0, 1.0], 1e-13)
        if np.ndim(p) == 0:
            (ray,) = linear_optima(scaled, BatchNorm())
            oracles.agree("ray", ray.direction, np.array([5.0, 3.0]) / np.sqrt(34), 1e-13)


def test_a_kernel_that_no_float_holds_is_known_up_to_an_error():
    x = np.random.default_rng(0).integers(-9, 9, (6, 2))
    data = LearningSet(np.column_stack([x, x.sum(axis=1)]), x[:, 0] ** 2)
    for norm in (None, BatchNorm(scale=False), BatchNorm()):
        (optimum,) = linear_optima(data, norm)  # the kernel is (1, 1, −1)/√3
        assert 0 < optimum.along_error < 1e-13
        oracles.agree("kernel", np.abs(optimum.along[:, 0]), np.full(3, 3**-0.5), 1e-15)


@given(st.integers(1, 9), st.integers(4, 40), st.floats(-1e3, 1e3))
def test_the_weight_of_a_constant_column_is_free_whatever_its_value(seed, m, value):
    # The mean of equal floats need not be exactly that float.
    x, t = np.random.default_rng(seed).normal(size=(2, m))
    data = LearningSet(np.column_stack([np.full(m, value), x]), t)
    slope = float(np.polyfit(x, t, 1)[0])
    level = abs(slope) * float(x.std())
    for norm, weight in (
        (BatchNorm(gamma=-2.0), -np.sign(slope)),
        (BatchNorm(scale=False, gamma=2.0), slope / 2),
        (BatchNorm(epsilon=0.1, gamma=2 * level), slope / level * np.sqrt(0.1 / 3)),
    ):
        (optimum,) = linear_optima(data, norm)
        oracles.agree("weights", optimum.vector, [0.0, weight], 1e-9)
        oracles.agree("kernel", np.abs(optimum.along), [[1.0], [0.0]], 1e-15)


@pytest.mark.parametrize(
    ("data", "norm"),
    [
        (LearningSet([[1e-160]], [1e150]), None),
        (LearningSet([[1.0]], [1.7e308]), BatchNorm(center=False, beta=-1.7e308)),
        (LearningSet([[1.0], [2.0]], [3.0, 4.0]), BatchNorm(scale=False, gamma=1e-320)),
        (
            LearningSet([[0, -24], [0, 0], [0, 129]], [-1.7e308, -0.7, 1.7e308]),
            BatchNorm(center=False, beta=0.7),
        ),
    ],
    ids=["weights-overflow", "beta-overflow", "gamma-underflow", "fit-overflow"],
)
def test_an_optimum_beyond_float64_is_blamed_on_the_data(data, norm):
    # An error may not name the weights or the direction: the caller gave neither.
    oracles.refused("^(inputs|targets|data|gamma)", linear_optima, data, norm)


def test_what_would_underflow_or_cancel_has_its_optimum():
    data = LearningSet([[1e150, 3e150], [-2e150, 1e150], [0, 5e150]], [1e-200, 2e-200, 0.0])
    unit = LearningSet([[1, 3], [-2, 1], [0, 5]], [1, 2, 0])
    for norm in (BatchNorm(), BatchNorm(center=False), BatchNorm(center=False, beta=1e-200)):
        plain = BatchNorm(norm.center, beta=norm.beta * 1e200)
        (tiny,), (ray,) = linear_optima(data, norm), linear_optima(unit, plain)
        oracles.agree("direction", tiny.direction, ray.direction, 1e-14)
    (point,) = linear_optima(data)
    assert not point.weights.any()
    assert point.error > 0  # it is not 0, and says so
    data = LearningSet([[1.0], [-2.0]], [1.7e308, -1.7e308])
    assert linear_optima(data, BatchNorm(beta=-1.7e308)) == [Ray([1.0])]
    # At ε > 0 the loss is γ²r² + mean(t²) there: not the same in all directions.
    data = LearningSet([[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0])
    neuron = Neuron(normalization=BatchNorm(epsilon=0.1))
    (point,) = neuron.optima(data)
    assert point == Point([0.0])
    assert (neuron.loss([[-0.1], [0.1]], data) > neuron.loss([0.0], data)).all()
