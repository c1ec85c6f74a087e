"""Places that are not kind: variables, settings of pip, file systems, full disks, odd locales.

Each is planted; the same without what guards against it must fail.
"""

import errno
import fcntl
import os
import re
import resource
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.project.test_project import checkout, fake, planned  # noqa: F401 (a fixture)
from tools import book, determinism, environment, project
from tools.project import ROOT

# A variable, a value that spoils, and what it spoils. All of it, done at once, shows "ŵ".
SPOILED = {
    "MPLCONFIGDIR": ("/dev/null/x", "import matplotlib.pyplot"),
    "PYTHONOPTIMIZE": ("2", "import sys; sys.flags.optimize and sys.exit(1)"),
    "PYTHONIOENCODING": ("ascii", "print('ŵ')"),
    "PYTHONINTMAXSTRDIGITS": ("640", "str(10**4000)"),
    "NPY_DISABLE_CPU_FEATURES": ("NONE", "import numpy"),
    "TQDM_DISABLE": ("1", "import tqdm, io; tqdm.tqdm([], file=io.StringIO()).fp"),
    "SYMPY_DEBUG": ("maybe", "import sympy"),
    "XLA_FLAGS": ("--xla_no_such_flag=1", "import jax.numpy as jnp; jnp.zeros(1)"),
    "JAX_DEBUG_NANS": ("1", "import jax.numpy as jnp; jnp.zeros(1) / 0"),
    "JAX_NUMPY_RANK_PROMOTION": ("raise", "import jax.numpy as np; np.ones((2, 3)) + np.ones(3)"),
}
OTHERS = {
    "HOME": "/dev/null/x",  # cannot be written, cannot even be made
    "PYTHONSAFEPATH": "1",
    "OMP_DISPLAY_ENV": "TRUE",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "MAKEFLAGS": "-n",
    "GIT_DIR": "/nowhere",
    "SOURCE_DATE_EPOCH": "abc",
    "PYTEST_ADDOPTS": "--collect-only",
    "COLUMNS": "20",
    "FORCE_COLOR": "1",
}


def work(code, environ):
    """Return whether the code runs, shows what it should and warns of nothing."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=100)
    shown = "ŵ\n".encode() if "ŵ" in code else b""
    return done.returncode == 0 and done.stdout == shown and not done.stderr


def test_no_variable_of_the_user_changes_what_is_computed_and_shown():
    hostile = OTHERS | {name: value for name, (value, _) in SPOILED.items()}
    environ = os.environ | hostile
    determinism.settle(environ)
    assert work("\n".join(code for _, code in SPOILED.values()), environ)
    assert {name for name in hostile if environ.get(name) == hostile[name]} == {"HOME"}


@pytest.mark.parametrize("name", SPOILED)
def test_such_a_variable_alone_would_change_it(name):
    value, code = SPOILED[name]
    determinism.settle(environ := dict(os.environ))
    assert not work(code, environ | {name: value})


def test_what_says_where_things_are_stays():
    given = {"HOME": "/h", "TMPDIR": "/t", "PLAYWRIGHT_BROWSERS_PATH": "/b", "NO_PROXY": "a.b"}
    environ = dict(given)
    for _ in range(2):  # a worker settles what is settled already
        determinism.settle(environ)
    assert environ.pop("NO_PROXY") == f"localhost,127.0.0.1,{given.pop('NO_PROXY')}"
    assert given.items() <= environ.items()


@pytest.mark.parametrize("code", [errno.EBADF, errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_that_does_not_lock_stops_nothing(code, monkeypatch):
    def flock(handle, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    done = []
    with project.exclusive():
        done.append(1)
    assert done
    with pytest.raises(OSError, match="mine"), project.exclusive():
        raise OSError("mine")  # what is done under the lock still fails aloud


def test_the_lock_is_asked_for_on_what_is_open_for_writing_and_keeps_others_out(monkeypatch):
    right, modes = fcntl.flock, []
    monkeypatch.setattr(fcntl, "flock", lambda f, how: (modes.append(f.mode), right(f, how)))
    taken = pytest.raises(BlockingIOError)
    with project.exclusive(), (ROOT / "pyproject.toml").open() as other, taken:
        right(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert modes == ["r+"]


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "result.json"
    project.write(path, "old\n")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            project.write(path, "new\n" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {"result.json": "old\n"}


def test_a_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "_build").write_text("in the way", encoding="utf-8")
    folder = tmp_path / "_build" / "ipython"
    monkeypatch.setattr(determinism, "FOLDERS", {"IPYTHONDIR": folder})
    with pytest.raises(SystemExit, match=r"Nothing can be written to .*Remedy: "):
        determinism.settle({})
    monkeypatch.setattr(book, "settle", determinism.settle)
    with pytest.raises(SystemExit, match=r"Remedy: "):
        book.build()


@pytest.mark.parametrize("name", ["a [b]", "a*", "a?"])
def test_a_path_that_sphinx_would_read_as_a_pattern_is_named(name, monkeypatch):
    monkeypatch.setattr(book, "ROOT", Path("/nowhere") / name)
    monkeypatch.setattr(book, "settle", lambda environ: pytest.fail("went on"))
    with pytest.raises(RuntimeError, match=r"as a pattern.*Remedy: move"):
        book.build()


@pytest.fixture
def pip_conf(tmp_path):
    lines = ["[global]", "user = true", "index_url = https://mirror.example/simple", "quiet = 1"]
    lines += ["timeout = 5", "[install]", "target = /nowhere", "timeout = 7"]
    path = tmp_path / "pip.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_of_pip_s_settings_only_those_of_the_machine_reach_an_installation(pip_conf):
    given = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    given |= {"PIP_CONFIG_FILE": str(pip_conf), "PIP_TARGET": "x", "PIP_RETRIES": "9"}
    environ = environment.pip_environment(sys.executable, given)
    ours = {name: value for name, value in environ.items() if name.startswith("PIP_")}
    expected = {"PIP_INDEX_URL": "https://mirror.example/simple", "PIP_TIMEOUT": "7"}
    expected |= {"PIP_RETRIES": "9", "PIP_CONFIG_FILE": os.devnull}
    assert {k: v for k, v in ours.items() if k not in {"PIP_CERT", "PIP_PROXY"}} == expected


def test_user_true_would_stop_pip_in_an_environment(pip_conf, tmp_path):
    venv.create(tmp_path / "env", symlinks=True)
    [packages] = (tmp_path / "env").glob("lib/python3*/site-packages")
    pip = Path(next(each for each in sys.path if (Path(each) / "pip").is_dir()))
    (packages / "pip").symlink_to(pip / "pip")
    python = str(tmp_path / "env" / "bin" / "python")
    command = [python, "-m", "pip", "install", "--no-index", "--dry-run", str(tmp_path / "none")]
    given = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    given |= {"PIP_CONFIG_FILE": str(pip_conf).replace("pip.conf", "user.conf")}
    Path(given["PIP_CONFIG_FILE"]).write_text("[global]\nuser = true\n", encoding="utf-8")
    for environ, stopped in ((given, True), (environment.pip_environment(python, given), False)):
        told = subprocess.run(command, env=environ, capture_output=True, text=True).stderr
        assert bool(re.search("'--user' install", told)) is stopped, told


def test_an_unknown_locale_installs_nothing_anew(checkout, monkeypatch):  # noqa: F811
    monkeypatch.setenv("LC_ALL", "xx_YY.ISO-8859-9")
    shim = f'echo "$LC_ALL $$" >&2\nexec {sys.executable} "$@"'  # warns of the locale
    assert [*planned(checkout, python=fake(checkout / "python", shim))] == []
