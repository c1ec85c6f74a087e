"""Moved to `bnlib._arrays`."""

from bnlib._arrays import (  # noqa: F401
    Array,
    changed,
    flag,
    frozen,
    real_array,
    real_number,
    representable,
    require_finite,
    whole_number,
)
