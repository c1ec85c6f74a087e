"""The parts of the project that must agree with each other, and tools that must not fail."""

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import zipfile
from xml.etree import ElementTree as ET

import nbclient
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import bnlib
from bn_experiments.exact.verdict import verdict
from tests.book import guards
from tools import determinism, environment, project, rerun, toc
from tools.project import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
# One pin: name==version, perhaps a marker, and its hashes on the continued lines.
PIN = re.compile(r"^(\S+==\S+)((?: ;[^\\\n]*)?)((?: \\\n    --hash=sha256:[0-9a-f]{64})*)$", re.M)
RELOCK = "Remedy: make lock"
RESULTS = [*(ROOT / "results").iterdir()]


def run(*command, cwd=ROOT, **environ):
    """Return what a command prints; it must succeed."""
    env = os.environ | environ
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def machine(python):
    named = {"python_version": python, "python_full_version": f"{python}.0"}
    return default_environment() | named | {"extra": ""}


def pins(machine):
    """Return the pinned versions by name for one machine, as markers describe it."""
    found = {}
    for pinned, marker, _ in PIN.findall(LOCK):
        requirement = Requirement(pinned + marker)
        if requirement.marker is None or requirement.marker.evaluate(machine):
            version = Version(str(requirement.specifier).removeprefix("=="))
            found.setdefault(canonicalize_name(requirement.name), []).append(version)
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_lock_satisfies_every_requirement(python):
    table = PYPROJECT["project"]
    assert Version(python) in SpecifierSet(table["requires-python"])
    pinned = pins(machine(python))
    assert all(len(versions) == 1 for versions in pinned.values()), f"two pins of one. {RELOCK}"
    lines = table["dependencies"] + PYPROJECT["build-system"]["requires"]
    for line in sum(table["optional-dependencies"].values(), lines):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(machine(python)):
            versions = pinned.get(canonicalize_name(requirement.name))
            assert versions, f"{line} is not in requirements.txt. {RELOCK}"
            assert versions[0] in requirement.specifier, f"{line}: {versions[0]}. {RELOCK}"


def test_every_pin_has_hashes_and_is_what_is_installed():
    lines = [line for line in LOCK.splitlines() if line and line[0] not in "# "]
    assert len(lines) == len(PIN.findall(LOCK)), f"a line of the lock is not a pin. {RELOCK}"
    assert all(hashes for _, _, hashes in PIN.findall(LOCK)), f"a pin without hash. {RELOCK}"
    assert not re.search(r"^\s*--(?!hash)|https?://|file://", LOCK, re.MULTILINE)
    for name, [version] in pins(default_environment() | {"extra": ""}).items():
        installed = Version(importlib.metadata.version(name))
        assert installed == version, f"{name} {installed} is installed. Remedy: make clean"
    assert importlib.metadata.version("bnlib") == bnlib.__version__


def test_a_wheel_holds_the_packages_their_style_that_they_are_typed_and_the_results(tmp_path):
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    [wheel] = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    packages = ("bnlib", "bn_solver", "bn_experiments")
    files = [path for package in packages for path in (ROOT / package).rglob("*") if path.is_file()]
    ours = {str(path.relative_to(ROOT)) for path in files if path.suffix != ".pyc"}
    assert held == ours | {f"bn_experiments/results/{each.name}" for each in RESULTS}
    assert {f"{each}/py.typed" for each in packages} < held
    assert "bn_experiments/book/book.mplstyle" in held


def test_the_verdict_is_computed_and_figures_of_the_landing_page_are_files_too():
    for name, svg in zip(("verdict", "fits"), guards.figures(toc.notebooks()[0]), strict=True):
        kept = (ROOT / "chapters" / f"{name}.svg").read_text(encoding="utf-8")
        assert kept == svg, "Remedy: make rerun"
        assert ET.fromstring(kept).tag.endswith("svg")
    assert "8/17 > 0: the lemma FAILS" in verdict()
    assert run(sys.executable, "-m", "bnlib") == f"{verdict()}\n"


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_every_room_and_only_commands_and_files_that_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"`make ([\w-]+)", text)) <= targets
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    named = re.findall(r"`((?:\w+/)+[\w.]*)`", text)
    named = [each for each in links + named if not each.startswith("_build/")]  # made by a command
    assert [each for each in named if not (ROOT / each).exists()] == []
    rooms = {f"bn_experiments/{path.parent.name}/" for path in ROOT.glob("bn_experiments/*/*.py")}
    named = re.findall(r"^\| `(bn_experiments/\w+/)`", text, re.MULTILINE)
    assert sorted(named) == sorted(rooms), "Remedy: one row of the table for each room"


def test_contributing_explains_every_command_and_hooks_are_those_of_make_lint():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for target in re.findall(r"^(\w+):.*##", MAKEFILE, re.MULTILINE):
        assert f"`make {target}`" in text
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]
    commands = recipe.replace("$(VENV_PYTHON)", ".venv/bin/python").replace("\t@", "")
    assert [hook["entry"] for hook in hooks] == commands.splitlines()
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


@pytest.mark.parametrize("attributes", [True, False])
def test_line_ends_survive_a_clone_that_converts_them(tmp_path, attributes):
    for name in (".ci/run", *[".gitattributes"][: int(attributes)]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git = ("git", "-c", "core.autocrlf=true", "-c", "core.safecrlf=false")
    run(*git, "init", "-q", cwd=tmp_path)
    run(*git, "add", ".", cwd=tmp_path)
    (tmp_path / ".ci" / "run").unlink()
    run(*git, "checkout", ".", cwd=tmp_path)
    assert (b"\r" in (tmp_path / ".ci" / "run").read_bytes()) is not attributes


def test_every_text_file_has_the_line_ends_and_the_last_line_of_the_editor_settings():
    assert "end_of_line = lf" in (ROOT / ".editorconfig").read_text(encoding="utf-8")
    texts = [p for p in ROOT.glob("[!._]*/**/*") if p.suffix in {".py", ".md", ".ipynb", ".json"}]
    assert len(texts) > 100
    texts = [path for path in texts if "mutants" not in path.parts]  # mutmut writes its own way
    ends = {path: path.read_bytes() for path in texts if path.stat().st_size}
    assert [path for path, text in ends.items() if b"\r" in text or text[-1:] != b"\n"] == []


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a copy of what `make` looks at, with what a complete installation leaves."""
    folder = tmp_path / "checkout"
    locks = ("requirements.txt", "requirements-lab.txt", "requirements-mutants.txt")
    for name in ("Makefile", *locks, "pyproject.toml", "bnlib/__init__.py"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (folder / ".venv/lib/python3.11/site-packages/numpy-1.dist-info").mkdir(parents=True)
    monkeypatch.setattr(environment, "ROOT", folder)
    monkeypatch.setattr(environment, "VENV", folder / ".venv")
    for path in planned(folder).values():
        environment.stamp(folder / path)
    return folder


def planned(folder, python=sys.executable, command="environment"):
    """Return which installations a command would begin with, and their stamps."""
    shown = run("make", "-n", command, f"PYTHON={python}", cwd=folder)
    return dict(re.findall(r"tools\.environment (\w+) (\S+)", shown))


def change(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def stop_python(folder):
    (folder / ".venv/bin/python").unlink()
    (folder / ".venv/bin/python").symlink_to("/nowhere/python")


EVERYTHING = ["packages", "bnlib"]
CHANGES = {
    "none": (lambda at: None, []),
    "dates": (lambda at: [(at / each).touch() for each in ("requirements.txt", "Makefile")], []),
    "lock": (lambda at: change(at / "requirements.txt"), EVERYTHING),
    "settings": (lambda at: change(at / "pyproject.toml"), ["bnlib"]),
    "version": (lambda at: (at / "bnlib/__init__.py").write_text('__version__ = "9"'), ["bnlib"]),
    "lost package": (lambda at: next(at.glob(".venv/lib/*/*/numpy*")).rmdir(), EVERYTHING),
    "lost Python": (stop_python, EVERYTHING),
    "moved": (lambda at: at.rename(at.with_name("moved")), EVERYTHING),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_only_what_is_out_of_date_is_installed_again(kind, checkout):
    how, expected = CHANGES[kind]
    how(checkout)
    [folder] = checkout.parent.iterdir()
    assert [*planned(folder)] == expected


def test_another_python_another_lock_and_an_interruption_have_things_installed_again(
    checkout, tmp_path, monkeypatch
):
    assert [*planned(checkout, command="test")] == []
    [(what, path)] = planned(checkout, command="lab").items()
    assert what == "lab"
    environment.stamp(checkout / path)
    assert [*planned(checkout, command="lab")] == []
    change(checkout / "requirements-lab.txt")
    assert [*planned(checkout)] == []
    assert [*planned(checkout, command="lab")] == ["lab"]
    assert [*planned(checkout, fake(tmp_path / "python", "echo Python 3.12.99"))] == EVERYTHING

    def interrupted(what):
        raise KeyboardInterrupt

    change(checkout / "pyproject.toml")
    path = checkout / planned(checkout)["bnlib"]
    monkeypatch.setattr(environment, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.main("bnlib", path)
    assert [*planned(checkout)] == ["bnlib"]
    path.touch()
    os.utime(path, (2e9, 2e9))  # by another command, while this one waited
    environment.main("bnlib", path)


def test_user_settings_do_not_reach_an_installation():
    harmful = dict.fromkeys(("PYTEST_ADDOPTS", "PYTHONPATH", "PYTHONHOME", "LC_ALL"), "x")
    shown = run("make", "-s", "--eval=show: ; @env", "show", **harmful).splitlines()
    assert not {f"{name}={value}" for name, value in harmful.items()} & {*shown}
    assert "PYTHONUTF8=1" in shown


def fake(path, script):
    """Write a program that stands for a Python."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


LACKING = [
    ("exit 127", "says: . Remedy: install a newer Python"),
    ('[ "$1" = -V ] && echo Python 3.9.2; exit 1', "says: Python 3.9.2. Remedy: install a newer"),
    ('case "$2" in *venv*) exit 1;; esac', "no venv module .*apt-get install python3-venv"),
]


@pytest.mark.parametrize(("script", "told"), LACKING)
def test_what_a_bare_machine_lacks_is_named(script, told, checkout):
    python = fake(checkout / "python", script)
    command = ["make", "environment", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert done.returncode
    assert re.search(told, done.stdout)


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
    assert project.write(chapter, first)
    assert guards.problems(chapter) == []
    notebook = guards.read(chapter)
    assert [cell["id"] for cell in notebook["cells"]] == ["c0", "c1", "c2"]
    assert len(notebook["cells"][0]["outputs"]) == 1, "streams are not merged"
    assert "small.ipynb" in first, "the kernel does not run in the chapter's folder"
    again = rerun.execute(chapter, project.Progress("small"))
    assert again == first
    assert not project.write(chapter, again)


@pytest.mark.parametrize("deaths", [0, 2, 3])
def test_a_kernel_whose_ports_were_taken_is_started_again(deaths):
    left = [RuntimeError("Kernel died before replying to kernel_info")] * deaths

    def start(name):
        if left:
            raise left.pop()
        return name

    with pytest.raises(RuntimeError) if deaths == 3 else contextlib.nullcontext():
        assert project.persistent(start)("kernel") == "kernel"


def test_a_dead_kernel_costs_a_rerun_nothing(chapter, monkeypatch):
    first = rerun.execute(chapter, project.Progress("small"))
    right, left = nbclient.NotebookClient.start_new_kernel, [1]

    def dies(client, **kwargs):
        right(client, **kwargs)
        if left:
            left.pop()
            os.kill(client.km.provisioner.pid, signal.SIGKILL)

    monkeypatch.setattr(nbclient.NotebookClient, "start_new_kernel", dies)
    assert rerun.execute(chapter, project.Progress("small")) == first
    assert not left


def test_rerun_leaves_a_failing_chapter_as_it_was(chapter, monkeypatch, capsys):
    broken = chapter.read_text(encoding="utf-8").replace("1 / 3", "1 / 0")
    chapter.write_text(broken, encoding="utf-8")
    monkeypatch.setattr(rerun, "chosen", lambda names: [chapter])
    monkeypatch.setattr(rerun, "ROOT", chapter.parent)
    assert rerun.main([]) == 1
    assert "Code cell 2 (id c1) failed" in capsys.readouterr().err
    assert chapter.read_text(encoding="utf-8") == broken
