"""The quadratic model against quadratics that are known, and the polish against its roots."""

import numpy as np
import pytest

from bn_experiments.search.newton import distance_to_zero, polish, quadratic_model


def test_a_quadratic_is_its_own_model_and_the_polish_ends_at_the_zero_or_stays():
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    at, zero = np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.1, -0.7])
    for values, kind, flat in (
        ([1, 2, 5], "minimum", 0),
        ([-1, -2, -5], "maximum", 0),
        ([1, -2, 5], "saddle", 0),
        ([1, 0, 5], "minimum", 1),
        ([-1, 1e-14, 1e-13], "maximum", 2),
        ([0, 0, 0], "flat", 3),
    ):
        hessian = turn @ np.diag(values) @ turn.T
        model = quadratic_model(hessian @ (at - zero), hessian, flat=1e-12)
        assert (model.kind, model.flat) == (kind, flat), values
        steep = np.abs(values) > 1e-12
        expected = -(turn[:, steep] @ turn[:, steep].T) @ (at - zero)
        assert np.allclose(model.step, expected, rtol=0, atol=1e-12), values
        assert model.length == pytest.approx(np.linalg.norm(expected), abs=1e-12), values
        largest = max(map(abs, values)) or 1.0
        assert model.smallest == pytest.approx(min(values) / largest, abs=1e-12), values

    def gradient(v):
        if np.abs(v).max() > 1e6:
            raise ValueError("out of range")
        return np.array([np.sinh(v[0]), v[1] ** 3 + v[1]])

    def hessian(v):
        return np.diag([np.cosh(v[0]), 3 * v[1] ** 2 + 1])

    for method in ("hybr", "lm"):
        found = polish(gradient, hessian, np.array([0.1, -0.2]), method=method, xtol=1e-14)
        assert np.abs(found).max() < 1e-14, method
        far = np.array([1e7, 0.0])
        assert polish(gradient, hessian, far, method=method) is far, method


def test_a_zero_at_0_that_rounding_does_not_move_has_the_smallest_box():
    hessian = np.array([[2.0, 1.0], [1.0, 3.0]])
    values, basis = np.linalg.eigh(hessian)
    off = distance_to_zero(lambda v: v @ hessian @ basis, np.zeros_like, np.zeros(2), basis, values)
    assert 0 < off < 1e-16
