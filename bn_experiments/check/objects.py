"""Tables that are Python objects: data frames, what scikit-learn loads, arrays, learning sets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bn_experiments.check.cells import Faults, listed, quoted
from bn_experiments.check.table import Table, chosen
from bn_solver.arrays import Array, as_array, real_array
from bnlib.learning_set import LearningSet


def from_object(
    data: Any, target: Any, columns: Iterable[str] | None, drop: Iterable[str]
) -> Table:
    """Return the table in a Python object; ``ValueError`` as for a file.

    The target is the name of a column, or its values; None where the data have their own.
    """
    source = type(data).__name__
    if target is None and isinstance(data, LearningSet):
        data, target = data.inputs, data.targets
    elif target is None and isinstance(data, tuple) and len(data) == 2:
        data, target = data
    elif isinstance(data, Mapping) and {"data", "target"} <= data.keys():
        data, target = _bunch(source, data, target)
    if target is None:
        raise ValueError(
            f"target: {source} has no target of its own; name a column, or pass the values."
        )
    series = _columns(source, data)
    if isinstance(target, str):
        name = target
    else:
        name = str(getattr(target, "name", None) or "target")
        while name in series:
            name += "_"
        series[name] = target
    inputs = chosen(source, list(series), name, columns, drop)
    used = [*inputs, name]
    faults = Faults(source, name, lambda row: f"row {row} (counted from 0)")
    values = [_numbers(source, each, series[each], faults) for each in used]
    faults.rows = max(map(len, values))
    if len({*map(len, values)}) > 1:
        told = ", ".join(
            f"{quoted(n)}: {len(v)}" for n, v in list(zip(used, values, strict=True))[:12]
        )
        raise ValueError(f"{source}: the columns differ in length ({told}); give one row each.")
    if not faults.rows:
        raise ValueError(f"{source}: has no row; add one for each example.")
    faults.require_none()
    left_out = tuple(each for each in series if each not in used)
    set_ = LearningSet(np.column_stack(values[:-1]), values[-1])
    return Table(source, tuple(inputs), name, left_out, set_)


def _bunch(source: str, bunch: Mapping[str, Any], target: Any) -> tuple[Any, Any]:
    """Return inputs with names, and targets, of a Bunch of scikit-learn."""
    inputs, values = bunch["data"], bunch["target"]
    if not hasattr(inputs, "columns"):
        inputs = _named(inputs, bunch.get("feature_names"))
    if target is None and np.ndim(values) == 1:
        return inputs, values
    if np.ndim(values) == 2:
        names = [str(each) for each in bunch.get("target_names", ())]
        if not isinstance(target, str) or target not in names:
            raise ValueError(f"target: {source} has several; name one of {listed(names)}.")
        return inputs, np.asarray(values)[:, names.index(target)]
    return inputs, target


def _columns(source: str, data: Any) -> dict[str, Any]:
    """Return the columns by name, which for an array are x1, x2 and so on."""
    names: Any = getattr(data, "column_names", None)  # of Arrow, whose `columns` are arrays
    if not isinstance(names, list):
        names = getattr(data, "columns", None)  # of pandas and Polars
        names = None if callable(names) else names
    if isinstance(data, Mapping):
        names = data.keys()
    elif names is None:
        names = getattr(getattr(data, "dtype", None), "names", None)
    if names is None:
        return _named(data, None)
    names = list(names)
    if len({*map(str, names)}) < len(names):
        chosen(source, [str(each) for each in names], str(names[0]), None, ())
    return {str(each): data[each] for each in names}


def _named(inputs: Any, names: Sequence[str] | None) -> dict[str, Any]:
    masked = isinstance(inputs, np.ma.MaskedArray)
    raw = inputs if masked else as_array("data", inputs, shape="(m, d)")
    if raw.ndim != 2:
        raise ValueError(
            f"data: expected a table or an array of shape (m, d), got shape {raw.shape}; "
            "reshape it, or pass a data frame with named columns."
        )
    given = [f"x{j + 1}" for j in range(raw.shape[1])] if names is None else [*map(str, names)]
    return dict(zip(given, raw.T, strict=True))


def _numbers(source: str, name: str, column: Any, faults: Faults) -> Array:
    """Return a column as finite numbers; look at those which are none, and put NaN there."""
    masked = isinstance(column, np.ma.MaskedArray)
    raw: Any = column if masked else as_array(f"column {quoted(name)}", column, shape="(m,)")
    if raw.ndim != 1:
        raise ValueError(f"{source}: column {quoted(name)} has the shape {raw.shape}, not (m,).")
    if np.ma.isMaskedArray(raw):
        mask = np.ma.getmaskarray(raw)
        raw = np.asarray(raw.data).astype(object)
        raw[mask] = None
    if raw.dtype.kind in "iufb":
        numbers = real_array(f"column {quoted(name)}", raw, shape="(m,)", finite=False)
        for row in np.flatnonzero(~np.isfinite(numbers)).tolist():
            faults.look(name, row, raw[row])
        return numbers
    numbers = np.full(len(raw), np.nan)
    for row, value in enumerate(raw if raw.dtype.kind in "mM" else raw.tolist()):
        if isinstance(value, str | bytes | complex | np.datetime64 | np.timedelta64):
            faults.look(name, row, value)
        else:
            numbers[row] = faults.read(name, row, value)
    return numbers
