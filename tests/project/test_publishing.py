"""What leaves the checkout: the book with or without buttons, releases, containers, JupyterLab."""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
import yaml
from jupyter_book.config import get_final_config
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import bnlib
from tests.oracles import refused
from tests.project.test_project import LOCK, MAKEFILE, PYPROJECT
from tools import book, determinism, environment, lab, release
from tools.project import ROOT

ADDRESS = "https://github.com/owner/name"


def theme(environ, folder):
    """Return the options that the theme is given when the book is built in an environment."""
    path = book.settings(environ, folder)
    given = {"latex_individualpages": False}
    found, _ = get_final_config(user_yaml=path, sourcedir=ROOT, cli_config=given)
    return found["html_theme_options"], found


@pytest.mark.parametrize("repository", ["", ADDRESS])
def test_the_extension_of_the_book_is_found_from_its_settings(repository, tmp_path):
    path = book.settings({"BOOK_REPOSITORY": repository}, tmp_path)
    extensions = yaml.safe_load(path.read_text("utf-8"))["sphinx"]["local_extensions"]
    for name, folder in extensions.items():
        assert (path.parent / folder / f"{name.replace('.', '/')}.py").is_file()


def test_a_book_for_no_repository_has_no_buttons(tmp_path):
    options, _ = theme({"BOOK_BRANCH": "main"}, tmp_path)
    assert not any("repository" in name or name.startswith("use_e") for name in options)
    assert not options.get("use_issues_button")
    assert options["launch_buttons"] == {}
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("branch", "expected"), [("", "main"), ("v1.2.3", "v1.2.3")])
def test_a_book_for_a_repository_has_every_button(branch, expected, tmp_path):
    environ = {"BOOK_REPOSITORY": ADDRESS, "BOOK_BRANCH": branch}
    options, found = theme(environ, tmp_path)
    added = {
        "repository_url": ADDRESS,
        "repository_branch": expected,
        "use_repository_button": True,
        "use_edit_page_button": True,
        "use_issues_button": True,
        "launch_buttons": {
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    }
    plain_options, plain = theme({}, tmp_path)
    assert options == plain_options | added
    written = yaml.safe_load((tmp_path / "config-with-buttons.yml").read_text(encoding="utf-8"))
    ours = yaml.safe_load(book.CONFIG.read_text(encoding="utf-8"))["sphinx"]["local_extensions"]
    assert written["sphinx"]["local_extensions"] == dict.fromkeys(ours, str(ROOT))
    # Nothing else of the book is another one.
    differing = {name for name in plain if plain[name] != found.get(name)}
    assert differing == {"html_theme_options"}
    assert set(found) == set(plain)


def test_what_is_no_repository_is_refused(tmp_path):
    wrong = ["github.com/owner/name", f"{ADDRESS}/", f"{ADDRESS}.git/x", "https://github.com/owner"]
    for address in (*wrong, "yes"):
        told = rf"BOOK_REPOSITORY={re.escape(address)} is not .* Remedy: BOOK_REPOSITORY=https://"
        refused(told, book.settings, {"BOOK_REPOSITORY": address}, tmp_path)


def test_a_release_needs_one_version_and_its_tag(tmp_path):
    citation = tmp_path / "CITATION.cff"
    citation.write_text(f"version: {bnlib.__version__}\n", encoding="utf-8")
    for tag in ("", f"v{bnlib.__version__}"):
        assert release.check_version(tag, citation) == bnlib.__version__
    told = r"The tag v0\.0\.1 is not v.* Remedy: git tag v"
    refused(told, release.check_version, "v0.0.1", citation)
    citation.write_text("version: 0.0.1\n", encoding="utf-8")
    told = r"CITATION\.cff says version 0\.0\.1, .* Remedy: write"
    refused(told, release.check_version, "", citation)
    assert release.check_version("", ROOT / "CITATION.cff") == bnlib.__version__


@pytest.fixture
def small_book(tmp_path):
    folder = tmp_path / "build" / "html"
    (folder / "chapters").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Start</h1>", encoding="utf-8")
    (folder / "chapters" / "claim.html").write_text("<h1>Claim</h1>", encoding="utf-8")
    (folder / "book.pdf").write_bytes(b"%PDF-1.7")
    return folder


def test_a_release_holds_everything_with_true_sums(small_book, tmp_path):
    at = tmp_path / "release"
    (at / "old").mkdir(parents=True)
    release.build(at, small_book, "9.9", lambda path: path.write_text("{}", encoding="utf-8"))
    version, names = bnlib.__version__, sorted(each.name for each in at.iterdir())
    own = ["bnlib-9.9-book.zip", "bnlib-9.9-book.pdf", "bnlib-9.9-sbom.cdx.json"]
    built = [f"bnlib-{version}-py3-none-any.whl", f"bnlib-{version}.tar.gz"]
    assert names == sorted(["SHA256SUMS", *own, *built])
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=at).returncode == 0
    assert len((at / "SHA256SUMS").read_text(encoding="utf-8").splitlines()) == len(names) - 1
    (at / own[0]).write_bytes(b"tampered")
    assert subprocess.run(check, cwd=at, capture_output=True).returncode != 0


def test_the_same_book_gives_the_same_zip(small_book, tmp_path):
    paths = [tmp_path / name / "book.zip" for name in "ab"]
    for path in paths:
        path.parent.mkdir()
        (small_book / "index.html").touch()
        release.zip_book(small_book, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        names = ["book.pdf", "chapters/claim.html", "index.html"]
        assert archive.namelist() == [f"book/{name}" for name in names]
        assert archive.read("book/index.html") == b"<h1>Start</h1>"


def instructions(text):
    """Return the instructions of a Dockerfile: their words, and the rest of each as one line."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in lines.splitlines() if line]


def test_the_steps_of_the_container_are_the_two_commands():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    steps = instructions(text)
    assert steps[0] == ("FROM", "python:3.11-slim-bookworm")
    assert [rest for word, rest in steps if word == "RUN"][1:] == ["make book"]
    assert json.loads(dict(steps)["CMD"]) == ["make", "test"]
    words = [word for word, _ in steps]
    assert words.index("USER") < words.index("COPY"), "nothing of the book runs as root"
    # Installed are the packages that .ci/run installs, and git, which a test of the checkout needs.
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    needed = " ".join(re.findall(r"\binstall ((?!--)[a-z][\w -]*)$", script, re.MULTILINE)).split()
    [packages] = re.findall(r"--no-install-recommends ([\w -]+?)\s*&&", steps[1][1])
    assert set(packages.split()) == {*needed, "git"} - {"python3-venv"}
    workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    for command in re.findall(r"^      - run: (docker .*)$", workflow, re.MULTILINE):
        assert f"#   {command} " in text


def test_the_container_is_given_the_checkout_and_binder_the_lock():
    kept_out = {".git", ".venv", "_build", "**/__pycache__", "**/*.pyc", "mutants"}
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert kept_out < set(listed)
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {each.strip("/") for each in ignored} <= {each.removeprefix("**/") for each in listed}
    assert not any(each.startswith((".ci", ".github", "results", "!")) for each in listed)
    folder = ROOT / "binder"
    [line] = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert (folder / line.removeprefix("-r ")).resolve() == ROOT / "requirements.txt"
    name, _, version = (folder / "runtime.txt").read_text(encoding="utf-8").strip().partition("-")
    assert name == "python"
    assert version in SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert os.access(folder / "postBuild", os.X_OK)


@pytest.mark.parametrize(("group", "program"), [("lab", "jupyterlab"), ("mutants", "mutmut")])
def test_a_lock_of_its_own_has_hashes_and_is_not_in_the_other_one(group, program):
    wanted = {Requirement(each).name for each in PYPROJECT["dependency-groups"][group]}
    text = (ROOT / f"requirements-{group}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+)==.*\\$((?:\n    --hash=sha256:.*)+)", text, re.MULTILINE)
    assert wanted <= {name for name, _ in pins}
    lines = [line for line in text.splitlines() if line and line[0] not in "# "]
    assert len(lines) == len(pins) > 15
    assert not re.search(r"^\s*--(?!hash)|https?://|file://", text, re.MULTILINE)
    assert not re.search(rf"^{program}==", LOCK, re.MULTILINE)


def test_jupyterlab_has_its_own_environment_and_the_python_of_the_checkout(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(environment, "LAB", tmp_path / "lab")
    monkeypatch.setattr(environment, "pip", lambda at, title, *rest, total: ran.append((at, rest)))
    monkeypatch.setattr(venv, "create", lambda at, **options: at.mkdir())
    environment.install("lab")
    [(folder, arguments)] = ran
    assert folder == tmp_path / "lab"
    assert arguments[:2] == ("--require-hashes", "--only-binary=:all:")
    assert arguments[-1] == str(ROOT / "requirements-lab.txt")
    started = []
    own = tmp_path / "share" / "jupyter" / "kernels" / "python3"
    own.mkdir(parents=True)
    (own / "kernel.json").write_text('{"argv": ["python"]}', encoding="utf-8")  # as it brings it
    monkeypatch.setattr(lab, "LAB", tmp_path)
    monkeypatch.setattr(os, "execv", lambda *arguments: started.append(arguments))
    monkeypatch.chdir(tmp_path)
    lab.main(["--no-browser"])
    kernel = json.loads((own / "kernel.json").read_text(encoding="utf-8"))
    assert kernel["argv"][0] == sys.executable
    [(program, arguments)] = started
    assert program == arguments[0] == str(tmp_path / "bin" / "jupyter-lab")
    assert arguments[-1] == "--no-browser"
    assert os.environ.items() >= determinism.FIXED.items()
    page = re.search(r"default_url=/lab/tree/(\S+)", " ".join(arguments))[1]
    assert Path.cwd() == ROOT
    assert (ROOT / page).is_file()


def test_the_documents_of_a_release_name_what_exists():
    text = (ROOT / "RELEASING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`make (\w+)", text)) <= set(re.findall(r"^(\w+):", MAKEFILE, re.M))
    files = re.findall(r"`(\w[\w/]*\.(?:py|cff|md))`", text)
    assert set(files) == {"bnlib/__init__.py", "CITATION.cff", "CHANGELOG.md"}
    assert all((ROOT / file).is_file() for file in files)
    assert not re.search(r"https?://|10\.\d{4,}/", text), "no address that does not exist"
    tags = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    assert tags[True]["push"]["tags"] == ["v*"]
