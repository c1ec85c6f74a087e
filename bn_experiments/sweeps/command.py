"""The command ``python -m bn_experiments``: list the large sweeps, run one, write its summary."""

import argparse
import os
import shlex
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path

import joblib

from bn_experiments.check.command import main as check
from bn_experiments.sweeps.experiment import (
    EXPERIMENTS,
    experiment,
    require_replaceable,
    summary_text,
    write_summary,
)
from bn_experiments.sweeps.run import sweep

CACHE = Path("_build", "sweeps")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 if it was done, 1 if it failed, 130 if it was interrupted.

    ``check`` has exit codes of its own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["check"]:
        return check(given[1:], "python -m bn_experiments check")
    chosen = _parser().parse_args(given)
    kept = f"Every finished case is kept in {chosen.cache}." if "cache" in chosen else ""
    try:
        chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except BrokenExecutor:
        told = f"a worker process died (was memory short?). {kept}"
        print(f"Error: {told} Remedy: the same again, with fewer --workers.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "bn_experiments", *given])
        print(f"\nInterrupted. {kept} To continue:\n  {again}", file=sys.stderr)
        return 130
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
    cases = module.cases()
    if chosen.cases is not None and chosen.cases > len(cases):
        raise ValueError(f"--cases: there are {len(cases)}, got {chosen.cases}; ask for fewer.")
    cases = cases[: chosen.cases]
    if chosen.output is not None:
        require_replaceable(chosen.output, chosen.name)  # before hours of work, not after
    workers = {"n_jobs": chosen.workers, "initializer": _watch, "initargs": (os.getpid(),)}
    with joblib.parallel_config("loky", inner_max_num_threads=1, **workers):
        rows = sweep(module.task, cases, seed=module.SEED, cache=chosen.cache, progress=True)
    text = summary_text(chosen.name, module, rows)
    if chosen.output is None:
        print(text, end="")
    else:
        write_summary(chosen.output, chosen.name, text)
        print(f"{chosen.output}: the summary of {len(rows)} cases.")


def _watch(parent: int) -> None:
    # A killed process cannot tell its workers to stop: they would wait for work for minutes.
    def end_with_it() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bn_experiments",
        description="Run the large sweeps of the book. A sweep may be stopped or killed at any "
        "moment; the same command continues it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("list", help="list the sweeps")
    command.set_defaults(run=_list)

    told = "ask whether the lemma holds on a table of your own (as python -m bnlib check)"
    commands.add_parser("check", add_help=False, help=told)

    command = commands.add_parser("sweep", help="run a sweep, or continue it; give its summary")
    known = f"{', '.join(EXPERIMENTS)}, or the dotted name of a module of your own"
    command.add_argument("name", metavar="NAME", type=_known, help=known)
    told = "number of processes (default: one for each core); does not change the results"
    cores = os.cpu_count() or 1
    command.add_argument("--workers", metavar="N", type=_positive, default=cores, help=told)
    told = "run the first N cases only, as a trial"
    command.add_argument("--cases", metavar="N", type=_positive, help=told)
    told = f"where finished cases are kept (default: {CACHE}, here); may be removed between runs"
    command.add_argument("--cache", metavar="DIR", type=Path, default=CACHE, help=told)
    told = "where to write the summary (default: the terminal)"
    command.add_argument("--output", metavar="FILE", type=Path, help=told)
    command.set_defaults(run=_sweep)
    return parser


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
