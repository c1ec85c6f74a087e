"""What every test run shares, the chapters under nbval included."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import nbval.kernel
import pytest

from tests import lacking
from tools.determinism import settle
from tools.project import persistent
from tools.record import load

settle(os.environ)  # before NumPy or JAX is imported, and before any kernel starts
nbval.kernel.start_new_kernel = persistent(nbval.kernel.start_new_kernel)

# Left out of nbval's comparison: the count (a guard checks it) and the colours of a
# traceback. By default nbval also leaves out pictures, the kind and order of outputs,
# and metadata, where the names of glued numbers are.
NOT_COMPARED = ("execution_count", "traceback")


def one_by_one(compare: Callable[..., bool]) -> Callable[..., bool]:
    """Compare each output by itself, too: nbval lets a value move to another output."""

    @wraps(compare)
    def compared(new: list[Any], stored: list[Any]) -> bool:
        pairs = zip(new, stored, strict=False)
        return compare(new, stored) and all(compare([a], [b]) for a, b in pairs)

    return compared


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run without JAX where it should be, or without assertions.

    Programs that tests start must hear Ctrl-C, also if this one, in the background, does not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.flags.optimize and not config.getoption("numprocesses"):
        raise pytest.UsageError("PYTHONOPTIMIZE takes assertions out. Remedy: unset it, or no -n0")
    if "MUTANT_UNDER_TEST" in os.environ:
        gc.freeze()  # what thousands of short runs share is not looked through in each
    if told := lacking.mistake():
        raise pytest.UsageError(told)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make nbval compare everything a chapter shows; skip the chapters that cannot run here."""
    skipped = [] if lacking.has_jax() else lacking.CHAPTERS_WITH_JAX
    for item in items:
        if hasattr(item.parent, "skip_compare"):
            item.parent.skip_compare = NOT_COMPARED
            item.compare_outputs = one_by_one(item.compare_outputs)
            if item.path in skipped:
                item.add_marker(pytest.mark.skip(reason=lacking.NO_JAX))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Where all is there, a test that is a claim's evidence may not be skipped."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true":
        name = item.nodeid.partition("[")[0]
        if claims := [each["id"] for each in load()["claim"] if name in each.get("tests", ())]:
            report.outcome = "failed"
            report.longrepr = f"{name} is evidence of {', '.join(claims)}, and was skipped"
    return report
