"""Fixtures of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import book, project


@pytest.fixture(scope="session")
def html() -> Path:
    """Return the folder of the built book, building it first where it is out of date."""
    with project.exclusive():
        book.build()
    return project.HTML
