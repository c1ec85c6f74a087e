"""The checks are checked: falsified copies of real chapters must be red; `make faults` plants more.

`tests/book/faults.py` has the kinds of faults, `tests/book/validate.py` asks the checks.
"""

import re
from random import Random

import pytest

from tests.book import guards, validate
from tests.book.faults import COMPARED, GUARDED, Fault
from tests.book.signs import SIGNS, plant_signs
from tools import toc
from tools.project import ROOT

CHAPTERS = [path for path in toc.notebooks() if path.stem in ("index", "claim")]
SEED, PLANTED = 18, 30
KINDS = [*COMPARED, *SIGNS]


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Execute two short chapters once; return seeded faults, those of the guards, and no faults."""
    folder, random = tmp_path_factory.mktemp("faults"), Random(SEED)
    answers = validate.keep(CHAPTERS, folder / "kept", "-n0")
    every = [fault for path in CHAPTERS for fault in validate.plant(path, COMPARED)]
    signs = [fault for path in CHAPTERS for fault in plant_signs(path, answers)]
    drawn = [random.choice([f for f in every + signs if f.kind == kind]) for kind in KINDS]
    drawn += random.sample([fault for fault in every if fault not in drawn], PLANTED - len(drawn))
    guarded = validate.plant(CHAPTERS[0], GUARDED)
    untouched = [Fault("nothing", path.stem, guards.read(path)) for path in CHAPTERS]
    validate.ask([*drawn, *guarded, *untouched], folder, answers, "-n0")
    return drawn, guarded, untouched


def test_thirty_seeded_faults_of_all_kinds_are_found(asked):
    assert len(asked[0]) == PLANTED
    assert {fault.kind for fault in asked[0]} == set(KINDS)
    assert [fault for fault in asked[0] if not fault.caught] == []


def test_each_guard_finds_its_kind_of_fault(asked):
    assert [fault.kind for fault in asked[1]] == [*GUARDED]
    assert [(fault.kind, fault.red) for fault in asked[1] if fault.caught != "guards"] == []


def test_where_nothing_is_planted_nothing_is_found(asked):
    assert [(fault.red, fault.caught) for fault in asked[2]] == [({}, None)] * len(CHAPTERS)


def test_red_for_another_reason_is_not_found():
    """A mistake in the planting does not count as a fault that was found."""
    fault = Fault("a digit of a printed text", "claim", {}, cells={3})
    differ = "Cell outputs differ"
    for red, by in (
        ({"Cell 3": differ}, "nbval"),
        ({"guards": "claim.ipynb: Cell 3 (id a) prints"}, "guards"),
        ({"Cell 3": differ, "Cell 4": differ}, None),
        ({"Cell 3": "KeyError"}, None),
        ({"guards": "claim.ipynb: Cell 31 (id a) prints"}, None),
    ):
        fault.red = red
        assert fault.caught == by


def test_the_stored_table_has_every_kind_and_chapter_and_nothing_missed():
    text = (ROOT / "benchmarks/faults.md").read_text(encoding="utf-8")
    rows = {row[0]: [*map(int, row[1:])] for row in re.findall(validate.ROW, text, re.MULTILINE)}
    chapters = [path.stem for path in toc.notebooks()]
    assert list(rows) == [*COMPARED, *GUARDED, *SIGNS, *chapters, "together"]
    assert rows["together"][0] >= 300
    assert all(row[0] == sum(row[1:]) for row in rows.values())
    assert [kind for kind, row in rows.items() if row[3]] == []
    assert all(row[0] for row in rows.values())
