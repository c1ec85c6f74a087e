"""A reader's table: the file, its header, which columns are meant; every fault is named."""

import csv
import difflib
import io
import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bn_experiments.check.cells import Faults, dropped, listed, number, quoted
from bn_experiments.check.progress import progress
from bn_solver.arrays import Array
from bnlib.learning_set import LearningSet

DELIMITERS = ",;\t|"
_FORMATS = {
    b"PK": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "compressed by gzip",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy file",
    b"SQLite": "a database",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True)
class Table:
    """A learning set with the names of its columns, and of those that were left out on demand."""

    source: str
    columns: tuple[str, ...]
    target: str
    left_out: tuple[str, ...]
    data: LearningSet

    @property
    def constant(self) -> dict[str, float]:
        """The columns with one value in every row, the target included, and that value."""
        named = [*zip(self.columns, self.data.inputs.T, strict=True)]
        named.append((self.target, self.data.targets))
        return {name: float(each[0]) for name, each in named if each.min() == each.max()}


def chosen(
    source: str,
    names: Sequence[str],
    target: str,
    columns: Iterable[str] | None,
    drop: Iterable[str],
) -> list[str]:
    """Return the names of the inputs; ``ValueError`` if a name is not there, or not one column."""
    wanted = [columns] if isinstance(columns, str) else None if columns is None else [*columns]
    drop = [drop] if isinstance(drop, str) else [*drop]
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(
            f"{source}: several columns have the name {listed(twice)}; rename them in the header."
        )
    for what, given in (("target", [target]), ("columns", wanted or []), ("drop", drop)):
        for name in given:
            if name not in names:
                close = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5)
                same = [each for each in names if each.lower() == str(name).lower()]
                told = f"; did you mean {listed(same or close)}?" if same or close else "."
                raise ValueError(
                    f"{what}: {source} has no column {quoted(name)}{told} It has {listed(names)}."
                )
    both = [name for name in drop if name == target or name in (wanted or [])]
    if both or target in (wanted or []):
        raise ValueError(
            f"columns, drop: {listed(both or [target])} is named twice; a column is the target, "
            "an input, or left out."
        )
    inputs = [name for name in wanted or names if name != target and name not in drop]
    inputs = list(dict.fromkeys(inputs))
    if not inputs:
        raise ValueError(f"{source}: no column is left as an input beside {quoted(target)}.")
    if "" in inputs:
        at = names.index("") + 1
        raise ValueError(
            f"{source}: column {at} has no name (an index that pandas wrote?); give it one, or "
            f"leave it out: {dropped([''])}."
        )
    return inputs


def read(
    path: str | Path,
    target: str,
    *,
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Table:
    """Read a file of separated values with a header; "-" is the standard input.

    ``ValueError`` with row, column and value, or with what the file seems to be, and the remedy.
    """
    source = "standard input" if str(path) == "-" else str(path)
    with nullcontext(sys.stdin.buffer) if str(path) == "-" else Path(path).open("rb") as raw:
        _require_text(source, raw)
        encoding = "utf-8-sig" if encoding.lower().replace("_", "-") == "utf-8" else encoding
        try:
            text = io.TextIOWrapper(raw, encoding, newline="")
        except LookupError:
            raise ValueError(f"encoding: {encoding!r} is unknown; try utf-8 or latin-1.") from None
        try:
            return _read(source, text, raw, (target, columns, drop), delimiter)
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise ValueError(
                f"{source}: byte 0x{byte:02x} is not {error.encoding.removesuffix('-sig')}; save "
                "the file as UTF-8, or name its encoding: --encoding latin-1."
            ) from None
        finally:
            text.detach()


def _require_text(source: str, raw: BinaryIO) -> None:
    head = raw.peek(4096)[:4096] if isinstance(raw, io.BufferedReader) else b""
    kind = next((told for magic, told in _FORMATS.items() if head.startswith(magic)), None)
    if kind is None and b"\0" in head:
        kind = "binary, or UTF-16"
    if kind:
        raise ValueError(f"{source}: seems to be {kind}; export the table as CSV in UTF-8.")


def _read(
    source: str, text: io.TextIOWrapper, raw: BinaryIO, which: Any, delimiter: str | None
) -> Table:
    first = text.readline()
    if not first.strip():
        raise ValueError(
            f"{source}: {'the first line is empty' if first else 'is empty'}; it needs a line "
            "with the names of the columns, then one line for each example."
        )
    lines = chain([first], _watched(text, raw))
    reader: Any = None
    try:
        separator = delimiter or _separator(first, Path(source).suffix.lower())
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
        names = [name.strip() for name in next(reader)]
        _require_header(source, names, separator, first)
        target, columns, drop = which
        inputs = chosen(source, names, target, columns, drop)
        values = _values(source, reader, names, [*inputs, target])
    except csv.Error as error:
        raise ValueError(
            f"{source}: line {reader.line_num if reader else 1}: {error}; a quotation mark that is "
            "not closed, or not doubled inside a quoted value?"
        ) from None
    left_out = tuple(name for name in names if name not in inputs and name != target)
    data = LearningSet(values[:, :-1], values[:, -1])
    return Table(source, tuple(inputs), target, left_out, data)


def _separator(line: str, suffix: str) -> str:
    """Return the separator: a tab for TSV, else that with which the header has most fields."""
    if suffix in (".tsv", ".tab"):
        return "\t"
    fields = {each: len(next(csv.reader([line], delimiter=each))) for each in DELIMITERS}
    return max(DELIMITERS, key=lambda each: fields[each])


def _require_header(source: str, names: list[str], separator: str, line: str) -> None:
    if len(names) == 1:
        spaces = " If these are spaces, make them commas: tr -s ' ' , < FILE > NEW"
        raise ValueError(
            f"{source}: the header {quoted(names[0])} is one column, separated by {separator!r}; "
            "an input and a target are two. Is the separator another one? Name it: --delimiter."
            + (spaces if " " in names[0] else "")
        )
    if all(map(_is_number, names)):
        example = separator.join([*(f"x{j}" for j in range(1, len(names))), "t"][:20])
        raise ValueError(
            f"{source}: line 1 holds numbers ({quoted(line.strip())}), not the names of the "
            f"columns; put such a line above it, for instance  {example}"
        )


def _is_number(text: str) -> bool:
    try:
        number(text)
    except ValueError:
        return False
    return True


def _values(source: str, reader: Any, names: list[str], used: list[str]) -> Array:
    """Return the numbers of the used columns, one row for each line."""
    pick, width = itemgetter(*(names.index(name) for name in used)), len(names)
    lines, values, empty = array("q"), array("d"), 0
    faults = Faults(source, used[-1], lambda row: f"row {row} (line {lines[row - 1]})")
    for row in reader:
        if len(row) != width or empty:
            if not row:
                empty = empty or reader.line_num
                continue
            raise ValueError(_ragged(source, reader.line_num, empty, row, width))
        lines.append(reader.line_num)
        cells = pick(row)
        try:
            numbers = [*map(float, cells)]
            sound = math.isfinite(sum(numbers)) and "_" not in "".join(cells)
        except ValueError:
            sound = False
        if not sound:
            named = zip(used, cells, strict=True)
            numbers = [faults.read(name, len(lines), cell) for name, cell in named]
        values.extend(numbers)
    if not lines:
        raise ValueError(f"{source}: has a header but no row; add one line for each example.")
    faults.rows = len(lines)
    faults.require_none()
    return np.frombuffer(values).reshape(len(lines), len(used))


def _ragged(source: str, line: int, empty: int, row: list[str], width: int) -> str:
    """Return what is wrong with a row that has another number of fields than the header."""
    if empty:
        return f"{source}: line {empty} is empty, but rows follow; remove it or fill it in."
    told = f"{source}: line {line} has {len(row)} fields, but the header has {width}"
    if len(row) == width + 1 and not row[-1]:
        return f"{told}; it ends with a separator: remove it, or give the header one too."
    if len(row) > width:
        return f"{told}; is there a decimal comma, or a separator in a text without quotes?"
    return f"{told}; every row needs a value in each column."


def _watched(text: io.TextIOWrapper, raw: BinaryIO) -> Iterator[str]:
    """Yield the lines; of a large file with a progress bar, if the standard error is a terminal."""
    try:
        size = Path(raw.name).stat().st_size
    except (OSError, TypeError, AttributeError):
        size = 0
    with progress(size, size, unit="B", unit_scale=True, desc="reading") as bar:
        for count, line in enumerate(text):
            if size and not count % 4096:
                bar.update(raw.tell() - bar.n)
            yield line
        bar.update(size - bar.n)
