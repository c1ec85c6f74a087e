"""Write what is made from `CITATION.cff` and `pyproject.toml`: other formats of the metadata.

`citation.bib` and `citation.txt` (BibTeX and APA), which the pages show; `codemeta.json`; and
`codecheck.yml` with `manifest.sha256`, the outputs that a check of this project is about.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from tools.project import ROOT, write_made
from tools.toc import notebooks

# What the workflow creates, beside the chapters: pattern, and what it is.
OUTPUTS = (
    ("chapters/*.svg", "a figure of the landing page; written by: make rerun"),
    ("results/*.json", "the summary of a large run; written by: make sweep"),
    ("benchmarks/*.md", "a table of benchmarks"),
)
CODEMETA = "https://w3id.org/codemeta/3.0"
CODECHECK = "https://codecheck.org.uk/spec/config/1.0/"
# Combining marks, and what TeX calls them.
ACCENTS = {"\u0301": "'", "\u0300": "`", "\u0308": '"', "\u0302": "^", "\u0328": "k"}
TYPES = {"article": "misc", "conference-paper": "inproceedings"}


def source() -> dict[str, Any]:
    """Return the content of CITATION.cff."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return content


def arxiv(reference: dict[str, Any]) -> str:
    """Return the arXiv number of a reference."""
    (value,) = [each["value"] for each in reference["identifiers"] if "arXiv" in each["value"]]
    return str(value).removeprefix("arXiv:")


def key(reference: dict[str, Any]) -> str:
    """Return the key of a BibTeX entry: first author and year."""
    return f"{reference['authors'][0]['family-names'].lower()}{reference['year']}"


def tex(text: str) -> str:
    """Return `text` with accents as TeX writes them, for every version of BibTeX."""
    written = ""
    for letter in text:
        base, *marks = list(unicodedata.normalize("NFD", letter))
        written += f"{{\\{ACCENTS[marks[0]]}{{{base}}}}}" if marks else letter
    return written


def bibtex(cff: dict[str, Any]) -> str:
    """Return this book and the papers it is about as BibTeX entries."""
    date = str(cff["date-released"])
    fields = {
        "author": "{" + " and ".join(each["name"] for each in cff["authors"]) + "}",
        "title": "{" + cff["title"] + "}",
        "year": date[:4],
        "month": str(int(date[5:7])),
        "note": f"Version {cff['version']}",
    }
    entries = [("misc", f"bnlib{date[:4]}", fields)]
    for each in cff["references"]:
        names = [f"{one['family-names']}, {one['given-names']}" for one in each["authors"]]
        fields = {"author": tex(" and ".join(names)), "title": "{" + each["title"] + "}"}
        if "conference" in each:
            fields["booktitle"] = each["conference"]["name"]
        fields |= {"year": str(each["year"]), "eprint": arxiv(each), "archiveprefix": "arXiv"}
        entries.append((TYPES[each["type"]], key(each), fields))
    lines = []
    for kind, name, fields in entries:
        lines += [f"@{kind}{{{name},", *(f"  {a} = {{{b}}}," for a, b in fields.items()), "}", ""]
    return "\n".join(lines)


def apa(cff: dict[str, Any]) -> str:
    """Return the same in the style of the American Psychological Association."""
    names = " & ".join(each["name"] for each in cff["authors"])
    year, said = str(cff["date-released"])[:4], f"{cff['title']} (Version {cff['version']})"
    lines = [f"{names}. ({year}). {said} [Computer software]."]
    for each in cff["references"]:
        people = [
            f"{one['family-names']}, {' '.join(f'{n[0]}.' for n in one['given-names'].split())}"
            for one in each["authors"]
        ]
        by = ", ".join(people[:-1]) + f", & {people[-1]}"
        where = f"In {each['conference']['name']}" if "conference" in each else "arXiv"
        title = each["title"] if each["title"].endswith("?") else f"{each['title']}."
        lines.append(f"{by} ({each['year']}). {title} {where}. arXiv:{arxiv(each)}")
    return "\n\n".join(lines) + "\n"


def codemeta(cff: dict[str, Any], project: dict[str, Any]) -> str:
    """Return the metadata as CodeMeta, JSON-LD with the terms of schema.org."""
    papers = [
        {
            "@type": "ScholarlyArticle",
            "name": each["title"],
            "identifier": f"arXiv:{arxiv(each)}",
            "datePublished": str(each["year"]),
            "author": [
                {
                    "@type": "Person",
                    "givenName": one["given-names"],
                    "familyName": one["family-names"],
                }
                for one in each["authors"]
            ],
        }
        for each in cff["references"]
    ]
    content = {
        "@context": CODEMETA,
        "@type": "SoftwareSourceCode",
        "name": cff["title"],
        "description": " ".join(cff["abstract"].split()),
        "version": cff["version"],
        "dateModified": str(cff["date-released"]),
        "author": [{"@type": "Organization", "name": each["name"]} for each in cff["authors"]],
        "license": [f"https://spdx.org/licenses/{each}" for each in cff["license"]],
        "keywords": cff["keywords"],
        "programmingLanguage": "Python",
        "runtimePlatform": f"Python {project['requires-python']}",
        "softwareRequirements": project["dependencies"],
        "referencePublication": papers,
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def outputs(root: Path = ROOT) -> list[tuple[str, str]]:
    """Return the files that the workflow creates, and what each is."""
    found = []
    for path in notebooks():
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        title = "".join(first).splitlines()[0].lstrip("# ")
        found.append((str(path.relative_to(ROOT)), f"{title}; written by: make rerun"))
    for pattern, comment in OUTPUTS:
        found += [(str(path.relative_to(root)), comment) for path in sorted(root.glob(pattern))]
    return found


def codecheck(cff: dict[str, Any]) -> str:
    """Return the configuration of a CODECHECK; who checks adds who, when and the report."""
    content = {
        "version": CODECHECK,
        "paper": {
            "title": cff["title"],
            "authors": [{"name": each["name"]} for each in cff["authors"]],
        },
        "manifest": [{"file": file, "comment": comment} for file, comment in outputs()],
    }
    head = "# Written by `make record`. Checksums of the same files: sha256sum -c manifest.sha256\n"
    body: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    return head + body


def manifest(root: Path = ROOT) -> str:
    """Return the checksums of all outputs, as `sha256sum -c` reads them."""
    sums = ((hashlib.sha256((root / file).read_bytes()).hexdigest(), file) for file, _ in outputs())
    return "".join(f"{checksum}  {file}\n" for checksum, file in sums)


def files() -> dict[str, str]:
    """Return the text of every file that is made from others, by name."""
    cff = source()
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return {
        "citation.bib": bibtex(cff),
        "citation.txt": apa(cff),
        "codemeta.json": codemeta(cff, tomllib.loads(text)["project"]),
        "codecheck.yml": codecheck(cff),
        "manifest.sha256": manifest(),
    }


if __name__ == "__main__":
    for name, text in files().items():
        write_made(ROOT / name, text)
