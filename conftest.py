"""What every test run shares, the chapters under nbval included."""

from __future__ import annotations

import os

import nbval.kernel
import pytest

from tools.determinism import settle
from tools.project import BUILD, persistent

settle(os.environ)  # before NumPy or JAX is imported, and before any kernel starts
(BUILD / "ipython").mkdir(parents=True, exist_ok=True)
nbval.kernel.start_new_kernel = persistent(nbval.kernel.start_new_kernel)

# Left out of nbval's comparison: the count (a guard checks it) and the colours of a
# traceback. By default nbval also leaves out pictures, the kind and order of outputs,
# and metadata, where the names of glued numbers are.
NOT_COMPARED = ("execution_count", "traceback")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make nbval compare everything a chapter shows."""
    for item in items:
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = NOT_COMPARED
