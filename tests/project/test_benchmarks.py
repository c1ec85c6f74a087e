"""The benchmarks run, their two sides give the same numbers, and no row is missing. Not: times."""

import dataclasses
import re
from functools import partial

import numpy as np
import pytest

import benchmarks.lemma
import benchmarks.simulation
import benchmarks.stacked
from benchmarks import __main__ as command
from benchmarks import growth, measure, project, report
from tools.project import ROOT

SIDES = ("product", "the printed formula", "Python")
KINDS = [
    *[("check_lemma", d, against) for d in (2, 16, 128, 1024) for against in SIDES],
    ("simulate", 2, "drawing"),
    ("simulate", 1000, "drawing"),
    ("simulate", 1000, "the same for d = 2"),
    *[("stacked_optima", None, against) for against in ("LinearRegression", "stacked")] * 2,
    *[("least_squares", None, "lstsq")] * 7,
    *[("least_squares", None, "one millisecond")] * 3,
    ("certify", None, "SciPy"),
    ("verify", None, "certify"),
    ("train", None, "compiled, one by one"),
    ("train", None, "their tanh"),
    ("check_insertion", None, "jax.grad"),
    ("make test", None, "executing all"),
    ("make book", None, "executing all"),
    ("import bnlib", None, "import numpy"),
    ("bnlib", None, "NumPy"),
]
GROWING = [*"nnndddm", "workers"]


def rows(text):
    """Return the cells of each row of a table in a text."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def check_tables(text, stored=True):
    """Every comparison and growth is there; in the stored table a reason where one is missed."""
    compared, _, grown = text.partition("| call |")
    for cells, (name, d, against) in zip(rows(compared), KINDS, strict=True):
        assert len(cells) == 6
        assert cells[0].startswith(f"`{name}`")
        assert d is None or cells[0].endswith(f"d = {d}")
        assert cells[2].strip("`").startswith(against)
        assert (cells[4], cells[5]) == ("none", "–") or cells[5] in ("yes", "no")
        if stored and cells[5] == "no":
            assert re.search(rf"^- .*{re.escape(cells[0])}, against .*: .{{40,}}\.$", text, re.M)
    assert [cells[1] for cells in rows(grown)] == GROWING
    for cells in rows(grown):
        assert float(cells[4].replace("−", "-") if cells[4] != "–" else 0) < 4


def test_the_quick_run_prints_every_row_and_writes_nothing(capsys, monkeypatch):
    measured = project.load()  # maybe without the tests: this run is to measure them
    measured["commands"].setdefault("test", measured["commands"]["book"])
    monkeypatch.setattr(project, "load", lambda: measured)
    before = command.RESULTS.stat().st_mtime_ns
    assert command.main(["--quick"]) == 0
    check_tables(capsys.readouterr().out, stored=False)
    assert command.RESULTS.stat().st_mtime_ns == before


def test_the_stored_table_has_every_row_and_says_how_it_was_made():
    text = command.RESULTS.read_text(encoding="utf-8")
    check_tables(text)
    assert "`make bench`" in text
    assert "How it is measured" in text
    for name in ("Python ", "NumPy ", "cores"):
        assert name in text
    assert str(ROOT) not in text
    picture = (ROOT / "benchmarks" / growth.PICTURE).read_text(encoding="utf-8")
    for call, *_, slope, _ in rows(text.partition("| call |")[2]):
        assert slope == "–" or f"{call.replace('`', '')}: slope {slope}" in picture


def test_a_wrong_side_is_noticed_before_anything_is_timed(monkeypatch):
    def slightly(name):
        def changed(right, *_):
            return dataclasses.replace(right, **{name: (1 + 1e-9) * getattr(right, name)})

        return changed

    def wasteful(right, *args):
        args[-1].standard_normal()
        return right

    monkeypatch.setattr(measure, "seconds", lambda run: pytest.fail("timed"))
    for of, call, change, told, sizes in (
        (benchmarks.lemma, "check_lemma", slightly("left"), "left side", (50, (16,), 1, 5)),
        (benchmarks.simulation, "simulate", wasteful, "random numbers", (5_000, (2, 5), 1)),
        (benchmarks.stacked, "stacked_optima", slightly("slopes"), "slope", (50, 1, 5)),
    ):
        right = getattr(of, call)
        monkeypatch.setattr(of, call, lambda *args, r=right, c=change: c(r(*args), *args))
        with pytest.raises(measure.DisagreementError, match=f"^{told}"):
            of.rows(*sizes)


def test_ratios_pair_the_runs_targets_are_on_the_median_and_nan_never_agrees():
    ours, other = np.array([1.0, 4.0, 9.0]), np.array([2.0, 2.0, 3.0])
    share = measure.Row("a", "b", ours, other, limit=2.0)
    assert share.ratios.tolist() == [0.5, 2.0, 3.0]
    assert (share.target, share.met) == ("≤ 2", "yes")
    assert measure.Row("a", "b", ours, other, limit=1.9).met == "no"
    fast = measure.Row("a", "b", ours, other, speedup=0.6, faster=True)
    assert fast.ratios.tolist() == [2.0, 0.5, 1 / 3]
    assert (fast.target, fast.met) == ("≥ 0.6", "no")
    assert "| 2.00 × (0.50–3.00) | ≤ 2 | yes |" in report.table([share])
    with pytest.raises(measure.DisagreementError, match="^x: "):
        measure.agree("x", [1.0, np.nan], [1.0, 1.0], 1e-3, 1.0)


def test_a_slope_is_that_of_the_upper_half():
    sizes = np.array([1.0, 2, 4, 8, 16, 32])
    curve = growth.Curve("f", "n", "2", sizes, np.maximum(sizes**2, 10.0))
    assert curve.slope == pytest.approx(2, abs=0.2)
    assert growth.Curve("f", "n", "2", sizes, sizes**2).slope == pytest.approx(2)


def test_cases_are_added_and_a_part_is_scaled(monkeypatch):
    clock = iter(range(100))  # each run takes one second
    monkeypatch.setattr(measure, "seconds", lambda run: run() or float(next(clock) >= 0))
    order = []
    runs = [partial(order.append, each) for each in ("A", "B", "check")]
    case = measure.Case(*runs, 0.25)
    ours, other = measure.alternate("title", [case, case], 2)
    assert "".join(order) == "checkABABcheckABAB"
    assert ours.tolist() == [2.0, 2.0]
    assert other.tolist() == [8.0, 8.0]
