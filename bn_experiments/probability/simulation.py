"""How often the lemma fails and by how much, counted over random initializations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bn_experiments.probability.estimate import Estimate
from bn_experiments.probability.initialization import Initialization
from bnlib._validation import Array, whole_number
from bnlib.lemma import check_lemma
from bnlib.optima import Point, Ray, angle

# Numbers drawn at a time: large enough for NumPy, small enough for the processor's cache.
_CHUNK = 1 << 17

# Below this angle the two rays are one up to rounding; `check_lemma` finds no violation either.
_SAME_RAY = 1e-12

# Starts looked at together: the arrays on the way are small enough to be used again instead of
# being fetched from the system each time.
_PART = 1 << 14


@dataclass(frozen=True)
class Simulation:
    """What a sample of initializations says of the lemma, given its hypothesis.

    Attributes
    ----------
    violated : Estimate
        Share of initializations that violate the lemma.
    excess : Estimate
        Mean of left − right.

    Notes
    -----
    Both are conditional on the hypothesis ⟨W₀, W*⟩ > 0; their n counts the initializations
    for which it is true.
    """

    violated: Estimate
    excess: Estimate

    def __repr__(self) -> str:
        return f"Simulation(violated={self.violated}, excess={self.excess}, n={self.violated.n})"


def simulate(
    law: Initialization,
    star: Point,
    ray: Ray,
    n: int,
    rng: np.random.Generator,
    *,
    shortcut: bool = True,
) -> Simulation:
    """Check the lemma on n random initializations, in bounded memory.

    Parameters
    ----------
    law : Initialization
        The law of W₀.
    star : Point
        The optimum W* of the standard neuron.
    ray : Ray
        The optima of the BN neuron.
    n : int
        Number of initializations.
    rng : numpy.random.Generator
        The source of randomness.
    shortcut : bool
        For a law with the method ``project``, draw only the coordinates of W₀ in the plane of
        W* and the ray, on which both sides depend up to a common term. The cost then does not
        grow with d. If false, draw all of W₀ and call `check_lemma`.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        If W* = 0, if the numbers of weights differ, or if hardly any start meets the
        hypothesis.
    """
    if not isinstance(star, Point) or not isinstance(ray, Ray):
        raise ValueError(
            f"star, ray: expected a Point and a Ray, got {type(star).__name__} and "
            f"{type(ray).__name__}; pass one optimum of each neuron."
        )
    if star.d != ray.d:
        raise ValueError(f"ray: has {ray.d} weights, but star has {star.d}.")
    if not star.weights.any():
        raise ValueError("star: W* is zero, so no start meets the hypothesis.")
    whole_number("n", n, at_least=1)
    theta = angle(star.weights, ray.direction)
    project = getattr(law, "project", None) if shortcut and star.d > 1 else None
    size = _CHUNK // (star.d if project is None else 2) or 1
    totals = np.zeros(4)  # applicable, violated, sum of excess, sum of its squares
    for begin in range(0, n, size):
        count = min(size, n - begin)
        if project is not None:
            coordinates = project(rng, count, star.d)
            for first in range(0, count, _PART):
                totals += _in_the_plane(coordinates[:, first : first + _PART], theta)
        else:
            totals += _in_full(law.sample(rng, count, star.d), star, ray)
    applicable = round(totals[0])
    if applicable < 2:
        raise ValueError(f"n: only {applicable} of {n} starts meet the hypothesis; draw more.")
    return Simulation(
        Estimate.of_proportion(round(totals[1]), applicable),
        Estimate.of_mean(totals[2], totals[3], applicable),
    )


def _in_the_plane(coordinates: Array, theta: float) -> Array:
    """Return the totals for coordinates along W* and across it, shape (2, n)."""
    along, across = coordinates
    # ⟨W₀, u⟩₊ where the hypothesis is true; W* and u have the angle theta.
    toward = np.cos(theta) * along
    toward += np.sin(theta) * across
    np.maximum(toward, 0.0, out=toward)
    applies = along > 0
    violated = np.count_nonzero(applies & (toward < along)) if theta > _SAME_RAY else 0
    np.multiply(along, along, out=along)
    np.multiply(toward, toward, out=toward)
    along -= toward
    along *= applies
    return np.array([np.count_nonzero(applies), violated, along.sum(), along @ along])


def _in_full(starts: Array, star: Point, ray: Ray) -> Array:
    """Return the totals from `check_lemma`."""
    check = check_lemma(starts, [star], [ray])
    excess = -check.margin[check.applies]
    counts = np.count_nonzero(check.applies), np.count_nonzero(check.violated)
    return np.array([*counts, excess.sum(), excess @ excess])
