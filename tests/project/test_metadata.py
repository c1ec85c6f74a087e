"""The metadata are made from one source, valid in their formats, and about the files that are."""

import hashlib
import json
import re
import subprocess

import jsonschema
import pytest
import yaml

from tests.project.test_project import PYPROJECT
from tools import metadata, toc
from tools.project import CHAPTERS, ROOT

SCHEMAS = ROOT / "tests" / "project" / "schemas"
CFF = metadata.source()


@pytest.mark.parametrize("name", sorted(metadata.files()))
def test_a_file_is_the_one_made_from_its_source(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert text == metadata.files()[name], "Remedy: make record"


def cff_errors(content):
    """Return what the format's own schema says of a CITATION.cff."""
    schema = json.loads((SCHEMAS / "cff-1.2.0.json").read_text(encoding="utf-8"))
    as_json = json.loads(json.dumps(content, default=str))
    errors = jsonschema.Draft7Validator(schema).iter_errors(as_json)
    return ["/".join(map(str, error.absolute_path)) or error.message for error in errors]


def test_citation_cff_is_valid_and_an_invalid_one_is_noticed():
    assert cff_errors(CFF) == []
    wrong = {"cff-version": "1.1.0", "date-released": "25.11.2026", "licence": "BSD-3-Clause"}
    for name, value in (wrong | {"authors": [], "doi": "10.5281"}).items():
        assert any(name in each for each in cff_errors(CFF | {name: value})), name
    assert not (ROOT / ".zenodo.json").exists(), "Zenodo reads CITATION.cff if there is none"


def foreign_terms(content, terms):
    """Yield each key of a JSON-LD document that its context does not define."""
    if isinstance(content, dict):
        for key, value in content.items():
            if not key.startswith("@") and key not in terms:
                yield key
            yield from foreign_terms(value, terms)
    elif isinstance(content, list):
        for each in content:
            yield from foreign_terms(each, terms)


def test_codemeta_and_codecheck_use_the_terms_of_their_formats():
    context = json.loads((SCHEMAS / "codemeta-3.0.jsonld").read_text(encoding="utf-8"))["@context"]
    content = json.loads((ROOT / "codemeta.json").read_text(encoding="utf-8"))
    assert list(foreign_terms(content, context)) == []
    assert list(foreign_terms({"name": [{"firstName": "A"}]}, context)) == ["firstName"]
    assert content["@context"] == metadata.CODEMETA
    assert content["softwareRequirements"] == PYPROJECT["project"]["dependencies"]
    content = yaml.safe_load((ROOT / "codecheck.yml").read_text(encoding="utf-8"))
    assert content["version"] == "https://codecheck.org.uk/spec/config/1.0/"
    assert all(set(each) == {"file", "comment"} for each in content["manifest"])
    assert all((ROOT / each["file"]).is_file() for each in content["manifest"])
    assert all(set(each) <= {"name", "ORCID"} for each in content["paper"]["authors"])


def test_the_manifest_has_every_output_and_notices_a_changed_one(tmp_path):
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    committed = tracked.stdout.split() or [file for file, _ in metadata.outputs()]
    pattern = re.compile(r"chapters/.*\.(ipynb|svg)|results/.*\.json")
    listed = {line.split("  ")[1]: line for line in metadata.manifest().splitlines()}
    assert {each for each in committed if pattern.fullmatch(each)} <= set(listed)
    assert {f"{entry}.ipynb" for entry in toc.entries()} & set(listed)
    for file in listed:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((ROOT / file).read_bytes())
    assert metadata.manifest(tmp_path) == metadata.manifest()
    (tmp_path / "chapters" / "claim.ipynb").write_bytes(b"{}")
    old = set(metadata.manifest().splitlines())
    (changed,) = set(metadata.manifest(tmp_path).splitlines()) - old
    assert changed == f"{hashlib.sha256(b'{}').hexdigest()}  chapters/claim.ipynb"


def test_a_reader_can_copy_what_the_page_shows_and_papers_are_those_of_the_references():
    for page in ("cite.md", "index.ipynb"):
        text = (CHAPTERS / page).read_text(encoding="utf-8")
        assert "../citation.bib" in text
        assert "../citation.txt" in text
    entries = re.findall(r"^@(\w+)\{(\w+),\n((?:  .*\n)+)\}$", metadata.bibtex(CFF), re.MULTILINE)
    assert [name for _, name, _ in entries] == ["bnlib2026", "dannemann2025", "santurkar2018"]
    assert f"Version {CFF['version']}" in entries[0][2]
    # The BibTeX of the book's own list is typed by hand: the same authors, titles and numbers.
    typed = (ROOT / "references.bib").read_text(encoding="utf-8")
    made = metadata.bibtex(CFF)
    for name in ("santurkar2018", "dannemann2025"):
        for field in ("author", "title", "year", "eprint"):
            pattern = rf"@\w+\{{{name},\n(?:  .*\n)*?  {field}\s*= \{{+(.*?)\}}+,\n"
            one, other = (re.search(pattern, text)[1] for text in (typed, made))
            assert one == other, (name, field)


def test_accents_are_written_for_every_bibtex():
    known = {"Mądry": "M{\\k{a}}dry", "Müller": 'M{\\"{u}}ller', "Ilyas": "Ilyas"}
    assert {name: metadata.tex(name) for name in known} == known
    with pytest.raises(KeyError):
        metadata.tex("Erdős")
