"""The answer to one table: a value that prints itself as text and as JSON."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bn_experiments.check import words
from bn_experiments.check.cells import dropped, plain, quoted
from bn_experiments.check.laws import Laws, laws
from bn_experiments.check.objects import from_object
from bn_experiments.check.progress import progress
from bn_experiments.check.table import Table, read
from bn_experiments.check.verdict import FAILS, TRUE, UNDECIDED, VOID, Found, failing_start, judged
from bn_experiments.datasets import prepare
from bn_solver import least_squares
from bn_solver.arrays import choice, flag, real_number, whole_number
from bn_solver.limits import within_range
from bnlib.batch_norm import BatchNorm
from bnlib.learning_set import LearningSet
from bnlib.lemma import LemmaCheck, check_lemma
from bnlib.neuron import Neuron
from bnlib.optima import Optimum, Point, Ray

PREPARATIONS = ("raw", "centred", "standardised")


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """Whether Lemma 4.5 holds on a table, and all that shows it. ``print(report)`` is the text.

    Attributes
    ----------
    source, target : str
        The table, and the column of the targets.
    columns, left_out : tuple of str
        The inputs, in the order of the weights; the columns that were left out on demand.
    examples : int
        m, the number of rows.
    preparation : str
        What was done to the inputs: "raw", "centred" or "standardised".
    bias : bool
        The standard neuron has a trained bias, and batch norm a trained γ > 0 and β. W* are then
        the weights without the bias.
    verdict, strict : str
        "fails", "true", "void": the lemma says nothing, or "undecided": working precision cannot
        tell; with the left side an infimum where no BN optimum is closest, and read strictly.
    reason, detail : str
        Why: a key of the table in `words.REASONS`, and what is known besides, or "".
    standard, normalized : tuple of Point, tuple of Point or Ray
        The optima of the standard and of the BN neuron, each with a bound of its error; empty
        where there are none, or they are not known.
    theta, theta_error : float or None
        The angle between W* and the BN ray, in radians, and a bound of its error.
    intercept, intercept_error : float or None
        a = t̄ − x̄ᵀû of least squares with intercept, and a bound of its error.
    laws : Laws or None
        How often and by how much the lemma fails.
    start, check : tuple of float or None, LemmaCheck or None
        A W₀ at which it fails, and `bnlib.check_lemma` of it.
    repairs : tuple of str
        What makes the lemma true on this table, each checked on it: "bias", "centre",
        "standardise".
    notes : tuple of str
        What a reader should know of the table: constant columns.
    """

    source: str
    target: str
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    examples: int
    preparation: str
    bias: bool
    verdict: str
    strict: str
    reason: str
    detail: str = ""
    standard: tuple[Point, ...] = ()
    normalized: tuple[Optimum, ...] = ()
    theta: float | None = None
    theta_error: float | None = None
    intercept: float | None = None
    intercept_error: float | None = None
    laws: Laws | None = None
    start: tuple[float, ...] | None = None
    check: LemmaCheck | None = None
    repairs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return words.text(self)

    def __repr__(self) -> str:
        return f"Report({self.source!r}, verdict={self.verdict!r}, theta={self.theta})"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as lists, strings, numbers and None, as JSON has them."""
        fields = vars(self) | {
            "standard": [_plain(each) for each in self.standard],
            "normalized": [_plain(each) for each in self.normalized],
            "laws": vars(self.laws) if self.laws else None,
            "check": {k: np.asarray(v).item() for k, v in vars(self.check).items()}
            if self.check
            else None,
        }
        return {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}

    def to_json(self) -> str:
        """Return `to_dict` as JSON; numbers have all their digits."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1)


def _plain(optimum: Optimum) -> dict[str, Any]:
    name = "direction" if isinstance(optimum, Ray) else "weights"
    return {
        "kind": type(optimum).__name__,
        name: optimum.vector.tolist(),
        "error": optimum.error,
        "along": optimum.along.T.tolist(),
    }


def check(
    data: Any,
    target: str | npt.ArrayLike | None = None,
    *,
    columns: Iterable[str] | None = None,
    drop: Iterable[str] = (),
    preparation: str = "raw",
    bias: bool = False,
    scale: float | None = None,
    seed: int = 0,
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Report:
    r"""Ask whether Lemma 4.5 holds on a table of your own, for one linear neuron.

    Parameters
    ----------
    data : path, data frame, Bunch, array_like of shape (m, d), tuple or LearningSet
        A CSV or TSV file with a header; an object with named columns, as of pandas, Polars or
        Arrow, or a dictionary of columns; what scikit-learn's loaders return; inputs X, or the
        pair (X, t).
    target : str or array_like of shape (m,), optional
        The name of the column to be learnt, or the targets. Not needed where the data have
        their own.
    columns, drop : iterable of str
        The inputs, if not all other columns; columns to leave out. No column or row is left out
        otherwise.
    preparation : str
        "raw", "centred": each input minus its mean, or "standardised": and divided by its
        population standard deviation. The mean is that of the given numbers, unrounded.
    bias : bool
        Give the standard neuron a trained bias, and batch norm a trained γ > 0 and β.
    scale : float, optional
        s, the standard deviation of the initial weights for the means; by default ‖W*‖/√d.
    seed : int
        Of the starts, where shares have to be counted.
    delimiter, encoding : str
        Of a file; the separator is otherwise found from suffix and header.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If a value is missing, infinite or no number, the table is no table, an option unknown, or
        an input that is to be scaled constant; the message names row, column and value.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> report = check(bnlib.counterexample())
    >>> report.verdict, report.start, round(float(report.check.left), 12)  # 8/17
    ('fails', (3.0, 1.0), 0.470588235294)
    """
    choice("preparation", preparation, PREPARATIONS)
    flag("bias", bias)
    whole_number("seed", seed, at_least=0)
    scale = None if scale is None else real_number("scale", scale)
    if scale is not None and not scale > 0:
        raise ValueError(f"scale: must be positive, got {scale:g}.")
    if isinstance(data, str | Path):
        if not isinstance(target, str):
            raise ValueError("target: name the column of the file that holds the targets.")
        given: dict[str, Any] = {"delimiter": delimiter, "encoding": encoding}
        table = read(data, target, columns=columns, drop=drop, **given)
    else:
        table = from_object(data, target, columns, drop)
    return _reported(table, preparation, bias, scale, seed)


@within_range("data, scale")
def _reported(table: Table, preparation: str, bias: bool, scale: float | None, seed: int) -> Report:
    known: dict[str, Any] = {
        **{name: getattr(table, name) for name in ("source", "target", "columns", "left_out")},
        "examples": table.data.m,
        "preparation": preparation,
        "bias": bool(bias),
        "notes": tuple(
            f"column {quoted(name)} is constant, {plain(value)} in every row"
            for name, value in table.constant.items()
        ),
    }
    if not (table.data.inputs != table.data.inputs[0]).any():
        return Report(**known, verdict=VOID, strict=VOID, reason="equal")
    data = _scaled(table) if preparation == "standardised" else table.data
    # With a bias, or centred inputs, the optimal weights without batch norm are the slope: the
    # optimum of the neuron that centres. Inputs that are centred in floats are so by rounding.
    slope = BatchNorm(scale=False) if bias or preparation != "raw" else None
    fits = 3 if slope else 6
    with progress(data.inputs.nbytes, fits, unit="fit", desc="solving") as bar:
        try:
            star, image = _optimum(data, slope, bar), _optimum(data, BatchNorm(), bar)
            fit = least_squares(data.inputs, data.targets, intercept=True, kernel=False)
            bar.update()
        except ValueError as error:
            told = words.with_names(str(error), table.columns)
            known |= {"reason": "solver", "detail": told}
            return Report(**known, verdict=UNDECIDED, strict=UNDECIDED)
        assert isinstance(star, Point)
        found = judged(star, image, data if slope is None else None)
        known |= _shown(found, star, image)
        if slope is None:
            known["intercept"] = float(fit.intercept)
            known["intercept_error"] = float(fit.intercept_error)
            known["repairs"] = _repairs(found, table, image, bar)
    return Report(
        **known,
        verdict=found.infimum,
        strict=found.strict,
        reason=found.reason,
        standard=(star,),
        normalized=(image,),
        theta=found.theta,
        theta_error=found.theta_error,
        laws=laws(found, star, image, scale, seed),
    )


def _optimum(data: LearningSet, normalization: BatchNorm | None, bar: Any) -> Optimum:
    """Return the one point or ray of optima, and count it."""
    [found] = Neuron(normalization=normalization).optima(data)
    bar.update()
    return found


def _scaled(table: Table) -> LearningSet:
    """Return the inputs over their standard deviations; ``ValueError`` for constant ones."""
    fixed = [each for each in table.columns if each in table.constant]
    if fixed:
        raise ValueError(
            f"{table.source}: column {quoted(fixed[0])} is {plain(table.constant[fixed[0]])} in "
            f"every row, so it has no scale; leave it out: {dropped(fixed)}."
        )
    return prepare(table.data, "scaled")


def _shown(found: Found, star: Point, image: Optimum) -> dict[str, Any]:
    """Return a start at which the lemma fails, and its check."""
    if found.infimum != FAILS or not isinstance(image, Ray):
        return {}
    start = failing_start(star, image)
    if start is None:
        return {}
    return {"start": tuple(start.tolist()), "check": check_lemma(start, [star], [image])}


def _repairs(found: Found, table: Table, image: Optimum, bar: Any) -> tuple[str, ...]:
    """Return what makes the lemma true; a bias and centred inputs lead to the same optima."""
    if found.infimum != FAILS:
        return ()
    names = ("bias", "centre") if _true_with_slope(table.data, bar, image) else ()
    try:
        units = _true_with_slope(_scaled(table), bar)
    except ValueError:  # constant inputs, or optima that are not determined in these units
        units = False
    return (*names, "standardise") if units else names


def _true_with_slope(data: LearningSet, bar: Any, image: Optimum | None = None) -> bool:
    """Return whether the lemma is true with the slope as W*, beside the BN optima."""
    slope = _optimum(data, BatchNorm(scale=False), bar)
    assert isinstance(slope, Point)
    return judged(slope, image or _optimum(data, BatchNorm(), bar)).infimum == TRUE
