"""The measured comparisons as a page of Markdown, with what was measured on and how."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import numpy as np
import sklearn

from benchmarks.growth import PICTURE, Curve
from benchmarks.growth import table as growing
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
  norms, over all starts at once: the lemma cannot be checked without these numbers. No more than
  1 GiB of starts is in memory: d = 1024 is measured in blocks, whose times are added.
- *The printed formula in NumPy*: on whole arrays, as anyone would write it; both sides and a
  verdict, without a bound of any error.
- *Python loop*: the printed formula, start by start, with NumPy for the scalar products.
- *Drawing normals*: from the same generator, in chunks of the same size, without using them.
- *`LinearRegression`*: scikit-learn, for each set without and with intercept.
- *Stacked `pinv`*: `numpy.linalg.pinv` of all inputs, and of these with a column of ones, times the
  targets; `lstsq` takes no stack.
- *`lstsq`*: NumPy's, by singular values, of the inputs and, with intercept, a column of ones.
  `least_squares` is right to the last digit (`benchmarks/nist.md`, made by
  `python -m benchmarks.nist FOLDER`); the kernel of a wide problem is left out.
- *One millisecond*: what a small problem may take, whatever `lstsq` takes.
- *Compiled, one by one*: the same compiled descent (one hidden layer of 8 tanh units, 100
  examples), one network after the other.
- *Their tanh alone*: as many hyperbolic tangents as the training needs, compiled, side by side.
- *`jax.grad` alone*: one gradient of the plain network, not compiled. `check_insertion` needs
  two of them, a formula, and the outputs before and after.
- *SciPy's BFGS*: finds a minimum; `certify` proves that the lemma is false there.
- *Executing all chapters*: once each, as the page "How it ran" has it (`make timing TEST=1`), with
  what JAX compiled at hand.

"Scaled" means that the loop did a part of the work and its time was multiplied accordingly.
"""

_GROWTH = """\
## How the cost grows

{table}

![Seconds against what grows, in double logarithmic axes, with the slopes of the table.]({picture})

The slope is that of the upper half of the sizes, in logarithms: 1 is proportional, 0 constant.
*Operations* is what counting them gives; where the slope is less, part of the cost does not grow
yet at these sizes.
"""


def table(rows: list[Row]) -> str:
    """Return one line of Markdown for each comparison, and why a target is missed."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.met == "no":
            reasons.setdefault(row.why or "no reason is given", []).append(
                f"{row.what}, against {row.against}"
            )
    missed = [f"- {'; '.join(each)}: {why}." for why, each in reasons.items()]
    told = ["", "**Where a target is missed.**", "", *missed] if missed else []
    return "\n".join([*_HEADER, *(_line(row) for row in rows), *told])


def page(rows: list[Row], curves: list[Curve], command: str) -> str:
    """Return the whole page: the command, the machine, both tables and how they were made."""
    how = _HOW.format(repetitions=max(len(row.ratios) for row in rows))
    growth = _GROWTH.format(table=growing(curves), picture=PICTURE)
    return (
        f"# Benchmarks\n\nMade by `{command}` on {machine()}.\n\n{table(rows)}\n\n{how}\n{growth}"
    )


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
    ours, other = (_amount(each, row.unit) for each in (row.ours, row.other))
    if row.digits:
        ours, other = (
            f"{x}, {n:.0f} digits" for x, n in zip((ours, other), row.digits, strict=True)
        )
    cells = (
        row.what,
        ours,
        f"{row.against}: {other}",
        f"{ratio} {unit}" + (f" ({spread})" if len(row.ratios) > 1 else ""),
        row.target,
        row.met,
    )
    return f"| {' | '.join(cells)} |"


def _number(ratio: float | np.floating) -> str:
    return f"{ratio:.0f}" if ratio >= 20 else f"{ratio:.2f}"


def _amount(values: Array, unit: str) -> str:
    median = float(np.median(values))
    if unit != "s" or median >= 1:
        return f"{median:.3g} {unit}"
    return f"{1000 * median:.3g} ms"
