"""On which learning sets: random ones, and those of scikit-learn."""

from bn_experiments.datasets.random import RandomLearningSets

__all__ = ["RandomLearningSets"]
