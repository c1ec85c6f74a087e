"""The page "How it ran" is that of the lock, of every chapter, and of the project as it is."""

import copy
import json
import re
import subprocess
import sys

import nbformat
import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from benchmarks import timing
from tests.book import guards
from tests.project.test_project import PYPROJECT, pins, run
from tools import ran, toc
from tools.project import ROOT

RAN = ran.load()
PAGE = ran.PAGE.read_text(encoding="utf-8")


def lock(machine):
    """Return what the lock pins for the machine that was measured."""
    python, system = machine["python"], machine["system"]
    environment = default_environment() | {"extra": "", "platform_system": system}
    environment |= {"sys_platform": system.lower(), "platform_machine": machine["architecture"]}
    environment |= {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    return pins(environment)


def problems(of):
    """Yield what is wrong with what was measured and tried."""
    named = {k: v for group in of["machine"]["packages"].values() for k, v in group.items()}
    pinned = lock(of["machine"])
    for name, version in named.items():
        [expected] = pinned.get(canonicalize_name(name), ["nothing"])
        if expected != Version(version):
            yield f"{name} {version}, but the lock has {expected}"
    project = PYPROJECT["project"]
    asked = [*project["dependencies"]]
    for extra in ("book", "certify", "network", "data", "cluster", "test"):
        asked += project["optional-dependencies"][extra]
    yield from (f"{name} is not named" for name in {Requirement(e).name for e in asked} - {*named})
    chapters = [path.stem for path in toc.notebooks()]
    if [*of["chapters"]] != chapters:
        yield f"rows {[*of['chapters']]}, but the book has {chapters}"
    for name, each in [*of["chapters"].items(), *of["commands"].items()]:
        if not (each["cpu"] > 0 and each["seconds"] > 0 and each["megabytes"] > 30):
            yield f"{name} took {each}"
    for each in of["tried"]:
        if not {*each.get("chapters", ())} <= {*chapters}:
            yield f"{each['platform']}: no such chapter among {each['chapters']}"


def test_it_is_of_the_lock_and_of_every_chapter():
    assert [*problems(RAN)] == [], "Remedy: make timing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda of: of["machine"]["packages"]["library"].update(numpy="1.0"), "numpy 1.0, but the"),
        (lambda of: of["machine"]["packages"]["test"].pop("nbval"), "nbval is not named"),
        (lambda of: of["machine"]["packages"]["data"].update(nose="1.0"), "but the lock has noth"),
        (lambda of: of["chapters"].pop("claim"), "but the book has"),
        (lambda of: of["chapters"].update(gone=of["chapters"]["claim"]), "'gone'], but the book"),
        (lambda of: of["commands"]["book"].update(cpu=0.0), "book took"),
        (lambda of: of["tried"][2]["chapters"].append("gone"), "no such chapter"),
    ],
)
def test_a_planted_defect_is_named(change, said):
    change(planted := copy.deepcopy(RAN))
    assert any(said in each for each in problems(planted)), [*problems(planted)]


def test_the_page_is_made_of_it_and_its_sums_are_right():
    assert ran.page(RAN) == PAGE, "Remedy: make record"
    assert not guards.MACHINE.search(PAGE)
    row = r"^\| \[\]\(([\w-]+)\.ipynb\) \| ([\d.]+) \| ([\d.]+) \| ([\d,]+) \|$"
    names, *columns = zip(*re.findall(row, PAGE, re.MULTILINE), strict=True)
    assert [*names] == [path.stem for path in toc.notebooks()]
    seconds, cpu, memory = ([float(n.replace(",", "")) for n in column] for column in columns)
    total = f"{sum(seconds):.1f} | {sum(cpu):.1f} | {max(memory):,.0f}"
    assert f"| all chapters | {total} |" in PAGE
    assert f"took {sum(cpu):.0f} seconds of processor time" in PAGE


def test_sizes_are_those_of_the_project(tmp_path):
    books = [nbformat.read(path, as_version=4) for path in toc.notebooks()]
    outputs = sum(len(c.outputs) for book in books for c in book.cells if c.cell_type == "code")
    figures = sum(len(guards.figures(path)) for path in toc.notebooks())
    assert f"| stored outputs | {outputs}, of which {figures} figures |" in PAGE
    for name, count in (("a.py", 1149), ("b/c.py", 3), ("d.txt", 900)):
        (tmp_path / "tests" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tests" / name).write_text("x\n" * count, encoding="utf-8")
    counted = dict(ran.sizes(RAN["bytes"], tmp_path))
    assert (counted["`tests`"], counted["`bnlib`"]) == ("1,200 lines", "0 lines")


def test_wheel_and_book_have_the_size_that_was_measured(html, tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    for name, folder in (("wheel", tmp_path), ("book", html)):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        assert size == pytest.approx(RAN["bytes"][name], rel=0.1), f"{name}. Remedy: make timing"


BURN = "import time; x = b'x' * {}\nwhile time.process_time() < 0.5: pass"
START = "import subprocess, sys\nsubprocess.{}([sys.executable, '-c', {!r}])\n"
MEASURE = """import json, pathlib
from benchmarks import timing
timing.adopt()
timing.ROOT = pathlib.Path({!r})
print(json.dumps(timing.cost({!r})))"""


@pytest.mark.parametrize(
    ("call", "size", "cpu"),
    [("run", 300_000_000, 0.5), ("Popen", 1, 0.5 if sys.platform == "linux" else 0)],
    ids=["waited for", "left behind"],
)
def test_what_a_command_starts_is_measured_too(call, size, cpu, tmp_path):
    (tmp_path / "burn.py").write_text(START.format(call, BURN.format(size)), encoding="utf-8")
    (tmp_path / "fail.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    took = json.loads(run(sys.executable, "-c", MEASURE.format(str(tmp_path), "burn")))
    assert took["cpu"] >= cpu
    assert size / 1e6 <= took["megabytes"] < size / 1e6 + 200
    command = [sys.executable, "-c", MEASURE.format(str(tmp_path), "fail")]
    failed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("fail failed. Remedy: ")


def test_the_tests_are_measured_on_the_machine_of_the_chapters(tmp_path, monkeypatch):
    took = {"seconds": 1.0, "cpu": 1.0, "megabytes": 99}
    monkeypatch.setattr(timing, "TIMING", tmp_path / "timing.json")
    monkeypatch.setattr(timing, "cost", lambda *command, output=None: took)
    monkeypatch.setattr(timing, "chapters", lambda: {"machine": here, "commands": {"book": took}})
    monkeypatch.setattr(timing, "machine", lambda: here)
    here = {"cores": 2}
    with pytest.raises(SystemExit, match="Remedy: make timing TEST=1"):
        timing.main("tests")
    kept = []
    for what in ("chapters", "tests", "chapters", "elsewhere"):
        here = {} if what == "elsewhere" else here
        timing.main(what.replace("elsewhere", "chapters"))
        kept.append([*json.loads(timing.TIMING.read_text(encoding="utf-8"))["commands"]])
    assert kept == [["book"], ["book", "test"], ["book", "test"], ["book"]]
