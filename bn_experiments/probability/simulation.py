"""How often the lemma fails and by how much, counted over random initializations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bn_experiments.probability.estimate import Estimate
from bn_experiments.probability.initialization import Initialization
from bn_solver.arrays import Array, whole_number
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.optima import Optimum, Point, Ray, angle

CHUNK = 1 << 17
"""Numbers drawn at a time: large enough for NumPy, small enough for the processor's cache."""

_PART = 1 << 14  # starts looked at together: so small that the arrays on the way are used again


@dataclass(frozen=True)
class Simulation:
    """What a sample of initializations says of the lemma, given ⟨W₀, W*⟩ > 0.

    Attributes
    ----------
    violated, excess : Estimate
        Share of initializations that violate the lemma, and mean of left − right. The n of
        both counts the initializations with the hypothesis.
    undecided : int
        How many of them errors leave open; they do not count as violations.
    """

    violated: Estimate
    excess: Estimate
    undecided: int

    def __repr__(self) -> str:
        return f"Simulation(violated={self.violated}, excess={self.excess}, n={self.violated.n})"


def simulate(
    law: Initialization,
    standard_optima: Sequence[Optimum],
    normalized_optima: Sequence[Optimum],
    n: int,
    rng: np.random.Generator,
    *,
    check: Callable[..., LemmaCheck] = check_lemma,
    shortcut: bool = True,
) -> Simulation:
    """Return what n random initializations say of the lemma, in bounded memory.

    Parameters
    ----------
    law, check : Initialization, callable
        The law of W₀, and which statement: `check_lemma`, `check_weaker`, or another function
        with their arguments and result.
    shortcut : bool
        For `check_lemma`, one W*, one ray that is not that of W* as far as the errors of both
        tell, neither with a kernel, and a law with the method ``project``, draw only the
        coordinates of W₀ in their plane, on which both sides depend up to a common term. The
        cost then does not grow with d. If false, and in all other cases, draw all of W₀.

    See Also
    --------
    check_lemma : the lists of optima, which ``Neuron.optima`` returns, and errors; also if
        every W* is 0, or hardly any start meets the hypothesis.
    Initialization.sample : rng and n.
    """
    # Where there is no first optimum, any check refuses the list, whatever d is.
    first = standard_optima[:1] if isinstance(standard_optima, Sequence) else []
    d = getattr(first[0], "d", 1) if first else 1
    check(np.zeros(d), standard_optima, normalized_optima)
    if not any(each.weights.any() for each in standard_optima if isinstance(each, Point)):
        raise ValueError("standard_optima: every W* is zero, so no start meets the hypothesis.")
    whole_number("n", n, at_least=1)
    project = getattr(law, "project", None) if shortcut and check is check_lemma else None
    match list(standard_optima), list(normalized_optima):
        case [Point() as star], [Ray() as ray] if project and d > 1 and _apart(star, ray):
            theta = angle(star.weights, ray.direction)
            parts = (
                _in_the_plane(coordinates[:, begin : begin + _PART], theta)
                for size in _sizes(n, 2)
                for coordinates in [project(rng, size, d)]
                for begin in range(0, size, _PART)
            )
        case stars, images:
            parts = (
                _totals(check(law.sample(rng, size, d), stars, images)) for size in _sizes(n, d)
            )
    applicable, violated, excess, squares, undecided = sum(parts, np.zeros(5))
    if applicable < 2:
        raise ValueError(f"n: only {applicable:.0f} of {n} starts meet the hypothesis; draw more.")
    count = round(applicable)
    return Simulation(
        Estimate.of_proportion(round(violated), count),
        Estimate.of_mean(excess, squares, count),
        round(undecided),
    )


def _sizes(n: int, numbers: int) -> list[int]:
    """Return how many of n starts to draw at a time, each of so many numbers."""
    size = CHUNK // numbers or 1
    return [min(size, n - begin) for begin in range(0, n, size)]


def _apart(star: Point, ray: Ray) -> bool:
    """Return whether W* and the ray span a plane, on which alone the lemma depends."""
    if star.along.size or ray.along.size:
        return False
    size = np.abs(star.weights).max()
    scaled = Point(star.weights / size, star.error / size)
    return bool(check_lemma(scaled.weights, [scaled], [ray]).violated)


def _in_the_plane(coordinates: Array, theta: float) -> Array:
    """Return count, violations, sum of excess and of its squares with the hypothesis, and 0.

    The coordinates, shape (2, n), are along W* and across it; they are overwritten.
    """
    along, across = coordinates
    # ⟨W₀, u⟩₊ where the hypothesis is true; W* and u have the angle theta.
    toward = np.cos(theta) * along
    toward += np.sin(theta) * across
    np.maximum(toward, 0.0, out=toward)
    applies = along > 0
    count, violated = np.count_nonzero(applies), np.count_nonzero(applies & (toward < along))
    np.multiply(along, along, out=along)
    np.multiply(toward, toward, out=toward)
    along -= toward
    along *= applies
    return np.array([count, violated, along.sum(), along @ along, 0])


def _totals(check: LemmaCheck) -> Array:
    """Return the same five numbers for starts that were drawn in full."""
    excess = -check.margin[check.applies]
    counts = [np.count_nonzero(each & check.applies) for each in (check.violated, check.undecided)]
    return np.array([len(excess), counts[0], excess.sum(), excess @ excess, counts[1]])
