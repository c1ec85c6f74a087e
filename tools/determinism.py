"""The environment in which chapters and tests run, the same for `make rerun` and for nbval."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from tools.project import BUILD

FOLDERS = {
    "IPYTHONDIR": BUILD / "ipython",  # no start-up files of the user
    "MPLCONFIGDIR": BUILD / "matplotlib",  # the home folder may not be writable
}
FIXED = {name: str(path) for name, path in FOLDERS.items()} | {
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
    "PYTHONUTF8": "1",
    "LC_ALL": "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8",
    "MPL_IGNORE_SYSTEM_FONTS": "1",  # its own are found at once; a long search is told on stderr
    "JUPYTER_PREFER_ENV_PATH": "1",  # a kernel "python3" of the user must not step in
    "JUPYTER_PLATFORM_DIRS": "1",  # silences a deprecation warning of jupyter_core
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silences debugpy in the kernel
}
# By how their names begin, what changes outputs, warnings or what runs: no user's choice of
# these may change a chapter or a test. What says where things are, or how much of the machine to
# take, stays (HOME, TMPDIR, PLAYWRIGHT_BROWSERS_PATH, JOBLIB_TEMP_FOLDER, LOKY_MAX_CPU_COUNT, …).
REMOVED = re.compile(
    r"""PYTHON|PYDEVD|DEBUGPY|IPYTHON|IPYKERNEL|TRAITLETS_|JUPYTER(_PATH|CACHE)
    |JAX|XLA_|TF_|TPU_|LIBTPU|PJRT_|NPY_|NUMPY_|SCIPY_|SKLEARN_|SYMPY_|USE_SYMENGINE
    |OMP_|GOMP_|KMP_|MKL_|OPENBLAS_|GOTO_|BLIS_|VECLIB_|GLIBC_TUNABLES
    |MPL|MATPLOTLIB|TQDM_|DASK_|JOBLIB_(MULTI|START)|LOKY_(PICKLER|MAX_DEPTH)
    |PYTEST_(ADDOPTS|PLUGINS|DISABLE|THEME)|HYPOTHESIS_|PWDEBUG|NODE_OPTIONS
    |DOCUTILS|SPHINX|SOURCE_DATE_EPOCH|LC_|LANGUAGE|COLUMNS|LINES|FORCE_COLOR|PY_COLORS
    |MAKE|MFLAGS|GNUMAKEFLAGS  # of the make that started this: tests start others
    |GIT_(DIR|WORK|INDEX|OBJECT|ALTERNATE|COMMON|PREFIX|NAMESPACE|TEMPLATE|TRACE)  # in a hook""",
    re.VERBOSE,
)


def settle(environ: MutableMapping[str, str]) -> None:
    """Fix in `environ` what could change the output of a chapter; make the folders it names."""
    for name in [*filter(REMOVED.match, environ)]:
        del environ[name]
    environ.update(FIXED)
    # A proxy of the user is for the network, not for the book served on this machine.
    for name in ("no_proxy", "NO_PROXY"):
        others = environ.get(name, "").removeprefix("localhost,127.0.0.1,")
        environ[name] = f"localhost,127.0.0.1,{others}"
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib is not None and matplotlib.origin is not None:
        # Matplotlib's own defaults, whatever lies in the user's configuration folder.
        defaults = Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc"
        environ["MATPLOTLIBRC"] = str(defaults)
    try:
        for folder in FOLDERS.values():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise SystemExit(
            f"Nothing can be written to {BUILD} ({error.strerror}). Remedy: make room, or work in "
            "a copy of this folder that is yours to write."
        ) from None
