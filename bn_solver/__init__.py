"""Least squares to the last digit: one solver, with a bound of its error."""

from bn_solver.least_squares import LeastSquares, least_squares

__all__ = ["LeastSquares", "least_squares"]
