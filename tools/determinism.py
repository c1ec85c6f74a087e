"""The environment in which chapters run, the same for `make rerun` and for nbval."""

from __future__ import annotations

import importlib.util
from collections.abc import MutableMapping
from pathlib import Path

from tools.project import BUILD

FIXED = {
    # One thread: sums are then always added in the same order.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
    # What JAX compiles is kept: the key holds the program, its flags, the versions and the machine.
    "JAX_COMPILATION_CACHE_DIR": str(BUILD / "jax"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    # A cache that cannot be read or written only costs time.
    "PYTHONWARNINGS": ",".join(
        f"ignore:Error {verb} persistent compilation cache" for verb in ("reading", "writing")
    ),
    "PYTHONHASHSEED": "0",  # SymPy's order of terms may follow the order of sets
    "PYTHONIOENCODING": "utf-8",
    "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel "python3" of the user must not step in
    "IPYTHONDIR": str(BUILD / "ipython"),  # no start-up files of the user
    "JUPYTER_PLATFORM_DIRS": "1",  # silences a deprecation warning of jupyter_core
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silences debugpy in the kernel
}
# A user's choice of backend, warnings or paths must not change a chapter.
REMOVED = ("MPLBACKEND", "PYTHONPATH", "PYTHONSTARTUP", "JUPYTER_PATH")


def settle(environ: MutableMapping[str, str]) -> None:
    """Fix in `environ` what could change the output of a chapter."""
    for name in REMOVED:
        environ.pop(name, None)
    environ.update(FIXED)
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        # Matplotlib's own defaults, whatever lies in the user's configuration folder.
        defaults = Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc"
        environ["MATPLOTLIBRC"] = str(defaults)
