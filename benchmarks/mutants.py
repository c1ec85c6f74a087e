"""Change the library in one place at a time, see which change no fast test notices, list these.

mutmut does it, as pyproject.toml says. What it has done it keeps in `mutants/`, to go on there.
"""

from __future__ import annotations

import importlib
import json
import re
import site
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import version
from typing import Any

from tools.project import MUTANTS, ROOT, write_made

PAGE = ROOT / "benchmarks" / "mutants.md"
REASONS = ROOT / "benchmarks" / "mutants.toml"
# What the exit code of pytest means; any other code is that of a process that was ended.
STATUS = {0: "survived", 1: "killed", 3: "killed", 5: "no test", 33: "no test", None: "not tried"}
KINDS = ("killed", "timed out", "equivalent", "survived", "no test", "not tried")
TEXT = """\
# Mutants of the library

Made by `make mutants`, with mutmut {version}: each mutant is `bnlib` with one change in a function
(an operator, a number, an argument, a text, a condition), and the fast tests of the library run on
it, those that pyproject.toml names. A mutant that no test notices is listed below, with the reason
if it is equivalent: nothing that a caller could see, or that is promised, is different. Those with
the fastest tests come first: where some are not tried yet, the run was stopped; it goes on there.

"""
RUN = "import site, sys; site.addsitedir(sys.argv.pop(1)); from mutmut.__main__ import cli; cli()"


def packages() -> str:
    """Return the folder of mutmut and what it needs."""
    return str(next(MUTANTS.glob("lib/python3*/site-packages")))


def outcomes() -> dict[str, dict[str, str]]:
    """Return what became of each mutant, by file and name."""
    found = {}
    for path in sorted((ROOT / "mutants").glob("bnlib/*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        file = f"bnlib/{path.name.removesuffix('.meta')}"
        found[file] = {name: STATUS.get(code, "timed out") for name, code in codes.items()}
    return {file: mutants for file, mutants in found.items() if mutants}


def changed(diff: str) -> str:
    """Return the lines that a mutant changes, without their indentation: `old → new`."""
    sides = (re.findall(rf"^[{sign}](?![{sign}]{{2}})(.*)", diff, re.M) for sign in "-+")
    return " → ".join(" ".join(map(str.strip, each)) for each in sides)


def page(found: dict[str, dict[str, str]], diffs: dict[str, str], reasons: dict[str, Any]) -> str:
    """Return the table by module and the list of survivors, as Markdown; mark the equivalent."""
    listed, rows = [], []
    for file, mutants in found.items():
        for name in [name for name, what in mutants.items() if what in ("survived", "no test")]:
            if reason := reasons.get(file, {}).get(diffs[name]):
                mutants[name] = "equivalent"
            listed.append(f"- {file}: `{diffs[name]}`: {reason or mutants[name].upper()}")
        rows.append((file, Counter(mutants.values())))
    rows.append(("together", sum((counts for _, counts in rows), Counter())))
    table = [f"| module | planted | {' | '.join(KINDS)} |", f"|---|{'---:|' * (len(KINDS) + 1)}"]
    for file, counts in rows:
        table.append(f"| {file} | {counts.total()} | {' | '.join(str(counts[k]) for k in KINDS)} |")
    return "\n".join([*table, "", *listed]) + "\n"


def main(names: list[str]) -> int:
    """Run mutmut, on the mutants of these names or on all, write the table; 1 if one survived."""
    command = [sys.executable, "-c", RUN, packages(), "run", "--max-children", "2", *names]
    subprocess.run(command, cwd=ROOT, check=True)
    site.addsitedir(packages())
    shown, found = importlib.import_module("mutmut.mutation.diff_apply"), outcomes()
    alive = [n for each in found.values() for n, s in each.items() if s in ("survived", "no test")]
    diffs = {name: changed(shown.get_diff_for_mutant(name)) for name in alive}
    text = page(found, diffs, tomllib.loads(REASONS.read_text(encoding="utf-8")))
    write_made(PAGE, TEXT.format(version=version("mutmut")) + text)
    return int("SURVIVED" in text or "NO TEST" in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
