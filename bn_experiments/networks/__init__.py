"""What does batch norm do to networks of any depth? Needs JAX; importing it selects float64."""

from bn_experiments.networks.curvature import (
    AlongGradient,
    along_gradient,
    largest_eigenvalue,
    spectrum,
)
from bn_experiments.networks.insertion import (
    InsertionCheck,
    check_insertion,
    fold,
    insert,
    inserted_gradient,
)
from bn_experiments.networks.network import Network, Pass
from bn_experiments.networks.network_lemma import pooled_sides, reached_sides
from bn_experiments.networks.stationary import StationaryPoint, stationary_point
from bn_experiments.networks.trained import Travel, accuracies, travel
from bn_experiments.networks.training import (
    Training,
    batch_order,
    losses,
    starts,
    train,
    unstacked,
)

__all__ = [
    "AlongGradient",
    "InsertionCheck",
    "Network",
    "Pass",
    "StationaryPoint",
    "Training",
    "Travel",
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
    "unstacked",
]
