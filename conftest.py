"""What every test run shares, the chapters under nbval included."""

from __future__ import annotations

import os

import pytest

from tests import lacking
from tools.determinism import settle
from tools.project import BUILD

settle(os.environ)  # before NumPy or JAX is imported, and before any kernel starts
(BUILD / "ipython").mkdir(parents=True, exist_ok=True)

# Left out of nbval's comparison: the count (a guard checks it) and the colours of a
# traceback. By default nbval also leaves out pictures, the kind and order of outputs,
# and metadata, where the names of glued numbers are.
NOT_COMPARED = ("execution_count", "traceback")


def pytest_configure() -> None:
    """Refuse to run without JAX where it should be."""
    if told := lacking.mistake():
        raise pytest.UsageError(told)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make nbval compare everything a chapter shows; skip the chapters that cannot run here."""
    skipped = [] if lacking.has_jax() else lacking.CHAPTERS_WITH_JAX
    for item in items:
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = NOT_COMPARED
            if item.path in skipped:
                item.add_marker(pytest.mark.skip(reason=lacking.NO_JAX))
