"""Where the optima are, if no formula gives them."""

from bn_experiments.search.directions import DirectionScan, FlatArc, scan_directions
from bn_experiments.search.landscape import Landscape, numerical_optima, search_weights
from bn_experiments.search.pieces import FlatSector, PiecewiseMinima, piecewise_minima

__all__ = [
    "DirectionScan",
    "FlatArc",
    "FlatSector",
    "Landscape",
    "PiecewiseMinima",
    "numerical_optima",
    "piecewise_minima",
    "scan_directions",
    "search_weights",
]
