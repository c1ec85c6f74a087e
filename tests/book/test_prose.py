"""Numbers that are typed by hand, in prose or in alt texts, are the computed ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import bnlib
from bn_experiments.sweeps import networks
from bnlib import exact

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def cells(chapter: str) -> str:
    """Return a chapter's sources and figure metadata as one text."""
    notebook = json.loads((ROOT / "chapters" / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    parts = []
    for cell in notebook["cells"]:
        parts.append("".join(cell["source"]))
        parts.append(json.dumps(cell["metadata"], ensure_ascii=False))
    return "\n".join(parts)


@pytest.fixture(scope="module")
def numbers() -> dict[str, object]:
    data = exact.counterexample()
    standard = exact.Neuron().optima(data)
    normalized = exact.Neuron(normalization=exact.BatchNorm()).optima(data)
    check = exact.check_lemma(standard[0].weights, standard, normalized)
    star, ray = standard[0].weights, normalized[0].direction
    theta = exact.angle(star, ray)
    return {
        "star": tuple(star),
        "ray": tuple(ray),
        "left": check.left,
        "right": check.right,
        "share": float(exact.failure_probability(theta)),
        "theta": float(sp.deg(theta)),
        "star angle": float(sp.deg(sp.atan2(star[1], star[0]))),
        "ray angle": float(sp.deg(sp.atan2(ray[1], ray[0]))),
    }


def test_readme_states_the_computed_verdict(numbers: dict[str, object]) -> None:
    assert f"the left side is {numbers['left']}, the right side is {numbers['right']}" in README
    assert f"false in {numbers['share']:.1%} of the directions" in README


def test_readme_shows_what_the_library_prints() -> None:
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)
    assert code is not None
    data = bnlib.counterexample()
    standard = bnlib.Neuron()
    normalized = bnlib.Neuron(normalization=bnlib.BatchNorm())
    check = bnlib.check_lemma([3, 1], standard.optima(data), normalized.optima(data))
    for shown in (standard.optima(data), normalized.optima(data), check):
        assert f"# {shown!r}" in code.group(1)


@pytest.mark.parametrize("chapter", ["index", "counterexample"])
def test_alt_texts_name_the_computed_points(chapter: str, numbers: dict[str, object]) -> None:
    text = cells(chapter)
    assert f"W* = {numbers['star']}" in text or f"lies at {numbers['star']}" in text
    assert f"direction {numbers['ray']}" in text
    if chapter == "index":
        assert f"squared length {numbers['left']}" in text


def test_alt_texts_name_the_computed_angles(numbers: dict[str, object]) -> None:
    text = cells("counterexample")
    theta, ray = float(str(numbers["theta"])), float(str(numbers["ray angle"]))
    assert f"One minimum at {ray:.1f} degrees" in text
    assert f"one maximum at {ray + 180:.1f} degrees" in text
    assert f"marker at {numbers['star angle']:.1f} degrees" in text
    assert f"a cone of about {90 + theta / 2:.0f} degrees" in text
    assert f"The upper part, about {90 - theta / 2:.0f} degrees" in text


def test_theorem_states_the_computed_numbers(numbers: dict[str, object]) -> None:
    text = cells("counterexample")
    left = sp.latex(numbers["left"]).replace(r"\frac", r"\tfrac")
    assert f"is ${numbers['right']}$ and the left side is ${left}$" in text
    data = bnlib.counterexample()
    points = ",".join(f"({a:.0f},{b:.0f})" for a, b in data.inputs)
    targets = ",".join(f"{t:.0f}" for t in data.targets)
    assert f"$x={points}$, $t={targets}$" in text
    assert rf"$W_0=\Wstar={str(numbers['star']).replace(' ', '')}$" in text


def test_angle_in_floating_point_is_the_exact_one(numbers: dict[str, object]) -> None:
    star, ray = (np.array(numbers[name], dtype=float) for name in ("star", "ray"))
    degrees = np.degrees(bnlib.angle(star, ray))
    assert degrees == pytest.approx(numbers["theta"], rel=1e-14)


@pytest.mark.parametrize("document", ["CITATION.cff", "CHANGELOG.md"])
def test_documents_name_the_version_of_the_library(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    pattern = r"^version: (\S+)" if document.endswith("cff") else r"^## (\S+)"
    named = re.search(pattern, text, re.MULTILINE)
    assert named is not None
    assert named.group(1) == bnlib.__version__


def test_alt_texts_of_the_laws_name_the_computed_shares(numbers: dict[str, object]) -> None:
    counter = float(str(numbers["theta"]))
    shares = [100 * bnlib.failure_probability(np.radians(each)) for each in (counter, 60, 150)]
    words = "{:.0f}, {:.0f} and {:.0f} percent".format(*shares)
    assert f"for angles of {counter:.1f}, 60 and 150 degrees" in cells("how-often")
    assert words in cells("how-often")
    assert f"Both: constant at {shares[0] / 100:.3f}" in cells("halves")


def test_alt_text_of_the_moved_optima_names_the_stored_counts() -> None:
    stored = json.loads((ROOT / "results" / "networks.json").read_text(encoding="utf-8"))
    counts = np.array(stored["summary"]["moves"]["without bias"]["histogram"])
    assert networks.BINS[2] == 20
    last = networks.BINS[int(np.flatnonzero(counts).max()) + 1]
    words = f"Of {counts.sum()} networks {counts[:2].sum()} turn by less than 20 degrees"
    assert f"{words}, and none by more than {last}." in cells("networks")
