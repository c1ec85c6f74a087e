"""The book on paper: the PDF of all pages, one page that a reader prints, the button for both."""

import os
import re
import subprocess
import sys
import unicodedata
from html import unescape
from io import BytesIO
from urllib.parse import urldefrag

import pytest
from pypdf import PdfReader

import bnlib
from tests.book import browser, links
from tools import pdf
from tools.metadata import source
from tools.project import PDF, ROOT
from tools.toc import entries

ARTICLE = re.compile(r'<article class="bd-article">(.*?)</article>', re.DOTALL)
HEADERLINK = re.compile(r'<a class="headerlink".*?</a>', re.DOTALL)
TEX = re.compile(r"\\[(\[)\]]|\\(?:begin|frac|hat|norm|inner|Wstar|What)\b|\$[^$\n]+\$")
NAMES = [entry.rpartition("/")[2] for entry in entries()]


def plain(text):
    """Return a text without tags, ligatures and white space, which paper breaks elsewhere."""
    text = unicodedata.normalize("NFKC", unescape(re.sub(r"<[^>]*>", "", text)))
    return re.sub(r"\s", "", text)


def article(html, name):
    text = (html / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    return HEADERLINK.sub("", ARTICLE.search(text)[1])


def title(html, name):
    return plain(re.search(r"<h1>.*?</h1>", article(html, name), re.DOTALL)[0])


def problems(reader, read):
    """Return a line for each blank page, link to this machine, and formula in a page to read."""
    found = []
    for number, page in enumerate(reader.pages, 1):
        # What writes or draws a picture; one is the number of the page.
        if len(re.findall(rb"\b(?:Tj|TJ|Do)\b", page.get_contents().get_data())) < 2:
            found.append(f"page {number}: is blank")
        if number in read:
            found += [f"page {number}: raw TeX {each}" for each in TEX.findall(page.extract_text())]
        for link in (each.get_object() for each in page.get("/Annots", [])):
            uri = str(link.get("/A", {}).get("/URI", "https:"))
            if not uri.startswith("https:"):
                found.append(f"page {number}: leads to this machine: {uri}")
    return found


@pytest.fixture(scope="module")
def shown(html, chromium):
    """Return the book as Chromium shows it for paper, and what is wrong with that."""
    page = chromium.new_page()
    pdf.compose(page, html, source())
    yield page, page.evaluate(browser.CONTENT)
    page.close()


@pytest.fixture(scope="module")
def book(shown):
    return PdfReader(BytesIO(pdf.printed(shown[0], source())))


@pytest.fixture(scope="module")
def starts(book):
    """Return the page on which each page of the book begins, counted from 0, by name."""
    targets = book.named_destinations
    return {name: book.get_destination_page_number(targets[f"/{name}"]) for name in NAMES}


def test_title_page_and_file_say_what_the_citation_says(book):
    cff, text = source(), plain(book.pages[0].extract_text())
    names = [each["name"] for each in cff["authors"]]
    said = [cff["title"], *names, f"Version {bnlib.__version__}", str(cff["date-released"])]
    said += [cff["abstract"], cff["message"], *cff["license"]]
    said += [each["title"] for each in cff["references"]]
    assert [each for each in said if plain(each) not in text] == []
    assert book.metadata.title == cff["title"]
    assert book.metadata.author == ", ".join(names)
    assert bnlib.__version__ in book.metadata.subject
    assert str(book.metadata.creation_date.date()) == str(cff["date-released"])


def test_every_page_of_the_book_begins_with_its_title_where_the_contents_say(book, html, starts):
    titles = [title(html, name) for name in NAMES]
    assert sorted(starts.values()) == [starts[name] for name in NAMES]
    for name, expected in zip(NAMES, titles, strict=True):
        page = plain(book.pages[starts[name]].extract_text())
        assert expected in page
        assert str(starts[name] + 1) in (page[: len(str(starts[name] + 1))], page[-3:])
    marks = [plain(each.title) for each in book.outline if not isinstance(each, list)]
    assert marks == ["Contents", *titles]
    contents = "\n".join(page.extract_text() for page in book.pages[1 : starts[NAMES[0]]])
    assert all(each in plain(contents) for each in titles)
    numbers = [int(each) for each in re.findall(r"^(\d+)$", contents, re.MULTILINE)]
    after = starts[NAMES[0]]  # the contents have numbers of their own
    assert [each for each in numbers if each > after] == [starts[name] + 1 for name in NAMES]


def test_nothing_is_wrong_with_the_book_on_paper(shown, book, starts):
    assert shown[1] == []
    assert problems(book, [starts[name] + 1 for name in NAMES]) == []


def test_every_link_leads_to_its_own_page(book, html, starts):
    ends = dict(zip(NAMES, [*[starts[name] for name in NAMES[1:]], len(book.pages)], strict=True))
    for name, target in book.named_destinations.items():
        where = name.strip("/").partition("--")[0]
        assert starts[where] <= book.get_destination_page_number(target) < ends[where], name
    expected = set()
    for name in NAMES:
        for href in links.Page(article(html, name)).links:
            path, anchor = urldefrag(href)
            where = path.removesuffix(".html") or name
            if where in NAMES:
                expected.add(f"/{where}--{anchor}" if anchor else f"/{where}")
    assert len(expected) > 200
    assert expected <= set(book.named_destinations)  # which have no link to nowhere


@pytest.mark.parametrize(
    ("kind", "defect"),
    [
        (None, ""),
        ("page 1: raw TeX", r"<p>\(x^2\)</p>"),
        ("page 1: leads to this machine", '<a href="file:///tmp/x">x</a>'),
        (
            "page 2: is blank",
            '<p style="break-before: page"></p><p style="break-before: page">The</p>end',
        ),
    ],
)
def test_a_planted_defect_is_reported(kind, defect, page, tmp_path):
    sound = '<h1 id="top">A page</h1><a href="#top">up</a> <a href="https://example.org">y</a>'
    (tmp_path / "page.html").write_text(sound + defect, encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    found = problems(PdfReader(BytesIO(page.pdf())), [1])
    assert {line.startswith(str(kind)) for line in found} == ({True} if kind else set())


def printed(chromium, html, name, scheme, script=""):
    """Return a page as its reader prints it, and the theme it has then."""
    page = chromium.new_page(color_scheme=scheme)
    page.add_init_script(script)
    page.goto((html / "chapters" / f"{name}.html").as_uri())
    page.evaluate(browser.SETTLED)
    reader = PdfReader(BytesIO(page.pdf(print_background=True)))
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.close()
    return reader, theme


def test_a_dark_page_is_printed_like_a_light_one(chromium, html):
    stop = "addEventListener('%sprint', e => e.stopImmediatePropagation(), true);"
    deaf = stop % "before" + stop % "after"
    drawn = []
    for scheme, script in (("light", ""), ("dark", ""), ("dark", deaf)):
        reader, theme = printed(chromium, html, "cite", scheme, script)
        drawn.append([page.get_contents().get_data() for page in reader.pages])
        assert theme == scheme
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2], "the comparison does not see a dark page"


def test_a_page_is_printed_whole(chromium, html):
    reader, _ = printed(chromium, html, "training", "light")
    right = []

    def seen(text, cm, tm, *_):
        if text.strip():
            right.append(tm[4] * cm[0] + cm[4])

    text = plain("".join(page.extract_text(visitor_text=seen) for page in reader.pages))
    assert title(html, "training") in text
    tables = re.findall(r"<table.*?</table>", article(html, "training"), re.DOTALL)
    rows = [re.findall(r"<tr.*?</tr>", each, re.DOTALL) for each in tables]
    cells = [[plain(c) for c in re.findall(r"<t[hd].*?</t[hd]>", r, re.S)] for t in rows for r in t]
    wide = [row for row in cells if len(row) == 9]
    assert len(wide) > 1
    assert [row for row in wide if "".join(row) not in text] == []
    assert max(right) < float(reader.pages[0].mediabox.width)
    folded = re.findall(r'<details class="sd-.*?</details>', article(html, "training"), re.DOTALL)
    sentences = [plain(each) for one in folded for each in re.findall(r">([^<>\\]{20,})<", one)]
    assert sentences
    # A sentence may go around a formula, or to another page: how it begins.
    assert [each for each in sentences if each[:15] not in text] == []
    assert "Showthecode" not in text


def test_the_button_gives_the_book_where_there_is_one(html, tmp_path):
    pages = [html / f"{entry}.html" for entry in entries()]
    (tmp_path / "chapters").mkdir()
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert text.count('onclick="window.print()"') == 1, "the theme has another button"
    one = tmp_path / "chapters" / "one.html"
    one.write_text(text, encoding="utf-8")
    for _ in range(2):
        pdf.offer(tmp_path)
        changed = one.read_text(encoding="utf-8")
        assert "window.print()" not in changed
        assert changed.count(f'<a href="../{PDF}"') == 1
        assert len(changed) < len(text) + 50


def test_without_a_browser_the_remedy_is_told(tmp_path):
    command = [sys.executable, "-c", "from tools import pdf; pdf.main()"]
    environ = os.environ | {"CHROMIUM": str(tmp_path / "chromium")}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be printed: no Chromium found. Remedy: install it" in done.stderr
