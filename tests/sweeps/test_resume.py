"""Sweeps that are interrupted, damaged, repeated: the file is that of a quiet run, or an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bn_experiments.sweeps.resume
import bnlib
from bn_experiments.sweeps import resumable_sweep, sweep
from bn_experiments.sweeps.results_file import read_results
from bn_experiments.sweeps.workers import workers
from tests.sweeps import toy_sweep

CASES = toy_sweep.cases()[:7]
SEED = toy_sweep.SEED
LINUX = sys.platform == "linux"


class Cut(BaseException):
    """An interruption, as Ctrl-C is: no Exception."""


def run(path: Path, cases: Any = CASES, task: Any = toy_sweep.task, **given: Any) -> list[Any]:
    known: dict[str, Any] = {"seed": SEED, "name": "toy", **given}
    return resumable_sweep(path, task, cases, **known)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the file of a run that nothing interrupts."""
    path = tmp_path_factory.mktemp("quiet") / "toy.jsonl"
    run(path)
    return path.read_bytes()


def test_the_results_are_those_of_sweep_and_the_file_is_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    expected = sweep(toy_sweep.task, CASES, seed=SEED)
    assert run(path) == expected
    head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (head["sweep"], head["seed"], head["cases"]) == ("toy", SEED, len(CASES))
    assert [line["case"] for line in lines] == list(range(len(CASES)))
    assert [line["result"] for line in lines] == expected  # every digit of the numbers
    assert read_results(path)[1] == expected


def test_a_complete_file_is_read_and_nothing_runs(tmp_path: Path, quiet: bytes) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(quiet)
    before = path.stat().st_mtime_ns
    assert run(path, task=None) == sweep(toy_sweep.task, CASES, seed=SEED)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize("stop", range(len(CASES)))
def test_after_an_interruption_only_the_missing_cases_run(
    stop: int, tmp_path: Path, quiet: bytes
) -> None:
    path, ran = tmp_path / "toy.jsonl", []

    def task(case: Any, rng: np.random.Generator) -> Any:
        ran.append(case["label"])
        if len(ran) == stop + 1:
            raise Cut
        return toy_sweep.task(case, rng)

    with pytest.raises(Cut):
        run(path, task=task)
    stored = path.read_bytes()
    assert quiet.startswith(stored)
    assert stored.count(b"\n") == 1 + stop
    ran += [None] * len(CASES)  # no second interruption
    run(path, task=task)
    assert path.read_bytes() == quiet
    assert ran[stop + 1 + len(CASES) :] == [case["label"] for case in CASES[stop:]]


def compare_truncated(path: Path, quiet: bytes, length: int) -> None:
    """Demand the whole file again, from any beginning of it."""
    path.write_bytes(quiet[:length])
    run(path)
    assert path.read_bytes() == quiet, length


def test_a_file_cut_at_any_byte_becomes_whole(tmp_path: Path, quiet: bytes) -> None:
    header, last = quiet.index(b"\n") + 2, len(quiet) - 450  # two lines and more
    for length in [*range(header), *range(header, last, 29), *range(last, len(quiet) + 1)]:
        compare_truncated(tmp_path / "toy.jsonl", quiet, length)


def refused(path: Path, text: bytes, **given: Any) -> str:
    """Demand an error that leaves the file as it is; return what it says."""
    path.write_bytes(text)
    with pytest.raises(ValueError, match="^path: .*") as caught:
        run(path, **given)
    assert path.read_bytes() == text
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    return str(caught.value)


@settings(derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**9), flip=st.integers(1, 255))
def test_a_changed_byte_is_refused_or_harmless(
    place: int, flip: int, tmp_path: Path, quiet: bytes
) -> None:
    """Only the end of the last line may change unseen: then that case runs again."""
    path, at = tmp_path / "toy.jsonl", place % len(quiet)
    damaged = bytearray(quiet)
    damaged[at] ^= flip
    if at == len(quiet) - 1:
        path.write_bytes(damaged)
        run(path)
        assert path.read_bytes() == quiet
    else:
        refused(path, bytes(damaged))


def test_damaged_and_doubled_lines_are_named(tmp_path: Path, quiet: bytes) -> None:
    path, lines = tmp_path / "toy.jsonl", quiet.splitlines(keepends=True)
    digit = lines[3].replace(b"0.", b"1.", 1)
    told = refused(path, b"".join([*lines[:3], digit, *lines[4:]]))
    assert f"line 4 of {path} is damaged (the checksum is wrong)" in told
    assert "Remedy: take that line out" in told
    path.write_bytes(b"".join([*lines[:3], *lines[4:]]))  # the remedy
    run(path)
    assert path.read_bytes() == quiet
    assert "line 9" in refused(path, quiet + lines[1])
    assert "line 5" in refused(path, b"".join([*lines[:4], b"\n", *lines[4:]]))


def test_a_file_of_another_sweep_is_refused(tmp_path: Path, quiet: bytes) -> None:
    path = tmp_path / "toy.jsonl"
    assert "(seed 7 not 8)" in refused(path, quiet, seed=8)
    assert "(sweep 'toy' not 'other')" in refused(path, quiet, name="other")
    assert "cases 7 not 6" in refused(path, quiet, cases=CASES[:6])
    assert "cases_sha256" in refused(path, quiet, cases=[{**CASES[0], "n": 4}, *CASES[1:]])


def test_results_of_two_versions_are_not_mixed(
    tmp_path: Path, quiet: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bnlib, "__version__", "999")
    assert "not '999'" in refused(tmp_path / "toy.jsonl", quiet)


@pytest.mark.parametrize(
    "text", [b"my diary", b"my diary\n", b"{}\n", b'{"format": 1}\n', b"\n", b"\0" * 50]
)
def test_what_is_no_results_file_is_never_touched(text: bytes, tmp_path: Path) -> None:
    told = refused(tmp_path / "toy.jsonl", text)
    assert "is no results file" in told
    assert "Give another path" in told


def test_an_empty_file_may_be_used(tmp_path: Path, quiet: bytes) -> None:
    compare_truncated(tmp_path / "toy.jsonl", quiet, 0)


def test_a_link_stays_a_link(tmp_path: Path, quiet: bytes) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_bytes(backwards(quiet))
    run(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == quiet


def backwards(text: bytes, last: int | None = None) -> bytes:
    """Return a file whose cases ended in another order."""
    first, *lines = text.splitlines(keepends=True)
    return b"".join([first, *lines[::-1][:last]])


@pytest.mark.parametrize("last", [None, 3])
def test_cases_that_ended_out_of_order_are_put_in_order(
    last: int | None, tmp_path: Path, quiet: bytes
) -> None:
    path = tmp_path / "toy.jsonl"
    path.write_bytes(backwards(quiet, last))
    path.chmod(0o640)
    assert run(path) == read_results(path)[1]
    assert path.read_bytes() == quiet
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["toy.jsonl"]


def test_ordering_may_be_killed_too_and_spares_files_of_others(
    tmp_path: Path, quiet: bytes
) -> None:
    path, beside = tmp_path / "toy.jsonl", tmp_path / "toy.jsonl.sorted"
    path.write_bytes(backwards(quiet))
    beside.write_bytes(b"my diary")
    with pytest.raises(ValueError, match=r"toy\.jsonl\.sorted is in the way"):
        run(path)
    assert beside.read_bytes() == b"my diary"
    assert path.read_bytes() == backwards(quiet)
    beside.write_bytes(quiet[:100])  # left by a killed run
    run(path)
    assert path.read_bytes() == quiet
    assert not beside.exists()


# ---------------------------------------------------------------- executors


@pytest.mark.parametrize("n", [1, 2, 5])
def test_threads_give_the_same_file(n: int, tmp_path: Path, quiet: bytes) -> None:
    with ThreadPoolExecutor(n) as pool:
        run(tmp_path / "toy.jsonl", executor=pool, task=uneven)
    assert (tmp_path / "toy.jsonl").read_bytes() == quiet


def uneven(case: Any, rng: np.random.Generator) -> Any:
    time.sleep(0.01 * (9 - case["n"]))
    return toy_sweep.task(case, rng)


def test_processes_give_the_same_file_on_any_number_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    texts = []
    for n in (1, 2):
        with workers(n) as pool:
            found = run(tmp_path / f"{n}.jsonl", executor=pool)
        assert {row["omp"] for row in found} == {"1"}
        texts.append((tmp_path / f"{n}.jsonl").read_bytes())
    assert texts[0] == texts[1]
    assert os.environ["OMP_NUM_THREADS"] == "4"


def test_a_cluster_gives_the_same_file(tmp_path: Path, quiet: bytes) -> None:
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: install the extra bnlib[cluster]"
    )
    local = distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    )
    with local, distributed.Client(local) as client, client.get_executor() as pool:
        run(tmp_path / "toy.jsonl", executor=pool)
    assert (tmp_path / "toy.jsonl").read_bytes() == quiet


def test_after_an_error_what_was_running_is_stored_and_the_rest_not_begun(
    tmp_path: Path, quiet: bytes
) -> None:
    """Case 0 fails while case 1 runs, and case 1 ends only when the error has come."""
    path, failed, ran = tmp_path / "toy.jsonl", threading.Event(), []

    class Watched(ThreadPoolExecutor):
        def submit(self, *args: Any) -> Any:  # type: ignore[override]
            future = super().submit(*args)
            if not ran:
                ran.append(-1)
                future.add_done_callback(lambda _: failed.set())
            return future

    def task(case: Any, rng: np.random.Generator) -> Any:
        if case == CASES[0]:
            raise ValueError("unlucky")
        ran.append(case["label"])
        failed.wait(60)
        time.sleep(0.2)  # time for the rest to be cancelled
        return toy_sweep.task(case, rng)

    with Watched(2) as pool, pytest.raises(ValueError, match="^unlucky$"):
        run(path, executor=pool, task=task)
    stored = {json.loads(line)["result"]["label"] for line in path.read_text().splitlines()[1:]}
    assert stored == set(ran[1:])
    assert 1 <= len(stored) < len(CASES) - 1
    run(path)
    assert path.read_bytes() == quiet


def test_at_an_interruption_what_has_come_in_is_stored() -> None:
    calls = {i: partial(int, i) for i in range(5)}
    stored: list[int] = []

    def store(i: int, result: int) -> None:
        if not tried:
            tried.append(i)
            raise Cut  # before it is stored
        stored.append(result)

    tried: list[int] = []
    with ThreadPoolExecutor(1) as pool, pytest.raises(Cut):
        bn_experiments.sweeps.resume._collect(Finished(pool), calls, store)
    assert sorted(stored) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("written", [0.0, 0.5, 1.0])
def test_an_interrupted_line_is_written_again(
    written: float, tmp_path: Path, quiet: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the line of a case is being written; others have come in already."""
    path, write, cuts = tmp_path / "toy.jsonl", os.write, []

    def interrupted(handle: int, text: bytes) -> int:
        if b'"case": 2,' in bytes(text) and not cuts:
            cuts.append(write(handle, text[: int(written * len(text))]))
            raise Cut
        return write(handle, text)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(os, "write", interrupted)
        with pytest.raises(Cut):
            run(path, executor=Finished(pool))
    assert len(cuts) == 1
    assert sorted(path.read_bytes().splitlines()) == sorted(quiet.splitlines())
    run(path, task=None)
    assert path.read_bytes() == quiet


class Finished(Executor):
    """Runs a call at once, when it is submitted."""

    def __init__(self, pool: Executor) -> None:
        self.pool = pool

    def submit(self, *args: Any, **given: Any) -> Any:  # type: ignore[override]
        future = self.pool.submit(*args, **given)
        future.exception()
        return future


# ---------------------------------------------------------------- what cannot be stored


@pytest.mark.parametrize(
    "result",
    [float("nan"), {"x": [float("inf")]}, np.int64(3), {1, 2}, object()],
    ids=["nan", "inf", "int64", "set", "object"],
)
def test_a_result_that_json_cannot_hold_is_refused(result: Any, tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    with pytest.raises(ValueError, match="^task: the result of case 0 cannot be written as JSON"):
        run(path, task=lambda case, rng: result)
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize(
    "case", [float("nan"), object(), np.zeros(2)], ids=["nan", "object", "array"]
)
def test_a_case_that_json_cannot_hold_is_refused(case: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="^cases: cannot be written as JSON"):
        run(tmp_path / "toy.jsonl", cases=[case])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"seed": True}, {"name": ""}, {"name": None}])
def test_bad_arguments_are_refused_before_a_file_is_made(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}: must be"):
        run(tmp_path / "toy.jsonl", **wrong)
    assert not list(tmp_path.iterdir())


@settings(derandomize=True)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(number: float) -> None:
    line = bn_experiments.sweeps.results_file._line({"x": number})
    again = bn_experiments.sweeps.results_file._parsed(line)["x"]
    assert (again, np.signbit(again)) == (number, np.signbit(number))


def test_a_sweep_without_cases_has_a_header_only(tmp_path: Path) -> None:
    path = tmp_path / "toy.jsonl"
    assert run(path, cases=[]) == run(path, cases=[]) == read_results(path)[1] == []


# ---------------------------------------------------------------- files that are not free


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path, quiet: bytes) -> None:
    pytest.importorskip("fcntl", reason="needs fcntl: Windows has no such locks")
    path = tmp_path / "toy.jsonl"

    def task(case: Any, rng: np.random.Generator) -> Any:
        with pytest.raises(ValueError, match="another process is writing to"):
            run(path)
        with pytest.raises(ValueError, match=f"has the results of .* of {len(CASES)} cases"):
            read_results(path)
        return toy_sweep.task(case, rng)

    run(path, task=task)
    assert path.read_bytes() == quiet


def test_a_folder_a_missing_folder_and_a_pipe_are_errors(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        run(tmp_path)
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "none" / "toy.jsonl")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ValueError, match="is not a regular file"):
            run(tmp_path / "pipe")


FULL = """
import resource, sys
from tests.sweeps import toy_sweep
from tests.sweeps.test_resume import CASES, run
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    run(sys.argv[1])
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not LINUX, reason="needs a limit of the file size: Linux")
def test_on_a_full_disk_the_error_is_clear_and_nothing_is_lost(
    tmp_path: Path, quiet: bytes
) -> None:
    path = tmp_path / "toy.jsonl"
    for length in (100, len(quiet) // 2):
        limited = [sys.executable, "-c", FULL, str(path), str(length)]
        out = subprocess.run(limited, capture_output=True, text=True, check=True).stdout
        whole = quiet[:length].count(b"\n")
        assert f"{max(whole - 1, 0)} of {len(CASES)} cases are stored. Remedy: make room" in out
        assert path.name in out
        assert path.read_bytes() == b"".join(quiet.splitlines(keepends=True)[:whole])
    run(path)
    assert path.read_bytes() == quiet


# ---------------------------------------------------------------- planted errors


def seeds_of_the_missing(missing: list[int]) -> Any:
    """Plant: spawn the seeds anew for the cases that are left."""
    original = bn_experiments.sweeps.resume.case_seeds
    return lambda seed, n: [None] * min(missing) + original(seed, n - min(missing))


@pytest.fixture
def cut(quiet: bytes) -> Iterator[bytes]:
    return b"".join(quiet.splitlines(keepends=True)[:4]) + b'{"case": 3, "res'


def test_planted_seeds_that_begin_again_are_caught(
    tmp_path: Path, quiet: bytes, cut: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        bn_experiments.sweeps.resume, "case_seeds", seeds_of_the_missing([3, 4, 5, 6])
    )
    with pytest.raises(AssertionError):
        compare_truncated(tmp_path / "toy.jsonl", quiet, len(cut))


def test_a_planted_stream_shared_by_the_cases_is_caught(tmp_path: Path, quiet: bytes) -> None:
    path, shared = tmp_path / "toy.jsonl", np.random.default_rng(SEED)

    def task(case: Any, rng: np.random.Generator) -> Any:
        return toy_sweep.task(case, shared)

    run(path, task=task)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:4]))
    run(path, task=task)
    assert path.read_bytes() != whole


def test_a_planted_half_line_that_stays_is_caught(
    tmp_path: Path, quiet: bytes, cut: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, resume = tmp_path / "toy.jsonl", bn_experiments.sweeps.resume.ResultsFile._resume

    def careless(self: Any, head: Any) -> None:
        text = path.read_bytes()
        resume(self, head)
        path.write_bytes(text)
        self._size = len(text)

    monkeypatch.setattr(bn_experiments.sweeps.resume.ResultsFile, "_resume", careless)
    with pytest.raises(AssertionError):
        compare_truncated(path, quiet, len(cut))


def test_a_planted_file_in_the_order_of_the_ends_is_caught(
    tmp_path: Path, quiet: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bn_experiments.sweeps.resume.ResultsFile, "complete", lambda self: None)
    (tmp_path / "toy.jsonl").write_bytes(backwards(quiet))
    run(tmp_path / "toy.jsonl")
    assert (tmp_path / "toy.jsonl").read_bytes() != quiet


def test_a_planted_checksum_of_nothing_is_caught(
    tmp_path: Path, quiet: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(line: bytes) -> dict[str, Any]:
        return dict(json.loads(line))

    monkeypatch.setattr(bn_experiments.sweeps.results_file, "_parsed", careless)
    digit = quiet.splitlines(keepends=True)
    digit[3] = digit[3].replace(b"0.", b"1.", 1)
    with pytest.raises(pytest.fail.Exception):
        refused(tmp_path / "toy.jsonl", b"".join(digit))
