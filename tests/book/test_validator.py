"""The validator is validated: tampered copies of a real chapter must be rejected.

Copies of the project hold tampered chapters; there, pytest runs with the options, the
conftest.py and the guards of this project: what `make test` runs, on other chapters.
"""

import copy
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.book.tampering import COMPARED, GUARDED, choose, code
from tools.project import ROOT

GUARD = "test_chapter_satisfies_every_guard"


def run(folder, notebooks, *arguments):
    """Run this project's pytest on a copy with these chapters: {(file, test): message or None}."""
    for name in ("tools", "tests", "chapters"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder / name)
    for path in [*folder.glob("chapters/*.ipynb"), *folder.glob("tests/*/test_*.py")]:
        if path.name != "test_notebooks.py":
            path.unlink()
    for name, notebook in notebooks.items():
        (folder / "chapters" / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    names = [f"chapters/{name}" for name in notebooks]
    toc_text = {"root": names[0], "chapters": [{"file": name} for name in names[1:]]}
    (folder / "_toc.yml").write_text(json.dumps(toc_text), encoding="utf-8")  # JSON is YAML
    command = [sys.executable, "-m", "pytest", "--junitxml=report.xml", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert result.returncode in (0, 1), result.stdout + result.stderr
    return {
        (case.get("classname"), case.get("name")): (
            None
            if len(case) == 0
            else "".join(child.get("message", "") + (child.text or "") for child in case)
        )
        for case in ET.parse(folder / "report.xml").iter("testcase")
    }


@pytest.fixture(scope="module")
def tampered(tmp_path_factory):
    """Run everything at once: (verdicts of nbval, verdicts of the guards, plan)."""
    original, plan = choose()
    compared, guarded = {"untouched": original}, {"untouched": original}
    for number, assignment in enumerate(plan):
        notebook = compared[f"round{number}"] = copy.deepcopy(original)
        for name, cell in assignment.items():
            COMPARED[name][1](code(notebook)[cell])
    for name, (tamper, _) in GUARDED.items():
        notebook = guarded[name] = copy.deepcopy(original)
        tamper(code(notebook))
    with ThreadPoolExecutor() as pool:
        first_run = pool.submit(run, tmp_path_factory.mktemp("compared"), compared)
        second_run = pool.submit(
            run, tmp_path_factory.mktemp("guarded"), guarded, "-n0", "tests/book/test_notebooks.py"
        )
        return first_run.result(), second_run.result(), plan


def failed(results, chapter):
    """Return the nbval cells of the chapter that failed."""
    return {
        name
        for (file, name), message in results.items()
        if file == f"chapters.{chapter}.ipynb" and message is not None
    }


def guard_message(results, chapter):
    return results["tests.book.test_notebooks", f"{GUARD}[{chapter}]"]


def test_the_untouched_copy_is_accepted(tampered):
    compared, guarded, _ = tampered
    ran = [name for file, name in compared if file == "chapters.untouched.ipynb"]
    assert len(ran) == len(code(choose()[0])), "nbval did not run every cell of the copy"
    assert failed(compared, "untouched") == set()
    assert guard_message(compared, "untouched") is None
    assert guard_message(guarded, "untouched") is None


def test_nbval_finds_each_tampered_cell_and_no_other(tampered):
    compared, _, plan = tampered
    assert sorted(kind for assignment in plan for kind in assignment) == sorted(COMPARED)
    for number, assignment in enumerate(plan):
        cells = {f"Cell {cell}" for cell in assignment.values()}
        assert failed(compared, f"round{number}") == cells, assignment
        for cell in cells:
            assert "Cell outputs differ" in compared[f"chapters.round{number}.ipynb", cell]


@pytest.mark.parametrize("kind", GUARDED)
def test_a_guard_finds_the_tampering(kind, tampered):
    message = guard_message(tampered[1], kind)
    assert message is not None
    assert GUARDED[kind][1] in message
    assert f"{kind}.ipynb" in message
    assert "Remedy: " in message


def test_the_guards_of_the_book_accept_the_other_copies(tampered):
    """Only the tampered chapters are at fault, not what surrounds them in the copy."""
    others = [v for (_, name), v in tampered[1].items() if not name.startswith(GUARD)]
    assert others
    assert set(others) == {None}
