"""What does batch norm do to networks of any depth? Needs JAX; importing it selects float64."""

from bn_experiments.networks.curvature import along_gradient, largest_eigenvalue, spectrum
from bn_experiments.networks.insertion import (
    check_insertion,
    fold,
    insert,
    inserted_gradient,
    unfold,
)
from bn_experiments.networks.network import Network
from bn_experiments.networks.network_lemma import pooled_sides, reached_sides
from bn_experiments.networks.stationary import stationary_point
from bn_experiments.networks.training import (
    accuracies,
    batch_order,
    losses,
    starts,
    train,
    travel,
    unstacked,
)

__all__ = [
    "Network",
    "accuracies",
    "along_gradient",
    "batch_order",
    "check_insertion",
    "fold",
    "insert",
    "inserted_gradient",
    "largest_eigenvalue",
    "losses",
    "pooled_sides",
    "reached_sides",
    "spectrum",
    "starts",
    "stationary_point",
    "train",
    "travel",
    "unfold",
    "unstacked",
]
