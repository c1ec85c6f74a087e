"""The guards: what every chapter must satisfy beyond what nbval compares."""

from __future__ import annotations

import pytest

from tests.book import guards
from tools import toc
from tools.project import CHAPTERS, ROOT

CHAPTER_FILES = sorted(CHAPTERS.glob("**/*.ipynb"))


@pytest.mark.parametrize("path", CHAPTER_FILES, ids=lambda path: path.stem)
def test_chapter_satisfies_every_guard(path):
    if problems := guards.problems(path):
        pytest.fail("\n".join(problems), pytrace=False)


def test_words_are_those_that_a_reader_meets():
    prose = "one two $a + b$ four\n\n$$\nx + y\n$$\n"
    folded = "```{admonition} Solution\n:class: dropdown\nfive six\n```\n"
    nested = "````{dropdown} Proof\nseven\n```{note}\neight\n```\n````\n"
    shown = "```{note}\nfive six\n```"
    cells = [{"cell_type": "markdown", "source": prose + each} for each in (folded, nested, shown)]
    counted = [guards.words({"cells": [cell]}) for cell in cells]
    assert counted == [4, 4, 4 + len(shown.split())]
    long = {"cells": [{"cell_type": "markdown", "source": "word " * (guards.WORDS + 1)}]}
    assert [problem for _, problem, _ in guards.short(long)] == ["has 2001 words, more than 2000"]


def test_every_chapter_is_in_the_book_and_every_entry_exists():
    in_book = {path.resolve() for path in toc.notebooks()}
    on_disk = {path.resolve() for path in CHAPTER_FILES if ".ipynb_checkpoints" not in path.parts}
    assert on_disk, "chapters/ holds no notebook. Remedy: restore it"
    assert on_disk - in_book == set(), "not in _toc.yml. Remedy: add them, or remove the files"
    missing = [
        entry
        for entry in toc.entries()
        if not any((ROOT / f"{entry}{suffix}").is_file() for suffix in (".ipynb", ".md"))
    ]
    assert missing == [], "in _toc.yml, but no such file. Remedy: write them, or remove the entries"


def test_nbval_compares_every_output_of_every_chapter(pytestconfig):
    """The options of the run that is going on now, wherever they came from."""
    option = pytestconfig.option
    assert option.nbval, "Remedy: keep --nbval in pyproject.toml's addopts"
    assert option.nbval_current_env, "Remedy: keep --nbval-current-env in pyproject.toml's addopts"
    assert not option.nbval_lax, "Remedy: no --nbval-lax, it compares only marked cells"
    assert not option.nbval_sanitize_with, "Remedy: print stable values instead of sanitizing"
    assert not option.sanitize_with, "Remedy: print stable values instead of sanitizing"
    assert "chapters" in pytestconfig.getini("testpaths"), "Remedy: add chapters to testpaths"
    assert not option.ignore, "Remedy: remove --ignore; every chapter is run"
    assert not option.ignore_glob, "Remedy: remove --ignore-glob; every chapter is run"
