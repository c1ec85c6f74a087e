"""A bar for what takes seconds: on the standard error, if that is a terminal."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

LARGE = 20_000_000
"""Bytes from which on reading and solving take seconds."""


def progress(size: int, total: int, **how: Any) -> Any:
    """Return a context manager whose value has `n` and `update`: a bar of tqdm, or nothing."""
    if size < LARGE:
        return nullcontext(SimpleNamespace(n=0, update=lambda _=1: None))
    from tqdm import tqdm  # only where there is something to wait for

    return tqdm(total=total, disable=None, **how)
