"""The hash of the source code, by which a mended solver is never answered with old results."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bn_experiments
import bnlib


def code_hash(task: Callable[..., Any]) -> str:
    """Return the SHA-256 of the source of bnlib, bn_experiments and the module of a task.

    It is that of the first call in a process, however the lines of a file end. The room
    `bn_experiments.book` is left out: no other imports it, so it changes no result.
    """
    function = task.func if isinstance(task, functools.partial) else task
    try:
        return _hash_with(Path(inspect.getfile(function)).resolve())
    except (TypeError, OSError) as error:
        raise ValueError(
            f"task: its source cannot be read ({error}), so a change of it would not be noticed. "
            "Remedy: put it into a module, or sweep without a cache."
        ) from error


@functools.cache
def _hash_with(own: Path) -> str:
    names = {own: own.name}
    for package in (bnlib, bn_experiments):
        root = Path(package.__path__[0]).resolve()
        files = (path for path in root.rglob("*.py") if not path.is_relative_to(root / "book"))
        names |= {path: path.relative_to(root.parent).as_posix() for path in files}
    digest = hashlib.sha256()
    for path, name in sorted(names.items(), key=lambda item: item[1]):
        text = path.read_text(encoding="utf-8").encode()
        digest.update(f"{name} {hashlib.sha256(text).hexdigest()}\n".encode())
    return digest.hexdigest()
