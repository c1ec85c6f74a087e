"""How often and by how much the lemma fails on a table: by laws, or counted where none holds."""

from dataclasses import dataclass

import numpy as np

from bn_experiments.check.verdict import FAILS, Found
from bn_experiments.probability import (
    Gaussian,
    check_weaker,
    mean_gain,
    weaker_failure_probability,
)
from bn_solver.doubled import length
from bnlib.laws import failure_probability, mean_excess
from bnlib.lemma import check_lemma
from bnlib.optima import Optimum, Point

_STARTS, _NUMBERS = 20_000, 4_000_000


@dataclass(frozen=True)
class Laws:
    r"""How often the inequality is false, and by how much, given ⟨W₀, W*⟩ > 0.

    Shares hold for every law of W₀ that is invariant under rotations, means for
    :math:`W_0 \sim N(0, s^2 I)`. With a kernel no law is known: both are counted, for Gaussian
    starts.

    Attributes
    ----------
    scale : float
        s, the standard deviation of each initial weight.
    infimum, strict, given_closest : float
        The shares of `~bnlib.failure_probability` in its three readings; the last is None where
        no BN optimum is ever closest.
    excess : float
        Mean of left − right, left being an infimum where no BN optimum is closest: see
        `~bnlib.mean_excess`. Given that one is closest it is 0, but for a kernel.
    promised, gain : float
        Mean of how much closer than W* the closest BN optimum is, in squared distance: as the
        lemma promises, and as it is; see `~bn_experiments.probability.mean_gain`. Infimum reading.
    weaker : float
        Share of the starts to which W* is closer than every BN optimum: see
        `~bn_experiments.probability.weaker_failure_probability`.
    counted : int
        How many starts with the hypothesis were counted; 0 where the laws gave the numbers. A
        share p is then known to about √(p (1 − p) / counted).
    """

    scale: float
    infimum: float
    strict: float
    given_closest: float | None
    excess: float
    promised: float
    gain: float
    weaker: float
    counted: int = 0


def laws(found: Found, star: Point, image: Optimum, scale: float | None, seed: int) -> Laws | None:
    """Return the shares and means for one W* and the BN optima; None where there are none.

    Without a scale the starts are as long as the shortest W*, in the mean of the square.
    """
    size = float(length(star.weights))
    s = float(size / np.sqrt(star.d)) if scale is None else float(scale)
    if found.theta is None or found.reason == "one direction" or not s > 0:
        return None
    if star.along.size:
        return _counted(found, star, image, s, seed)
    theta = found.theta
    return Laws(
        s,
        float(failure_probability(theta, "infimum")),
        float(failure_probability(theta, "strict")),
        float(failure_probability(theta, "given_closest")) if theta < np.pi else None,
        float(mean_excess(theta, s)),
        mean_gain(0.0, size, s),
        mean_gain(theta, size, s),
        weaker_failure_probability(theta, s / size),
    )


def _counted(found: Found, star: Point, image: Optimum, s: float, seed: int) -> Laws:
    n = max(min(_STARTS, _NUMBERS // star.d), 1000)
    starts = Gaussian(s).sample(np.random.default_rng(seed), n, star.d)
    check, weaker = (each(starts, [star], [image]) for each in (check_lemma, check_weaker))
    applies = check.applies
    false = check.violated & (found.infimum == FAILS)
    strict, closest = (int(np.count_nonzero(each & check.exists)) for each in (false, applies))
    return Laws(
        s,
        float(np.mean(false[applies])),
        strict / int(np.count_nonzero(applies)),
        strict / closest if closest else None,
        float(np.mean(-check.margin[applies])),
        float(np.mean((weaker.right - check.right)[applies])),
        float(np.mean((weaker.right - check.left)[applies])),
        float(np.mean(weaker.violated[applies])),
        int(np.count_nonzero(applies)),
    )
