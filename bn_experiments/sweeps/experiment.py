"""The large sweeps behind the chapters, by name, and their summaries: small JSON files.

An experiment is a module with the names that `Experiment` lists. To add one, write the module
and give its name to `EXPERIMENTS`; it is imported only when it is asked for.
"""

import importlib
import json
import os
import shlex
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import bnlib
from bn_experiments.sweeps.run import code_hash

NAMES = ("networks", "training", "activations")
EXPERIMENTS = {name: f"bn_experiments.sweeps.{name}" for name in NAMES}
"""The module of each experiment."""
DIGITS = 6
"""Significant digits of the numbers in a summary."""


class Experiment(Protocol):
    """What the module of an experiment must have."""

    DESCRIPTION: str
    """One line for ``python -m bn_experiments list``."""
    SEED: int
    """The seed of the whole sweep."""

    def cases(self) -> list[Any]:
        """Return all cases, quick to make; each is what JSON can hold, with all parameters."""

    def task(self, case: Any, rng: np.random.Generator) -> Any:
        """Run one case; return what JSON can hold, in few bytes."""

    def summary(self, rows: list[Any]) -> dict[str, Any]:
        """Return what the chapter plots, from the results in the order of the cases."""


def experiment(name: str) -> Experiment:
    """Return the module of an experiment: a key of `EXPERIMENTS`, or a dotted name of your own."""
    if name not in EXPERIMENTS and "." not in name:
        raise ValueError(f"name: {name!r} is unknown; use one of {', '.join(EXPERIMENTS)}.")
    try:
        module: Any = importlib.import_module(EXPERIMENTS.get(name, name))
    except ModuleNotFoundError as error:
        raise ValueError(f"name: {name!r} cannot be imported ({error}).") from error
    parts = ("DESCRIPTION", "SEED", "cases", "task", "summary")
    lacking = [each for each in parts if not hasattr(module, each)]
    if lacking:
        raise ValueError(f"name: the module {name!r} is no experiment; it lacks {lacking}.")
    found: Experiment = module
    return found


def summary_text(name: str, module: Experiment, rows: list[Any]) -> str:
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
    return json.dumps(_plain(document), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"task and summary must give what JSON can hold ({error}): "
            "finite Python numbers, texts, lists and dictionaries."
        ) from error


def rounded(value: Any) -> Any:
    """Return the value with every float in it rounded to `DIGITS` significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def require_replaceable(path: Path, name: str) -> None:
    """Refuse to write over anything but an older summary of the same experiment."""
    if not path.parent.is_dir():
        raise ValueError(f"--output: there is no folder {path.parent}; make it first.")
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        return
    try:
        mine = path.is_file() and json.loads(path.read_text("utf-8"))["experiment"] == name
    except (ValueError, KeyError, TypeError):
        mine = False
    if not mine:
        raise ValueError(
            f"--output: {path} exists and is no summary of {name!r}; it was not touched. "
            "Give another file."
        )


def write_summary(path: Path, name: str, text: str) -> None:
    """Write a summary into a file; until all of it is there, the old one stays."""
    require_replaceable(path, name)
    beside = path.resolve().with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="\n")
        beside.replace(path.resolve())
    finally:
        beside.unlink(missing_ok=True)
