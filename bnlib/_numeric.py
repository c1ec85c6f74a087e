"""Moved to `bnlib._arrays`."""

from bnlib._arrays import (  # noqa: F401
    EPS,
    angle_between,
    centered,
    mean,
    power_of_two,
    squared_norm,
    unit,
)
