"""Plant faults in copies of the chapters, and ask the checks of `make test` about each.

Copies of the project hold the falsified chapters; there, pytest runs with the options, the
conftest.py and the guards of this project: what `make test` runs, on other chapters.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.book import guards
from tests.book.faults import COMPARED, GUARDED, Fault, code
from tests.book.signs import MARK, SIGNS, Marked, plant_signs
from tools import toc
from tools.project import ROOT, write_made

GUARD = "tests.book.test_notebooks", "test_chapter_satisfies_every_guard"
PAGE = ROOT / "benchmarks" / "faults.md"
ROW = r"^\| ([^|]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|"
PACKAGES = ("bnlib", "bn_solver", "bn_experiments", "results")
TESTS = {"bn_solver": "solver"}  # the folder of a room's tests, where it is named otherwise
CHECKS = ("nbval", "guards", "tests")
# Signs that change nothing that could be red: why.
EQUIVALENT = {
    "mini-batches, cell 12, sign 1: `-1` → `+1`": "the last axis of two is axis 1",
    "bn_experiments/networks/training.py, sign 7: `-1` → `+1`": "the last axis of two is axis 1",
    "bnlib/neuron.py, sign 11: `-1` → `+1`": "the last axis of two is axis 1",
    "bn_solver/doubled.py, sign 43: `count - 1` → `count + 1`": "slices narrower by at most a bit, "
    "whose sums are exact as well; up to 2¹⁵ examples three of them hold more than a pair does",
    "proofs, cell 4, sign 0: `high - low` → `high + low`": "half the width of a box with positive "
    "coordinates, only for an assertion, which holds for a larger one all the more",
}
TEXT = """\
# Planted faults

Made by `make faults`. Each fault is planted in a copy of a chapter, or of the library, drawn with a
fixed seed; then the checks of `make test` run on the copy: nbval, which executes the chapter and
compares its outputs, the guards of `tests/book/guards.py`, and, for a sign in the library that no
output of the chapter shows, the tests of the library. A fault is caught if a check is red where it
was planted, and nowhere else. That the checksums of `manifest.sha256` differ, too, is not counted.

"""


def plant(path, kinds):
    """Return a fault of each of these kinds in a chapter, where there is a place for it."""
    planted = []
    for kind in kinds:
        fault = Fault(kind, path.stem, guards.read(path))
        cells = code(fault.notebook)
        if kind in COMPARED:
            fault.cells = COMPARED[kind](cells, Random(f"{path.stem}, {kind}"))
            planted += [fault] if fault.cells else []
        else:
            with suppress(StopIteration):  # no figure
                GUARDED[kind][0](cells)
                planted.append(fault)
    return planted


def keep(paths, folder, *arguments):
    """Execute chapters, in a copy, as `make test` does; return where the answers are kept."""
    project(folder, {path.stem: guards.read(path) for path in paths})
    (folder / "marked.py").write_text(MARK, encoding="utf-8")
    for path in folder.glob("bn*/**/*.py"):
        file = path.relative_to(folder).as_posix()
        path.write_text(Marked(file, path.read_text(encoding="utf-8")).text, encoding="utf-8")
    red = [each for each, told in run(folder, *kernel("keep"), *arguments).items() if told]
    assert not red, f"red without a fault: {red}"
    return folder / "answers"


def project(folder, notebooks):
    """Copy this project, with these chapters in place of its own and no test but the guards'."""
    for name in ("tools", "tests", "chapters", *PACKAGES):
        ignored = shutil.ignore_patterns("__pycache__", "*.ipynb")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, folder / name)
    for path in folder.glob("tests/*/test_*.py"):
        if path.name != "test_notebooks.py":
            path.unlink()
    (ROOT / "_build/jax").mkdir(parents=True, exist_ok=True)
    (folder / "_build").mkdir()
    (folder / "_build/jax").symlink_to(ROOT / "_build/jax")  # what is compiled already
    write(folder, notebooks)
    names = [f"chapters/{name}" for name in notebooks]
    contents = {"root": names[0], "chapters": [{"file": name} for name in names[1:]]}
    (folder / "_toc.yml").write_text(json.dumps(contents), encoding="utf-8")  # JSON is YAML


def write(folder, notebooks):
    for name, notebook in notebooks.items():
        (folder / "chapters" / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def kernel(kind):
    return ["-p", "tests.book.replay", f"--kernel={kind}"]


def run(folder, *arguments):
    """Run this project's pytest in a copy: {(file, test): message or None}."""
    command = [sys.executable, "-m", "pytest", "--junitxml=report.xml", "--tb=no", "-q", "-rN"]
    command += arguments
    # With CI=true a skipped test may be missed evidence: the record is not in the copy.
    env = {k: v for k, v in os.environ.items() if k != "CI" and not k.startswith("PYTEST_")}
    (folder / "report.xml").unlink(missing_ok=True)
    result = subprocess.run(command, cwd=folder, env=env)
    assert result.returncode in (0, 1), f"pytest ended with {result.returncode}"
    verdicts = {}
    for case in ET.parse(folder / "report.xml").iter("testcase"):
        red = [each for each in case if each.tag in ("failure", "error")]
        told = "".join(each.get("message", "") + (each.text or "") for each in red)
        verdicts[case.get("classname"), case.get("name")] = told if red else None
    return verdicts


def judge(faults, verdicts, folder=""):
    """Give every fault what the checks said of its notebook."""
    cells = {f"{folder.format(fault.name)}chapters.{fault.name}.ipynb": fault for fault in faults}
    for (file, test), told in verdicts.items():
        if told is not None and file in cells:
            cells[file].red[test] = told
    for fault in faults:
        if told := verdicts.get((GUARD[0], f"{GUARD[1]}[{fault.name}]")):
            fault.red["guards"] = told


def named(faults):
    for number, fault in enumerate(faults):
        fault.name = f"{fault.chapter}-{number}"
    return {fault.name: fault.notebook for fault in faults}


def ask(faults, folder, answers, *arguments):
    """Have the checks judge all faults in copies; what no output shows is left to the tests."""
    executed = [fault for fault in faults if fault.place]
    stored = [fault for fault in faults if fault not in executed]
    project(folder / "stored", named(stored))
    shutil.copytree(answers, folder / "stored" / "answers")
    go_on = "--continue-on-collection-errors"  # the same id twice is one
    judge(stored, run(folder / "stored", *kernel("repeat"), go_on, *arguments))
    if executed:
        ask_kernels(executed, folder / "signs", *arguments)
        left = [f for f in executed if f.files and not f.caught and f.place not in EQUIVALENT]
        ask_tests(left, folder / "tests")


def ask_kernels(faults, folder, *arguments):
    """Execute each notebook with the packages that it is given, until it is red."""
    project(folder, named(faults))
    for fault in faults:
        (folder / fault.name / "chapters").mkdir(parents=True)
        for name in PACKAGES:
            shutil.copytree(folder / name, folder / fault.name / name)
        for file, text in fault.files.items():
            (folder / fault.name / file).write_text(text, encoding="utf-8")
        write(folder / fault.name, {fault.name: fault.notebook})
    files = [f"{fault.name}/chapters/{fault.name}.ipynb" for fault in faults]
    limit = "--nbval-cell-timeout=300"
    judge(faults, run(folder, *kernel("until-red"), limit, *arguments, *files), "{}.")


def ask_tests(faults, folder):
    """Run the tests of the room with the fault; those that are red must be green without it."""

    def ask_one(fault):
        [(file, text)] = fault.files.items()
        room = file.split("/")[file.startswith("bn_experiments/")]
        ignored = shutil.ignore_patterns(".*", "_build", "__pycache__")
        copied = shutil.copytree(ROOT, folder / fault.name, ignore=ignored)
        (copied / file).write_text(text, encoding="utf-8")
        module = Path(file).stem.strip("_")
        tests = (ROOT / "tests" / TESTS.get(room, room)).glob("test_*.py")
        named = {path: path.read_text(encoding="utf-8").count(module) for path in tests}
        about = sorted(named, key=lambda path: (path.stem != f"test_{module}", -named[path]))
        verdicts = run(copied, "-n0", "-x", *(str(path.relative_to(ROOT)) for path in about))
        fault.red = {test: told for test, told in verdicts.items() if told is not None}
        red = [file or name for file, name in fault.red]  # a file not even read has its name there
        files = [f"{each.replace('.', '/')}.py" for each in red]
        shutil.copy(ROOT / file, copied / file)
        if files and any(run(copied, "-n0", *files).values()):
            raise AssertionError(f"red without a fault, too: {files}")
        shutil.rmtree(copied)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(ask_one, faults))


def row(name, faults):
    caught = [fault.caught for fault in faults]
    equal = sum(not fault.caught and fault.place in EQUIVALENT for fault in faults)
    counts = len(faults), len(faults) - caught.count(None), equal, caught.count(None) - equal
    by = ", ".join(f"{each} {caught.count(each)}" for each in CHECKS if each in caught)
    return f"| {name} | {' | '.join(map(str, counts))} | {by} |"


def page(faults, paths):
    """Return the table of all faults, by kind and by chapter, as Markdown."""
    head = "planted | caught | equivalent | missed | caught by |\n|---|---:|---:|---:|---:|---|"
    kinds, chapters = [*COMPARED, *GUARDED, *SIGNS], [path.stem for path in paths]
    by_kind = [row(each, [f for f in faults if f.kind == each]) for each in kinds]
    by_chapter = [row(each, [f for f in faults if f.chapter == each]) for each in chapters]
    tables = [f"| kind | {head}", *by_kind, "", f"| chapter | {head}", *by_chapter]
    left = [fault.place for fault in faults if fault.place in EQUIVALENT and not fault.caught]
    lines = [*tables, row("together", faults), "", *(f"- {p}: {EQUIVALENT[p]}" for p in left)]
    lines += [f"- missed: {f.place}" for f in faults if not (f.caught or f.place in EQUIVALENT)]
    return TEXT + "\n".join(lines).rstrip() + "\n"


def main():
    """Plant faults of all kinds in all chapters and write the table; 1 if one is missed."""
    paths = toc.notebooks()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("Every chapter is executed once, its operations traced …", flush=True)
        answers = keep(paths, folder / "kept")
        kinds = {**COMPARED, **GUARDED}
        faults = [fault for path in paths for fault in plant(path, kinds)]
        faults += [fault for path in paths for fault in plant_signs(path, answers)]
        print(f"{len(faults)} faults are planted; the checks are asked …", flush=True)
        ask(faults, folder, answers)
    text = page(faults, paths)
    print(text)
    missed = [fault for fault in faults if not fault.caught and fault.place not in EQUIVALENT]
    for fault in missed:
        print(f"MISSED in {fault.chapter}: {fault.kind} {fault.place} {sorted(fault.cells)}")
    write_made(PAGE, text)
    return len(missed) > 0


if __name__ == "__main__":
    sys.exit(main())
