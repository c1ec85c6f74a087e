"""What a machine may lack: JAX has no wheel for some, and what needs it is skipped there.

On a machine that has wheels of JAX a missing one is a mistake in the installation: where CI=true,
no test runs without it.
"""

import importlib
import importlib.util
import os
import platform
import tomllib

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

from tools.project import CHAPTERS, ROOT
from tools.toc import WITH_JAX

NO_JAX = "JAX is not installed: it has no wheel for some machines (pyproject.toml says which)"
# What computes with JAX from its first line on; what needs it in one test says so there.
CHAPTERS_WITH_JAX = [CHAPTERS / f"{name}.ipynb" for name in WITH_JAX]
TESTS_WITH_JAX = [ROOT / "tests/networks", ROOT / "tests/project/test_benchmarks.py"]


def has_jax():
    return all(importlib.util.find_spec(name) is not None for name in ("jax", "optax"))


def only_with(name, reason):
    """Return the mark of tests that take long: they run with this variable at 1 (check-all)."""
    return pytest.mark.skipif(os.environ.get(name) != "1", reason=f"{reason}; {name}=1 runs it")


needs_jax = pytest.mark.skipif(not has_jax(), reason=NO_JAX)


def importable(module):
    """Return whether a module can be imported here: all can, where JAX is."""
    if has_jax():
        return True
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name in ("jax", "optax"):
            return False
        raise
    return True


def marked(modules, prefix=""):
    """Return them as parameters of a test, those that need JAX skipped where there is none."""
    return [
        name if importable(f"{prefix}{name}") else pytest.param(name, marks=needs_jax)
        for name in modules
    ]


def jax_expected(machine, libc):
    """Return whether JAX has a wheel: as pyproject.toml says; on Linux for glibc 2.27 or newer."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in extras["optional-dependencies"]["network"]:
        marker = Requirement(line).marker
        if marker is not None and not marker.evaluate(dict(machine)):
            return False
    name, version = libc
    numbers = [int(each) for each in version.split(".") if each.isdecimal()]
    return machine["sys_platform"] != "linux" or (name == "glibc" and numbers >= [2, 27])


def mistake():
    """Return what is wrong where JAX is missing on a machine that should have it, or nothing."""
    if os.environ.get("CI") != "true" or has_jax():
        return ""
    if not jax_expected({**default_environment(), "extra": ""}, platform.libc_ver()):
        return ""
    return (
        "JAX is not installed, though it has wheels for this machine: half of the tests would be "
        "skipped. Remedy: install requirements.txt"
    )
