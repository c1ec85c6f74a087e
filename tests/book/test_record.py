"""Every claim has evidence that exists, every theorem a row, every number the cell it is from."""

import ast
import copy
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache

import pytest

from tools import record
from tools.project import CHAPTERS, ROOT

RECORD = record.load()
KINDS = {"proved", "exact", "certified", "machine-checked", "measured"}
# What a claim of this kind must have among its tests.
NEEDS = {"certified": "tests/certify/", "machine-checked": "tests/proof/"}
CARD = re.compile(r"\{prf:(?:theorem|proposition|corollary|lemma)\}[^\n]*\n:label: (\S+)")
PROOF_OR_CARD = re.compile(r"\{prf:(theorem|proposition|corollary|lemma|proof)\}")
# Where the proof of a card is: the one that is not on its page, and the one that is refuted.
PROVED_ELSEWHERE = {"thm-krawczyk", "lem-claim"}


@cache
def sources():
    """Return the text of every chapter's Markdown, by file stem."""
    found = {path.stem: path.read_text(encoding="utf-8") for path in CHAPTERS.glob("*.md")}
    for path in CHAPTERS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        marked = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        found[path.stem] = "\n\n".join(marked)
    found.pop("record", None)
    return found


@cache
def printed(chapter):
    """Return what every code cell of a chapter shows, by its id, spaces run together."""
    path = CHAPTERS / f"{chapter}.ipynb"
    if not path.is_file():
        return {}
    shown = {}
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            texts = []
            for output in cell["outputs"]:
                texts += output.get("text", [])
                for kind in ("text/plain", "text/markdown"):
                    texts += output.get("data", {}).get(kind, [])
            shown[cell["id"]] = re.sub(r"\s+", " ", "".join(texts))
    return shown


@cache
def functions(file):
    path = ROOT / file
    if not path.is_file():
        return set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def lives(anchor):
    every = "\n".join(sources().values())
    return anchor in {*CARD.findall(every), *re.findall(r"^\((.+)\)=", every, re.M), *sources()}


def has_a_proof(label):
    """Tell whether a proof follows the card before the next card does."""
    for text in sources().values():
        if found := re.search(rf":label: {re.escape(label)}\n", text):
            kind = PROOF_OR_CARD.search(text, found.end())
            return kind is not None and kind[1] == "proof"
    return False


def number_problems(claim):
    """Yield each number of the result that no cell prints."""
    left = re.sub(r"\$[^$]*\$", "", claim.get("result", ""))
    for text, cell in sorted(claim.get("prints", {}).items(), key=lambda pair: -len(pair[0])):
        if text not in left:
            yield f"prints {text!r}, which is not in its result"
        left = left.replace(text, "")
        chapter, _, name = cell.partition("#")
        whole = rf"(?<![\d.]){re.escape(text)}(?![\d.]*\d)"
        if not re.search(whole, printed(chapter).get(name, "")):
            yield f"says {text!r}, but {cell} does not print it"
    if left := re.findall(r"\d[\d.]*", left):
        yield f"has the numbers {', '.join(left)} from no cell"


def claim_problems(claim):
    if not set(claim["kind"]) <= KINDS or not claim["kind"]:
        yield f"is of the kinds {claim['kind']}"
    if claim["whose"] not in record.WHOSE:
        yield f"is whose: {claim['whose']}"
    if not lives(claim["anchor"]):
        yield f"has the dead anchor {claim['anchor']}"
    proved = "proved" in claim["kind"] and claim["anchor"] not in PROVED_ELSEWHERE
    if proved and not has_a_proof(claim["anchor"]):
        yield f"is proved, but no proof follows {claim['anchor']}"
    for test in claim.get("tests", ()):
        file, _, name = test.partition("::")
        if name not in functions(file):
            yield f"names the test {test}, which does not exist"
    for kind, folder in NEEDS.items():
        if kind in claim["kind"] and not any(t.startswith(folder) for t in claim.get("tests", ())):
            yield f"is {kind}, but names no test of {folder}"
    for cell in claim.get("cells", ()):
        chapter, _, name = cell.partition("#")
        if not printed(chapter).get(name):
            yield f"names the cell {cell}, which does not exist or shows nothing"
    if not claim.get("tests") and not claim.get("cells"):
        yield "has no evidence"
    yield from number_problems(claim)


def problems(of):
    """Return what is wrong with a record."""
    found = [f"{claim['id']} {said}" for claim in of["claim"] for said in claim_problems(claim)]
    names = [claim["id"] for claim in of["claim"]]
    found += [f"{name} is there twice" for name in names if names.count(name) > 1]
    rows = {claim["anchor"] for claim in of["claim"]}
    cards = {label for text in sources().values() for label in CARD.findall(text)}
    return found + [f"{label} has no row" for label in sorted(cards - rows)]


def test_every_claim_has_its_evidence_and_every_theorem_a_row():
    assert problems(RECORD) == [], "Remedy: mend claims.toml, then make record"


def test_the_page_is_the_one_that_the_record_gives():
    text = (CHAPTERS / "record.md").read_text(encoding="utf-8")
    assert text == record.page(RECORD), "Remedy: make record"


def change(name, **values):
    def planted(of):
        for claim in of["claim"]:
            if claim["id"] == name:
                claim.update(values)

    return planted


def without(name):
    def planted(of):
        of["claim"] = [claim for claim in of["claim"] if claim["id"] != name]

    return planted


PLANTED = {
    "a test that is gone": (
        change("geometry", tests=["tests/bnlib/test_lemma.py::test_gone"]),
        "geometry names the test tests/bnlib/test_lemma.py::test_gone",
    ),
    "a cell that is gone": (
        change("geometry", cells=["claim#gone"]),
        "geometry names the cell claim#gone",
    ),
    "a dead anchor": (change("geometry", anchor="prop-gone"), "the dead anchor prop-gone"),
    "a theorem without a row": (without("failure-law"), "thm-law has no row"),
    "another number": (
        change("fair-coin", result="0.4991 ± 0.0023", prints={"0.4991": "how-often#both-ways"}),
        "fair-coin says '0.4991', but how-often#both-ways does not print it",
    ),
    "a part of a number": (
        change("fair-coin", result="0.499", prints={"0.499": "how-often#both-ways"}),
        "fair-coin says '0.499', but how-often#both-ways does not print it",
    ),
    "a number from nowhere": (change("geometry", result="Half of 12."), "12. from no cell"),
    "no evidence": (change("geometry", tests=[], cells=[]), "geometry has no evidence"),
    "a certificate without a test": (
        change("geometry", kind=["certified"]),
        "geometry is certified, but names no test of tests/certify/",
    ),
    "no proof": (
        change("smoothing", kind=["proved"]),
        "smoothing is proved, but no proof follows training",
    ),
    "an unknown kind": (change("geometry", kind=["felt"]), "geometry is of the kinds ['felt']"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_is_named(name):
    plant, said = PLANTED[name]
    plant(planted := copy.deepcopy(RECORD))
    assert any(said in each for each in problems(planted)), problems(planted)


def test_a_card_without_a_proof_is_noticed(monkeypatch):
    card = "```{{prf:theorem}} Title\n:label: {}\n```\n"
    text = card.format("thm-a") + card.format("thm-b") + "{prf:proof}"
    monkeypatch.setattr(f"{__name__}.sources", lambda: {"page": text})
    assert not has_a_proof("thm-a")
    assert has_a_proof("thm-b")


@pytest.mark.parametrize(("ci", "failed", "skipped"), [("true", 1, 1), ("", 0, 2)])
def test_evidence_that_is_skipped_is_a_failure_where_all_is_there(tmp_path, ci, failed, skipped):
    name = "tests/bnlib/test_lemma.py::test_the_geometry_of_the_right_side"
    assert any(name in claim.get("tests", ()) for claim in RECORD["claim"])
    file = tmp_path / "tests/bnlib/test_lemma.py"
    file.parent.mkdir(parents=True)
    skip = "@pytest.mark.skip('no reason')\ndef test_{}(): pass\n"
    text = "import pytest\n" + skip.format("the_geometry_of_the_right_side") + skip.format("other")
    file.write_text(text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    shutil.copy(ROOT / "conftest.py", tmp_path)
    environ = os.environ | {"CI": ci, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert f"{skipped} skipped" in done.stdout
    assert done.returncode == failed
    assert ("is evidence of geometry, and was skipped" in done.stdout) == bool(failed)
