"""A chapter that a reader downloads runs where nothing of this checkout is.

Installing takes minutes, and running as long as the chapters do: with BNLIB_DOWNLOADS=1 all
chapters are downloaded from a served book into an empty environment, installed as they say there,
run, and compared with the stored outputs.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections import defaultdict
from pathlib import Path
from urllib.parse import urljoin

import pytest
from packaging.requirements import Requirement

import bnlib
from bn_experiments.sweeps.experiment import NAMES
from tests import lacking
from tests.book import guards
from tests.book.test_book import served
from tests.project.test_project import LOCK, PIN, run
from tools import downloads, toc
from tools.project import CHAPTERS, ROOT

FILES = toc.notebooks()
# What the tests set for chapters, or a user for another environment.
SETTINGS = (
    *("BNLIB", "IPYTHON", "JAX", "JUPYTER", "MATPLOTLIB", "MKL", "OMP", "OPENBLAS"),
    *("PIP_TARGET", "PIP_USER", "PY", "VIRTUAL_ENV"),
)


def told(text):
    """Return the commands of pip and jupyter in a text, as lines."""
    return re.findall(r"^ *((?:pip install|jupyter execute) .*?) *$", text, re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(html):
    [path] = (html / "run").glob("*.whl")
    return path


def test_the_book_carries_one_wheel_and_the_same_source_gives_the_same_bytes(wheel, tmp_path):
    assert wheel.name == f"bnlib-{bnlib.__version__}-py3-none-any.whl"
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_without_the_checkout_the_stored_results_are_those_of_the_wheel(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import json, sys; from bn_experiments import sweeps; print(sweeps.__file__);"
    code += "print(json.dumps([sweeps.stored_summary(name) for name in sys.argv[1:]]))"
    where, found = run(sys.executable, "-c", code, *NAMES, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(tmp_path)
    stored = [json.loads((ROOT / "results" / f"{name}.json").read_text("utf-8")) for name in NAMES]
    assert json.loads(found) == stored


def test_the_constraints_are_the_pins_of_the_lock(html):
    lines = (html / "run" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [f"{pinned}{marker}".strip() for pinned, marker, _ in PIN.findall(LOCK)]
    requirements = [Requirement(line) for line in lines]
    assert not any(each.extras or each.url for each in requirements), "pip refuses these"
    assert all(len(each.specifier) == 1 for each in requirements)


def test_the_command_asks_for_what_the_chapters_import():
    asked = re.search(r'"(.*)"', downloads.COMMAND)[1]
    requirement = Requirement(asked.replace("BOOK", "http://b"))
    assert requirement.name == "bnlib"
    assert requirement.extras == {"book", "certify", "data", "network"}
    assert requirement.url == f"http://b/run/bnlib-{bnlib.__version__}-py3-none-any.whl"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_page_and_notebook_say_how_to_run_a_chapter(path, html):
    page = (html / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    [said] = re.findall(r'<div class="[^"]*\bdropdown\b[^"]*\brun-it\b.*?</section>', page, re.S)
    shown = re.sub(r"<[^>]*>", "", said).replace("&quot;", '"')
    execute = f"jupyter execute --inplace {path.name}"
    assert told(shown) == [downloads.COMMAND, execute]
    notebook = guards.read(html / "_sources" / "chapters" / path.name)
    first, *others = notebook["cells"]
    assert told(guards.text(first["source"])) == [downloads.COMMAND]
    assert notebook | {"cells": others} == guards.read(path), "the chapter itself is another one"
    needs = path in lacking.CHAPTERS_WITH_JAX
    assert ("needs JAX" in shown) == ("needs JAX" in guards.text(first["source"])) == needs


@pytest.mark.parametrize("name", ["run", "claim"])
def test_the_command_on_a_page_has_the_address_of_the_book(name, html, chromium, page):
    with served() as http:
        for book in (html.as_uri(), http.rstrip("/")):
            page.goto(f"{book}/chapters/{name}.html?highlight=pip#top")
            page.wait_for_load_state("load")
            code = page.locator(".run-it pre").first
            assert code.text_content().strip() == downloads.COMMAND.replace("BOOK", book)
            assert page.locator(".without-address").is_hidden()
        page = chromium.new_page(java_script_enabled=False)
        page.goto(f"{http}chapters/{name}.html")
        assert downloads.COMMAND in page.locator(".run-it pre").first.text_content()
        hint = page.locator(".without-address")
        assert "up to /chapters" in hint.text_content()
        assert hint.get_attribute("hidden") is None
        page.close()


def outputs(cell):
    """Return what a cell shows: its streams, in whatever pieces they came, and the rest."""
    streams, others = defaultdict(str), []
    for each in cell["outputs"]:
        if each["output_type"] == "stream":
            streams[each["name"]] += guards.text(each["text"])
        else:
            others.append({**each, "execution_count": None})
    return streams, others


def differing(ran, stored):
    """Return the code cells that show something else than those stored."""
    pairs = zip(ran["cells"], stored["cells"], strict=True)
    return [
        new["id"]
        for new, old in pairs
        if "outputs" in old
        and (outputs(new) != outputs(old) or new["execution_count"] != old["execution_count"])
    ]


def test_a_changed_output_is_noticed():
    stored, ran = (guards.read(CHAPTERS / "claim.ipynb") for _ in range(2))
    [cell] = [each for each in ran["cells"] if each["id"] == "geometry-symbolic"]
    [stream] = cell["outputs"]
    lines = guards.text(stream["text"]).splitlines(keepends=True)
    cell["outputs"] = [{**stream, "text": line} for line in lines]
    assert len(lines) > 1
    assert differing(ran, stored) == []
    cell["outputs"][-1] = {**stream, "text": lines[-1].replace("0", "1")}
    assert differing(ran, stored) == ["geometry-symbolic"]
    cell["outputs"] = []
    assert differing(ran, stored) == ["geometry-symbolic"]


@pytest.fixture(scope="module")
def elsewhere(html, tmp_path_factory):
    """Serve the book to an empty environment in an empty folder; yield a runner of commands."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "env", with_pip=True)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    environ["PATH"] = f"{folder / 'env' / 'bin'}{os.pathsep}{environ['PATH']}"

    def run(command):
        start = time.monotonic()
        options = {"cwd": folder, "env": environ, "capture_output": True, "text": True}
        done = subprocess.run(command, shell=True, **options)
        print(f"{time.monotonic() - start:7.1f} s  {command}")
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"

    with served() as book:
        yield book, folder, run, set()


@lacking.only_with("BNLIB_DOWNLOADS", "takes as long as all chapters")
@pytest.mark.parametrize("chapter", FILES, ids=lambda path: path.stem)
def test_a_downloaded_chapter_runs_in_an_empty_environment(chapter, elsewhere):
    book, folder, run, installed = elsewhere
    if chapter in lacking.CHAPTERS_WITH_JAX and not lacking.has_jax():
        pytest.skip(lacking.NO_JAX)
    page = f"{book}chapters/{chapter.stem}.html"
    with urllib.request.urlopen(page) as answer:
        [link] = re.findall(r'<a href="([^"]+\.ipynb)"[^>]*download', answer.read().decode())
    urllib.request.urlretrieve(urljoin(page, link), folder / chapter.name)
    notebook = guards.read(folder / chapter.name)
    [install] = told(guards.text(notebook["cells"][0]["source"]))
    if install not in installed:  # the first chapter; the others say the same
        run(install.replace("BOOK", book.rstrip("/")))
        installed.add(install)
    run(f"jupyter execute --inplace {chapter.name}")
    ran = guards.read(folder / chapter.name)
    assert differing({"cells": ran["cells"][1:]}, guards.read(chapter)) == []
