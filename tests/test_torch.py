"""PyTorch's batch norm against this library's, where PyTorch is installed.

PyTorch is no requirement of the book. Elsewhere these tests are skipped, with the reason in the
summary; JAX, which is always there, is the oracle of the other tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bnlib import BatchNorm, LearningSet, MiniBatchNeuron, Neuron
from tests import oracles

torch: Any = pytest.importorskip(
    "torch", reason="PyTorch is not installed: its batch norm cannot be compared"
)

EPSILONS = (0.0, 1e-5, 0.3)

# In training PyTorch (2.13) refuses ε = 0, the case of the lemma. Added to a variance of order 1
# this number changes no digit of it.
AS_ZERO = 1e-30


def torch_layer(y: Any, norm: BatchNorm, **options: Any) -> Any:
    """Return z for one unit: PyTorch wants the examples first and the channels second."""
    weight, bias = (torch.tensor([each], dtype=torch.float64) for each in (norm.gamma, norm.beta))
    options = {"running_mean": None, "running_var": None, "training": True, **options}
    answer = torch.nn.functional.batch_norm(
        y[:, None], weight=weight, bias=bias, eps=norm.epsilon or AS_ZERO, **options
    )
    return answer[:, 0]


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("seed", range(4))
def test_forward_and_backward(epsilon: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    norm = BatchNorm(gamma=float(rng.normal()), beta=float(rng.normal()), epsilon=epsilon)
    y, cotangent = rng.normal(0.7, 1.3, (2, 9))
    leaf = torch.tensor(y, requires_grad=True)
    z = torch_layer(leaf, norm)
    oracles.agree("z", norm.forward(y), z.detach().numpy(), 1e-13)
    z.backward(torch.tensor(cotangent))
    oracles.agree("Jᵀ g", norm.derivative(y, cotangent), leaf.grad.numpy(), 1e-12)


@pytest.mark.parametrize("epsilon", EPSILONS)
@pytest.mark.parametrize("size", [3, 7])
def test_loss_and_gradient_of_a_neuron(epsilon: float, size: int) -> None:
    """The whole learning set is one batch, or the mean over all batches of three."""
    data = oracles.normal_set(3, m=7, d=3)
    norm = BatchNorm(gamma=1.4, beta=-0.2, epsilon=epsilon)
    neuron, w = MiniBatchNeuron(Neuron("tanh", norm), size), np.array([0.4, -1.0, 0.7])
    leaf = torch.tensor(w, requires_grad=True)
    losses = []
    for rows in neuron.batches(data):
        x, t = torch.tensor(data.inputs[rows]), torch.tensor(data.targets[rows])
        losses.append(((torch.tanh(torch_layer(x @ leaf, norm)) - t) ** 2).mean())
    loss = torch.stack(losses).mean()
    loss.backward()
    oracles.agree("loss", neuron.loss(w, data), loss.item(), 1e-13)
    oracles.agree("gradient", neuron.gradient(w, data), leaf.grad.numpy(), 1e-11)


def test_evaluation_mode_is_a_standard_neuron_with_other_targets() -> None:
    data = oracles.normal_set(4, m=8, d=2)
    norm, mean, variance = BatchNorm(gamma=1.7, beta=0.4, epsilon=1e-3), 0.3, 2.1
    w = np.array([0.8, -0.5])
    leaf = torch.tensor(w, requires_grad=True)
    averages = {
        "running_mean": torch.tensor([mean], dtype=torch.float64),
        "running_var": torch.tensor([variance], dtype=torch.float64),
    }
    z = torch_layer(torch.tensor(data.inputs) @ leaf, norm, training=False, **averages)
    loss = ((z - torch.tensor(data.targets)) ** 2).mean()
    loss.backward()
    divisor = np.sqrt(variance + norm.epsilon)
    moved = data.with_targets(mean + divisor / norm.gamma * (data.targets - norm.beta))
    factor = (norm.gamma / divisor) ** 2
    oracles.agree("loss", factor * Neuron().loss(w, moved), loss.item(), 1e-12)
    oracles.agree("gradient", factor * Neuron().gradient(w, moved), leaf.grad.numpy(), 1e-11)


def test_running_averages_take_the_unbiased_variance_of_the_batch() -> None:
    y = np.random.default_rng(8).normal(2.0, 1.5, 6)
    mean = torch.zeros(1, dtype=torch.float64)
    variance = torch.ones(1, dtype=torch.float64)
    norm = BatchNorm()
    z = torch_layer(torch.tensor(y), norm, running_mean=mean, running_var=variance, momentum=0.25)
    assert float(mean) == pytest.approx(0.25 * y.mean(), rel=1e-14)
    assert float(variance) == pytest.approx(0.75 + 0.25 * y.var(ddof=1), rel=1e-14)
    # The normalization itself divides by the population variance.
    oracles.agree("z", (y - y.mean()) / y.std(), z.numpy(), 1e-14)


def test_averaged_over_all_batches_they_are_those_of_the_learning_set() -> None:
    """Momentum None of BatchNorm1d takes the plain mean of the batches it has seen."""
    data = LearningSet(np.random.default_rng(9).normal(1.0, 2.0, (7, 1)), np.zeros(7))
    y = data.inputs[:, 0]
    for size in (2, 3, 5):
        layer = torch.nn.BatchNorm1d(1, eps=AS_ZERO, momentum=None, dtype=torch.float64)
        for rows in MiniBatchNeuron(Neuron(), size).batches(data):
            layer(torch.tensor(y[rows])[:, None])
        assert float(layer.running_mean) == pytest.approx(y.mean(), rel=1e-12)
        assert float(layer.running_var) == pytest.approx(y.var(ddof=1), rel=1e-12)
