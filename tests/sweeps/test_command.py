"""The command ``python -m bn_experiments``: killed, interrupted, misused, and what it prints."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import bnlib
from bn_experiments import __main__ as command
from bn_experiments.sweeps import experiment as experiments
from bn_experiments.sweeps import resumable_sweep
from tests.sweeps import toy_sweep

ROOT = Path(__file__).resolve().parents[2]
TOY = "tests.sweeps.toy_sweep"
N = len(toy_sweep.cases())
POSIX = pytest.mark.skipif(os.name != "posix", reason="needs the signals of POSIX")


def start(*arguments: str, **given: Any) -> subprocess.Popen[str]:
    """Start the command as a user does, in the checkout."""
    environment = os.environ | given.pop("env", {})
    return subprocess.Popen(
        [sys.executable, "-m", "bn_experiments", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **given,
    )


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def has(path: Path, n: int) -> bool:
    return lines(path) >= n


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until something is true or the process has ended."""
    while process.poll() is None and not true():
        time.sleep(0.002)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a run of the command that nothing interrupts, with one worker."""
    path = tmp_path_factory.mktemp("quiet") / "toy.jsonl"
    run = start("sweep", TOY, "--output", str(path), "--workers", "1")
    out, err = run.communicate()
    assert (run.returncode, out, err) == (0, f"{path}: all {N} cases are there.\n", "")
    return path.read_bytes()


@POSIX
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_and_resumed_the_file_is_that_of_a_quiet_run(
    seed: int, tmp_path: Path, quiet: bytes
) -> None:
    path, moments, kills = tmp_path / "toy.jsonl", random.Random(seed), []
    while True:
        before = lines(path)
        run = start(
            "sweep", TOY, "--output", str(path), "--workers", "2", env={"TOY_SECONDS": "0.05"}
        )
        if before < N - 8:
            more = moments.randrange(1, 8)
            wait_until(partial(has, path, before + more), run)
            time.sleep(moments.random() * 0.05)
            run.kill()
        run.communicate()
        stored = path.read_bytes().splitlines(keepends=True)
        assert set(stored[:-1]) <= set(quiet.splitlines(keepends=True))
        assert len(stored) >= before  # nothing that was stored is lost
        kills.append(run.returncode)
        if run.returncode == 0:
            break
    assert set(kills[:-1]) == {-signal.SIGKILL}
    assert path.read_bytes() == quiet
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@POSIX
def test_workers_end_when_the_command_is_killed(tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil", reason="needs psutil, which comes with Dask")
    path = tmp_path / "toy.jsonl"
    run = start("sweep", TOY, "--output", str(path), "--workers", "2", env={"TOY_SECONDS": "0.05"})
    wait_until(lambda: lines(path) > 2, run)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.communicate()
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=60)
    for each in alive:
        each.kill()
    assert alive == []


@POSIX
def test_ctrl_c_says_how_to_continue(tmp_path: Path, quiet: bytes) -> None:
    path = tmp_path / "my toy.jsonl"
    arguments = ("sweep", TOY, "--output", str(path), "--workers", "2")
    # A session of its own, so that the signal reaches the workers too, as on a terminal.
    run = start(*arguments, env={"TOY_SECONDS": "0.2"}, start_new_session=True)
    wait_until(lambda: lines(path) > 4, run)
    os.killpg(run.pid, signal.SIGINT)
    out, err = run.communicate()
    assert (run.returncode, out) == (130, "")
    assert "Interrupted. Every finished case is stored. To continue:" in err
    assert f"python -m bn_experiments sweep {TOY} --output '{path}' --workers 2" in err
    assert "Traceback" not in err
    assert 4 < lines(path) < N
    again = start(*arguments)
    again.communicate()
    assert again.returncode == 0
    assert path.read_bytes() == quiet


def test_errors_of_tasks_and_lost_workers_are_told(
    tmp_path: Path,
    quiet: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "toy.jsonl"
    arguments = ["sweep", TOY, "--output", str(path), "--workers", "1"]
    monkeypatch.setenv("TOY_DIES", "α9")
    assert command.main(arguments) == 1
    assert "Error: a worker process died" in capsys.readouterr().err
    monkeypatch.delenv("TOY_DIES")
    monkeypatch.setenv("TOY_FAILS", "α15")
    assert command.main(arguments) == 1
    assert capsys.readouterr().err == "Error: α15 fails\n"
    assert 1 + 15 <= lines(path) < 1 + N
    monkeypatch.delenv("TOY_FAILS")
    assert command.main(arguments) == 0
    assert path.read_bytes() == quiet


@POSIX
def test_the_progress_bar_is_for_terminals_and_counts_earlier_cases(
    tmp_path: Path, quiet: bytes
) -> None:
    import pty
    import termios

    path = tmp_path / "toy.jsonl"
    path.write_bytes(b"".join(quiet.splitlines(keepends=True)[: 1 + 12]))
    terminal, other = pty.openpty()
    termios.tcsetwinsize(other, (24, 80))
    run = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bn_experiments",
            "sweep",
            TOY,
            "--output",
            str(path),
            "--workers",
            "1",
        ],
        cwd=ROOT,
        env=os.environ | {"TOY_SECONDS": "0.01"},
        stdout=subprocess.DEVNULL,
        stderr=other,
    )
    os.close(other)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(terminal, 4096):
            shown += part
    os.close(terminal)
    assert run.wait() == 0
    steps = shown.decode().replace("\r", "\n").split("\n")
    counts = [step for step in steps if f"/{N} " in step]
    assert f"12/{N}" in counts[0]
    assert f"{N}/{N}" in counts[-1]
    assert "case" in counts[-1]


# ---------------------------------------------------------------- summaries


def summary(path: Path, *arguments: str) -> int:
    return command.main(["summary", TOY, str(path), *arguments])


def test_a_summary_says_what_it_is_of(
    tmp_path: Path, quiet: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "toy.jsonl", tmp_path / "toy.json"
    path.write_bytes(quiet)
    assert summary(path, "--output", str(output)) == 0
    text = output.read_text(encoding="utf-8")
    found = json.loads(text)
    assert text == json.dumps(found, sort_keys=True, indent=1) + "\n"
    rows = [json.loads(line)["result"] for line in quiet.splitlines()[1:]]
    mean = toy_sweep.summary(rows)["mean"]
    assert found == {
        "experiment": TOY,
        "command": f"python -m bn_experiments sweep {TOY}",
        "cases": N,
        "seed": toy_sweep.SEED,
        "bnlib": bnlib.__version__,
        "results_sha256": hashlib.sha256(quiet).hexdigest(),
        "significant_digits": 6,
        "summary": {"mean": float(f"{mean:.6g}"), "n": N, "tuple": [1, 2.0]},
    }
    assert found["summary"]["mean"] != mean
    assert str(tmp_path) not in text
    assert capsys.readouterr() == ("", "")
    assert summary(path) == 0
    assert capsys.readouterr().out == text


def test_a_trial_says_that_it_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "toy.jsonl"
    trial = ["sweep", TOY, "--cases", "4", "--output", str(path), "--workers", "1"]
    assert command.main(trial) == 0
    capsys.readouterr()
    assert summary(path) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cases"] == 4
    assert found["command"].endswith("--cases 4")


def test_a_summary_needs_the_whole_and_the_right_file(
    tmp_path: Path,
    quiet: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "toy.jsonl"

    def told(text: bytes) -> str:
        path.write_bytes(text)
        assert summary(path) == 1
        out, err = capsys.readouterr()
        assert out == ""
        return err

    part = b"".join(quiet.splitlines(keepends=True)[:6])
    assert f"has the results of 5 of {N} cases; run the same sweep again" in told(part)
    assert f"has the results of 5 of {N} cases" in told(part + b'{"case": 5, "re')
    assert "is no results file" in told(b"my diary\n")
    assert "is no results file" in told(b"")
    assert "No such file" in (path.unlink(), summary(path), capsys.readouterr().err)[-1]
    monkeypatch.setattr(toy_sweep, "SEED", 8)
    assert "with other cases or another seed" in told(quiet)


def test_a_summary_overwrites_only_summaries_of_its_own(
    tmp_path: Path, quiet: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "toy.jsonl", tmp_path / "toy.json"
    path.write_bytes(quiet)
    for others in ("my diary", "[1]", '{"experiment": "other"}'):
        output.write_text(others)
        assert summary(path, "--output", str(output)) == 1
        assert "it was not touched" in capsys.readouterr().err
        assert output.read_text() == others
    output.write_text("")
    for _ in range(2):
        assert summary(path, "--output", str(output)) == 0
    assert json.loads(output.read_text())["experiment"] == TOY


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: COMMAND"),
        (["sweep"], "required: NAME"),
        (["sweep", "activation"], "'activation' is unknown; use one of "),
        (["sweep", "no.such"], "'no.such' cannot be imported"),
        (["sweep", "bnlib.laws"], "is no experiment; it lacks"),
        (["sweep", TOY, "--workers", "0"], "must be a whole number from 1 on, got '0'"),
        (["sweep", TOY, "--cases", "-3"], "--cases"),
        (["summary", TOY], "required: FILE"),
    ],
)
def test_misuse_ends_with_2_and_a_reason(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command.main(arguments)
    assert end.value.code == 2
    assert told in capsys.readouterr().err


def test_what_cannot_be_done_ends_with_1_and_a_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "none" / "toy.jsonl"), "--workers", "1"]
    assert command.main(["sweep", TOY, "--cases", str(N + 1)]) == 1
    assert f"--cases: there are {N}, got {N + 1}" in capsys.readouterr().err
    assert command.main(["sweep", TOY, *output]) == 1
    assert "No such file" in capsys.readouterr().err


def test_the_list_has_every_experiment_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
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


def test_rounding_reaches_every_float() -> None:
    deep = {"a": [1 / 3, {"b": (2 / 3, 7, True, "x", None)}], "c": 123456.789}
    assert command.rounded(deep) == {
        "a": [0.333333, {"b": [0.666667, 7, True, "x", None]}],
        "c": 123457.0,
    }


def test_the_command_gives_what_the_library_gives(tmp_path: Path, quiet: bytes) -> None:
    found = resumable_sweep(
        tmp_path / "toy.jsonl", toy_sweep.task, toy_sweep.cases(), seed=toy_sweep.SEED, name=TOY
    )
    stored = [json.loads(line)["result"] for line in quiet.splitlines()[1:]]
    for mine, other in zip(found, stored, strict=True):
        assert mine | {"omp": "1"} == other
