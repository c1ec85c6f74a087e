"""Each package of the lock has a licence that is fit, and the book carries the texts it must."""

import re
from importlib.metadata import distribution

import pytest

from tests.oracles import refused
from tools import licences
from tools.project import ROOT

NAMES = licences.pinned(licences.LOCK.read_text(encoding="utf-8"))
# Where a file of the book comes from, by its path: what says so in the notices.
CARRIED = {
    "mathjax/": "MathJax (mathjax/)",
    "vendor/fontawesome/": "Font Awesome Free (vendor/fontawesome/",
    "scripts/bootstrap.js": "Bootstrap (scripts/bootstrap.js",
    "clipboard.min.js": "clipboard.js (clipboard.min.js)",
}


def test_every_pinned_package_has_its_licence_in_the_table():
    made = licences.page(NAMES)
    assert licences.TABLE.read_text(encoding="utf-8") == made, "Remedy: make record"
    assert re.findall(r"^\| ([a-z0-9-]+) \|", made, re.MULTILINE)[1:] == NAMES
    assert {"numpy", "sphinx", "colorama"} < {*NAMES}


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License-Expression: AGPL-3.0-only", None),
        ("License-Expression: MIT AND GPL-2.0-only", None),
        ("License: Apache-2.0\nClassifier: License :: OSI Approved :: BSD License", "Apache-2.0"),
        ("Classifier: License :: OSI Approved :: BSD License", "BSD"),
        ("Classifier: License :: Other/Proprietary License", None),
        ("License: ask us", None),
        ("Summary: nothing said", None),
    ],
)
def test_an_unknown_or_unfit_licence_is_named(said, licence, tmp_path, monkeypatch):
    folder = tmp_path / "planted-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: planted\nVersion: 1\n{said}\n")
    monkeypatch.syspath_prepend(tmp_path)
    if licence:
        assert f"| planted | {licence} |" in licences.page(["numpy", "planted"])
    else:
        refused("^licences: planted: .*; read it", licences.page, ["numpy", "planted"])
    refused("^licences: no-such-package: unknown; read it", licences.page, ["no-such-package"])


def test_the_book_carries_the_licences_of_what_it_carries(html):
    folder, static = html / "_static" / "licences", html / "_static"
    texts = (folder / "others.txt").read_text(encoding="utf-8")
    assert texts == licences.texts(), "Remedy: make record"
    for path, notice in CARRIED.items():
        assert (static / path).exists(), f"{path}: is the notice still needed?"
        assert notice in texts
    for name, begins in (("Apache-2.0.txt", "Apache License"), ("OFL-1.1.txt", "SIL OPEN FONT")):
        assert (folder / name).read_text(encoding="utf-8").lstrip().startswith(begins)
    own = {path.name for path in (ROOT / "_static").iterdir()} | {"previews", "mathjax"}
    paths = (path for path in static.rglob("*.*") if not {*path.relative_to(static).parts} & own)
    made = r"pygments\.css|mystnb\.[0-9a-f]+\.css|formulas\.css"  # by Pygments, MyST-NB, MathJax
    files = {path.name for path in paths if not re.fullmatch(made, path.name)}
    files = {re.sub(r"\.woff$", ".ttf", name) for name in files}  # from which it is cut
    assert len(files) > 15
    for name in licences.CARRIED:  # whose other files are here?
        files -= {re.sub(r"(_t|\.jinja)$", "", each.name) for each in distribution(name).files}
    assert files == set()
