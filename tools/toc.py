"""What _toc.yml lists, in the order of the book."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tools.project import ROOT

WITH_JAX = ("networks", "training")  # the chapters that compute with it from their first line on


def entries() -> list[str]:
    """Return the pages of the book in reading order, without suffix."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *_files(toc)]


def _files(node: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key in ("parts", "chapters", "sections"):
        for child in node.get(key, []):
            found += [child["file"]] if "file" in child else []
            found += _files(child)
    return found


def notebooks() -> list[Path]:
    """Return the executable chapters of the book in reading order."""
    paths = [ROOT / f"{entry}.ipynb" for entry in entries()]
    return [path for path in paths if path.is_file()]
