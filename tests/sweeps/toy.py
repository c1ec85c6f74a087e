"""A small experiment, for the tests of the sweeps.

Environment variables change how it runs, never what it returns: in the folder TOY each case
leaves a file when it begins; while there is a file "hold", cases from `HELD` on wait.
"""

import os
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

DESCRIPTION = "Means of normal numbers."
SEED = 7
HELD = 5


def cases():
    return [{"i": i, "n": 3 + i % 5, "label": f"α{i}"} for i in range(12)]


def task(case, rng):
    if "TOY" in os.environ:
        folder = Path(os.environ["TOY"])
        (folder / f"{case['i']} in {os.getpid()}").touch()
        while case["i"] >= HELD and (folder / "hold").exists():
            time.sleep(0.001)
    if case["label"] == os.environ.get("TOY_FAILS"):
        raise ValueError(f"{case['label']} fails")
    if case["label"] == os.environ.get("TOY_DIES"):
        os._exit(9)
    draws = rng.standard_normal(case["n"])
    threads = {each["num_threads"] for each in threadpool_info()}
    return {**case, "mean": draws.mean(), "draws": draws.tolist(), "threads": sorted(threads)}


def summary(rows):
    mean = float(np.mean([row["mean"] for row in rows]))
    return {"mean": mean, "draws": [row["draws"] for row in rows], "tuple": (rows[0]["threads"], 2)}


def began(folder):
    """Return the cases that began since the last look."""
    files = [each for each in folder.iterdir() if " in " in each.name]
    for each in files:
        each.unlink()
    return sorted(int(each.name.split()[0]) for each in files)
