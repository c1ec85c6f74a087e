"""What the extension of the book makes of formulas and of names of files."""

import re
from types import SimpleNamespace

import pytest
from docutils import nodes, utils

from tools import pages
from tools.project import ROOT


def paragraph(*children):
    return nodes.paragraph("", "", *children)


def kept(text):
    """Return the text that is kept with formulas, $ standing for one, after the transform."""
    parts = re.split(r"(\$)", text)
    whole = paragraph(*(nodes.math("$", "$") if p == "$" else nodes.Text(p) for p in parts if p))
    for formula in list(whole.findall(nodes.math)):
        pages.UnbrokenFormulas.keep(formula)
    assert whole.astext() == text
    return [each.astext() for each in whole.findall(nodes.inline)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("if $, then", ["$,"]),
        ("if $ holds", []),
        ("($, $), and $.", ["($,", "$),", "$."]),
        ("of $’s side", ["$’s"]),
        ("the $-axis", ["$-"]),
        ("“$”", ["“$”"]),
        ("$ (see $)", ["$)"]),
        ("$$", []),
    ],
)
def test_punctuation_stays_with_its_formula(text, expected):
    assert kept(text) == expected


def test_the_comma_after_a_formula_in_bold():
    bold = nodes.strong("", "", nodes.math("$", "$"))
    whole = paragraph(bold, nodes.Text(", so"))
    pages.UnbrokenFormulas.keep(bold[0])
    assert [each.astext() for each in whole.children] == ["$,", " so"]
    assert bold in whole[0].children


@pytest.mark.parametrize("name", ["claims.toml", "tests/book/test_pages.py::test_any", "Makefile"])
def test_a_file_of_the_project_is_known(name):
    assert pages.file_named(name) == name.split("::")[0]


@pytest.mark.parametrize("name", ["bnlib", "results", "", "::x", "../x", str(ROOT / "Makefile")])
def test_what_is_no_file_of_the_project_is_not(name):
    assert pages.file_named(name) is None


def test_a_large_file_is_not_carried(tmp_path):
    for size, expected in [(pages.LARGEST, "a.json"), (pages.LARGEST + 1, None)]:
        (tmp_path / "a.json").write_bytes(b" " * size)
        assert pages.file_named("a.json", tmp_path) == expected


def linked(theme, *children):
    """Return a paragraph after the transform, in a book with these options of its theme."""
    document = utils.new_document("x")
    config = SimpleNamespace(html_theme_options=theme)
    document.settings.env = SimpleNamespace(config=config, docname="chapters/x")
    document += paragraph(*children)
    pages.LinkedFiles(document).apply()
    return document[0]


def test_a_file_is_a_link_to_the_repository_or_to_a_copy():
    theme = {"repository_url": "https://example.org/a/b", "repository_branch": "main"}
    (link,) = linked(theme, nodes.literal("", "claims.toml"))
    assert link["refuri"] == "https://example.org/a/b/blob/main/claims.toml"
    (copy,) = linked({}, nodes.literal("", "claims.toml"))
    assert copy["reftarget"] == "/claims.toml"
    assert copy.astext() == "claims.toml"


def test_other_literals_and_links_stay():
    (plain,) = linked({}, nodes.literal("", "bnlib"))
    assert isinstance(plain, nodes.literal)
    link = nodes.reference("", "", nodes.literal("", "claims.toml"), refuri="x")
    assert linked({}, link)[0].children[0].tagname == "literal"


SCHEME = '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ('<summary aria-label="Toggle hidden content">', "<summary>"),
        (
            '<a href="api.html">All</a><details><summary><span>',
            '<a href="api.html">All</a><details><summary aria-label="Pages of: All"><span>',
        ),
        (
            '<div id="pst-primary-sidebar" class="x">',
            '<div id="pst-primary-sidebar" role="complementary" aria-label="Book" class="x">',
        ),
        ('<div id="a" role="doc-biblioentry">', '<div id="a" role="listitem">'),
        ('getItem("theme") || "auto";', f'getItem("theme") || {SCHEME};'),
        ('<th class="head"><p></p></th>', '<td class="head"></td>'),
        (
            '<a class="symbol x"><span class="math" data-words="W₀">z</span></a>',
            '<a class="symbol x" aria-label="W₀"><span class="math" data-words="W₀">z</span></a>',
        ),
        (
            '<th class="head"><p><span class="math" data-words="β">z</span></p></th>',
            '<th class="head"><p><span aria-hidden="true" class="math" data-words="β">z</span>+β',
        ),
    ],
)
def test_a_page_is_mended_for_screen_readers(written, wanted):
    spoken = '<span class="sr-only">β</span></p></th>'
    assert pages.mended(written) == wanted.replace("+β", spoken)


@pytest.mark.parametrize(
    "sound",
    [
        "<summary>Show the code</summary>",
        '<a class="x" href="y"><span class="math" data-words="W₀">z</span></a>',
        '<th class="head"><p>of <span class="math" data-words="β">z</span></p></th>',
        '<script src="_static/book.js"></script>',
    ],
)
def test_what_is_sound_stays(sound):
    assert pages.mended(sound) == sound


def test_every_file_that_a_page_names_is_a_link(html):
    """Nowhere in the built book a code element that is the path of a file stands alone."""
    links, alone = 0, []
    for path in (html / "chapters").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        for found in re.finditer(r"(<a [^>]*>)?<code class=[^>]*>(.*?)</code>", text):
            name = re.sub(r"<[^>]*>", "", found[2])
            if pages.file_named(name):
                links += found[1] is not None
                alone += [] if found[1] else [f"{path.name}: {name}"]
    assert alone == []
    assert links > 30


def test_the_page_of_the_sweeps_names_every_stored_summary():
    text = (ROOT / "chapters/api-sweeps.md").read_text(encoding="utf-8")
    stored = {f"results/{path.name}" for path in ROOT.glob("results/*.json")}
    assert set(re.findall(r"results/\w+\.json", text)) == stored
    assert all(map(pages.file_named, stored))
