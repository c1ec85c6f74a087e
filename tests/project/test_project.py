"""The parts of the project that must agree with each other, and tools that must not fail."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from xml.etree import ElementTree as ET

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import bnlib
from tools import book, determinism, environment, guards, project, rerun, toc, verdict
from tools.project import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
# One pin: name==version, perhaps a marker, and its hashes on the continued lines.
PIN = re.compile(
    r"^(\S+==\S+)((?: ;[^\\\n]*)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.MULTILINE
)
PYTHONS = ("3.11", "3.12", "3.13")


def machine(python):
    return default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "extra": "",
    }


def pins(machine):
    """Return the pinned versions by name for one machine, as markers describe it."""
    found = {}
    for pinned, marker, _ in PIN.findall(LOCK):
        requirement = Requirement(pinned + marker)
        if requirement.marker is None or requirement.marker.evaluate(machine):
            version = Version(str(requirement.specifier).removeprefix("=="))
            found.setdefault(canonicalize_name(requirement.name), []).append(version)
    return found


def requirements():
    extras = PYPROJECT["project"]["optional-dependencies"].values()
    return [*PYPROJECT["project"]["dependencies"], *(line for extra in extras for line in extra)]


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_every_requirement(python):
    assert Version(python) in SpecifierSet(PYPROJECT["project"]["requires-python"])
    pinned, remedy = pins(machine(python)), "Remedy: make lock"
    assert all(len(versions) == 1 for versions in pinned.values()), f"two pins of one. {remedy}"
    for line in [*requirements(), *PYPROJECT["build-system"]["requires"]]:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate(machine(python)):
            continue
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{line} is not in requirements.txt. {remedy}"
        assert versions[0] in requirement.specifier, f"{line} is not met by {versions[0]}. {remedy}"


def test_every_pin_has_hashes_and_the_lock_names_no_index():
    lines = [line for line in LOCK.splitlines() if line and line[0] not in "# "]
    assert len(lines) == len(PIN.findall(LOCK)), (
        "a line of the lock is not a pin. Remedy: make lock"
    )
    assert all(hashes for _, _, hashes in PIN.findall(LOCK)), (
        "a pin without hash. Remedy: make lock"
    )
    assert not re.search(r"^\s*--(?!hash)|https?://|file://", LOCK, re.MULTILINE)


def test_what_is_installed_is_what_is_locked():
    for name, [version] in pins(default_environment() | {"extra": ""}).items():
        installed = Version(importlib.metadata.version(name))
        assert installed == version, f"{name} {installed} is installed. Remedy: make clean"
    assert importlib.metadata.version("bnlib") == bnlib.__version__


def test_verdict_figure_is_the_first_of_the_landing_page():
    landing = ROOT / f"{toc.entries()[0]}.ipynb"
    svg = rerun.VERDICT.read_text(encoding="utf-8")
    assert svg == guards.figures(landing)[0], "Remedy: make rerun"
    assert ET.fromstring(svg).tag.endswith("svg")


def test_verdict_is_computed_and_says_that_the_lemma_fails():
    assert "8/17 > 0: the lemma FAILS" in verdict.verdict()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_only_commands_and_files_that_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make (\w+)", text)) - targets == set()
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_contributing_explains_every_command():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^(\w+):.*##", makefile, re.MULTILINE):
        assert f"`make {target}`" in text


def test_importing_bnlib_is_quick_and_light():
    code = "import sys, time; t = time.perf_counter(); import bnlib; t = time.perf_counter() - t;"
    heavy = "{'sympy', 'matplotlib', 'jax', 'sklearn', 'flint', 'IPython'}"
    code += f" print(t); print(sorted({heavy} & set(sys.modules)))"
    runs = [subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(5)]
    assert {run.splitlines()[1] for run in runs} == {"[]"}, "import it inside the module needing it"
    assert min(float(run.splitlines()[0]) for run in runs) < 0.2


def test_fingerprint_follows_contents_and_names_not_times(tmp_path, monkeypatch):
    monkeypatch.setattr(project, "ROOT", tmp_path)
    file = tmp_path / "a"
    file.write_text("1")
    before = project.fingerprint([file])
    file.touch()
    assert project.fingerprint([file]) == before
    file.write_text("2")
    assert project.fingerprint([file]) != before
    assert project.fingerprint([file.rename(tmp_path / "b")]) != before


def test_book_is_out_of_date_after_a_change_or_a_loss(html, monkeypatch):
    wanted = project.fingerprint(book.inputs())
    assert book.is_current(wanted)
    assert not book.is_current(wanted + "0")
    sizes = book.pages()
    monkeypatch.setattr(book, "pages", lambda: dict(list(sizes.items())[1:]))
    assert not book.is_current(wanted)


def test_environment_is_whole_and_a_lost_package_is_noticed(monkeypatch):
    assert environment.installed() == environment.wanted(), "Remedy: make environment"
    names = environment.distributions()
    monkeypatch.setattr(environment, "distributions", lambda: names - {sorted(names)[0]})
    assert environment.installed() == {}


def test_user_settings_do_not_reach_an_installation(monkeypatch):
    for name in ("PIP_TARGET", "PIP_USER", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    env = environment.clean_environment()
    assert not {"PIP_TARGET", "PIP_USER", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} & set(env)
    assert env["PIP_INDEX_URL"] == "https://mirror.example/simple"


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """Return a small chapter on its own, not yet executed."""
    determinism.settle(env := {})
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "small.ipynb"
    sources = ["print(1)\nprint(2)", "1 / 3", "import os; sorted(os.listdir())"]
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": source}
        | {"execution_count": 7, "outputs": []}
        for i, source in enumerate(sources)
    ]
    notebook = {"cells": cells, "metadata": {"x": 1}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_rerun_is_stable_and_satisfies_the_guards(chapter):
    first = rerun.execute(chapter, project.Progress("small"))
    assert rerun.write(chapter, first)
    assert guards.problems(chapter) == []
    notebook = guards.read(chapter)
    assert [cell["id"] for cell in notebook["cells"]] == ["c0", "c1", "c2"]
    assert len(notebook["cells"][0]["outputs"]) == 1, "streams are not merged"
    assert "small.ipynb" in first, "the kernel does not run in the chapter's folder"
    again = rerun.execute(chapter, project.Progress("small"))
    assert again == first
    assert not rerun.write(chapter, again)


def test_rerun_leaves_a_failing_chapter_as_it_was(chapter, monkeypatch, capsys):
    broken = chapter.read_text(encoding="utf-8").replace("1 / 3", "1 / 0")
    chapter.write_text(broken, encoding="utf-8")
    monkeypatch.setattr(rerun, "chosen", lambda names: [chapter])
    monkeypatch.setattr(rerun, "CHAPTERS", chapter.parent)
    assert rerun.main([]) == 1
    assert "Code cell 2 (id c1) failed" in capsys.readouterr().err
    assert chapter.read_text(encoding="utf-8") == broken
