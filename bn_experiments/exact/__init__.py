"""The same objects in SymPy: exact rationals and radicals, and symbols for proofs.

Every name mirrors the floating-point library, whose docstrings hold; numbers may be SymPy
expressions, and a float is the binary fraction it is. The formulas are written down again rather
than shared: gradients and Hessians are SymPy derivatives of the loss, and the lemma's right side
is the formula as printed. So the two implementations can contradict each other, and tests ask
whether they do. Errors are ``ValueError``, as there.
"""

from bn_experiments.exact.lemma import (
    LemmaCheck,
    angle,
    check_lemma,
    failure_probability,
    mean_excess,
)
from bn_experiments.exact.neuron import BatchNorm, LearningSet, Neuron, Point, Ray, counterexample

__all__ = [
    "BatchNorm",
    "LearningSet",
    "LemmaCheck",
    "Neuron",
    "Point",
    "Ray",
    "angle",
    "check_lemma",
    "counterexample",
    "failure_probability",
    "mean_excess",
]
