"""Where the optima are, if no formula gives them."""

from bn_experiments.search._rounding import slope_rounding
from bn_experiments.search.convex import ConvexNeuron
from bn_experiments.search.directions import DirectionScan, scan_directions
from bn_experiments.search.pieces import FlatSector, Landscape
from bn_experiments.search.weights import numerical_optima, search_weights

__all__ = [
    "ConvexNeuron",
    "DirectionScan",
    "FlatSector",
    "Landscape",
    "numerical_optima",
    "scan_directions",
    "search_weights",
    "slope_rounding",
]
