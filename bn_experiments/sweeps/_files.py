"""Files that one process writes at a time, and that are on the disk when a write returns."""

from __future__ import annotations

import os
import stat
from pathlib import Path

# Not blocking, because the other end of a pipe may never come; on Windows, bytes as they are.
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_locked(path: Path) -> int:
    """Open a regular file for this process alone; the lock goes with the process."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ValueError(f"path: {path} is not a regular file; give another path.")
            _lock(handle, path)
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its last writer has just put the sorted file in its place


def _lock(handle: int, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: two sweeps on one file are the user's own care there
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"path: another process is writing to {path}; wait for its end, or give another path."
        ) from None


def contents(handle: int) -> bytes:
    """Return all of a file."""
    with os.fdopen(os.dup(handle), "rb") as file:
        file.seek(0)
        return file.read()


def write_all(handle: int, text: bytes, at: int = 0) -> None:
    """Write into a file, from a byte on, and return when the disk has it."""
    os.lseek(handle, at, os.SEEK_SET)
    left = memoryview(text)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def sync_folder(path: Path) -> None:
    """Make the name of a new file survive a power cut, where the system can."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError:  # Windows has no handle of a folder
        return
    try:
        os.fsync(folder)
    except OSError:
        pass
    finally:
        os.close(folder)


def replace_file(path: Path, text: bytes, mode: int) -> None:
    """Put another text in the place of a file, at once: a killed process leaves the old one.

    Parameters
    ----------
    path : Path
        The file; behind a link, what the link leads to.
    text : bytes
        Its new text.
    mode : int
        Its permissions.
    """
    real = path.resolve()
    beside = real.with_name(real.name + ".sorted")
    # Only what an earlier, killed run left there may be written over.
    if beside.exists() and not text.startswith(beside.read_bytes()):
        raise ValueError(f"path: {beside} is in the way; move it and run the same again.")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _FLAGS, mode)
    try:
        write_all(handle, text)
    finally:
        os.close(handle)
    beside.replace(real)
    sync_folder(real)
