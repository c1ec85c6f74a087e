"""Batch norm as frameworks ship it: mini-batches."""

from bn_experiments.variants.mini_batch import MiniBatchNeuron

__all__ = ["MiniBatchNeuron"]
