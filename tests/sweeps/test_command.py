"""The command ``python -m bn_experiments``: killed, interrupted, changed, misused."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bn_experiments.sweeps import command, sweep
from bn_experiments.sweeps import experiment as experiments
from tests import lacking
from tests.sweeps import toy

ROOT = Path(__file__).resolve().parents[2]
TOY, N = toy.__name__, len(toy.cases())
THREADS = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")


def start(*arguments, **given):
    """Start the command as a user does, in the checkout."""
    environment = os.environ | given.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    program = [sys.executable, "-m", "bn_experiments", *map(str, arguments)]
    return subprocess.Popen(program, env=environment, **(pipes | given))


def finish(*arguments, **given):
    """Run the command, demand that all goes well, and return what it prints."""
    run = start(*arguments, **given)
    out, err = run.communicate()
    assert (run.returncode, err) == (0, "")
    return out


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Return what a run prints that nothing interrupts, with one worker."""
    cache = tmp_path_factory.mktemp("quiet")
    return finish("sweep", TOY, "--cache", cache, "--workers", "1", env=THREADS)


class Folder:
    """Where the cases of the toy say that they have begun, and a cache."""

    def __init__(self, path):
        self.path, self.cache = path / "began", path / "my cache"
        self.path.mkdir()
        self.env = {"TOY": str(self.path)}
        self.hold = self.path / "hold"
        self.arguments = ["sweep", TOY, "--cache", self.cache, "--workers", "2"]

    def start_held(self, runs, workers=2, **given):
        """Return runs of which every worker is in a case that waits: all cases before are done."""
        self.arguments[-1] = str(workers)
        self.hold.touch()
        started = [start(*self.arguments, env=self.env, **given) for _ in range(runs)]

        def holds():
            numbers = [int(each.name.split()[0]) for each in self.path.glob("* in *")]
            return sum(number >= toy.HELD for number in numbers) == runs * workers

        while all(run.poll() is None for run in started) and not holds():  # however long
            time.sleep(0.002)
        assert holds(), [run.communicate() for run in started if run.poll() is not None]
        return started

    def check_again(self, expected, cases):
        """Demand that the same command, held no more, gives what is expected by these cases."""
        self.hold.unlink(missing_ok=True)
        toy.began(self.path)
        assert finish(*self.arguments, env=self.env) == expected
        assert toy.began(self.path) == list(cases)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize("workers", ["2", "7"])
def test_the_number_of_workers_and_their_threads_change_nothing(workers, quiet, tmp_path):
    arguments = ("sweep", TOY, "--cache", tmp_path, "--workers", workers)
    assert finish(*arguments, env=THREADS) == quiet
    rows = sweep(toy.task, toy.cases(), seed=toy.SEED)
    assert quiet == experiments.summary_text(TOY, toy, rows)
    assert json.loads(quiet)["summary"]["tuple"] == [[1], 2]


@POSIX
def test_killed_it_keeps_what_is_finished_and_leaves_no_worker(quiet, folder):
    psutil = pytest.importorskip("psutil", reason="needs psutil, which comes with Dask")
    [run] = folder.start_held(1)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert len(children) >= 2
    psutil.wait_procs(children)  # for ever, if one stays
    folder.check_again(quiet, range(toy.HELD, N))


@POSIX
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_says_how_to_continue_and_waits_for_nothing(workers, quiet, folder):
    # A session of its own, so that the signal reaches the workers too, as on a terminal.
    [run] = folder.start_held(1, workers, start_new_session=True)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate()  # for ever, if it waits for the cases that are held
    assert (run.returncode, out) == (130, "")
    again = f"python -m bn_experiments sweep {TOY} --cache '{folder.cache}' --workers {workers}"
    told = f"Interrupted. Every finished case is kept in {folder.cache}. To continue:\n  {again}"
    assert err == f"\n{told}\n"
    folder.check_again(quiet, range(toy.HELD, N))


def test_errors_of_tasks_and_lost_workers_are_told(quiet, folder):
    kept = f"Every finished case is kept in {folder.cache}."
    died = f"a worker process died (was memory short?). {kept}"
    remedy = "Remedy: the same again, with fewer --workers."
    for name, told in (("TOY_FAILS", "α9 fails"), ("TOY_DIES", f"{died} {remedy}")):
        run = start(*folder.arguments, env={name: "α9"})
        out, err = run.communicate()
        assert (out, run.returncode) == ("", 1)
        assert err.count(f"Error: {told}\n") == 1
        # Of workers that are killed, Python's resource tracker may find a semaphore left over.
        others = err.replace(f"Error: {told}\n", "")
        assert not others or "resource_tracker" in others, others
    assert finish(*folder.arguments) == quiet


def test_two_sweeps_at_once_do_not_disturb_each_other(quiet, folder):
    runs = folder.start_held(2)
    folder.hold.unlink()
    for run in runs:
        assert run.communicate() == (quiet, "")
    assert len(list(folder.cache.rglob("output.pkl"))) == N
    folder.check_again(quiet, [])


@POSIX
def test_the_progress_bar_is_for_terminals_and_counts_earlier_cases(folder):
    import pty
    import termios

    sweep(toy.task, toy.cases()[:4], seed=toy.SEED, cache=folder.cache)
    terminal, other = pty.openpty()
    termios.tcsetwinsize(other, (24, 80))
    run = start(*folder.arguments[:-1], "1", stderr=other)
    os.close(other)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    run.communicate()
    assert run.returncode == 0
    counts = [each for each in shown.decode().replace("\r", "\n").split("\n") if f"/{N} " in each]
    assert f"4/{N}" in counts[0]
    assert f"{N}/{N}" in counts[-1]
    assert "case" in counts[-1]


OWN = """
from bnlib import failure_probability
DESCRIPTION, SEED = "The law.", 1
def cases(): return [0.1, 0.2]
def task(case, rng):
    open("ran", "a").write("x")
    return failure_probability(case)
def summary(rows): return {"rows": rows}
"""


def test_changed_code_never_gives_a_stale_result_and_old_code_its_own(tmp_path):
    for name in ("bnlib", "bn_experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "law.py").write_text(OWN)
    ran = tmp_path / "ran"

    def found():
        """Return the results, the hash of the code, and how many cases ran."""
        ran.write_text("")
        out = json.loads(finish("sweep", "own.law", "--workers", "1", cwd=tmp_path))
        return out["summary"]["rows"], out["code"], ran.stat().st_size

    def changed(name, old, new):
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return text

    good, code, n = found()
    assert (good, n) == ([0.515915, 0.531831], 2)
    assert found() == (good, code, 0)
    laws = changed("bnlib/laws.py", "0.5 +", "0.25 +")
    assert found()[0] == [0.265915, 0.281831]
    (tmp_path / "bnlib" / "laws.py").write_bytes(laws.replace("\n", "\r\n").encode())
    assert found() == (good, code, 0)
    changed("bn_experiments/book/figures.py", '"""', '"""Changed: ')
    assert found() == (good, code, 0)
    for name in ("own/law.py", "bn_experiments/sweeps/run.py", "bnlib/__init__.py"):
        changed(name, "\n", "\n# changed\n")
        again, other, n = found()
        assert (again, other != code, n) == (good, True, 2)
        code = other
    assert (tmp_path / "_build" / "sweeps").is_dir()


def test_misuse_ends_with_2_and_a_reason(capsys):
    for arguments, told in (
        ([], "required: COMMAND"),
        (["summary"], "invalid choice: 'summary'"),
        (["sweep"], "required: NAME"),
        (["sweep", "activation"], "'activation' is unknown; use one of "),
        (["sweep", "no.such"], "'no.such' cannot be imported"),
        (["sweep", "bnlib.laws"], "is no experiment; it lacks"),
        (["sweep", TOY, "--workers", "0"], "must be a whole number from 1 on, got '0'"),
        (["sweep", TOY, "--cases", "-3"], "--cases"),
    ):
        with pytest.raises(SystemExit) as end:
            command.main(arguments)
        assert end.value.code == 2
        assert told in capsys.readouterr().err


@lacking.needs_jax
def test_the_list_has_every_experiment_and_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setitem(experiments.EXPERIMENTS, "lost", "bn_experiments.sweeps.experiment.lost")
    assert command.main(["list"]) == 0
    *shown, lost = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == list(experiments.EXPERIMENTS)[:-1]
    assert all(line.endswith(" cases)") for line in shown)
    assert "not available: name: 'lost' cannot be imported" in lost


@pytest.mark.parametrize("name", lacking.marked(experiments.EXPERIMENTS, "bn_experiments.sweeps."))
def test_every_experiment_has_cases_that_are_always_the_same(name):
    module = experiments.experiment(name)
    assert module.cases()
    assert json.dumps(module.cases()) == json.dumps(module.cases())
    assert isinstance(module.SEED, int)
    assert len(module.DESCRIPTION.splitlines()) == 1
