"""Write the page of all claims and their evidence from `claims.toml`.

The page names for each claim whose it is, of what kind, on what it depends, and which tests and
cells are its evidence. `tests/book/test_record.py` compares all of this with the project.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.project import CHAPTERS, ROOT, write_made

SOURCE, PAGE = ROOT / "claims.toml", CHAPTERS / "record.md"
WHOSE = {
    "2018": "{cite:t}`santurkar2018`",
    "2025": "{cite:t}`dannemann2025`",
    "known": "known elsewhere",
    "book": "this book",
}
# The parts of the page with the papers' claims: title, first sentence, whose.
KNOWN = "as far as it is known here ([](#sec-provenance))"
PAPERS = (
    ("The original claim", "What the paper of 2018 says that this book looks at.", "2018"),
    ("The refutation, its limits, its future work", f"The paper of 2025, {KNOWN}.", "2025"),
)
OPENING = """\
# Every claim and its evidence

{count} claims, each with its evidence: the tests that check it, and the cells that compute it. \
`make test` runs all of them, and it fails if evidence that is named here does not exist, if a \
theorem has no row, or if a number here is not the one that its cell prints. A test or a cell \
checks a theorem on the learning sets it tries; that it is true of all of them is what its proof \
says.

*Proved*: by a proof beside the theorem, or in the source cited there. *Exact*: computed without \
rounding, on the data at hand. *Certified*: enclosed in ball arithmetic, and checked by a second \
program. *Machine-checked*: by a proof assistant. *Measured*: counted, with its standard error \
where it is an estimate.
"""


def load(path: Path = SOURCE) -> dict[str, Any]:
    """Return the record: claims, what is not claimed, and how the replication went."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def link(anchor: str) -> str:
    """Return a link to a theorem card, a section or a chapter."""
    if anchor.startswith("sec-"):
        return f"[](#{anchor})"
    if anchor.startswith(("thm-", "prop-", "cor-", "lem-")):
        return f"{{prf:ref}}`{anchor}`"
    suffix = "md" if (CHAPTERS / f"{anchor}.md").is_file() else "ipynb"
    return f"[]({anchor}.{suffix})"


def evidence(claim: dict[str, Any]) -> Iterator[str]:
    """Yield the tests, as the sentences that their names are, and the cells by chapter."""
    tests: dict[str, list[str]] = {}
    for each in claim.get("tests", ()):
        file, name = each.split("::")
        tests.setdefault(file, []).append(name.removeprefix("test_").replace("_", " "))
    if tests:
        yield "Tests: " + "; ".join(f"{', '.join(tests[file])} (`{file}`)" for file in tests) + "."
    cells: dict[str, list[str]] = {}
    for each in claim.get("cells", ()):
        chapter, name = each.split("#")
        cells.setdefault(chapter, []).append(f"`{name}`")
    if cells:
        by_chapter = (f"{', '.join(cells[each])} in [{each}]({each}.ipynb)" for each in cells)
        yield "Cells: " + "; ".join(by_chapter) + "."


def entry(claim: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of one claim."""
    whose = f"; {WHOSE[claim['whose']]}" if claim["whose"] in ("known", "book") else ""
    yield f"(record-{claim['id']})="
    yield f"**{claim['statement']}** {link(claim['anchor'])}"
    yield f": *{', '.join(claim['kind'])}*{whose}. Depends on: {claim['depends']}."
    if "result" in claim:
        yield f"  {claim['result']}"
    for line in evidence(claim):
        yield ""
        yield f"  {line}"
    yield ""


def page(record: dict[str, Any]) -> str:
    """Return the text of the page."""
    claims = record["claim"]
    lines = [OPENING.format(count=len(claims))]
    for title, said, whose in PAPERS:
        lines += [f"## {title}", "", said, ""]
        for claim in claims:
            lines += entry(claim) if claim["whose"] == whose else ()
    lines += ["## What this book adds", ""]
    for claim in claims:
        lines += entry(claim) if claim["whose"] in ("known", "book") else ()
    for title, key in (
        ("What is not claimed", "not-claimed"),
        ("Where this replication departs", "departure"),
        ("What was easy", "easy"),
        ("What was hard", "hard"),
    ):
        lines += [f"## {title}", "", *(f"- {each['text']}" for each in record[key]), ""]
    lines += ["## Errata", "", "What earlier versions said, and what is right: [](errata.md)."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write_made(PAGE, page(load()))
