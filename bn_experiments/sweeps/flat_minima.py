"""The lemma where the minima of the standard neuron are not isolated, in four readings.

A neuron whose activation is 0 on one side, as ReLU, has *flat* minima: a **plateau**, the cone of
weights at which it is silent on all examples, and **valleys**, segments or half-lines of weights
at which the examples that it sees are fitted with one direction to spare. Each of their points is
a local minimum, a weak one. What is the W* closest to a start W₀?

- ``"isolated"``: the closest strict minimum, whatever lies nearer.
- ``"dead"``: for a start on a plateau the start itself, W* = W₀; else as before.
- ``"attained"``: the closest point of a strict minimum or of a plateau or valley that has one.
  A border of a plateau, or the end of a valley, is a minimum if the loss does not fall behind it.
  Where it falls, starts beyond have no closest point there, and the next set counts for them.
- ``"every"``: the closest of all local minima. Where a plateau or valley without a closest point
  is nearer than all others, no W* is closest, and the lemma says nothing of that start: it is
  counted as one *without*.

In each reading the two sides are those of the lemma for that W*. It applies if ⟨W₀, W*⟩ > 0: for
W* = W₀ always, for the origin never. Left is the squared distance to the BN rays, ‖W₀‖² where no
ray is closest; right is ‖W₀‖² − ⟨e, W₀⟩², e = W*/‖W*‖: 0 for W* = W₀, and ‖W₀ − W*‖² on a border
of a plateau. So the inequality is false where ⟨e, W₀⟩ exceeds each ⟨û, W₀⟩, and 0.

BN optima are the isolated rays; `scan_directions` lists flat arcs, if a loss has any.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bn_experiments.search import FlatSector, Landscape
from bn_solver.arrays import Array
from bnlib import LearningSet, Neuron, Ray, activation

READINGS = ("isolated", "dead", "attained", "every")
_ROUNDING = 1e-12  # of a length, or of the terms of a sum: what is smaller counts as 0

Booleans = npt.NDArray[np.bool_]


class Verdicts(NamedTuple):
    """What the lemma says of each start, in one reading; each of shape (n,)."""

    applies: Booleans
    violated: Booleans
    exists: Booleans
    """A BN optimum is closest to W₀."""
    without: Booleans
    """No W* is closest to W₀."""

    def counts(self) -> dict[str, int]:
        """Return the number of starts, and how many there are of each kind."""
        kinds = {
            "starts": np.ones_like(self.applies),
            "applies": self.applies,
            "violated": self.violated,
            "closest": self.applies & self.exists,
            "violated_closest": self.violated & self.exists,
            "without": self.without,
        }
        return {name: int(each.sum()) for name, each in kinds.items()}


class _Candidate(NamedTuple):
    """The point of a set closest to each start, its distance, and whether it is a minimum."""

    points: Array
    distance: Array
    attained: Booleans


def judge(
    reading: str, starts: Array, neuron: Neuron, data: LearningSet, land: Landscape, rays: list[Ray]
) -> Verdicts:
    """Judge the lemma at each start, with flat minima as a reading has them.

    The starts have the shape (n, 2); the activation of the neuron has ``slopes``, `land` is what
    `search_weights` enumerates, and the rays are the BN optima. ``ValueError`` if the reading is
    not one of `READINGS`, or the activation is not piecewise linear.
    """
    slopes = activation(neuron.activation).slopes
    if reading not in READINGS:
        raise ValueError(f"reading: {reading!r} is unknown; use one of {', '.join(READINGS)}.")
    if slopes is None:
        raise ValueError(f"neuron: {neuron.activation} has no flat minima; use check_lemma.")
    everywhere = np.ones(len(starts), dtype=bool)
    found = [_at(starts, np.broadcast_to(w.weights, starts.shape), everywhere) for w in land.minima]
    for sector in land.flat:
        if reading in ("attained", "every"):
            near = _closest(sector, slopes, starts, data)
            skip = ~near.attained & (reading == "attained")
            found.append(near._replace(distance=np.where(skip, np.inf, near.distance)))
        elif reading == "dead" and sector.kind == "plateau":
            inside = _inside(sector, starts)
            alive = _at(starts, starts, inside)
            found.append(alive._replace(distance=np.where(inside, 0.0, np.inf)))
    return _verdicts(starts, found, rays)


def _verdicts(starts: Array, found: Sequence[_Candidate], rays: list[Ray]) -> Verdicts:
    size = np.linalg.norm(starts, axis=1)
    reach = np.max([starts @ ray.direction for ray in rays], axis=0, initial=0.0)
    if not found:
        nothing = np.zeros(len(starts), dtype=bool)
        return Verdicts(nothing, nothing, reach > 0, ~nothing)
    first, every = np.argmin([each.distance for each in found], axis=0), np.arange(len(starts))
    stars = np.array([each.points for each in found])[first, every]
    there = np.array([each.attained for each in found])[first, every]
    there &= np.isfinite(np.min([each.distance for each in found], axis=0))
    lengths = np.linalg.norm(stars, axis=1)
    toward = np.einsum("ni,ni->n", starts, stars) / np.where(lengths > 0, lengths, 1.0)
    applies = there & (toward > _ROUNDING * size)
    return Verdicts(applies, applies & (toward > reach + _ROUNDING * size), reach > 0, ~there)


def _at(starts: Array, points: Array, attained: Booleans) -> _Candidate:
    return _Candidate(points, np.linalg.norm(starts - points, axis=1), attained)


def _closest(
    sector: FlatSector, slopes: tuple[float, float], starts: Array, data: LearningSet
) -> _Candidate:
    """Return the closest point of the closure of flat minima, and whether it is one of them."""
    edges = _edges(sector)
    outward = np.array([[edges[0, 1], -edges[0, 0]], [-edges[1, 1], edges[1, 0]]])
    if sector.kind == "plateau":
        closed = [_rises(*pair, slopes, data) for pair in zip(edges, outward, strict=True)]
        if sector.begin == sector.end:
            closed = [True, True]  # found because the loss rises on both sides
        origin, sides = _rises_from_origin(slopes, data), []
        for edge, done in zip(edges, closed, strict=True):
            along = np.maximum(starts @ edge, 0.0)
            sides.append(_at(starts, along[:, None] * edge, np.where(along > 0, done, origin)))
        inside = _inside(sector, starts)
        sides.append(_at(starts, starts, inside)._replace(distance=np.where(inside, 0.0, np.inf)))
        nearest, every = np.argmin([each.distance for each in sides], axis=0), range(len(starts))
        return _Candidate(*(np.array(each)[nearest, every] for each in zip(*sides, strict=True)))
    w, v, low, high = _segment(sector, slopes, data)
    along = np.clip((starts - w) @ v, low, high)
    attained = np.ones(len(starts), dtype=bool)
    for end in (low, high):
        if np.isfinite(end):
            tip = w + end * v
            side = int(np.argmin([abs(_cross(tip, edge)) for edge in edges]))
            attained &= (along != end) | _rises(tip, outward[side], slopes, data)
    return _at(starts, w + along[:, None] * v, attained)


def _segment(
    sector: FlatSector, slopes: tuple[float, float], data: LearningSet
) -> tuple[Array, Array, float, float]:
    """Return w, the unit vector v and the ends of s, such that w + s v are a valley's minima."""
    middle = (sector.begin + sector.end) / 2
    inside = data.inputs @ [np.cos(middle), np.sin(middle)]
    seen = np.where(inside > 0, slopes[1], slopes[0])[:, None] * data.inputs
    w, v = np.linalg.pinv(seen, rcond=1e-9) @ data.targets, np.linalg.svd(seen)[2][-1]
    low, high = -np.inf, np.inf
    for (x, y), sign in zip(_edges(sector), (1.0, -1.0), strict=True):
        constant, slope = sign * (x * w[1] - y * w[0]), sign * (x * v[1] - y * v[0])
        if slope > _ROUNDING:
            low = max(low, -constant / slope)
        elif slope < -_ROUNDING:
            high = min(high, -constant / slope)
    return w, v, low, high


def _rises(point: Array, outward: Array, slopes: tuple[float, float], data: LearningSet) -> bool:
    """Return whether the loss does not fall from a minimum on a border to the outside."""
    y, turn = _outputs(point, data), data.inputs @ outward
    slope = np.where((y > 0) | ((y == 0) & (turn > 0)), slopes[1], slopes[0])
    terms = (slope * y - data.targets) * slope * turn
    return bool(terms.sum() >= -_ROUNDING * np.abs(terms).sum())


def _rises_from_origin(slopes: tuple[float, float], data: LearningSet) -> bool:
    """Return whether the loss falls in no direction from the origin.

    Its derivative there is linear between the lines ⟨xᵢ, w⟩ = 0: these decide.
    """
    rays = np.stack([-data.inputs[:, 1], data.inputs[:, 0]], axis=1)
    y = _outputs(np.concatenate([rays, -rays]), data)
    terms = np.where(y > 0, slopes[1], slopes[0]) * y * data.targets
    return bool((terms.sum(axis=1) <= _ROUNDING * np.abs(terms).sum(axis=1)).all())


def _outputs(points: Array, data: LearningSet) -> Array:
    """Return the pre-activations, exactly 0 where they are 0 up to rounding, shape (..., m)."""
    y = points @ data.inputs.T
    size = np.linalg.norm(points, axis=-1)[..., None] * np.linalg.norm(data.inputs, axis=1)
    return np.asarray(np.where(np.abs(y) <= 1e-9 * size, 0.0, y))


def _inside(sector: FlatSector, starts: Array) -> Booleans:
    begin, end = _edges(sector)
    return np.asarray((_cross(begin, starts) > 0) & (_cross(starts, end) > 0))


def _edges(sector: FlatSector) -> Array:
    at = np.array([sector.begin, sector.end])
    return np.stack([np.cos(at), np.sin(at)], axis=1)


def _cross(first: Array, second: Array) -> Array:
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
