"""Checks of arguments, with errors that name the argument, the problem and the remedy."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def real_array(
    name: str, value: Any, *, shape: str, last: int | None = None, finite: bool = True
) -> Array:
    """Return `value` as a finite float64 array whose shape fits, or raise ``ValueError``.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
        Real numbers.
    shape : str
        The expected shape in words, for the message: ``"(m, d)"``, ``"(..., d)"``.
        Its number of axes is enforced: exactly, or at least that many with ``...``.
    last : int, optional
        Required length of the last axis.
    finite : bool
        If false, the caller asks for finite entries later: `squared_norm` does, at the price of
        the norms alone.

    Returns
    -------
    ndarray of float64
        May share memory with `value`.
    """
    if np.ma.is_masked(value):
        raise ValueError(f"{name}: has masked entries; fill them in or leave those examples out.")
    try:
        raw = np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name}: not a rectangular array of shape {shape} ({error}).") from error
    if raw.dtype.kind not in "iufb":
        raise ValueError(
            f"{name}: entries must be real numbers, got dtype {raw.dtype}; "
            "convert them to float64 (SymPy objects belong to bnlib.exact)."
        )
    array = raw.astype(np.float64, copy=False)
    axes = shape.strip("()").split(",")
    wanted = sum(1 for axis in axes if axis.strip() not in ("", "..."))
    fits = array.ndim >= wanted if "..." in shape else array.ndim == wanted
    if not fits:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}; reshape it.")
    if last is not None and array.shape[-1] != last:
        raise ValueError(
            f"{name}: expected shape {shape} with {last} entries on the last axis, "
            f"got {array.shape}; pass one entry for each."
        )
    if finite:
        require_finite(name, array)
    return array


def require_finite(name: str, array: Array) -> None:
    """Raise ``ValueError`` if an entry is not finite; the message names the first one."""
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(
            f"{name}: entry {where} is {array[where]}; remove or replace non-finite values."
        )


def real_number(name: str, value: Any, *, at_least: float | None = None) -> float:
    """Return `value` as a finite float, not below `at_least`, or raise ``ValueError``."""
    number = float(real_array(name, value, shape="()"))
    if at_least is not None and number < at_least:
        raise ValueError(f"{name}: must be at least {at_least:g}, got {number:g}.")
    return number


def whole_number(name: str, value: Any, *, at_least: int) -> int:
    """Return `value` as an int not below `at_least`, or raise ``ValueError``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name}: must be a whole number, got {value!r}.")
    if value < at_least:
        raise ValueError(f"{name}: must be at least {at_least}, got {value}.")
    return int(value)


def representable(name: str, result: Array, *, cause: str) -> Array:
    """Return `result` if it is finite, else say that float64 cannot hold it.

    Parameters
    ----------
    name : str
        What was computed.
    result : ndarray
        The computed values.
    cause : str
        The arguments that drive its size.
    """
    if not np.isfinite(result).all():
        raise ValueError(
            f"{cause}: the {name} is too large for float64; rescale the inputs, targets or weights."
        )
    return result


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool, if it is one, or raise ``ValueError``."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: must be True or False, got {value!r}.")
    return bool(value)


def frozen(array: Array) -> Array:
    """Return a copy backed by immutable bytes: no flag can make it writeable again."""
    copy = np.ascontiguousarray(array, dtype=np.float64)
    return np.frombuffer(copy.tobytes(), dtype=np.float64).reshape(array.shape)


def changed(instance: Any) -> str:
    """Return the call that makes a dataclass instance, naming only what is not the default."""
    given = [(each.name, getattr(instance, each.name), each.default) for each in fields(instance)]
    words = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
    return f"{type(instance).__name__}({words})"
