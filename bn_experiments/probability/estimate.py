"""A Monte Carlo estimate: never a number without its standard error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error.

    Parameters
    ----------
    value, standard_error : float
        The mean over the sample, and the estimated standard deviation of that mean.
    n : int
        Sample size. Both constructors below raise ``ValueError`` if it is less than 2.
    """

    value: float
    standard_error: float
    n: int

    @classmethod
    def of_proportion(cls, count: int, n: int) -> Estimate:
        """Return the estimate of a probability from `count` hits in n independent trials.

        The standard error is √(p (1 − p) / n), with p moved to (count + 1) / (n + 2) so that
        it is not 0 where all trials agree. Raises ``ValueError`` unless 0 ≤ count ≤ n.
        """
        _check_size(n)
        if not 0 <= count <= n:
            raise ValueError(f"count: must lie between 0 and n = {n}, got {count}.")
        smoothed = (count + 1) / (n + 2)
        return cls(count / n, float(np.sqrt(smoothed * (1 - smoothed) / n)), n)

    @classmethod
    def of_mean(cls, total: float, total_of_squares: float, n: int) -> Estimate:
        """Return the estimate of a mean from the sums of n values and of their squares.

        Raises ``ValueError`` if a sum is not finite.
        """
        _check_size(n)
        if not np.isfinite([total, total_of_squares]).all():
            raise ValueError("total, total_of_squares: not finite; rescale the values.")
        mean = total / n
        variance = max(total_of_squares / n - mean**2, 0.0) * n / (n - 1)
        return cls(float(mean), float(np.sqrt(variance / n)), n)

    def z_score(self, expected: float) -> float:
        """Return the distance from an expected value, in standard errors.

        Parameters
        ----------
        expected : float
            What the estimate should be.
        """
        return (self.value - expected) / self.standard_error

    def __repr__(self) -> str:
        # As many digits as the standard error supports: two of its own.
        digits = 4
        if 0 < self.standard_error < np.inf:
            digits = max(0, 1 - int(np.floor(np.log10(self.standard_error))))
        return f"{self.value:.{digits}f} ± {self.standard_error:.{digits}f}"


def _check_size(n: int) -> None:
    if n < 2:
        raise ValueError(f"n: a standard error needs at least 2 draws, got {n}; draw more.")
