"""A small experiment, for the tests of the sweeps: each case draws numbers, and may take a while.

Environment variables change how it runs, never what it returns.
"""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

DESCRIPTION = "Means of normal numbers."
SEED = 7


def cases() -> list[Any]:
    return [{"n": 3 + i % 5, "label": f"α{i}"} for i in range(30)]


def task(case: Any, rng: np.random.Generator) -> Any:
    # Uneven: so the cases do not end in their order.
    time.sleep(float(os.environ.get("TOY_SECONDS", "0")) * (1 + case["n"] % 3))
    if case["label"] == os.environ.get("TOY_FAILS"):
        raise ValueError(f"{case['label']} fails")
    if case["label"] == os.environ.get("TOY_DIES"):
        os._exit(9)
    threads = os.environ.get("OMP_NUM_THREADS", "unset")
    draws = rng.standard_normal(case["n"])
    return {"label": case["label"], "mean": draws.mean(), "draws": draws.tolist(), "omp": threads}


def summary(rows: list[Any]) -> dict[str, Any]:
    return {
        "mean": float(np.mean([row["mean"] for row in rows])),
        "n": len(rows),
        "tuple": (1, 2.0),
    }
