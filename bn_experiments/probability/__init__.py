"""How often the lemma fails for a random initialization, and by how much."""

from bn_experiments.probability.estimate import Estimate, resampled_angles
from bn_experiments.probability.initialization import (
    Gaussian,
    Initialization,
    Sphere,
    Uniform,
    he,
    xavier,
)
from bn_experiments.probability.laws import point_failure_probability, weaker_failure_probability
from bn_experiments.probability.simulation import Simulation, simulate
from bn_experiments.probability.verdicts import check_weaker, verdict

__all__ = [
    "Estimate",
    "Gaussian",
    "Initialization",
    "Simulation",
    "Sphere",
    "Uniform",
    "check_weaker",
    "he",
    "point_failure_probability",
    "resampled_angles",
    "simulate",
    "verdict",
    "weaker_failure_probability",
    "xavier",
]
