"""One neuron, batch normalization and the check of Lemma 4.5.

The library behind the book: a `LearningSet` goes into a `Neuron`, with or without a
`BatchNorm`; its optima, a `Point` or a `Ray`, go into `check_lemma`. `bnlib.exact` holds the
same objects in SymPy.
"""

from bnlib.activations import ACTIVATIONS, Activation, activation
from bnlib.batch_norm import BatchNorm
from bnlib.closed_form import linear_optima
from bnlib.directions import DirectionScan, FlatArc, scan_directions
from bnlib.estimate import Estimate
from bnlib.families import LinearFamily, NeuronFamily
from bnlib.initialization import Gaussian, Initialization, Sphere, Uniform, he, xavier
from bnlib.landscape import Landscape, numerical_optima, search_weights
from bnlib.laws import failure_probability, mean_excess
from bnlib.learning_set import LearningSet, counterexample
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.mini_batch import MiniBatchNeuron
from bnlib.neuron import Neuron
from bnlib.optima import Optimum, Point, Ray, angle
from bnlib.pieces import FlatSector, PiecewiseMinima, piecewise_minima
from bnlib.resume import resumable_sweep
from bnlib.simulation import Simulation, simulate
from bnlib.stacked import StackedOptima, stacked_optima
from bnlib.sweep import sweep
from bnlib.weaker import check_weaker, weaker_failure_probability

__version__ = "0.3.0"

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "BatchNorm",
    "DirectionScan",
    "Estimate",
    "FlatArc",
    "FlatSector",
    "Gaussian",
    "Initialization",
    "Landscape",
    "LearningSet",
    "LemmaCheck",
    "LinearFamily",
    "MiniBatchNeuron",
    "Neuron",
    "NeuronFamily",
    "Optimum",
    "PiecewiseMinima",
    "Point",
    "Ray",
    "Simulation",
    "Sphere",
    "StackedOptima",
    "Uniform",
    "activation",
    "angle",
    "check_lemma",
    "check_weaker",
    "counterexample",
    "failure_probability",
    "he",
    "linear_optima",
    "mean_excess",
    "numerical_optima",
    "piecewise_minima",
    "resumable_sweep",
    "scan_directions",
    "search_weights",
    "simulate",
    "stacked_optima",
    "sweep",
    "weaker_failure_probability",
    "xavier",
]


def __getattr__(name: str) -> object:
    # Loaded on first use: importing SymPy takes most of a second, and python-flint is optional.
    if name in ("certify", "exact", "verify"):
        import importlib

        return importlib.import_module(f"bnlib.{name}")
    raise AttributeError(f"module 'bnlib' has no attribute {name!r}")
