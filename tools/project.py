"""Where things lie in the checkout, and helpers every tool shares (standard library only)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
BUILD = ROOT / "_build"
HTML = BUILD / "html"
PDF = "book.pdf"  # in HTML, where `make pdf` has printed it
VENV = ROOT / ".venv"
LAB = VENV / "lab"  # JupyterLab's own environment
MUTANTS = VENV / "mutants"  # that of mutmut
Started = TypeVar("Started")


def persistent(start: Callable[..., Started]) -> Callable[..., Started]:
    """Return `start`, a start of a kernel, tried up to three times.

    A kernel binds ports that were free when they were chosen, a second before. If another
    process takes one in between, the kernel dies.
    """

    @wraps(start)
    def patient(*args: Any, **kwargs: Any) -> Started:
        for _ in range(2):
            with suppress(RuntimeError):
                return start(*args, **kwargs)
        return start(*args, **kwargs)

    return patient


@contextmanager
def exclusive() -> Iterator[None]:
    """Let one process at a time change `.venv` or `_build`; the others wait here.

    Some network file systems lock only what is open for writing, some nothing at all: there the
    user must see to it.
    """
    import fcntl  # not on Windows, where the tests of the library run and nothing is built

    path = ROOT / "pyproject.toml"
    with path.open("r+" if os.access(path, os.W_OK) else "r", encoding="utf-8") as handle:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write(path: Path, text: str) -> bool:
    """Replace the file in one step where its text changes; say whether it did."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8", newline="\n")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)  # where the disk is full
    return True


def write_made(path: Path, text: str) -> None:
    """Write a file that is made from others, and print whether it changed."""
    print(f"{path.relative_to(ROOT)}: {'written' if write(path, text) else 'unchanged'}")


def run_logged(
    command: list[str],
    log: Path,
    on_line: Callable[[str], object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run `command`, each line to the file `log` and to `on_line`; return the exit code."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as out,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None  # PIPE was asked for
        for line in process.stdout:
            out.write(line)
            if on_line is not None:
                on_line(line)
    return process.returncode


class Progress:
    """One line saying what goes on: rewritten on a terminal, sparse in a log."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.start = self.shown = time.monotonic()
        self.terminal = sys.stdout.isatty()
        print(title, end="" if self.terminal else "\n", flush=True)

    def update(self, detail: str) -> None:
        """Show `detail`, at most every 0.2 s on a terminal and every 20 s in a log."""
        now = time.monotonic()
        if now - self.shown < (0.2 if self.terminal else 20):
            return
        self.shown = now
        if self.terminal:
            print(f"\r\033[K{self.title} {detail}"[:100], end="", flush=True)
        else:
            print(f"  {detail}", flush=True)

    def done(self, word: str = "done") -> None:
        """End the line with `word` and the seconds it took."""
        head = f"\r\033[K{self.title}" if self.terminal else " "
        print(f"{head} {word}, {time.monotonic() - self.start:.1f} s", flush=True)
