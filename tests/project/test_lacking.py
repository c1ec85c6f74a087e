"""Where JAX has no wheel the rest is installed and runs; where it has one, it is not missing."""

import ast
import json
import os
import platform
import re
import subprocess
import sys

import pytest

from tests import lacking
from tests.book import guards
from tests.project.test_project import machine, pins, run
from tools.project import CHAPTERS, ROOT
from tools.toc import notebooks

GLIBC, MUSL = ("glibc", "2.36"), ("", "")
MACHINES = {
    "Linux": ("linux", "x86_64", GLIBC, True),
    "Linux on arm64": ("linux", "aarch64", GLIBC, True),
    "the oldest glibc of JAX": ("linux", "x86_64", ("glibc", "2.27"), True),
    "an older glibc": ("linux", "x86_64", ("glibc", "2.17"), False),
    "musl": ("linux", "x86_64", MUSL, False),
    "macOS": ("darwin", "arm64", MUSL, True),
    "macOS on Intel": ("darwin", "x86_64", MUSL, False),
    "Windows": ("win32", "AMD64", MUSL, True),
    "Windows on arm64": ("win32", "ARM64", MUSL, False),
}
# Without JAX, as an import sees it: in a file that pytest loads before the conftests.
BLOCKED = "import sys\nsys.modules.update(dict.fromkeys(('jax', 'jaxlib', 'optax')))\n"
IMPORTING = r"""
import json
for name, statements in json.loads(sys.argv[1]).items():
    try:
        exec("\n".join(statements), {})
    except ModuleNotFoundError as error:
        print(name)
        assert error.name in ("jax", "optax", "jax.numpy"), error
"""


def described(system, processor, python="3.12"):
    return machine(python) | {"sys_platform": system, "platform_machine": processor}


def test_the_machines_that_have_jax():
    for kind, (system, processor, libc, expected) in MACHINES.items():
        assert lacking.jax_expected(described(system, processor), libc) is expected, kind


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("kind", MACHINES)
def test_the_lock_has_jax_where_it_has_wheels_and_all_else_everywhere(kind, python):
    system, processor, _, _ = MACHINES[kind]
    pinned = pins(described(system, processor, python))
    without = (system, processor) in (("darwin", "x86_64"), ("win32", "ARM64"))
    for name in ("jax", "jaxlib", "optax", "ml-dtypes"):
        assert (name in pinned) is not without
    rest = "numpy scipy sympy matplotlib python-flint scikit-learn pytest nbval jupyter-book"
    assert set(rest.split()) <= set(pinned)


def test_a_missing_jax_is_a_mistake_where_it_should_be(monkeypatch):
    for ci in ("true", ""):
        monkeypatch.setenv("CI", ci)
        assert lacking.mistake() == "" or not lacking.has_jax()
    monkeypatch.setattr(lacking, "has_jax", lambda: False)
    monkeypatch.setattr("platform.libc_ver", lambda: GLIBC)
    told = "Remedy: install requirements.txt"
    for system, ci, end in (("linux", "true", told), ("linux", "", ""), ("darwin", "true", "")):
        machine_here = described(system, "x86_64")
        monkeypatch.setenv("CI", ci)
        monkeypatch.setattr(lacking, "default_environment", lambda here=machine_here: here)
        assert lacking.mistake().endswith(end)
        assert bool(lacking.mistake()) is bool(end)


def imports(path):
    """Return the statements of a chapter that import something, in order."""
    cells = [cell for cell in guards.read(path)["cells"] if cell["cell_type"] == "code"]
    trees = [ast.parse("".join(cell["source"])) for cell in cells]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    return [ast.unparse(node) for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom))]


def test_the_chapters_that_need_jax_are_those_whose_imports_fail_without_it():
    asked = {path.stem: imports(path) for path in notebooks()}
    assert len(asked) > 15
    command = [sys.executable, "-c", BLOCKED + IMPORTING, json.dumps(asked)]
    told = run(*command, cwd=CHAPTERS, PYTHONPATH=str(ROOT))
    assert sorted(told.split()) == sorted(p.stem for p in lacking.CHAPTERS_WITH_JAX)


def run_without_jax(folder, ci, *arguments):
    (folder / "blocked.py").write_text(BLOCKED, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "blocked", "-p", "no:cacheprovider", "-n0"]
    command += ["-q", *arguments]
    environ = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "CI": ci}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)


def test_without_jax_what_needs_it_is_skipped_with_the_reason(tmp_path):
    tests = ["tests/networks/test_curvature.py", "tests/networks/test_wider.py"]
    alone = "tests/bnlib/test_batch_norm.py"
    done = run_without_jax(tmp_path, "", *tests, alone, "chapters/training.ipynb")
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d+ passed, \d+ skipped", done.stdout)
    skipped = re.findall(r"^SKIPPED \[(\d+)\] (\S+?):.*? (JAX .*)$", done.stdout, re.MULTILINE)
    assert {reason for _, _, reason in skipped} == {lacking.NO_JAX}
    read = guards.read(CHAPTERS / "training.ipynb")
    cells = sum(cell["cell_type"] == "code" for cell in read["cells"])
    counts = {where: int(number) for number, where, _ in skipped}
    assert counts["tests/conftest.py"] == len(tests)
    assert counts["chapters/training.ipynb"] == cells


def test_where_jax_has_a_wheel_no_test_runs_without_it_in_a_workflow(tmp_path):
    if not lacking.jax_expected(machine("3.12"), platform.libc_ver()):
        pytest.skip(lacking.NO_JAX)
    done = run_without_jax(tmp_path, "true", "tests/bnlib/test_batch_norm.py")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "JAX is not installed, though it has wheels for this machine" in done.stderr
