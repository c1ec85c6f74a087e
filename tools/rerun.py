"""Execute the chapters again, in place and in the order of the book.

The files are written so that nothing changes where no output changes: no times, no
machine's names, one way of writing JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tools.determinism import settle
from tools.project import CHAPTERS, ROOT, Progress, persistent, write
from tools.toc import entries, notebooks

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TIMEOUT = 600  # seconds a single cell may take


class ChapterError(Exception):
    """A chapter could not be executed to its end."""


def normalize(notebook: Any) -> None:
    """Remove from `notebook` what differs between machines or runs."""
    notebook.metadata = nbformat.from_dict(METADATA)  # type: ignore[no-untyped-call]
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        for key in ("execution", "collapsed", "scrolled", "ExecuteTime"):
            cell.metadata.pop(key, None)
        cell.source = cell.source.rstrip()


def run_cell(client: NotebookClient, cell: Any, index: int, number: int) -> None:
    """Execute one code cell; raise ChapterError with its source and what went wrong."""
    try:
        client.execute_cell(cell, index, execution_count=number)
    except CellExecutionError as error:
        message = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    except (CellTimeoutError, DeadKernelError) as error:
        message = f"{type(error).__name__}: {error}\n\n{cell.source}"
    else:
        return
    raise ChapterError(f"Code cell {number} (id {cell.id}) failed:\n{message}")


def execute(path: Path, progress: Progress) -> str:
    """Return the text of the notebook after executing all its cells in a new kernel."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    normalize(notebook)
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for _, cell in code:
        cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=TIMEOUT,
        coalesce_streams=True,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with ExitStack() as stack:
        # The kernel's own stderr holds its log; what the chapter writes comes as output.
        silent = {"stderr": subprocess.DEVNULL}
        persistent(lambda: stack.enter_context(client.setup_kernel(**silent)))()
        for number, (index, cell) in enumerate(code, start=1):
            progress.update(f"cell {number}/{len(code)}")
            run_cell(client, cell, index, number)
    normalize(notebook)  # the kernel adds its own description
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def chosen(names: list[str]) -> list[Path]:
    """Return the named chapters in the order of the book; all where none is named."""
    wanted = {Path(name).name.removesuffix(".ipynb") for name in names}
    every = notebooks()
    if unknown := wanted - {path.stem for path in every}:
        known = " ".join(path.stem for path in every)
        sys.exit(
            f"No such chapter: {' '.join(sorted(unknown))}.\n"
            f"Remedy: choose from _toc.yml, by file name without suffix: {known}"
        )
    return [path for path in every if not wanted or path.stem in wanted]


def write_figures() -> None:
    """Keep the landing page's figures as files of their own, for its top and the README."""
    landing = json.loads((ROOT / f"{entries()[0]}.ipynb").read_text(encoding="utf-8"))
    for cell in landing["cells"]:
        for output in cell.get("outputs", []):
            drawn = output.get("data", {}).get("image/svg+xml")
            path = CHAPTERS / f"{cell['id']}.svg"
            if drawn and write(path, "".join(drawn)):
                print(f"Written: {path.relative_to(ROOT)}")


def main(names: list[str]) -> int:
    """Execute the chosen chapters; stop at the first error, leaving that file as it was."""
    settle(os.environ)
    for path in chosen(names):
        progress = Progress(f"{path.relative_to(ROOT)} …")
        try:
            text = execute(path, progress)
        except ChapterError as error:
            progress.done("failed")
            print(f"{error}\n{path} was left as it was.", file=sys.stderr)
            return 1
        progress.done("changed" if write(path, text) else "unchanged")
    write_figures()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
