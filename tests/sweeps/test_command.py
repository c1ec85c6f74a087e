"""The command ``python -m bn_experiments``: killed, interrupted, changed, misused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bnlib
from bn_experiments.sweeps import command, summary, sweep
from bn_experiments.sweeps import experiment as experiments
from bn_experiments.sweeps.code_hash import code_hash
from tests.sweeps import toy

ROOT = Path(__file__).resolve().parents[2]
TOY = "tests.sweeps.toy"
N = len(toy.cases())
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")


def start(*arguments: str | Path, **given: Any) -> subprocess.Popen[str]:
    """Start the command as a user does, in the checkout."""
    environment = os.environ | given.pop("env", {})
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    program = [sys.executable, "-m", "bn_experiments", *map(str, arguments)]
    return subprocess.Popen(program, env=environment, **(pipes | given))


def finish(*arguments: str | Path, **given: Any) -> str:
    """Run the command, demand that all goes well, and return what it prints."""
    run = start(*arguments, **given)
    out, err = run.communicate()
    assert (run.returncode, err) == (0, "")
    return out


def wait_until(true: Callable[[], bool], *processes: subprocess.Popen[str]) -> None:
    """Wait until something is true, however long that takes, or a process has ended."""
    while all(each.poll() is None for each in processes) and not true():
        time.sleep(0.002)
    assert true(), [each.communicate() for each in processes if each.poll() is not None]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what a run prints that nothing interrupts, with one worker."""
    cache = tmp_path_factory.mktemp("quiet")
    threads = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
    return finish("sweep", TOY, "--cache", cache, "--workers", "1", env=threads)


class Folder:
    """Where the cases of the toy say that they have begun, and a cache."""

    def __init__(self, path: Path) -> None:
        self.path, self.cache = path / "began", path / "my cache"
        self.path.mkdir()
        self.env = {"TOY": str(self.path)}
        self.hold = self.path / "hold"

    def holds(self, workers: int) -> bool:
        """Return whether every worker is in a case that waits: all cases before are done."""
        numbers = [int(each.name.split()[0]) for each in self.path.glob("* in *")]
        return sum(number >= toy.HELD for number in numbers) == workers


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# ---------------------------------------------------------------- workers, kills, interruptions


@pytest.mark.parametrize("workers", ["2", "7"])
def test_the_number_of_workers_and_their_threads_change_nothing(
    workers: str, quiet: str, tmp_path: Path
) -> None:
    threads = {"OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"}
    arguments = ("sweep", TOY, "--cache", tmp_path, "--workers", workers)
    assert finish(*arguments, env=threads) == quiet
    rows = sweep(toy.task, toy.cases(), seed=toy.SEED)
    assert quiet == summary.summary_text(TOY, toy, rows)  # type: ignore[arg-type]
    assert json.loads(quiet)["summary"]["tuple"] == [[1], 2]


@POSIX
def test_killed_it_keeps_what_is_finished_and_leaves_no_worker(quiet: str, folder: Folder) -> None:
    psutil = pytest.importorskip("psutil", reason="needs psutil, which comes with Dask")
    arguments = ("sweep", TOY, "--cache", folder.cache, "--workers", "2")
    folder.hold.touch()
    run = start(*arguments, env=folder.env)
    wait_until(lambda: folder.holds(2), run)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert len(children) >= 2
    psutil.wait_procs(children)  # for ever, if one stays
    folder.hold.unlink()
    toy.began(folder.path)
    assert finish(*arguments, env=folder.env) == quiet
    assert toy.began(folder.path) == list(range(toy.HELD, N))


@POSIX
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_says_how_to_continue_and_waits_for_nothing(
    workers: int, quiet: str, folder: Folder
) -> None:
    arguments = ("sweep", TOY, "--cache", folder.cache, "--workers", str(workers))
    folder.hold.touch()
    # A session of its own, so that the signal reaches the workers too, as on a terminal.
    run = start(*arguments, env=folder.env, start_new_session=True)
    wait_until(lambda: folder.holds(workers), run)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate()  # for ever, if it waits for the cases that are held
    assert (run.returncode, out) == (130, "")
    again = f"python -m bn_experiments sweep {TOY} --cache '{folder.cache}' --workers {workers}"
    told = f"Interrupted. Every finished case is kept in {folder.cache}. To continue:\n  {again}"
    assert err == f"\n{told}\n"
    folder.hold.unlink()
    toy.began(folder.path)
    assert finish(*arguments, env=folder.env) == quiet
    assert toy.began(folder.path) == list(range(toy.HELD, N))


def test_errors_of_tasks_and_lost_workers_are_told(quiet: str, folder: Folder) -> None:
    arguments = ("sweep", TOY, "--cache", folder.cache, "--workers", "2")
    kept = f"Every finished case is kept in {folder.cache}."
    died = f"a worker process died (was memory short?). {kept}"
    remedy = "Remedy: the same again, with fewer --workers."
    for name, told in (("TOY_FAILS", "α9 fails"), ("TOY_DIES", f"{died} {remedy}")):
        run = start(*arguments, env={name: "α9"})
        assert run.communicate() == ("", f"Error: {told}\n")
        assert run.returncode == 1
    assert finish(*arguments) == quiet


def test_two_sweeps_at_once_do_not_disturb_each_other(quiet: str, folder: Folder) -> None:
    arguments = ("sweep", TOY, "--cache", folder.cache, "--workers", "2")
    folder.hold.touch()
    runs = [start(*arguments, env=folder.env) for _ in range(2)]
    wait_until(lambda: folder.holds(4), *runs)
    folder.hold.unlink()
    for run in runs:
        assert run.communicate() == (quiet, "")
    assert len(list(folder.cache.rglob("output.pkl"))) == N
    toy.began(folder.path)
    assert finish(*arguments, env=folder.env) == quiet
    assert toy.began(folder.path) == []


@POSIX
def test_the_progress_bar_is_for_terminals_and_counts_earlier_cases(folder: Folder) -> None:
    import pty
    import termios

    sweep(toy.task, toy.cases()[:4], seed=toy.SEED, cache=folder.cache)
    terminal, other = pty.openpty()
    termios.tcsetwinsize(other, (24, 80))
    arguments = ("sweep", TOY, "--cache", folder.cache, "--workers", "1")
    run = start(*arguments, stderr=other)
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


# ---------------------------------------------------------------- changed code


OWN = """
from bnlib import failure_probability
DESCRIPTION, SEED = "The law.", 1
def cases(): return [0.1, 0.2]
def task(case, rng):
    open("ran", "a").write("x")
    return failure_probability(case)
def summary(rows): return {"rows": rows}
"""


def test_changed_code_never_gives_a_stale_result_and_old_code_its_own(tmp_path: Path) -> None:
    for name in ("bnlib", "bn_experiments"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "law.py").write_text(OWN)
    ran = tmp_path / "ran"

    def found() -> tuple[list[float], str, int]:
        """Return the results, the hash of the code, and how many cases ran."""
        ran.write_text("")
        out = json.loads(finish("sweep", "own.law", "--workers", "1", cwd=tmp_path))
        return out["summary"]["rows"], out["code"], ran.stat().st_size

    def changed(name: str, old: str, new: str) -> str:
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
    for name in ("own/law.py", "bn_experiments/sweeps/sweep.py", "bnlib/__init__.py"):
        changed(name, "\n", "\n# changed\n")
        again, other, n = found()
        assert (again, other != code, n) == (good, True, 2)
        code = other
    assert (tmp_path / "_build" / "sweeps").is_dir()


# ---------------------------------------------------------------- summaries


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    sweep(toy.task, toy.cases(), seed=toy.SEED, cache=folder)
    return folder


def run_main(cache: Path, *arguments: str) -> int:
    return command.main(["sweep", TOY, "--cache", str(cache), "--workers", "1", *arguments])


Printed = pytest.CaptureFixture[str]


def test_a_summary_says_how_it_was_made(cache: Path, tmp_path: Path, capsys: Printed) -> None:
    output = tmp_path / "toy.json"
    assert run_main(cache, "--output", str(output)) == 0
    assert capsys.readouterr() == (f"{output}: the summary of {N} cases.\n", "")
    text = output.read_text(encoding="utf-8")
    found = json.loads(text)
    assert text == json.dumps(found, sort_keys=True, indent=1) + "\n"
    expected = toy.summary(sweep(toy.task, toy.cases(), seed=toy.SEED))
    assert found == {
        "experiment": TOY,
        "command": f"python -m bn_experiments sweep {TOY}",
        "version": bnlib.__version__,
        "code": code_hash(toy.task),
        "cases": N,
        "seed": toy.SEED,
        "significant_digits": 6,
        "summary": summary.rounded(expected),
    }
    assert found["summary"]["mean"] != expected["mean"]
    assert run_main(cache, "--cases", "4") == 0  # a trial says that it is one
    found = json.loads(capsys.readouterr().out)
    assert (found["cases"], found["command"][-9:]) == (4, "--cases 4")


def test_a_summary_overwrites_only_summaries_of_its_own(
    cache: Path, tmp_path: Path, capsys: Printed
) -> None:
    (tmp_path / "real").mkdir()
    output = tmp_path / "toy.json"
    output.symlink_to(tmp_path / "real" / "toy.json")
    for others in ("my diary", "[1]", '{"experiment": "other"}', "\0\xff"):
        output.write_text(others, encoding="latin-1")
        # The cache is none: nothing runs before it is refused.
        assert run_main(output, "--output", str(output)) == 1
        assert "it was not touched" in capsys.readouterr().err
        assert output.read_text(encoding="latin-1") == others
    for place, told in ((tmp_path / "real", "not touched"), (tmp_path / "no" / "x", "no folder")):
        assert run_main(output, "--output", str(place)) == 1
        assert told in capsys.readouterr().err
    output.write_text("")
    for _ in range(2):
        assert run_main(cache, "--output", str(output)) == 0
    assert json.loads(output.read_text())["experiment"] == TOY
    assert output.is_symlink()
    assert [each.name for each in (tmp_path / "real").iterdir()] == ["toy.json"]


def test_an_old_summary_stays_if_a_new_one_cannot_be_made(
    cache: Path, tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "toy.json"
    assert run_main(cache, "--output", str(output)) == 0
    before = output.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    for value in (float("nan"), object()):
        monkeypatch.setattr(toy, "summary", lambda rows, value=value: {"x": value})
        assert run_main(cache, "--output", str(output)) == 1
        assert "must give what JSON can hold" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.setattr(Path, "replace", full)
    assert run_main(cache, "--output", str(output)) == 1
    assert "No space left" in capsys.readouterr().err
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [before]


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_rounding_reaches_every_float_and_nothing_else(number: float, n: int) -> None:
    deep = {"a": [number, {"b": (number, n, True, "0.123456789", None)}]}
    [first, inner] = summary.rounded(deep)["a"]
    assert inner == {"b": [first, n, True, "0.123456789", None]}
    assert first == summary.rounded(first) == pytest.approx(number, rel=5.1e-6, abs=1e-320)
    assert first == float(format(number, ".6g"))


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: COMMAND"),
        (["summary"], "invalid choice: 'summary'"),
        (["sweep"], "required: NAME"),
        (["sweep", "activation"], "'activation' is unknown; use one of "),
        (["sweep", "no.such"], "'no.such' cannot be imported"),
        (["sweep", "bnlib.laws"], "is no experiment; it lacks"),
        (["sweep", TOY, "--workers", "0"], "must be a whole number from 1 on, got '0'"),
        (["sweep", TOY, "--cases", "-3"], "--cases"),
    ],
)
def test_misuse_ends_with_2_and_a_reason(arguments: list[str], told: str, capsys: Printed) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert told in capsys.readouterr().err


def test_what_cannot_be_done_ends_with_1_and_a_reason(cache: Path, capsys: Printed) -> None:
    assert run_main(cache, "--cases", str(N + 1)) == 1
    assert f"--cases: there are {N}, got {N + 1}" in capsys.readouterr().err
    assert run_main(Path(__file__)) == 1
    assert "results cannot be kept in" in capsys.readouterr().err


def test_the_list_has_every_experiment_and_says_what_is_missing(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(experiments.EXPERIMENTS, "lost", "bn_experiments.sweeps.experiment.lost")
    assert command.main(["list"]) == 0
    *shown, lost = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == list(experiments.EXPERIMENTS)[:-1]
    assert all(line.endswith(" cases)") for line in shown)
    assert "not available: name: 'lost' cannot be imported" in lost


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_has_cases_that_are_always_the_same(name: str) -> None:
    module = experiments.experiment(name)
    assert json.dumps(module.cases()) == json.dumps(module.cases())
    assert module.cases()
    assert isinstance(module.SEED, int)
    assert len(module.DESCRIPTION.splitlines()) == 1
