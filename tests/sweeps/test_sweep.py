"""Sweeps: the same results on one core, in pools of every size and on a local cluster."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

from bn_experiments.probability import Gaussian, simulate
from bn_experiments.sweeps import sweep
from bnlib import Point, Ray

# A task that workers can import without this file: simulate(law, [star], [ray], case, rng).
TASK = partial(simulate, Gaussian(), [Point([3.0, 1.0])], [Ray([5.0, 3.0])])
CASES = [100, 300, 200, 50, 100, 100, 400, 75, 100]
SEED = 20250225


def processes(workers: int) -> ProcessPoolExecutor:
    # "spawn" is the only way to start that is safe beside threads, and known everywhere.
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


@contextmanager
def cluster(with_processes: bool) -> Iterator[Executor]:
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: install the extra bnlib[cluster]"
    )
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=with_processes, dashboard_address=None
    )
    with local, distributed.Client(local) as client:
        yield client.get_executor()


EXECUTORS: dict[str, Callable[[], Any]] = {
    **{f"{n}-threads": partial(ThreadPoolExecutor, n) for n in (1, 2, 7)},
    **{f"{n}-processes": partial(processes, n) for n in (1, 2, 7)},
    "dask-processes": partial(cluster, True),
    "dask-threads": partial(cluster, False),
}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_every_executor_gives_the_results_of_one_core(executor: Callable[[], Any]) -> None:
    expected = sweep(TASK, CASES, seed=SEED)
    with executor() as pool:
        assert sweep(TASK, CASES, seed=SEED, executor=pool) == expected
        assert sweep(TASK, CASES[:4], seed=SEED, executor=pool) == expected[:4]
        assert sweep(TASK, CASES[:2], seed=SEED + 1, executor=pool) != expected[:2]
        with pytest.raises(ValueError, match="^n: must be at least 1, got 0"):
            sweep(TASK, [100, 0, 100], seed=SEED, executor=pool)


def test_case_i_gets_the_generator_spawned_ith_from_the_seed() -> None:
    children = np.random.SeedSequence(SEED).spawn(len(CASES))
    generators = [np.random.default_rng(each) for each in children]
    expected = [TASK(case, rng) for case, rng in zip(CASES, generators, strict=True)]
    assert sweep(TASK, CASES, seed=SEED) == expected
    assert sweep(TASK, CASES, seed=np.int64(SEED)) == expected


def normals(case: int, rng: np.random.Generator) -> Any:
    return rng.standard_normal(case)


def test_the_generators_of_two_cases_are_independent() -> None:
    draws = np.array(sweep(normals, [10_000] * 8, seed=1))
    correlation = np.corrcoef(draws) - np.eye(8)
    assert np.abs(correlation).max() < 5 / np.sqrt(10_000)
    assert len(np.unique(draws)) == draws.size


def test_a_case_does_not_depend_on_how_much_the_others_draw() -> None:
    few, many = sweep(normals, [5, 5, 5], seed=2), sweep(normals, [9000, 5, 1], seed=2)
    assert np.array_equal(few[1], many[1])
    assert np.array_equal(few[0], many[0][:5])


def later_first(case: int, rng: np.random.Generator) -> int:
    time.sleep(0.01 * (5 - case))
    return case


def test_results_are_in_the_order_of_the_cases_not_of_their_ends() -> None:
    with ThreadPoolExecutor(5) as pool:
        assert sweep(later_first, range(5), seed=0, executor=pool) == [0, 1, 2, 3, 4]
        bar = sweep(later_first, range(5), seed=0, executor=pool, progress=True)
        assert bar == [0, 1, 2, 3, 4]


def test_cases_may_come_from_an_iterator_and_be_none_at_all() -> None:
    assert sweep(normals, iter([]), seed=0) == []
    assert sweep(lambda case, rng: case, (case for case in "abc"), seed=0) == ["a", "b", "c"]
    with ThreadPoolExecutor(2) as pool:
        assert sweep(normals, [], seed=0, executor=pool, progress=True) == []


@pytest.mark.parametrize("threads", [0, 2])
def test_the_progress_bar_is_on_stderr_only_and_only_on_request(
    threads: int, capfd: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        executor = pool if threads else None
        quiet = sweep(TASK, CASES, seed=SEED, executor=executor)
        assert capfd.readouterr() == ("", "")
        assert sweep(TASK, CASES, seed=SEED, executor=executor, progress=True) == quiet
    out, err = capfd.readouterr()
    assert out == ""
    assert f"{len(CASES)}/{len(CASES)}" in err


class Unlucky(Exception):
    """An error that no library raises."""


def failing(case: int, rng: np.random.Generator) -> int:
    if case == 2:
        raise Unlucky(f"case {case}")
    return case


@pytest.mark.parametrize("progress", [False, True])
def test_the_error_of_a_task_is_the_error_of_the_sweep(progress: bool) -> None:
    with pytest.raises(Unlucky, match="case 2"):
        sweep(failing, range(4), seed=0, progress=progress)
    with ThreadPoolExecutor(2) as pool, pytest.raises(Unlucky, match="case 2"):
        sweep(failing, range(4), seed=0, executor=pool, progress=progress)


@pytest.mark.parametrize("seed", [-1, 1.0, True, None, "7", np.array([1, 2])], ids=repr)
def test_a_seed_that_is_no_natural_number_is_refused(seed: Any) -> None:
    with pytest.raises(ValueError, match="^seed: must be (a whole number|at least 0), got"):
        sweep(normals, [1], seed=seed)
