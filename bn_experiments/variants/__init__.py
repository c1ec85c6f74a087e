"""What of batch norm as frameworks ship it: what mini-batches and running averages change."""

from bn_experiments.variants.mini_batch import MiniBatchNeuron
from bn_experiments.variants.pairs import Sector, best_sectors, check_sectors
from bn_experiments.variants.running_averages import evaluated_optima, trained_parameters

__all__ = [
    "MiniBatchNeuron",
    "Sector",
    "best_sectors",
    "check_sectors",
    "evaluated_optima",
    "trained_parameters",
]
