"""The stored table of NIST's sets is what its command makes, and keeps its promise.

Only the sets that have a formula are measured again: NIST's files are not part of the project.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benchmarks import nist
from tools.project import ROOT

STORED = nist.PAGE.read_text(encoding="utf-8")
NAMES = [*nist.DEGREES, *(data.name for data in nist.written())]


def cells(text):
    """Return the numbers of each row of a table."""
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {name.strip(): [float(v) for v in row] for name, *row in lines[1:]}


def test_the_page_is_the_one_that_the_command_writes():
    before, after = nist.page([]).split(nist.table([]))
    assert STORED.startswith(before)
    assert STORED.endswith(after)
    assert "python -m benchmarks.nist FOLDER" in STORED
    assert str(ROOT) not in STORED
    assert list(cells(STORED)) == NAMES


def test_rows_made_again_are_the_stored_ones():
    stored = cells(STORED)
    made = cells(nist.table(nist.measure(data) for data in nist.written()))
    assert len(made) == 7
    for name, row in made.items():
        condition, *lstsq, ours, bound, certified = row
        kept = stored[name]
        assert kept[0] == pytest.approx(condition, rel=0.06), name  # its second digit
        assert kept[1:3] == pytest.approx(lstsq, abs=1.5), name  # its last bits are the machine's
        assert [kept[3], kept[5]] == [ours, certified], name
        assert 1 / 4 < kept[4] / bound < 4, name


def test_digits_are_of_the_worst_coefficient_capped_and_fifteen_in_every_row():
    for name, (_, plain, centred, ours, bound, _) in cells(STORED).items():
        assert ours == 15.0, name
        assert bound < 1e-15, name
        assert max(plain, centred) < 15 or name.startswith("NoInt"), name
    assert cells(STORED)["Filip"][-1] == 7.6
    assert "7.6 for Filip" in STORED
    truth = [Fraction(2), Fraction(-1, 3)]
    assert nist.digits([2.0, -0.3333], truth) == pytest.approx(4)
    assert nist.digits([2.002, -0.3333], truth) == pytest.approx(3)
    assert nist.digits([2.0, -1 / 3], truth) == nist.MOST
    assert nist.digits([2.0, 5.0], truth) == 0.0


def test_a_wrong_bit_shows_in_the_row(monkeypatch):
    data, solve = next(nist.written()), nist.least_squares
    monkeypatch.setattr(
        nist,
        "least_squares",
        lambda *args, **more: replace(
            found := solve(*args, **more), solution=found.solution * (1 + 2.0**-48)
        ),
    )
    assert nist.measure(data).ours == pytest.approx(48 * np.log10(2), abs=0.1)


def a_file(folder, name, inputs):
    """Write t = 1 + x₁ + … in the layout of NIST's files."""
    x = np.random.default_rng(0).integers(1, 9, size=(30, inputs))
    x[:8, 0] = np.arange(1, 9)  # enough different numbers for all powers
    degree = nist.DEGREES[name] if inputs == 1 else inputs
    powers = x ** np.arange(1, degree + 1) if inputs == 1 else x
    lines = ["NIST/ITL StRD"] + [""] * 28
    lines += [f"        B{j}    1.00000000000000   0.000E+00" for j in range(degree + 1)]
    lines += [""] * (59 - len(lines)) + ["Data:     y    x"]
    for t, row in zip(1 + powers.sum(axis=1), x, strict=True):
        lines.append(f"     {t}   {'  '.join(str(v) for v in row)}")
    (folder / f"{name}.dat").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_command_reads_files_and_writes_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(nist.DEGREES, "Filip", 7)  # there are eight different inputs
    for name in nist.DEGREES:
        a_file(tmp_path, name, 6 if name == "Longley" else 1)
    monkeypatch.setattr(nist, "PAGE", tmp_path / "nist.md")
    monkeypatch.setattr(nist, "ROOT", tmp_path)
    assert nist.main([str(tmp_path)]) == 0
    rows = cells((tmp_path / "nist.md").read_text(encoding="utf-8"))
    assert list(rows) == NAMES
    assert all(rows[name][3] == rows[name][5] == 15.0 for name in nist.DEGREES)
    assert "Written to nist.md." in capsys.readouterr().out


def test_without_a_folder_nothing_is_written(capsys):
    before = nist.PAGE.stat().st_mtime_ns
    assert nist.main([]) == 0
    assert list(cells(capsys.readouterr().out)) == NAMES[4:]
    assert nist.PAGE.stat().st_mtime_ns == before
