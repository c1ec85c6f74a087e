"""The stored summaries of the sweeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bn_experiments.sweeps.experiment import NAMES

# Of a checkout, and of an installed wheel, which carries a copy.
FOLDERS = [Path(__file__).parents[up] / "results" for up in (2, 1)]


def stored_summary(name: str) -> dict[str, Any]:
    """Return the stored summary of a sweep: what ``results/NAME.json`` holds.

    A wheel carries these files: without a checkout they are found too.

    Parameters
    ----------
    name : str
        ``"networks"``, ``"training"`` or ``"activations"``.

    Returns
    -------
    dict
        ``"summary"``, what the chapter plots; ``"command"``, which made it; ``"cases"``, and the
        versions of the code.

    Raises
    ------
    ValueError
        If there is no sweep of this name.
    """
    if name not in NAMES:
        raise ValueError(f"name: {name!r} has no stored summary; use one of {', '.join(NAMES)}.")
    path = next(at for folder in FOLDERS if (at := folder / f"{name}.json").is_file())
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
