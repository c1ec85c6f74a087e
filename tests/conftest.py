"""Fixtures of the tests."""

import sys

import pytest

from tests import lacking
from tools import book, project


class Lacking(pytest.Module):
    """A test file that cannot even be imported here."""

    def collect(self):
        """Say why it is skipped."""
        pytest.skip(lacking.NO_JAX, allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    """Skip a test file that needs JAX where there is none."""
    needs = any(module_path.is_relative_to(each) for each in lacking.TESTS_WITH_JAX)
    if needs and not lacking.has_jax():
        return Lacking.from_parent(parent, path=module_path)
    return None


@pytest.fixture(scope="session")
def html(testrun_uid):
    """Return the folder of the book, built anew by the first worker of this run to ask for it."""
    built = project.BUILD / "tested"
    with project.exclusive():
        if not built.is_file() or built.read_text(encoding="utf-8") != testrun_uid:
            book.build()
            built.write_text(testrun_uid, encoding="utf-8")
    return project.HTML


@pytest.fixture(scope="module", autouse=True)
def compiled_functions_are_dropped():
    """Free what JAX has compiled after each module: together it is gigabytes."""
    yield
    if jax := sys.modules.get("jax"):
        jax.clear_caches()
