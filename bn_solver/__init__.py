"""Least squares to the last digit, and the arithmetic and checks of arrays that it rests on."""

from bn_solver.least_squares import LeastSquares, least_squares

__all__ = ["LeastSquares", "least_squares"]
