"""What stands in a table where a finite number should be: named by row, column and value."""

import math
import re
import shlex
from collections.abc import Callable
from typing import Any

_MISSING = {"", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "<na>", "?", "-", "."}
_COMMA = re.compile(r"[+-]?(\d+([.' ]\d{3})*,\d+|\d{1,3}(,\d{3})+(\.\d*)?)([eE][+-]?\d+)?")
_SHOWN = 40  # characters of a value, and columns of a list


def number(value: Any) -> float:
    """Return a number of Python or a text as a float; ``ValueError`` if it is none, or NaN or ±∞.

    Unlike ``float``, which reads ``1_000`` as a thousand, texts with an underscore are refused.
    """
    result = float(value)
    if not math.isfinite(result) or (isinstance(value, str) and "_" in value):
        raise ValueError
    return result


def fault(value: Any) -> str:
    """Return what is wrong with a value that is not a finite number."""
    text = str(value).strip()
    if text.lower() in _MISSING:
        return "is missing"
    if _COMMA.fullmatch(text):
        return "has a comma: write a decimal point, and nothing between thousands"
    try:
        if "_" not in text and math.isinf(float(text)):
            return "is infinite, or too large for float64"
    except ValueError:
        pass
    return "is text" if isinstance(value, str) else "is no number"


def quoted(value: Any) -> str:
    """Return a value as it was written, if it is not too long, on one line."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")


def listed(names: Any, shown: int = 12) -> str:
    """Return names in quotes with commas, the first of them if there are many."""
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(map(quoted, names[:shown])) + more


def dropped(columns: list[str]) -> str:
    """Return how to leave columns out, in the shell and in Python."""
    return f"{' '.join(f'--drop {shlex.quote(each)}' for each in columns)} (drop={columns!r})"


def plain(value: float) -> str:
    """Return a number with all its digits, a whole one without a point."""
    return repr(value).removesuffix(".0")


class Faults:
    """What is no finite number in a table: counted by column and kind, the first of each kept."""

    def __init__(self, source: str, target: str, place: Callable[[int], str]) -> None:
        self.source, self.target, self.place, self.rows = source, target, place, 0
        self.first: dict[tuple[str, str], tuple[str, str]] = {}
        self.count: dict[tuple[str, str], int] = {}

    def read(self, column: str, row: int, value: Any) -> float:
        """Return a value as a number; look at it and return NaN if it is no finite one."""
        try:
            return number(value)
        except (TypeError, ValueError, OverflowError):
            self.look(column, row, value)
            return math.nan

    def look(self, column: str, row: int, value: Any) -> None:
        """Look at one value."""
        kind = (column, fault(value))
        if kind not in self.count:
            self.first[kind] = self.place(row), quoted(value)
        self.count[kind] = self.count.get(kind, 0) + 1

    def require_none(self) -> None:
        """Raise ``ValueError`` that names all that was found."""
        if not self.count:
            return
        lines = []
        for (column, kind), count in list(self.count.items())[:_SHOWN]:
            place, value = self.first[column, kind]
            more = f" (so in {count} of {self.rows} rows)" if count > 1 else ""
            lines.append(f"  {place}, column {quoted(column)}: {value} {kind}{more}")
        columns = list(dict.fromkeys(name for name, _ in self.count if name != self.target))
        hidden = len(self.count) - len(lines)
        lines += [f"  and {hidden} more kinds of fault"] if hidden else []
        out = f", or leave columns out: {dropped(columns[:_SHOWN])}" if columns else ""
        raise ValueError(
            f"{self.source}: not every value is a finite number, and none was left out:\n"
            + "\n".join(lines)
            + f"\nRemedy: fill in, correct or remove these rows yourself{out}."
        )
