"""Fixtures of the tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import book, project


@pytest.fixture(scope="session")
def html() -> Path:
    """Return the folder of the built book, building it first where it is out of date."""
    with project.exclusive():
        book.build()
    return project.HTML


@pytest.fixture(scope="module", autouse=True)
def compiled_functions_are_dropped() -> Iterator[None]:
    """Free what JAX has compiled after each module: together it is gigabytes."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
