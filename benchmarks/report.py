"""The measured comparisons as a page of Markdown, with what was measured on and how."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np
import sklearn

from benchmarks.measure import Array, Row

_HEADER = (
    "| what | bnlib | against | ratio, median (min–max) | target | met? |",
    "|---|---:|---|---:|---:|---|",
)

_HOW = """\
**How it is measured.** Before anything is timed, both sides of a comparison must give the same
numbers. Then they run in turn, A B A B …, in one process and with one thread, and each ratio is
that of two runs that follow each other; the table has the median and the range of {repetitions}
ratios, and the medians of the times. Times depend on the machine, ratios much less.

**What it is compared with.**

- *Product and norms*: `starts @ directions` with two columns, and one `einsum` for the squared
  norms. The lemma cannot be checked without these numbers. They are written as anyone would
  write them, over all starts at once. `check_lemma` takes the starts in blocks that fit the
  processor's cache and one direction after the other, which is why it can be faster than that
  (a floor written in the same way would be lower); at d = 2 the results are larger than the
  starts, and the time goes into them. No more than 1 GiB of starts is in memory: d = 1024 is
  measured in blocks, whose times are added.
- *Python loop*: the printed formula, start by start, with NumPy for the scalar products.
- *Drawing normals*: from the same generator, in chunks of the same size, without using them.
- *`LinearRegression`*: scikit-learn, for each set without and with intercept.
- *`lstsq`*: NumPy's, by singular values, of the inputs and, with intercept, a column of ones.
  `least_squares` is right to the last digit (`benchmarks/nist.md`, made by
  `python -m benchmarks.nist FOLDER`); the kernel of a wide problem is left out.
- *One millisecond*: what a small problem may take, whatever `lstsq` takes.
- *Compiled, one by one*: the same compiled descent (one hidden layer of 8 tanh units, 100
  examples), one network after the other.
- *`jax.grad` alone*: one gradient of the plain network, not compiled. `check_insertion` needs
  two of them, a formula, and the outputs before and after.

"Scaled" means that the loop did a part of the work and its time was multiplied accordingly.
"""


def table(rows: list[Row]) -> str:
    """Return one line of Markdown for each comparison."""
    return "\n".join([*_HEADER, *(_line(row) for row in rows)])


def page(rows: list[Row], command: str) -> str:
    """Return the whole page: the command, the machine, the table and how it was made."""
    how = _HOW.format(repetitions=min(len(row.ratios) for row in rows))
    return f"# Benchmarks\n\nMade by `{command}` on {machine()}.\n\n{table(rows)}\n\n{how}"


def machine() -> str:
    """Return what the times depend on, and nothing that tells whose machine it is."""
    versions = {
        "Python": platform.python_version(),
        "NumPy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "JAX": importlib.metadata.version("jax"),
    }
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{processor()} ({os.cpu_count()} cores, {platform.system()}), {software}"


def processor() -> str:
    """Return the model of the processor, as far as the system tells it."""
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _line(row: Row) -> str:
    ratio = _number(np.median(row.ratios))
    spread = f"{_number(row.ratios.min())}–{_number(row.ratios.max())}"
    unit = "× faster" if row.faster else "×"
    cells = (
        row.what,
        _time(row.ours),
        f"{row.against}: {_time(row.other)}",
        f"{ratio} {unit} ({spread})",
        row.target,
        row.met,
    )
    return f"| {' | '.join(cells)} |"


def _number(ratio: float | np.floating) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.2f}"


def _time(seconds: Array) -> str:
    median = float(np.median(seconds))
    return f"{median:.3g} s" if median >= 1 else f"{1000 * median:.3g} ms"
