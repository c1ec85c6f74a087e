"""Checks of arguments, and arithmetic that neither overflows nor mistakes rounding for data."""

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_solver.doubled import exponents, mean_pair, two_sum

Array = npt.NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
"""Distance from 1 to the next larger float64."""


def real_array(
    name: str, value: Any, *, shape: str, last: int | None = None, finite: bool = True
) -> Array:
    """Return `value` as a finite float64 array whose shape fits, or raise ``ValueError``.

    The axes in `shape`, as in ``"(m, d)"``, are counted, and with ``...`` there may be more;
    `last` is the length of the last axis. With ``finite=False`` the caller checks later, as
    `squared_norm` does at the price of the norms alone. It may share memory with `value`, and its
    rows lie one after the other: BLAS adds up in another order where they do not.
    """
    if _masked(value):
        raise ValueError(f"{name}: has masked entries; fill them in or leave those examples out.")
    raw = as_array(name, value, shape=shape)
    if raw.dtype.kind not in "iufb":
        raise ValueError(
            f"{name}: entries must be real numbers, got dtype {raw.dtype}; "
            "convert them to float64 (SymPy objects belong to bn_experiments.exact)."
        )
    array = raw.astype(np.float64, order="C", copy=False)
    _require_exact_integers(name, value, raw, array)
    wanted = sum(axis.strip() not in ("", "...") for axis in shape.strip("()").split(","))
    if array.ndim < wanted or (array.ndim > wanted and "..." not in shape):
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}; reshape it.")
    if last is not None and array.shape[-1] != last:
        raise ValueError(
            f"{name}: expected shape {shape} with {last} entries on the last axis, "
            f"got {array.shape}; pass one entry for each."
        )
    if finite:
        require_finite(name, array)
    return array


def as_array(name: str, value: Any, *, shape: str) -> npt.NDArray[Any]:
    """Return `value` as an array of any kind of entries, or raise ``ValueError``."""
    try:
        return np.asarray(value)
    except Exception as error:  # whatever the __array__ of an object of another library raises
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        if isinstance(error, ValueError) and not hasattr(value, "__array__"):  # nested lists
            message = f"{name}: not a rectangular array of shape {shape} ({reason})."
        else:
            message = (
                f"{name}: cannot be read as an array ({type(error).__name__}: {reason}); pass its "
                "numbers, without a record of gradients and outside functions that are traced."
            )
        raise ValueError(message) from error


def _masked(value: Any) -> bool:
    """Return whether an entry of an array, or of an array in nested lists, is masked."""
    if type(value) is np.ndarray:
        return False
    if isinstance(value, list | tuple):
        nested: Any = list | tuple | np.ma.MaskedArray
        return any(issubclass(each, nested) for each in {*map(type, value)}) and any(
            map(_masked, value)
        )
    return bool(np.ma.is_masked(value))


def _require_exact_integers(name: str, value: Any, raw: npt.NDArray[Any], array: Array) -> None:
    """Raise ``ValueError`` if an integer was rounded on its way to float64."""
    if raw.dtype.kind not in "iu" and not isinstance(value, list | tuple):
        return
    lost, entries = np.zeros(array.shape, dtype=np.bool_), raw
    if raw.dtype.kind in "iu":
        step = np.ones((), raw.dtype) << np.maximum(np.frexp(array)[1] - 53, 0).astype(raw.dtype)
        lost = raw % step != 0
    elif isinstance(value, list | tuple) and (np.abs(array) >= 2.0**53).any():
        entries = np.array(value, dtype=object)  # NumPy rounded integers beside floats
        for where in zip(*np.nonzero(np.abs(array) >= 2.0**53), strict=True):
            integer = isinstance(entries[where], int | np.integer)
            lost[where] = integer and int(entries[where]) != int(array[where])
    if lost.any():
        at = tuple(int(i) for i in np.argwhere(lost)[0])
        raise ValueError(
            f"{name}: entry {at} is {entries[at]}, an integer that float64 would round; subtract "
            "an offset, change the unit, or convert it to float64 yourself."
        )


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


def choice(name: str, value: Any, known: Collection[str]) -> None:
    """Raise ``ValueError`` unless `value` is one of the known names."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: {value!r:.60} is unknown; use one of {', '.join(known)}.")


def require_broadcast(**shapes: tuple[int, ...]) -> None:
    """Raise ``ValueError`` unless arrays of these shapes broadcast against each other."""
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError as error:
        told = ", ".join(map(str, shapes.values()))
        raise ValueError(
            f"{', '.join(shapes)}: shapes {told} do not broadcast; reshape them."
        ) from error


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool, if it is one, or raise ``ValueError``."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: must be True or False, got {value!r}.")
    return bool(value)


def representable(name: str, result: Array, *, cause: str) -> Array:
    """Return `result` if it is finite, else say that float64 cannot hold what was computed."""
    if not np.isfinite(result).all():
        raise ValueError(
            f"{cause}: the {name} is too large for float64; rescale the inputs, targets or weights."
        )
    return result


def frozen(array: Array) -> Array:
    """Return a copy backed by immutable bytes: no flag can make it writeable again."""
    return np.frombuffer(array.tobytes(), dtype=np.float64).reshape(array.shape)


def changed(instance: Any) -> str:
    """Return the call that makes a dataclass instance, naming only what is not the default."""
    given = [(each.name, getattr(instance, each.name), each.default) for each in fields(instance)]
    words = ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
    return f"{type(instance).__name__}({words})"


def power_of_two(size: Array) -> Array:
    """Return the largest power of two not above each size, or 1: dividing by it is exact."""
    return np.where(size > 0, np.ldexp(1.0, np.frexp(size)[1] - 1), 1.0)


def mean(values: Array, axis: int) -> Array:
    """Return the mean over an axis to the last digit, without overflow on the way."""
    exponent = exponents(values, axis)
    high, _ = mean_pair(np.ldexp(values, -exponent), axis)
    return np.asarray(np.squeeze(np.ldexp(high, exponent), axis))


def centered(values: Array, axis: int) -> Array:
    """Return values minus their mean over an axis, each to an ulp: exactly 0 where constant.

    Raises ``ValueError`` if a difference is too large for float64.
    """
    exponent = exponents(values, axis)
    scaled = np.ldexp(values, -exponent)
    high, low = mean_pair(scaled, axis)
    difference, rest = two_sum(scaled, -high)
    with np.errstate(over="ignore"):
        result = np.asarray(np.ldexp(difference + (rest - low), exponent))
    return representable("difference from the mean", result, cause="inputs, targets or weights")


def unit(vectors: Array) -> Array:
    """Return each non-zero vector over its length, whatever its scale."""
    scaled = vectors / np.abs(vectors).max(axis=-1, keepdims=True)
    return np.asarray(scaled / np.linalg.norm(scaled, axis=-1, keepdims=True))


def unit_vector(name: str, value: Any) -> Array:
    """Return value / ‖value‖, for lengths from the smallest to the largest float64."""
    v = real_array(name, value, shape="(d,)")
    if not v.any():
        raise ValueError(f"{name}: is zero, so it has no direction; give a non-zero vector.")
    return unit(v)


def angle_between(u: Array, v: Array) -> Array:
    """Return the angles between unit vectors, accurate for small angles too."""
    apart, along = np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1)
    return np.asarray(2 * np.arctan2(apart, along))


def squared_norm(w: Array, start: Array | None = None) -> Array:
    """Return ‖w‖² over the last axis, refusing starts that are not finite or too large.

    The entries of `start`, from which w was made, are looked at only if a norm is not finite.
    """
    with np.errstate(over="ignore"):
        squares = np.asarray(np.einsum("...i,...i->...", w, w))
    if not np.isfinite(squares).all():
        require_finite("start", w if start is None else start)
    return representable("squared norm", squares, cause="start")


def residual(w: Array, total: Array, unit: Array, along: Array) -> Array:
    """Return ‖w − along · unit‖² for along = ⟨unit, w⟩ or its positive part.

    Pythagoras costs no pass over the weights but subtracts numbers of size ‖w‖²; the few
    rows in which that cancels are done again from the difference vector. Shapes (..., d) of w,
    (...) of total = ‖w‖² and along, (d,) of the unit vector.
    """
    distance = np.atleast_1d(total - along**2)
    close = distance < 1e-2 * np.atleast_1d(total)
    if close.any():
        rows = w.reshape(-1, w.shape[-1])[close.ravel()]
        lengths = np.atleast_1d(along)[close]
        distance[close] = squared_norm(rows - lengths[:, None] * unit)
    return distance.reshape(total.shape)
