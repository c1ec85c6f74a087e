"""Numbers that are typed by hand, in prose or in alt texts, are the computed ones."""

import json
import re
from math import degrees

import numpy as np
import pytest
import sympy as sp

import bnlib
from bn_experiments import exact
from tests import lacking
from tests.book import guards
from tools.project import CHAPTERS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")

DATA = exact.counterexample()
STANDARD = exact.Neuron().optima(DATA)
NORMALIZED = exact.Neuron(normalization=exact.BatchNorm()).optima(DATA)
STAR, RAY = STANDARD[0].weights, NORMALIZED[0].direction
CHECK = exact.check_lemma(STAR, STANDARD, NORMALIZED)
THETA = exact.angle(STAR, RAY)
POINT, DIRECTION = str(tuple(STAR)), str(tuple(RAY))


def chapter(name):
    """Return a chapter's sources and figure metadata as one text."""
    cells = guards.read(CHAPTERS / f"{name}.ipynb")["cells"]
    metadata = [json.dumps(cell["metadata"], ensure_ascii=False) for cell in cells]
    return "\n".join([*(guards.text(cell["source"]) for cell in cells), *metadata])


def test_readme_states_the_computed_verdict():
    assert f"the left side is {CHECK.left}, the right side is {CHECK.right}" in README
    share = float(exact.failure_probability(THETA))
    assert f"false in {share:.1%} of the directions" in README
    strict = float(exact.failure_probability(THETA, "strict"))
    assert f"in {strict:.1%} of the directions" in README


def test_readme_shows_what_the_library_prints():
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    data = bnlib.counterexample()
    standard = bnlib.Neuron().optima(data)
    normalized = bnlib.Neuron(normalization=bnlib.BatchNorm()).optima(data)
    for shown in (standard, normalized, bnlib.check_lemma([3, 1], standard, normalized)):
        assert f"# {shown!r}" in code


def test_alt_texts_name_the_computed_points_and_angles():
    index, text = chapter("index"), chapter("counterexample")
    for each in (index, text):
        assert f"W* = {POINT}" in each or f"lies at {POINT}" in each
        assert f"direction {DIRECTION}" in each
    assert f"squared length {CHECK.left}" in index
    star, ray = (degrees(sp.atan2(each[1], each[0])) for each in (STAR, RAY))
    theta = degrees(THETA)
    assert f"the ray of BN optima, is at {ray:.1f} degrees" in text
    assert f"A square at {star:.1f} degrees" in text
    assert f"a cone of about {90 + theta / 2:.0f} degrees" in text
    assert f"The upper part, about {90 - theta / 2:.0f} degrees" in text


def test_theorem_states_the_computed_numbers():
    text = chapter("counterexample")
    left = sp.latex(CHECK.left).replace(r"\frac", r"\tfrac")
    assert f"is ${CHECK.right}$ and the left side is ${left}$" in text
    data = bnlib.counterexample()
    points = ",".join(f"({a:.0f},{b:.0f})" for a, b in data.inputs)
    targets = ",".join(f"{t:.0f}" for t in data.targets)
    assert f"$x={points}$, $t={targets}$" in text
    assert rf"$W_0=\Wstar={POINT.replace(' ', '')}$" in text


def test_angle_in_floating_point_is_the_exact_one():
    angle = bnlib.angle(*np.array([tuple(STAR), tuple(RAY)], dtype=float))
    assert angle == pytest.approx(float(THETA), rel=1e-14)


@pytest.mark.parametrize("document", ["CITATION.cff", "CHANGELOG.md"])
def test_documents_name_the_version_of_the_library(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.search(r"^(?:version:|##) (\S+)", text, re.MULTILINE)
    assert named[1] == bnlib.__version__


def test_alt_texts_of_the_laws_name_the_computed_shares():
    shares = [100 * bnlib.failure_probability(each) for each in np.radians([30, 150])]
    text = chapter("how-often")
    assert "for angles of 30 and 150 degrees" in text
    assert "takes up {:.0f} and {:.0f} percent".format(*shares) in text
    assert "it, {:.0f} and {:.0f} percent".format(*(100 - each for each in shares)) in text
    assert f"Both: constant at {bnlib.failure_probability(float(THETA)):.3f}" in chapter("halves")


@lacking.needs_jax
def test_alt_text_of_the_moved_optima_names_the_stored_counts():
    from bn_experiments.sweeps import networks

    stored = json.loads((ROOT / "results" / "networks.json").read_text(encoding="utf-8"))
    counts = np.array(stored["summary"]["moves"]["without bias"]["histogram"])
    assert networks.BINS[2] == 20
    last = networks.BINS[int(np.flatnonzero(counts).max()) + 1]
    words = f"Of {counts.sum()} networks {counts[:2].sum()} turn by less than 20 degrees"
    assert f"{words}, and none by more than {last}." in chapter("networks")
