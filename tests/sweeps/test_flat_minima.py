"""Flat minima of ReLU in four readings, against clouds of points that know no sectors."""

from functools import partial

import numpy as np
import pytest

from bn_experiments.datasets import RandomLearningSets
from bn_experiments.search import scan_directions, search_weights
from bn_experiments.sweeps import flat_minima
from bnlib import BatchNorm, LearningSet, Neuron, check_lemma, counterexample
from tests.oracles.plain import loss_of

FAMILY = RandomLearningSets(6, 2, 1.0, 0.5, 0.3, "relu")
RELU, NORMALIZED = Neuron("relu"), Neuron("relu", BatchNorm())
CIRCLE = np.stack([f(np.linspace(0, 2 * np.pi, 361)) for f in (np.cos, np.sin)], axis=1)


def judged(reading, data, starts):
    land = search_weights(RELU, data, [[0, 0]])
    rays = scan_directions(NORMALIZED, data).minima
    return flat_minima.judge(reading, np.asarray(starts, float), RELU, data, land, rays)


# By hand: ReLU on the three points. Strict minimum (3, 1). Silent for w₁, w₂ ≤ 0: behind the
# border (−1, 0) the loss does not fall, as t₂ = 0, behind (0, −1) it does. Only the first
# example is seen at (2, s), s < −2, and at (2, −2) the loss falls to the side of the third.
STARTS = [(-1, -2), (-1, 0.5), (3, -10), (1, -1), (4, 1), (0.5, -9)]
BY_HAND = {  # start by start W*, or None where there is none
    "isolated": [(3, 1)] * 6,
    "dead": [(-1, -2), *[(3, 1)] * 5],
    "attained": [(-1, -2), (-1, 0), (2, -10), (3, 1), (3, 1), (2, -9)],
    "every": [(-1, -2), (-1, 0), (2, -10), None, (3, 1), None],
}


@pytest.mark.parametrize("reading", flat_minima.READINGS)
def test_the_closest_minimum_is_the_one_found_by_hand(reading):
    found = judged(reading, counterexample(), STARTS)
    rays = [ray.direction for ray in scan_directions(NORMALIZED, counterexample()).minima]
    for i, (start, star) in enumerate(zip(STARTS, BY_HAND[reading], strict=True)):
        assert found.without[i] == (star is None)
        applies = star is not None and np.dot(start, star) > 0
        assert found.applies[i] == applies
        left = min(np.sum(np.subtract(start, max(np.dot(start, u), 0) * u) ** 2) for u in rays)
        gap = applies and (np.dot(star, star) - np.dot(start, star)) ** 2 / np.dot(star, star)
        right = np.sum(np.subtract(start, star) ** 2) - gap if applies else np.inf
        assert found.violated[i] == (left > right + 1e-9)
        assert found.exists[i] == any(np.dot(start, u) > 0 for u in rays)
    assert found.counts()["starts"] == len(STARTS)


def rises(points, data, least=-1e-14):
    """Return whether nothing on a small circle around a point is lower, by sight."""
    loss = loss_of("relu", data)
    around = loss(points[:, None] + 1e-5 * CIRCLE)
    return np.array((around > loss(points)[:, None] + least).all(axis=1))


def clouds(data):
    """Return the strict minima, and for each flat set points of its closure, finely."""
    x, t, m = data.inputs, data.targets, data.m
    perpendicular = np.stack([-x[:, 1], x[:, 0]], axis=1) / np.linalg.norm(x, axis=1)[:, None]
    lines = np.concatenate([perpendicular, -perpendicular])
    guesses = [np.zeros(2)]
    for pattern in range(1, 1 << m):
        on = [i for i in range(m) if pattern >> i & 1]
        guesses.append(np.linalg.lstsq(x[on], t[on], rcond=None)[0])
    for line in lines:
        out = np.maximum(x @ line, 0) * (np.abs(x @ line) > 1e-12)
        guesses.append(max(out @ t / max(out @ out, 1e-300), 0) * line)
    strict = np.array(guesses)
    strict = strict[rises(strict, data, 1e-13)]
    angles = np.concatenate([CIRCLE, lines])
    silent = angles[(angles @ x.T <= 1e-12).all(axis=1)]
    flat = {"plateau": np.concatenate([r * silent for r in np.arange(0.0, 5.0, 0.01)])}
    for i in np.flatnonzero(t > 0):
        foot, along = t[i] * x[i] / (x[i] @ x[i]), perpendicular[i]
        with np.errstate(divide="ignore"):
            ends = -(x @ foot) / np.where(np.arange(m) == i, np.inf, x @ along)
        points = foot + np.concatenate([np.arange(-9, 9, 0.004), ends])[:, None] * along
        seen = points @ x.T > 1e-12
        seen[:, i] = False
        flat[f"valley {i}"] = points[~seen.any(axis=1)]
    return strict, {name: points for name, points in flat.items() if len(points)}


def verdict(start, options, u):
    """Judge a start by the text of the lemma."""
    _, star, there = min(options, key=lambda each: each[0], default=(0, start, False))
    applies = there and star @ start > 0
    left = min(np.sum((start - max(start @ each, 0.0) * each) ** 2) for each in u)
    gap = (star @ star - star @ start) ** 2 / (star @ star) if star.any() else 0.0
    right = np.sum((start - star) ** 2) - gap
    return applies, applies and left > right, (u @ start > 0).any(), not there


def seen(data, starts):
    """Judge every start in every reading, by what the clouds have closest to it."""
    strict, flat = clouds(data)
    turn = np.linspace(0, 2 * np.pi, 7201)[:-1]
    u = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    height = NORMALIZED.loss(u, data)
    u = u[(height < np.roll(height, 1)) & (height < np.roll(height, -1))]
    verdicts = {reading: [] for reading in flat_minima.READINGS}
    for start in starts:
        isolated = [(np.linalg.norm(start - w), w, True) for w in strict]
        dead = [(0.0, start, True)] * bool((data.inputs @ start <= 0).all())
        near = []
        for points in flat.values():
            distance = np.linalg.norm(points - start, axis=1)
            point = points[distance.argmin()]
            near.append((distance.min(), point, bool(rises(point[None], data)[0])))
        found = {
            "isolated": isolated,
            "dead": isolated + dead,
            "attained": isolated + dead + [each for each in near if each[2]],
            "every": isolated + dead + near,
        }
        for reading, options in found.items():
            verdicts[reading].append(verdict(start, options, u))
    return {reading: np.array(each).T for reading, each in verdicts.items()}


DRAWN = FAMILY.sample(np.random.default_rng(12), 8)
SETS = [LearningSet(x, t) for x, t in zip(*DRAWN, strict=True)]
BEGIN = np.random.default_rng(3).standard_normal((250, 2))


@pytest.fixture(scope="module")
def expected():
    told = enumerate(seen(data, BEGIN) for data in SETS)
    return {(reading, i): each[reading] for i, each in told for reading in each}


def check_clouds(expected):
    """Compare start by start; a start within a step of the cloud of a change may differ."""
    for (reading, i), told in expected.items():
        found = np.array(judged(reading, SETS[i], BEGIN))
        assert (found != told).any(axis=0).mean() <= 0.012, (reading, i)


def test_the_clouds_have_every_kind_of_flat_minimum(expected):
    ends = {"plateau": set(), "valley": set()}
    for data in SETS:
        for name, points in clouds(data)[1].items():
            ends[name.split()[0]] |= set(rises(points, data).tolist())
    assert ends == {"plateau": {True, False}, "valley": {True, False}}
    shares = {name: [] for name in flat_minima.READINGS}
    for (reading, _), (applies, violated, _, _) in expected.items():
        shares[reading].append(violated.sum() / applies.sum())
    means = [np.mean(each) for each in shares.values()]
    assert means == sorted(means)  # the more flat minima count, the more starts fail, here


PLANTS = {
    "every border a minimum": ("_rises", lambda right: lambda *a: True),
    "no border a minimum": ("_rises", lambda right: lambda *a: False),
    "the wrong side looked at": ("_rises", lambda right: lambda w, out, *a: right(w, -out, *a)),
    "the origin a minimum": ("_rises_from_origin", lambda right: lambda *a: True),
    "plateaus mirrored": ("_inside", lambda right: lambda sector, w: right(sector, -w)),
    "endless valleys": ("_segment", lambda right: lambda *a: (*right(*a)[:2], -np.inf, np.inf)),
    "distance to a middle": ("_segment", lambda right: lambda *a: (*right(*a)[:2], 0.0, 0.0)),
}


def test_verdicts_are_those_of_the_clouds_and_planted_errors_are_caught(expected):
    check_clouds(expected)
    for part, wrong in PLANTS.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(flat_minima, part, wrong(getattr(flat_minima, part)))
            with pytest.raises(AssertionError):
                check_clouds(expected)


def test_without_flat_minima_the_verdicts_are_those_of_the_library_and_without_any_there_are_none():
    for data in SETS:
        land = search_weights(RELU, data, [[0, 0]])
        rays = scan_directions(NORMALIZED, data).minima
        if land.minima:
            check = check_lemma(BEGIN, land.minima, rays)
            found = judged("isolated", data, BEGIN)
            for name in ("applies", "violated", "exists"):
                assert (getattr(found, name) == getattr(check, name)).all()
    leaky = Neuron("leaky_relu")
    land = search_weights(leaky, SETS[0], [[0, 0]])
    rays = scan_directions(Neuron("leaky_relu", BatchNorm()), SETS[0]).minima
    same = partial(flat_minima.judge, starts=BEGIN, neuron=leaky, data=SETS[0], land=land)
    counts = [same(reading, rays=rays).counts() for reading in flat_minima.READINGS]
    assert counts == counts[:1] * 4
    data = LearningSet([[1, 0], [0, 1], [-1, -1]], [-1, -1, -1])
    for reading in flat_minima.READINGS:
        assert not judged(reading, data, BEGIN).applies.any()
    land = search_weights(RELU, data, [[0, 0]])
    nowhere = type(land)([], [], [], {})
    rays = scan_directions(NORMALIZED, data).minima
    assert flat_minima.judge("every", BEGIN, RELU, data, nowhere, rays).without.all()


def test_bad_input():
    data = counterexample()
    land, rays = search_weights(RELU, data, [[0, 0]]), []
    with pytest.raises(ValueError, match="^reading: 'strict' is unknown; use one of isolated"):
        flat_minima.judge("strict", BEGIN, RELU, data, land, rays)
    with pytest.raises(ValueError, match="^neuron: tanh has no flat minima"):
        flat_minima.judge("every", BEGIN, Neuron("tanh"), data, land, rays)
