"""Sweeps: the same results anywhere, and kept in a cache that never gives what is out of date."""

import os
import re
import shutil
import subprocess
import sys
import threading
import warnings
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bn_experiments.probability import Gaussian, simulate
from bn_experiments.sweeps import activations, run, sweep
from bn_experiments.sweeps.run import code_hash
from bnlib import Point, Ray
from tests.oracles import refused
from tests.sweeps import toy

# simulate(law, stars, rays, case, rng)
TASK = partial(simulate, Gaussian(), [Point([3.0, 1.0])], [Ray([5.0, 3.0])])
CASES = [100, 300, 200, 50, 100, 100, 400, 75, 100]
SEED = 20250225
N = len(toy.cases())
INDEX = st.integers(0, N - 1)
FIXTURES = [HealthCheck.function_scoped_fixture]


class Unlucky(Exception):
    """An error that no library raises."""


def failing(case, rng):
    if case == 2:
        raise Unlucky(f"case {case}")
    return case


def test_cases_may_be_none_and_their_generators_are_spawned_in_order_and_independent(tmp_path):
    children = np.random.SeedSequence(SEED).spawn(len(CASES))
    generators = [np.random.default_rng(each) for each in children]
    expected = [TASK(case, rng) for case, rng in zip(CASES, generators, strict=True)]
    assert sweep(TASK, CASES, seed=SEED) == expected
    assert sweep(TASK, CASES[:4], seed=np.int64(SEED)) == expected[:4]
    assert sweep(TASK, CASES[:2], seed=SEED + 1) != expected[:2]
    draws = np.array(sweep(normals, [10_000] * 8, seed=1))
    assert np.abs(np.corrcoef(draws) - np.eye(8)).max() < 5 / np.sqrt(10_000)
    assert len(np.unique(draws)) == draws.size
    few, many = sweep(normals, [5, 5, 5], seed=2), sweep(normals, [9000, 5, 1], seed=2)
    assert np.array_equal(few[1], many[1])
    assert np.array_equal(few[0], many[0][:5])
    assert sweep(normals, iter([]), seed=0) == sweep(normals, [], seed=0, cache=tmp_path) == []
    assert sweep(lambda case, rng: case, (case for case in "abc"), seed=0) == ["a", "b", "c"]


def normals(case, rng):
    return rng.standard_normal(case)


@pytest.mark.parametrize("seed", [-1, 1.0, True, None, "7", np.array([1, 2])], ids=repr)
def test_a_seed_that_is_no_natural_number_is_refused(seed):
    refused("^seed: must be (a whole number|at least 0), got", sweep, normals, [1], seed=seed)


def check_parallel(cache):
    """Compare a sweep where joblib puts it now with one in this process."""
    with joblib.parallel_config("sequential"):
        expected = sweep(TASK, CASES, seed=SEED)
    assert sweep(TASK, CASES, seed=SEED) == expected
    assert sweep(TASK, CASES, seed=SEED, cache=cache) == expected
    with pytest.raises(Unlucky, match="^case 2$"):
        sweep(failing, range(4), seed=0)
    cached = run.CachedRun(cache, TASK)
    assert all(cached.has(run.Call(TASK, case, SEED, i)) for i, case in enumerate(CASES))


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_any_number_of_workers_gives_the_results_of_one_core(backend, n, tmp_path):
    with joblib.parallel_config(backend, n_jobs=n):
        check_parallel(tmp_path)


@pytest.mark.parametrize("processes", [True, False])
def test_a_cluster_gives_the_results_of_one_core(processes, tmp_path):
    told = "needs Dask: install the extra bnlib[cluster]"
    distributed = pytest.importorskip("distributed", reason=told)
    given = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(processes=processes, **given) as local,
        distributed.Client(local) as client,
        joblib.parallel_config("dask", client=client),
    ):
        check_parallel(tmp_path)


def test_results_are_in_the_order_of_the_cases_not_of_their_ends():
    ended = [threading.Event() for _ in range(5)]

    def later_first(case, rng):
        if case < 4:
            ended[case + 1].wait()
        ended[case].set()
        return case

    with joblib.parallel_config("threading", n_jobs=5):
        assert sweep(later_first, range(5), seed=0) == [0, 1, 2, 3, 4]


def run_toy(cache, n=N):
    return sweep(toy.task, toy.cases()[:n], seed=toy.SEED, cache=cache)


def items(cache):
    return {each.relative_to(cache) for each in cache.rglob("output.pkl")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a cache with all cases of the toy, and the file of each case in it."""
    cache = tmp_path_factory.mktemp("whole")
    files = []
    for n in range(1, N + 1):
        run_toy(cache, n)
        files += items(cache).difference(files)
    return cache, files


@pytest.fixture
def began(tmp_path, monkeypatch):
    folder = tmp_path / "began"
    folder.mkdir()
    monkeypatch.setenv("TOY", str(folder))
    return folder


@settings(derandomize=True, max_examples=20, deadline=None, suppress_health_check=FIXTURES)
@given(lost=st.sets(INDEX), damaged=st.sets(INDEX), length=st.integers(0, 300))
def test_what_is_lost_or_damaged_in_a_cache_runs_again_and_nothing_else(
    lost, damaged, length, whole, tmp_path, began
):
    cache, (source, files) = tmp_path / "cache", whole
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(source, cache)
    for i in lost:
        shutil.rmtree((cache / files[i]).parent)
    gone = set(lost)
    for i in damaged - lost:
        text = (cache / files[i]).read_bytes()
        (cache / files[i]).write_bytes(text[:length])
        gone |= {i} if length < len(text) else set()
    expected = run_toy(None)
    toy.began(began)
    assert run_toy(cache) == run_toy(cache) == expected
    assert toy.began(began) == sorted(gone)


def test_a_case_of_another_seed_place_or_content_is_another_case(whole, tmp_path, began):
    cache = shutil.copytree(whole[0], tmp_path / "cache")
    first, second, *_ = toy.cases()
    expected = sweep(toy.task, [second, first], seed=toy.SEED)
    toy.began(began)
    assert sweep(toy.task, [second, first], seed=toy.SEED, cache=cache) == expected
    assert toy.began(began) == [0, 1]
    for case, seed in ((first, toy.SEED + 1), ({**first, "n": 4}, toy.SEED)):
        sweep(toy.task, [case], seed=seed, cache=cache)
        assert toy.began(began) == [0]
    sweep(toy.task, [first], seed=toy.SEED, cache=cache)
    assert toy.began(began) == []


def gives(value, case, rng):
    return (lambda: 0) if value == "function" else threading.Lock() if value == "lock" else value


def test_results_come_back_as_they_were_and_arguments_of_a_partial_belong_to_the_case(tmp_path):
    for value in (1, 2, 1):
        assert sweep(partial(gives, value), [0], seed=0, cache=tmp_path) == [value]
    assert len(items(tmp_path)) == 2
    value = {"a": (1, float("nan")), "b": np.arange(3), "c": -0.0}
    for _ in range(2):
        [found] = sweep(partial(gives, value), [0], seed=0, cache=tmp_path)
        assert repr(found) == repr(value)


@pytest.mark.parametrize("value", ["function", "lock"])
@pytest.mark.parametrize("backend", ["sequential", "loky"])
def test_a_result_that_cannot_be_pickled_is_refused(backend, value, tmp_path):
    told = r"^cache: the result of case 0 cannot be kept in .*pickle.*Remedy: "
    with joblib.parallel_config(backend, n_jobs=2), pytest.raises(OSError, match=told):
        sweep(partial(gives, value), [0], seed=0, cache=tmp_path)
    assert not items(tmp_path)


def test_tasks_and_cases_that_cannot_be_pickled_or_looked_up_are_refused(tmp_path):
    def inner(case, rng): ...

    for task, case in ((normals, threading.Lock()), (normals, lambda: 0), (inner, 1)):
        told = "^task, cases: case 0 cannot be pickled"
        refused(told, sweep, task, [case], seed=0, cache=tmp_path)
    space = {}
    exec(compile("def task(case, rng): ...", "<cell 3>", "exec"), space)
    for task in (space["task"], print):
        refused("^task: its source cannot be read", sweep, task, [1], seed=0, cache=tmp_path)


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_runs(tmp_path, began):
    (tmp_path / "file").touch()
    places = [tmp_path / "file", tmp_path / "file" / "cache"]
    if sys.platform == "linux":
        places.append(Path("/proc/cache"))  # for root, too
    if os.name == "posix" and os.geteuid() != 0:
        (tmp_path / "shut").mkdir(mode=0o500)
        places.append(tmp_path / "shut" / "cache")
    for place in places:
        with pytest.raises(OSError, match="^cache: results cannot be kept in .*Remedy: make room"):
            run_toy(place)
    assert toy.began(began) == []


FULL = """
import resource, sys, warnings
from tests.sweeps.test_sweep import growing, sweep
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000,) * 2)
try:
    sweep(growing, range(6), seed=0, cache=sys.argv[1])
except OSError as error:
    print(error)
"""


def growing(case, rng):
    return rng.standard_normal(1000 * case + 1).tolist()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the file size: Linux")
def test_on_a_full_disk_the_error_is_clear_and_what_is_there_stays(tmp_path):
    limited = [sys.executable, "-c", FULL, str(tmp_path)]
    out = subprocess.run(limited, capture_output=True, text=True, check=True)
    told = "^cache: the result of case 3 cannot be kept in.*File too large.*Remedy: make room"
    assert re.search(told, out.stdout)
    assert out.stderr == ""
    assert len(items(tmp_path)) == 3
    assert sweep(growing, range(6), seed=0, cache=tmp_path) == sweep(growing, range(6), seed=0)
    assert len(items(tmp_path)) == 6


def test_a_warning_that_gets_lost_among_threads_is_an_error_too(tmp_path, monkeypatch):
    monkeypatch.setattr(warnings, "warn", lambda *told, **given: None)
    with pytest.raises(OSError, match="the result of case 0 cannot .*it is not there"):
        sweep(partial(gives, "lock"), [0], seed=0, cache=tmp_path)


def test_code_of_a_worker_is_the_hash_of_the_task_and_of_the_house(tmp_path, monkeypatch):
    hashes = iter(["here", "there"])
    monkeypatch.setattr(run, "code_hash", lambda task: next(hashes))
    told = "^cache: a worker has other source code"
    refused(told, sweep, normals, [1], seed=0, cache=tmp_path)
    assert code_hash(activations.task) == code_hash(TASK) == code_hash(sweep)
    assert code_hash(toy.task) != code_hash(TASK) != code_hash(normals)
