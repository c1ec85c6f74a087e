"""Tasks from shipped data: columns, preparations and angles against scikit-learn and rationals."""

import json
import socket
import sys

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

import bnlib
from bn_experiments.datasets import PREPARATIONS, load, load_tasks, prepare, stacked_optima
from bn_experiments.datasets.scikit_learn import DATA_SETS
from bnlib import BatchNorm
from bnlib.closed_form import linear_optima
from tests import oracles
from tests.oracles import rational
from tools.project import CHAPTERS

TASKS = load_tasks()
SIGNED = load_tasks(coding=(-1.0, 1.0))
EXPECTED = {  # data set: examples, inputs as shipped, constant inputs, tasks
    "iris": (150, 4, 0, 3),
    "wine": (178, 13, 0, 3),
    "breast_cancer": (569, 30, 0, 2),
    "digits": (1797, 64, 3, 10),
    "diabetes": (442, 10, 0, 1),
    "diabetes_raw": (442, 10, 0, 1),
    "linnerud": (20, 3, 0, 3),
}
each_task = oracles.each({task.name: task for task in TASKS})


def theta(data):
    (star,), (ray,) = linear_optima(data), linear_optima(data, BatchNorm())
    return bnlib.angle(star.weights, ray.direction)


def rational_fits(data):
    """Solve the normal equations without rounding: W*, and û followed by a, as columns."""
    inputs = data.inputs, np.column_stack([data.inputs, np.ones(data.m)])
    designs, t = [rational.matrix(x.tolist()) for x in inputs], rational.column(data.targets)
    return [(x.transpose() * x).solve(x.transpose() * t) for x in designs]


def test_every_data_set_gives_its_tasks():
    assert set(DATA_SETS) == set(EXPECTED)
    for source, (m, d, constant, number) in EXPECTED.items():
        mine = [task for task in TASKS if task.source == source]
        assert len(mine) == number
        for task in mine:
            assert (task.data.m, task.data.d) == (m, d - constant)
            assert len(task.columns) == task.data.d
            assert [why for _, why in task.dropped] == ["constant"] * constant
    assert len({task.name for task in TASKS}) == len(TASKS) == 23


@oracles.each(DATA_SETS)
def test_columns_are_the_shipped_ones_and_the_dropped_ones_are_constant(source):
    raw = {"scaled": False} if source == "diabetes_raw" else {}
    bunch = getattr(datasets, f"load_{source.removesuffix('_raw')}")(**raw)
    (task, *_) = load_tasks([source])
    x, names = np.asarray(bunch.data), list(bunch.feature_names)
    kept = [names.index(each) for each in task.columns]
    assert kept == sorted(kept)
    np.testing.assert_array_equal(task.data.inputs, x[:, kept])
    dropped = [names.index(name) for name, _ in task.dropped]
    assert sorted(kept + dropped) == list(range(len(names)))
    assert dropped == np.flatnonzero(x.min(axis=0) == x.max(axis=0)).tolist()
    # Full rank, with and without an intercept, by NumPy's own rule on standardised inputs.
    standardised = StandardScaler().fit_transform(x[:, kept])
    assert np.linalg.matrix_rank(standardised) == len(kept)
    with_intercept = np.column_stack([standardised, np.ones(len(x))])
    assert np.linalg.matrix_rank(with_intercept) == len(kept) + 1


def test_classes_are_told_from_quantities_which_are_not_coded():
    for source in ("iris", "wine", "breast_cancer", "digits"):
        bunch = load(source)
        mine = [task for task in TASKS if task.source == source]
        zero_one = [task.data.targets for task in mine]
        np.testing.assert_array_equal(np.sum(zero_one, axis=0), 1.0)
        np.testing.assert_array_equal(np.argmax(zero_one, axis=0), bunch.target)
        names = [str(each).replace("_", " ") for each in bunch.target_names]
        assert [task.target for task in mine] == names
        signed = [task.data.targets for task in SIGNED if task.source == source]
        np.testing.assert_array_equal(signed, 2 * np.array(zero_one) - 1)
    for first, second in zip(TASKS, SIGNED, strict=True):
        if first.source in ("diabetes", "diabetes_raw", "linnerud"):
            assert first == second
    found = np.column_stack([task.data.targets for task in TASKS if task.source == "linnerud"])
    np.testing.assert_array_equal(found, datasets.load_linnerud().target)
    assert [task.target for task in TASKS[-3:]] == ["weight", "waist", "pulse"]


def test_no_network_is_asked_for(monkeypatch):
    def refuse(*args, **keywords):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert len(load_tasks()) == 23
    assert load_tasks("iris") == load_tasks(["iris"])
    assert load_tasks([]) == []


def test_what_cannot_be_loaded_is_refused(monkeypatch):
    for message, arguments in (
        ("source: 'mnist' is unknown", {"sources": ["mnist"]}),
        ("source: 'mnist' is unknown", {"sources": "mnist"}),
        ("coding: both targets are 1", {"coding": (1.0, 1.0)}),
        ("coding: entry", {"coding": (0.0, np.nan)}),
        ("coding: expected", {"coding": (0.0, 1.0, 2.0)}),
    ):
        oracles.refused(f"^{message}", load_tasks, **arguments)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=r"scikit-learn.*bnlib\[data\]"):
        load_tasks(["iris"])


@each_task
def test_angles_and_the_lemma_at_the_optimum_agree_with_rational_arithmetic(task):
    exact = rational_fits(task.data)
    star, (*slope, a) = map(rational.floats, exact)
    slope, d = np.array(slope), task.data.d
    found = stacked_optima(task.data.inputs, task.data.targets)
    oracles.agree("W*", found.stars, star, 1e-9)
    oracles.agree("û", found.slopes, slope, 1e-9)
    oracles.agree("a", found.intercepts, a, 1e-9)
    assert theta(task.data) == pytest.approx(bnlib.angle(star, slope), abs=1e-9)
    assert found.angles == pytest.approx(theta(task.data), abs=1e-9)
    # The formula of the lemma at W₀ = W*, with the closest point of the ray written out: the
    # right side is 0, and the lemma fails unless the inputs are centred. As shipped they are so
    # to 13 digits: for these floats θ is no more than 1e-13, but it is not 0.
    size, centred = star @ star, task.source == "diabetes"
    nearest = max(star @ slope, 0.0) / (slope @ slope) * slope
    left = np.sum((star - nearest) ** 2)
    assert (left <= 1e-18 * size) == centred
    check = bnlib.check_lemma(star, linear_optima(task.data), linear_optima(task.data, BatchNorm()))
    solutions = [rational.Solutions(w, None, d) for w in (exact[0], rational.head(exact[1], d))]
    truth = rational.verdict(star, *solutions)
    assert truth.violated
    assert (check.applies, check.exists, check.violated) == (True, truth.exists, True)
    assert check.left == pytest.approx(left, rel=1e-6, abs=1e-18 * size)
    assert check.right == pytest.approx(0.0, abs=1e-12 * size)


def test_the_raw_diabetes_data_are_the_same_before_centring_and_scaling():
    raw, centred = (load_tasks([each])[0].data for each in ("diabetes_raw", "diabetes"))
    np.testing.assert_array_equal(raw.targets, centred.targets)
    assert centred.mean_target > 100
    standardised = prepare(raw, "standardised").inputs / np.sqrt(raw.m)
    np.testing.assert_allclose(standardised, centred.inputs, atol=1e-3)


@each_task
def test_centring_gives_zero_and_scaling_alone_does_not(task):
    means = np.abs(task.data.inputs.mean(axis=0) / task.data.inputs.std(axis=0))
    assert (means.max() < 1e-12) == (task.source == "diabetes")  # the only ones that come centred
    angles = {each: theta(prepare(task.data, each)) for each in PREPARATIONS}
    assert (angles["raw"] < 1e-9) == (task.source == "diabetes")
    assert angles["centred"] < 1e-10
    assert angles["standardised"] < 1e-10
    assert (angles["scaled"] > 1e-3) == (task.source != "diabetes")
    assert angles["raw"] == theta(task.data)


@each_task
def test_shifted_targets_turn_the_optimum_as_the_proposition_says(task):
    data = task.data
    a = stacked_optima(data.inputs, data.targets).intercepts
    if task.source != "diabetes":
        assert theta(data.with_targets(data.targets - a)) < 1e-7
    for factor, shift in ((2.0, -1.0), (3.0, 0.5)):
        other = stacked_optima(data.inputs, factor * data.targets + shift)
        size = max(abs(float(a)), 1.0)
        oracles.agree("a", other.intercepts, factor * a + shift, 1e-8, size)


def test_swapping_two_classes_matters_for_zero_and_one_only():
    malignant, benign = (t.data for t in TASKS if t.source == "breast_cancer")
    assert abs(theta(malignant) - theta(benign)) > 0.1
    malignant, benign = (t.data for t in SIGNED if t.source == "breast_cancer")
    assert theta(malignant) == pytest.approx(theta(benign), abs=1e-8)


def test_alt_text_of_the_chapter_names_the_computed_angles():
    cells = json.loads((CHAPTERS / "real-data.ipynb").read_text(encoding="utf-8"))["cells"]
    (figure,) = (cell for cell in cells if cell["id"] == "real-figure")
    alt = figure["metadata"]["mystnb"]["image"]["alt"]
    angles = {source: [] for source in DATA_SETS}
    for task in TASKS:
        angles[task.source].append(float(np.degrees(theta(task.data))))
    digits, middle = angles["digits"], angles["iris"] + angles["wine"]
    assert [round(min(digits)), round(max(digits))] == [1, 10]
    assert "one to ten degrees for the digits" in alt
    assert [round(min(middle)), round(max(middle))] == [1, 34]
    assert "one to thirty-four for iris and wine" in alt
    assert min(angles["breast_cancer"] + angles["diabetes_raw"]) > 50
    largest = max(angles["linnerud"])
    assert f"up to {largest:.0f} degrees for linnerud" in alt
    assert f"up to {bnlib.failure_probability(np.radians(largest)):.2f}" in alt
