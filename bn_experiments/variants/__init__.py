"""What mini-batches, running averages and other divisors change of batch norm."""

from bn_experiments.variants.mini_batch import MiniBatchNeuron
from bn_experiments.variants.pairs import Sector, best_sectors, check_sectors
from bn_experiments.variants.running_averages import evaluated_optima, trained_parameters
from bn_experiments.variants.uncentred import UncentredNeuron

__all__ = [
    "MiniBatchNeuron",
    "Sector",
    "UncentredNeuron",
    "best_sectors",
    "check_sectors",
    "evaluated_optima",
    "trained_parameters",
]
