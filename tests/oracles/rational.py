"""The optima of linear neurons and the lemma's verdict in exact rational arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

import bnlib
from tests.oracles import Disagreement, agree


def column(values):
    """Return floats, which are binary fractions, as a column."""
    numbers = [Fraction(float(v)) for v in values]
    return fmpq_mat(len(numbers), 1, [fmpq(v.numerator, v.denominator) for v in numbers])


def matrix(rows):
    """Return a matrix of floats."""
    m, d = len(rows), len(rows[0])
    return fmpq_mat(m, d, [each[0] for row in rows for each in column(row).table()])


def head(a, count):
    """Return the first entries of a column."""
    return fmpq_mat(count, 1, a.entries()[:count])


def dot(a, b):
    return (a.transpose() * b)[0, 0]


def centred(a):
    """Subtract the mean of each column."""
    m = a.nrows()
    ones = fmpq_mat(m, m, [fmpq(1, m)] * m * m)
    return a - ones * a


@dataclass
class Solutions:
    """w + span(kernel): the least-squares solutions, w the shortest; `rank` of the columns."""

    w: fmpq_mat
    kernel: fmpq_mat | None
    rank: int

    def along(self, start):
        """Return the part of a vector in the kernel."""
        n = self.kernel
        if n is None:
            return 0 * start
        return n * (n.transpose() * n).solve(n.transpose() * start)


def solutions(x, t, *, intercept):
    """Return all solutions of min ‖X w (+ a) − t‖."""
    if intercept:
        x, t = centred(x), centred(t)
    reduced, rank = x.rref()
    d, rows = x.ncols(), reduced.table()[:rank]
    pivots = [next(j for j in range(d) if row[j] != 0) for row in rows]
    free = [j for j in range(d) if j not in pivots]
    kernel = None
    if free:
        entries = [[fmpq(int(i == j)) for j in free] for i in range(d)]
        for row, pivot in zip(rows, pivots, strict=True):
            entries[pivot] = [-row[j] for j in free]
        kernel = fmpq_mat(d, len(free), [each for row in entries for each in row])
    if not rank:
        return Solutions(fmpq_mat(d, 1), kernel, 0)
    across = fmpq_mat(rank, d, [each for row in rows for each in row]).transpose()
    image = x * across
    w = across * (image.transpose() * image).solve(image.transpose() * t)
    return Solutions(w, kernel, rank)


@dataclass
class Verdict:
    """Both sides of the lemma for one start, exactly."""

    applies: bool
    exists: bool
    left: object
    right: object

    @property
    def violated(self):
        return self.applies and bool(self.left > self.right)


def verdict(start, standard, normalized):
    """Return the lemma for optima w* + ker X and {kû : k > 0} + ker X_c, X_c ≠ 0."""
    w = column(start)
    star, total = standard.w + standard.along(w), dot(w, w)
    inner, size = dot(w, star), dot(star, star)
    right = total - inner**2 / size if size else total
    p, u = w - normalized.along(w), normalized.w
    if not dot(u, u):  # every w with X_c w ≠ 0 is a minimum
        return Verdict(bool(inner > 0), bool(dot(p, p) != 0), fmpq(0), right)
    foot = dot(u, p)
    left = dot(p, p) - (foot**2 / dot(u, u) if foot > 0 else 0)
    return Verdict(bool(inner > 0), bool(foot > 0), left, right)


def squared_gap(vector, exact):
    """Return the squared distance of a float vector from an exact one."""
    gap = column(vector) - exact
    return dot(gap, gap)


def squared_turn(direction, exact):
    """Return the squared distance of a float vector from the half-line of an exact one."""
    v = column(direction)
    foot = dot(v, exact)
    return dot(v, v) - (foot**2 / dot(exact, exact) if foot > 0 else 0)


def as_float(number):
    return float(Fraction(int(number.p), int(number.q)))


def floats(a):
    return np.array([as_float(each) for each in a.entries()])


def compare_lemma(data, starts):
    """Compare the lemma, for the closed-form optima, with exact optima of any rank."""
    x, t = matrix(data.inputs.tolist()), column(data.targets)
    exact = [solutions(x, t, intercept=each) for each in (False, True)]
    neurons = bnlib.Neuron(), bnlib.Neuron(normalization=bnlib.BatchNorm())
    check = bnlib.check_lemma(starts, *(each.optima(data) for each in neurons))
    for i, start in enumerate(starts):
        truth, size = verdict(start, *exact), float(start @ start)
        agree("left side", check.left[i], as_float(truth.left), 1e-13, size)
        agree("right side", check.right[i], as_float(truth.right), 1e-13, size)
        gap = abs(check.margin[i] - as_float(truth.right - truth.left))
        for name, wrong in {
            "exists": check.exists[i] != truth.exists,
            "applies": check.applies[i] != truth.applies,
            "violated": check.violated[i] != truth.violated,
            "undecided": check.undecided[i],
            "error": gap > check.error[i],
        }.items():
            if wrong:
                raise Disagreement(f"{name}: wrong at {start}")


def compare_doubt(star, ray, *, of_star=0.0, of_ray=0.0):
    """Compare what is undecided, in the plane, with the verdicts of optima within their errors."""
    u = ray / np.linalg.norm(ray)
    bisector = star / np.linalg.norm(star) + u
    across = np.array([-star[1], star[0]])
    turns = [0.0, 1e-9, -1e-5, 1e-2, -1e-2, 0.1]
    starts = [turned(w, each) for w in (bisector, across, -across, star) for each in turns]
    point, line = bnlib.Point(star, error=of_star), bnlib.Ray(ray, error=of_ray)
    check = bnlib.check_lemma(starts, [point], [line])
    circle = [turned(np.array([1.0, 0.0]), each) for each in np.linspace(0, 2 * np.pi, 73)]
    for i, start in enumerate(starts):
        near, far = (
            {
                bool(start @ s > 0 and max(start @ v, 0.0) < start @ s / np.linalg.norm(s))
                for s in star + reach * of_star * np.array(circle)
                for v in (turned(u, reach * of_ray * each) for each in (-0.99, 0.0, 0.99))
            }
            for reach in (0.99, 10.0)
        )
        if (len(near) == 2 and not check.undecided[i]) or (len(far) == 1 and check.undecided[i]):
            raise Disagreement(f"undecided: wrong at {start}")
        if check.violated[i] and near != {True}:
            raise Disagreement(f"violated: not for sure at {start}")
        if len(far) == 1 and check.violated[i] != (far == {True}):
            raise Disagreement(f"verdict: wrong at {start}")


def turned(vector, angle):
    """Return a vector of the plane, turned."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]]) @ vector
