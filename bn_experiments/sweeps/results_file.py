"""The file in which a sweep keeps its results: one line for each finished case.

Line 1 is a header that tells which sweep this is. Every other line is the result of one case,
with the number of the case. Each line ends in a checksum of itself, so that a damaged file is
noticed and never read as if it were whole. While the sweep runs, the lines come in the order
in which the cases end; when it is complete, they are in the order of the cases.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bn_experiments.sweeps._files import contents, open_locked, replace_file, sync_folder, write_all
from bnlib._validation import whole_number

FORMAT = 1
_SUFFIX = b', "crc32": "%08x"}\n'
_SUFFIX_LENGTH = len(_SUFFIX % 0)


def header(name: str, seed: int, cases: Sequence[Any]) -> dict[str, Any]:
    """Return what identifies a sweep: its name, seed, cases and the version of bnlib.

    Parameters
    ----------
    name : str
        The name of the sweep.
    seed : int
        The seed of the whole sweep.
    cases : sequence
        All cases; what JSON can hold.
    """
    # Not at the top: bnlib imports this module before it knows its version.
    from bnlib import __version__

    whole_number("seed", seed, at_least=0)
    if not isinstance(name, str) or not name:
        raise ValueError(f"name: must be a text that is not empty, got {name!r}.")
    try:
        text = json.dumps(list(cases), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"cases: cannot be written as JSON ({error}); "
            "use finite Python numbers, texts, lists and dictionaries."
        ) from error
    return {
        "format": FORMAT,
        "sweep": name,
        "seed": int(seed),
        "cases": len(cases),
        "cases_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "bnlib": __version__,
    }


class ResultsFile:
    """The results file of one sweep: locked, read, and open for more results.

    Parameters
    ----------
    path : str or Path
        The file. A new one is begun; one of the same sweep is continued.
    head : dict
        What `header` returns.

    Raises
    ------
    ValueError
        If the file belongs to something else, is damaged, or another process writes to it.
        It is left as it was.
    OSError
        If the file cannot be opened or written.
    """

    def __init__(self, path: str | os.PathLike[str], head: dict[str, Any]) -> None:
        self.path = Path(path)
        self.results: dict[int, Any] = {}
        """The result of each finished case, by the number of the case."""
        self._cases = int(head["cases"])
        self._size = 0  # of what is whole; nothing behind it counts
        self._handle = open_locked(self.path)
        try:
            self._resume(head)
        except BaseException:
            os.close(self._handle)
            raise

    def __enter__(self) -> ResultsFile:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._handle)

    def append(self, case: int, result: Any) -> None:
        """Store the result of one more case; on return it is on the disk."""
        try:
            line = _line({"case": case, "result": result})
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"task: the result of case {case} cannot be written as JSON ({error}); "
                "return finite Python numbers, texts, lists and dictionaries."
            ) from error
        self._write(line)
        # In this order: an interruption between the two leaves a case to be run again.
        self.results[case] = _parsed(line)["result"]
        self._size += len(line)

    def complete(self) -> None:
        """Bring the lines into the order of the cases, if all are there."""
        done = list(self.results)
        if len(done) < self._cases or done == sorted(done):
            return
        first, *lines = contents(self._handle).splitlines(keepends=True)
        by_case = dict(zip(done, lines, strict=True))
        text = b"".join([first, *(by_case[case] for case in range(self._cases))])
        replace_file(self.path, text, stat.S_IMODE(os.fstat(self._handle).st_mode))

    def _resume(self, head: dict[str, Any]) -> None:
        text, first = contents(self._handle), _line(head)
        whole = text[: text.rfind(b"\n") + 1]  # the rest was cut off while it was written
        if not whole and first.startswith(text):
            self._write(first)
            self._size = len(first)
            sync_folder(self.path.resolve())
            return
        _require_same(self.path, head, _header_of(self.path, whole))
        self.results = _results_of(self.path, whole, self._cases)
        self._size = len(whole)
        if len(whole) < len(text):
            os.ftruncate(self._handle, len(whole))

    def _write(self, line: bytes) -> None:
        if os.fstat(self._handle).st_size > self._size:  # an interrupted line
            os.ftruncate(self._handle, self._size)
        try:
            write_all(self._handle, line, self._size)
        except OSError as error:
            os.ftruncate(self._handle, self._size)
            raise OSError(
                error.errno,
                f"{error.strerror}; {len(self.results)} of {self._cases} cases are stored. "
                "Remedy: make room, then run the same again",
                str(self.path),
            ) from error


def read_results(path: str | os.PathLike[str]) -> tuple[dict[str, Any], list[Any]]:
    """Return the header and the results, in the order of the cases, of a finished sweep.

    Parameters
    ----------
    path : str or Path
        A results file.
    """
    text = Path(path).read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    head = _header_of(path, whole)
    found = _results_of(path, whole, int(head["cases"]))
    if len(found) < head["cases"]:
        raise ValueError(
            f"path: {path} has the results of {len(found)} of {head['cases']} cases; "
            "run the same sweep again, it continues there."
        )
    return head, [found[case] for case in range(head["cases"])]


def _line(fields: dict[str, Any]) -> bytes:
    body = json.dumps(fields, allow_nan=False, ensure_ascii=False)[:-1].encode()
    return body + _SUFFIX % zlib.crc32(body)


def _parsed(line: bytes) -> dict[str, Any]:
    body = line[:-_SUFFIX_LENGTH]
    if line != body + _SUFFIX % zlib.crc32(body):
        raise ValueError("the checksum is wrong")
    fields: dict[str, Any] = json.loads(body + b"}")
    return fields


def _header_of(path: str | os.PathLike[str], whole: bytes) -> dict[str, Any]:
    try:
        head = _parsed(whole[: whole.find(b"\n") + 1])
        whole_number("format", head["format"], at_least=FORMAT)
    except (ValueError, KeyError):
        raise ValueError(
            f"path: {path} is no results file of a sweep, or its first line is damaged; "
            "it was not touched. Give another path."
        ) from None
    return head


def _results_of(path: str | os.PathLike[str], whole: bytes, cases: int) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for number, line in enumerate(whole.splitlines(keepends=True)[1:], start=2):
        try:
            fields = _parsed(line)
            case = fields["case"]
            if case in found or not 0 <= case < cases:
                raise ValueError(f"case {case} is there twice or does not exist")
            found[case] = fields["result"]
        except (ValueError, KeyError) as error:
            raise ValueError(
                f"path: line {number} of {path} is damaged ({error}). Nothing was changed. "
                "Remedy: take that line out to have its case run again, or give another path."
            ) from None
    return found


def _require_same(path: Path, wanted: dict[str, Any], found: dict[str, Any]) -> None:
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if different:
        told = ", ".join(f"{key} {found.get(key)!r} not {wanted[key]!r}" for key in different)
        raise ValueError(
            f"path: {path} belongs to another sweep ({told}); it was not touched. "
            "Give another path, or run that sweep."
        )
