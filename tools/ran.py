"""Write the page "How it ran": environment, time and memory, sizes, where it was tried.

What was measured is in `benchmarks/timing.json` (`make timing`), what was tried where in
`benchmarks/platforms.toml`; lines and outputs are counted here. `tests/project/test_ran.py`
compares the page with the lock and the project.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tools.project import CHAPTERS, ROOT, write_made
from tools.toc import notebooks

TIMING = ROOT / "benchmarks" / "timing.json"
PLATFORMS = ROOT / "benchmarks" / "platforms.toml"
PAGE = CHAPTERS / "ran.md"
SOURCE = ("bnlib", "bn_solver", "bn_experiments", "tests", "tools")
TEXT = """\
# How it ran

One run of all chapters took {cpu:.0f} seconds of processor time, and {peak:.1f} GB of memory for \
the largest of them: {system} on {architecture}, {cores} cores of {processor}. That is one run on \
one kind of machine, measured by `make timing`; yours takes another time.

## The environment of the stored outputs

Python {python} with the packages of `requirements.txt`. Of these the project itself asks for:

{packages}

`make test` executes every chapter with them and compares each output.

## Time and memory

Each chapter ran alone, in a new kernel; what JAX had compiled in earlier runs was at hand. \
Without that the last two take about twice as long. Seconds on the clock \
(s), seconds of all processors in all processes (CPU s), and the memory of the largest process (MB).

{costs}

## Sizes

{sizes}

Lines count blank ones and comments, and are rounded to hundreds.

## Where it was tried

{tried}
"""


def table(head: str, align: str, rows: Iterable[Iterable[object]]) -> str:
    """Return a table of Markdown."""
    return "\n".join([head, align, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def load() -> dict[str, Any]:
    """Return what was measured, and what was tried where."""
    timing: dict[str, Any] = json.loads(TIMING.read_text(encoding="utf-8"))
    return timing | tomllib.loads(PLATFORMS.read_text(encoding="utf-8"))


def costs(ran: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    """Yield a row for each chapter, for all of them, and for the commands."""
    measured = {f"[]({name}.ipynb)": each for name, each in ran["chapters"].items()}
    every = measured.values()
    total = {key: round(sum(each[key] for each in every), 1) for key in ("seconds", "cpu")}
    measured["all chapters"] = total | {"megabytes": max(each["megabytes"] for each in every)}
    for name, each in measured.items():
        yield name, each["seconds"], each["cpu"], f"{each['megabytes']:,}"
    for name, label in (("book", "the build of the book"), ("test", "`make test`")):
        if each := ran["commands"].get(name):
            yield label, each["seconds"], each["cpu"], f"{each['megabytes']:,}"
        else:
            yield f"{label}, not measured", "–", "–", "–"


def sizes(measured: dict[str, int], root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Yield what is counted in the project, then what was measured of what is built from it."""
    for folder in SOURCE:
        texts = (path.read_text(encoding="utf-8") for path in root.glob(f"{folder}/**/*.py"))
        yield f"`{folder}`", f"{round(sum(text.count(chr(10)) for text in texts), -2):,} lines"
    books = [json.loads(path.read_text(encoding="utf-8")) for path in notebooks()]
    outputs = [out for book in books for cell in book["cells"] for out in cell.get("outputs", ())]
    figures = sum("image/svg+xml" in out.get("data", ()) for out in outputs)
    yield "stored outputs", f"{len(outputs)}, of which {figures} figures"
    yield "the wheel", f"{measured['wheel'] / 1e3:.0f} kB"
    yield "the built book", f"{measured['book'] / 1e6:.0f} MB"


def tried(platforms: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each platform: which chapters ran there, which did not, and the result."""
    every = [path.stem for path in notebooks()]
    for each in platforms:
        ran = each.get("chapters", every)
        left = [name for name in every if name not in ran]
        what = f"{', '.join(ran)}; not {', '.join(left)}" if left else "every chapter"
        yield each["platform"], each.get("what", what), each["result"]


def page(ran: dict[str, Any]) -> str:
    """Return the text of the page."""
    machine, chapters = ran["machine"], ran["chapters"].values()
    packages = (
        (name, ", ".join(f"{package} {version}" for package, version in group.items()))
        for name, group in machine["packages"].items()
    )
    return TEXT.format(
        **(machine | {"packages": table("| for | packages |", "|---|---|", packages)}),
        cpu=sum(each["cpu"] for each in chapters),
        peak=max(each["megabytes"] for each in chapters) / 1e3,
        costs=table("| what ran | s | CPU s | MB |", "|---|---:|---:|---:|", costs(ran)),
        sizes=table("| what | how much |", "|---|---|", sizes(ran["bytes"])),
        tried=table("| where | what | result |", "|---|---|---|", tried(ran["tried"])),
    )


if __name__ == "__main__":
    write_made(PAGE, page(load()))
