"""The stored summaries of the sweeps."""

import json
from pathlib import Path
from typing import Any

from bn_experiments.sweeps.experiment import NAMES


def stored_summary(name: str) -> dict[str, Any]:
    """Return the stored summary of a sweep: what ``results/NAME.json`` holds.

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
    folder = Path(__file__).parents[2] / "results"
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return document
