"""The command ``python -m bn_experiments``: list, run, summarise the large sweeps."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from bn_experiments.sweeps.experiment import EXPERIMENTS, Experiment, experiment
from bn_experiments.sweeps.results_file import header, read_results
from bn_experiments.sweeps.resume import resumable_sweep
from bn_experiments.sweeps.workers import workers

DIGITS = 6
"""Significant digits of the numbers in a summary."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 if it was done, 1 if it failed. An interruption ends with 130."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    chosen = _parser().parse_args(given)
    chosen.given = given
    try:
        chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenExecutor:
        told = "a worker process died (was memory short?). Every finished case is stored."
        print(f"Error: {told} Remedy: the same again, with fewer --workers.", file=sys.stderr)
        return 1
    return 0


def _list(_: argparse.Namespace) -> None:
    width = max(map(len, EXPERIMENTS))
    for name in EXPERIMENTS:
        try:
            module = experiment(name)
        except ValueError as error:  # one that needs a package that is not there
            print(f"{name:{width}}  not available: {error}")
        else:
            print(f"{name:{width}}  {module.DESCRIPTION} ({len(module.cases())} cases)")


def _sweep(chosen: argparse.Namespace) -> None:
    module = experiment(chosen.name)
    cases, output = _cases(module, chosen.cases), chosen.output or f"{chosen.name}.jsonl"
    # In workers even if there is one: what computes is then always set up in the same way.
    with workers(chosen.workers) as executor:
        try:
            resumable_sweep(
                output,
                module.task,
                cases,
                seed=module.SEED,
                name=chosen.name,
                executor=executor,
                progress=True,
            )
        except KeyboardInterrupt:
            again = shlex.join(["python", "-m", "bn_experiments", *chosen.given])
            told = f"Interrupted. Every finished case is stored. To continue:\n  {again}"
            print(f"\n{told}", file=sys.stderr, flush=True)
            # Leaving the block would wait for cases that nobody will store.
            os._exit(130)
    print(f"{output}: all {len(cases)} cases are there.")


def _summary(chosen: argparse.Namespace) -> None:
    module = experiment(chosen.name)
    head, rows = read_results(chosen.file)
    every = module.cases()
    wanted = header(chosen.name, module.SEED, every[: len(rows)])
    if any(head[key] != wanted[key] for key in ("sweep", "seed", "cases", "cases_sha256")):
        raise ValueError(
            f"file: {chosen.file} holds the sweep {head['sweep']!r} with other cases or another "
            f"seed than {chosen.name!r} has now; run the sweep again."
        )
    part = [] if len(rows) == len(every) else ["--cases", str(len(rows))]
    document = {
        "experiment": chosen.name,
        "command": shlex.join(["python", "-m", "bn_experiments", "sweep", chosen.name, *part]),
        "cases": len(rows),
        "seed": module.SEED,
        "bnlib": head["bnlib"],
        "results_sha256": hashlib.sha256(Path(chosen.file).read_bytes()).hexdigest(),
        "significant_digits": DIGITS,
        "summary": rounded(module.summary(rows)),
    }
    text = json.dumps(document, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    if chosen.output is None:
        print(text)
        return
    _require_replaceable(Path(chosen.output), chosen.name)
    Path(chosen.output).write_text(text + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Return the value with every float in it rounded to `DIGITS` significant digits."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _cases(module: Experiment, n: int | None) -> list[Any]:
    every = module.cases()
    if n is not None and n > len(every):
        raise ValueError(f"--cases: there are {len(every)}, got {n}; ask for fewer.")
    return every[:n]


def _require_replaceable(path: Path, name: str) -> None:
    """Refuse to write over anything but an older summary of the same experiment."""
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        mine = json.loads(path.read_text(encoding="utf-8"))["experiment"] == name
    except (ValueError, KeyError, TypeError):
        mine = False
    if not mine:
        raise ValueError(
            f"--output: {path} exists and is no summary of {name!r}; it was not touched. "
            "Give another file."
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bn_experiments",
        description="Run the large sweeps of the book. A sweep may be stopped or killed at any "
        "moment; the same command continues it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("list", help="list the sweeps")
    command.set_defaults(run=_list)

    command = commands.add_parser("sweep", help="run a sweep, or continue it")
    _add_name(command)
    command.add_argument(
        "--output", metavar="FILE", help="the results file (default: NAME.jsonl, here)"
    )
    command.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        default=os.cpu_count() or 1,
        help="number of processes (default: one for each core); does not change the results",
    )
    command.add_argument(
        "--cases", type=_positive, metavar="N", help="run the first N cases only, as a trial"
    )
    command.set_defaults(run=_sweep)

    command = commands.add_parser("summary", help="summarise the results of a finished sweep")
    _add_name(command)
    command.add_argument("file", metavar="FILE", help="the results file of the sweep")
    command.add_argument(
        "--output", metavar="FILE", help="where to write the summary (default: the terminal)"
    )
    command.set_defaults(run=_summary)
    return parser


def _add_name(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "name",
        metavar="NAME",
        type=_known,
        help=f"{', '.join(EXPERIMENTS)}, or the dotted name of a module of your own",
    )


def _known(name: str) -> str:
    try:
        experiment(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return name


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
