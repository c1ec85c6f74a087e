"""What the page "Run it again" says to change is changed, run, and followed by the book.

In a copy of the checkout, with the commands of the Makefile; what must follow is computed here by
other means. BNLIB_RECIPES=1 also does what takes long.
"""

import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares

from tests.book import guards
from tests.lacking import only_with
from tools.project import CHAPTERS, ROOT

PAGE = (CHAPTERS / "run.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
GENERATED = shutil.ignore_patterns(".*", "_build", "__pycache__", "mutants")
SECTIONS = re.findall(r"\n### (.*?)\n(.*?)(?=\n### |\n\(sec-where\))", PAGE, re.DOTALL)


def recipe(title):
    """Return the file to edit, the lines taken out and put in, and the commands."""
    section = dict(SECTIONS)[title]
    [diff] = re.findall(r"```diff\n--- (\S+)\n(.*?)```", section, re.DOTALL)
    [commands] = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    old, new = (
        "".join(line[1:] for line in diff[1].splitlines(keepends=True) if line[0] in kept)
        for kept in ("- ", "+ ")
    )
    assert len((diff[1] + commands).splitlines()) <= 10
    return diff[0], old, new, commands.splitlines()


def edit(path, old, new):
    """Replace lines that are there once, in a file or in the cells of a notebook."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        notebook = json.loads(text)
        sources = [guards.text(cell["source"]) + "\n" for cell in notebook["cells"]]
        assert "".join(sources).count(old) == 1
        for cell, source in zip(notebook["cells"], sources, strict=True):
            cell["source"] = source.replace(old, new).removesuffix("\n")
        path.write_text(json.dumps(notebook), encoding="utf-8")
    else:
        assert text.count(old) == 1
        path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def copied(tmp_path):
    """Return a copy of the checkout, with an environment that imports from there."""
    folder = tmp_path / "copy"
    shutil.copytree(ROOT, folder, ignore=GENERATED)
    venv.create(folder / ".venv", symlinks=True)
    [packages] = (folder / ".venv").glob("lib/python3*/site-packages")
    # As a path, so that the editable installation in there, of this checkout, does not count.
    paths = f"{folder}\n{sysconfig.get_path('purelib')}\n"
    (packages / "copy.pth").write_text(paths, encoding="utf-8")
    program = folder / ".venv" / "bin" / "jupyter-book"
    start = "from jupyter_book.cli.main import main\nmain()\n"
    program.write_text(f"#!{program.with_name('python')}\n{start}", encoding="utf-8")
    program.chmod(0o755)
    return folder


def follow(title, folder, book=False):
    """Do what the page says; return the chapter that was executed."""
    name, old, new, commands = recipe(title)
    edit(folder / name, old, new)
    rerun, build = commands
    chapter = re.fullmatch(r'make rerun CHAPTERS="([\w-]+)"', rerun)[1]
    assert build == "make book"
    for target in ["rerun", "book"][: 1 + book]:
        [steps] = re.findall(rf"^{target}:.*\n((?:\t@.*\n)+)", MAKEFILE, re.MULTILINE)
        steps = steps.replace("$(VENV_PYTHON)", ".venv/bin/python").replace("$(CHAPTERS)", chapter)
        for step in steps.replace("\t@", "").splitlines():
            done = subprocess.run(step.split(), cwd=folder, capture_output=True, text=True)
            assert done.returncode == 0, f"{step}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return guards.read(folder / "chapters" / f"{chapter}.ipynb")


def shown(notebook):
    """Return what the cells of a notebook show, by id."""
    return {cell["id"]: cell["outputs"] for cell in notebook["cells"] if "outputs" in cell}


def printed(notebook, cell):
    return "".join(guards.text(each.get("text", "")) for each in shown(notebook)[cell])


def changed(notebook, name):
    """Return the cells that show something else than in this checkout."""
    before, after = shown(guards.read(CHAPTERS / f"{name}.ipynb")), shown(notebook)
    assert [*before] == [*after]
    return {each for each in before if before[each] != after[each]}


def test_the_page_has_three_recipes_and_what_they_take_out_is_there(tmp_path):
    assert [title for title, _ in SECTIONS] == ["A seed", "The learning set", "An activation"]
    for title, _ in SECTIONS:
        name, old, new, (_, build) = recipe(title)
        assert build == "make book"
        edit(Path(shutil.copy(ROOT / name, tmp_path)), old, new)


def test_a_recipe_for_a_line_that_is_not_there_is_noticed(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\nb = 1\n", encoding="utf-8")
    edit(tmp_path / "a.py", "a = 1\n", "a = 2\n")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "a = 2\nb = 1\n"
    with pytest.raises(AssertionError):
        edit(tmp_path / "a.py", "a = 1\n", "a = 2\n")


def test_another_seed_changes_the_counts_and_nothing_else(copied):
    notebook = follow("A seed", copied)
    assert changed(notebook, "counterexample") == {"share"}
    row = r"^\w+ +([\d.]+) +counted ([\d.]+) ± ([\d.]+)"
    rows = re.findall(row, printed(notebook, "share"), re.MULTILINE)
    assert len(rows) == 3
    for law, counted, error in np.array(rows, dtype=float):
        assert abs(counted - law) < 4 * error


def rational(inputs, targets):
    """Return W*, the slope of least squares with intercept, and the lemma's left side at W*."""

    def solve(rows, right):  # Cramer's rule, two by two
        (a, b), (c, d) = rows
        e, f = right
        return Fraction(e * d - b * f, a * d - b * c), Fraction(a * f - e * c, a * d - b * c)

    def moments(x, t):
        pairs = [[sum(r[i] * r[j] for r in x) for j in (0, 1)] for i in (0, 1)]
        return pairs, [sum(r[i] * each for r, each in zip(x, t, strict=True)) for i in (0, 1)]

    m, sums = len(targets), [sum(column) for column in zip(*inputs, strict=True)]
    centred = [[m * each - total for each, total in zip(r, sums, strict=True)] for r in inputs]
    star = solve(*moments(inputs, targets))
    hat = solve(*moments(centred, [m * each - sum(targets) for each in targets]))
    across = star[0] * hat[1] - star[1] * hat[0]
    return star, hat, across**2 / (hat[0] ** 2 + hat[1] ** 2)


def test_other_three_points_are_followed_by_chapter_and_page(copied):
    build = os.environ.get("BNLIB_RECIPES") == "1"
    notebook = follow("The learning set", copied, book=build)
    _, _, new, _ = recipe("The learning set")
    points = re.search(r"LearningSet\((.*)\)", new)
    star, hat, left = rational(*json.loads(f"[{points[1]}]"))
    assert f"W*   = [{star[0]}, {star[1]}]\n" in printed(notebook, "standard-optimum")
    assert hat == (5, 3), "the published ray"
    assert f"û = [{hat[0]}, {hat[1]}]\n" in printed(notebook, "bn-optima-exact")
    told = f"left side:  {left}\nright side: 0\nlemma holds: False\n"
    assert told in printed(notebook, "verdict")
    section = dict(SECTIONS)["The learning set"]
    assert rf"$\Wstar=({star[0]},{star[1]})$" in section
    assert f"by ${left}$" in section
    assert points[0] in section.rpartition("\n\nIn a downloaded")[2]
    if build:
        page = (copied / "_build/html/chapters/counterexample.html").read_text("utf-8")
        brief = re.sub(r"<[^>]*>", "", page[page.index("In brief") :][:3000])
        assert f"the left side of the lemma is {left} and the right side 0" in brief


@only_with("BNLIB_RECIPES", "executes a long chapter")
def test_another_activation_gets_its_row(copied):
    notebook = follow("An activation", copied)
    found = printed(notebook, "search")
    [row] = re.findall(r"^arctan +\( *(.*?), *(.*?)\) .* (\d+) +([\d.]+)°$", found, re.MULTILINE)
    x = np.array([(1, 0), (0, 1), (1, 1), (-1, 1)])
    t = np.array([3, 1, 3.5, 0.5]) / 4
    star = least_squares(lambda w: np.arctan(x @ w) - t, [0.5, 0.5], xtol=1e-15).x
    turn = np.radians(np.arange(0, 360, 0.01))
    y = x @ [np.cos(turn), np.sin(turn)]
    loss = np.mean((np.arctan((y - y.mean(axis=0)) / y.std(axis=0)) - t[:, None]) ** 2, axis=0)
    lowest = turn[(loss < np.roll(loss, 1)) & (loss < np.roll(loss, -1))]
    apart = np.degrees(lowest - np.arctan2(*star[::-1]))
    theta = np.abs((apart + 180) % 360 - 180).min()
    assert row == (f"{star[0]:.3f}", f"{star[1]:.3f}", str(len(lowest)), f"{theta:.1f}")
    # The rows of the others stay, and nothing else than their number follows.
    before = printed(guards.read(CHAPTERS / "activations.ipynb"), "search")
    others = [line for line in found.splitlines() if not line.startswith("arctan")]
    assert others == before.splitlines()
    assert changed(notebook, "activations") == {"learning-set", "search", "glued"}
