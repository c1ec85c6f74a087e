"""One neuron, batch normalization and the check of Lemma 4.5.

The library behind the book: a `LearningSet` goes into a `Neuron`, with or without a
`BatchNorm`; its optima, a `Point` or a `Ray`, go into `check_lemma`.
"""

from bnlib.activations import Activation, activation
from bnlib.batch_norm import BatchNorm
from bnlib.laws import failure_probability, mean_excess
from bnlib.learning_set import LearningSet, counterexample
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.neuron import Neuron
from bnlib.optima import Point, Ray, angle

__version__ = "0.10.2"

__all__ = [
    "Activation",
    "BatchNorm",
    "LearningSet",
    "LemmaCheck",
    "Neuron",
    "Point",
    "Ray",
    "activation",
    "angle",
    "check_lemma",
    "counterexample",
    "failure_probability",
    "mean_excess",
]
