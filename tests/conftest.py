"""Fixtures of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import book, project


@pytest.fixture(scope="session")
def html(testrun_uid: str) -> Path:
    """Return the folder of the book, built anew by the first worker of this run to ask for it."""
    built = project.BUILD / "tested"
    with project.exclusive():
        if not built.is_file() or built.read_text(encoding="utf-8") != testrun_uid:
            book.build()
            built.write_text(testrun_uid, encoding="utf-8")
    return project.HTML


@pytest.fixture(scope="module", autouse=True)
def compiled_functions_are_dropped() -> Iterator[None]:
    """Free what JAX has compiled after each module: together it is gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
