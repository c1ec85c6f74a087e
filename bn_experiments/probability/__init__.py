"""How often the lemma fails for a random initialization, and by how much."""

from bn_experiments.probability.estimate import Estimate, resampled_angles
from bn_experiments.probability.initialization import Gaussian, Initialization, Sphere, Uniform, he
from bn_experiments.probability.laws import (
    mean_gain,
    point_failure_probability,
    weaker_failure_probability,
)
from bn_experiments.probability.reached import check_reached, reached_optimum
from bn_experiments.probability.simulation import Simulation, simulate
from bn_experiments.probability.verdicts import check_weaker, verdict, verdicts

__all__ = [
    "Estimate",
    "Gaussian",
    "Initialization",
    "Simulation",
    "Sphere",
    "Uniform",
    "check_reached",
    "check_weaker",
    "he",
    "mean_gain",
    "point_failure_probability",
    "reached_optimum",
    "resampled_angles",
    "simulate",
    "verdict",
    "verdicts",
    "weaker_failure_probability",
]
