"""The large sweeps behind the chapters, by name, and their summaries: small JSON files.

An experiment is a module that has

- ``DESCRIPTION``: one line for ``python -m bn_experiments list``;
- ``SEED``: the seed of the whole sweep;
- ``cases()``: all cases, quick to make; each is what JSON can hold, with all parameters;
- ``task(case, rng)``: runs one case and returns what JSON can hold, in few bytes;
- ``summary(rows)``: what the chapter plots, from the results in the order of the cases.

To add one, write the module and give its name to `EXPERIMENTS`; it is imported only when it is
asked for.
"""

import importlib
import json
import math
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bnlib
from bn_experiments.sweeps.run import code_hash
from bn_solver.arrays import choice

NAMES = ("networks", "training", "activations")
EXPERIMENTS = {name: f"bn_experiments.sweeps.{name}" for name in NAMES}
# Stored results: of a checkout, and of an installed wheel, which carries a copy.
FOLDERS = [Path(__file__).parents[up] / "results" for up in (2, 1)]
"""The module of each experiment."""
DIGITS = 6
"""Significant digits of the numbers in a summary."""
LARGEST = 1_000_000
"""Bytes of a summary that is read."""
KEYS = {"experiment": str, "command": str, "version": str, "code": str, "cases": int, "seed": int}
KEYS |= {"significant_digits": int, "summary": dict}


def experiment(name: str) -> Any:
    """Return the module of an experiment: a key of `EXPERIMENTS`, or a dotted name of your own."""
    if name not in EXPERIMENTS and "." not in name:
        raise ValueError(f"name: {name!r} is unknown; use one of {', '.join(EXPERIMENTS)}.")
    try:
        module = importlib.import_module(EXPERIMENTS.get(name, name))
    except ModuleNotFoundError as error:
        raise ValueError(f"name: {name!r} cannot be imported ({error}).") from error
    parts = ("DESCRIPTION", "SEED", "cases", "task", "summary")
    lacking = [each for each in parts if not hasattr(module, each)]
    if lacking:
        raise ValueError(f"name: the module {name!r} is no experiment; it lacks {lacking}.")
    return module


def summary_text(name: str, module: Any, rows: list[Any]) -> str:
    """Return the summary of an experiment, from the results of all its cases or the first ones."""
    part = [] if len(rows) == len(module.cases()) else ["--cases", str(len(rows))]
    document = {
        "experiment": name,
        "command": shlex.join(["python", "-m", "bn_experiments", "sweep", name, *part]),
        "version": bnlib.__version__,
        "code": code_hash(module.task),
        "cases": len(rows),
        "seed": module.SEED,
        "significant_digits": DIGITS,
        "summary": rounded(module.summary(_plain(rows))),  # no numbers of NumPy among them
    }
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any, **reading: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False), **reading)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"task and summary must give what JSON can hold ({error}): "
            "finite Python numbers, texts, lists and dictionaries."
        ) from error


def rounded(value: Any) -> Any:
    """Return the value with every float in it rounded to `DIGITS` significant digits."""
    return _plain(value, parse_float=lambda text: float(f"{float(text):.{DIGITS}g}"))


def require_replaceable(path: Path, name: str) -> None:
    """Refuse to write over anything but an older summary of the same experiment."""
    if not path.parent.is_dir():
        raise ValueError(f"--output: there is no folder {path.parent}; make it first.")
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        read_summary(path, name)
    except ValueError as error:
        raise ValueError(
            f"--output: {path} exists and is no summary of {name!r}; it was not touched. "
            "Give another file."
        ) from error


def read_summary(path: Path, name: str) -> dict[str, Any]:
    """Return what is in a file, if `summary_text` could have written it."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError("no file of its size")
        document = json.loads(
            path.read_text(encoding="utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_finite,
            parse_float=_finite,
        )
        kinds = {key: type(value) for key, value in document.items()}
        if kinds != KEYS or document["experiment"] != name:
            raise ValueError("other keys or values")
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path}: is no summary of {name!r} ({error}); write it anew: "
            f"python -m bn_experiments sweep {name} --output {name}.json."
        ) from error
    return dict(document)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    pairs = list(pairs)
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text:.20} is not finite")
    return number


def write_summary(path: Path, name: str, text: str) -> None:
    """Write a summary into a file; until all of it is there, the old one stays."""
    require_replaceable(path, name)
    beside = path.resolve().with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path.resolve())
    finally:
        beside.unlink(missing_ok=True)


def stored_summary(name: str) -> dict[str, Any]:
    """Return the stored summary of a sweep: what ``results/NAME.json`` holds.

    A wheel carries these files: without a checkout they are found too.

    Parameters
    ----------
    name : str
        ``"networks"``, ``"training"`` or ``"activations"``.

    Returns
    -------
    dict
        ``"summary"``, what the chapter plots, the ``"command"`` that made it, versions of the code.

    Raises
    ------
    ValueError
        If there is no sweep of this name, or the file holds anything else.
    """
    choice("name", name, NAMES)
    paths = [folder / f"{name}.json" for folder in FOLDERS]
    return read_summary(next((each for each in paths if each.is_file()), paths[0]), name)
