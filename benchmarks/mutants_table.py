"""The table of mutants as Markdown: how many of which kind in which module, and who lives."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

KINDS = ("killed", "timed out", "equivalent", "survived", "no test", "not tried")
TEXT = """\
# Mutants of the library

Made by `make mutants`, with mutmut {version}: each mutant is `bnlib` with one change in a function
(an operator, a number, an argument, a text, a condition), and the fast tests of the library run on
it, those that pyproject.toml names. A mutant that no test notices is listed below, with the reason
if it is equivalent: nothing that a caller could see, or that is promised, is different. Those with
the fastest tests come first: where some are not tried yet, the run was stopped; it goes on there.

"""
SAMPLE_TEXT = """
## A sample of the experiments

{number} of the {every:,} mutants of `bn_experiments`, drawn with seed {seed}; the tests of its
rooms run on them. What these do not notice is tried in the source itself, by the chapters under
nbval and by tests that start programs. When all were first tried, 34 were noticed by nothing, which
has been mended; of the mutants that were not drawn as large a share may still be.

"""


def changed(diff: str) -> str:
    """Return the lines that a mutant changes, without their indentation: `old → new`."""
    sides = (re.findall(rf"^[{sign}](?![{sign}]{{2}})(.*)", diff, re.M) for sign in "-+")
    return " → ".join(" ".join(map(str.strip, each)) for each in sides)


def page(found: dict[str, dict[str, str]], diffs: dict[str, str], reasons: dict[str, Any]) -> str:
    """Return the table by module and the list of survivors, as Markdown; mark the equivalent."""
    listed, rows = [], []
    for file, mutants in found.items():
        more = reasons.get(file, {}).keys() - {diffs.get(name) for name in mutants}
        more = set() if "not tried" in mutants.values() else more
        for name in [name for name, what in mutants.items() if what in ("survived", "no test")]:
            if reason := reasons.get(file, {}).get(diffs[name]):
                mutants[name] = "equivalent"
            listed.append(f"- {file}: `{diffs[name]}`: {reason or mutants[name].upper()}")
        idle = "does not survive, so it needs no reason"
        listed += [f"- {file}: `{each}`: {idle}" for each in sorted(more)]
        rows.append((file, Counter(mutants.values())))
    rows.append(("together", sum((counts for _, counts in rows), Counter())))
    table = [f"| module | planted | {' | '.join(KINDS)} |", f"|---|{'---:|' * (len(KINDS) + 1)}"]
    for file, counts in rows:
        table.append(f"| {file} | {counts.total()} | {' | '.join(str(counts[k]) for k in KINDS)} |")
    return "\n".join([*table, "", *listed]) + "\n"
