"""On which learning sets: random ones, and those of scikit-learn."""

from bn_experiments.datasets.families import LinearFamily, NeuronFamily

__all__ = ["LinearFamily", "NeuronFamily"]
