"""The built book as its reader meets it: offline, in a browser, every page."""

import importlib
import re
import threading
from contextlib import contextmanager

import pytest

from tests.book import browser, links, test_dark, test_lines
from tools import serve, toc
from tools.project import ROOT

PAGES = toc.entries()


@contextmanager
def served():
    """Serve the book as `make serve` does; yield its address."""
    with serve.server(0) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
        httpd.shutdown()


def test_every_entry_of_the_toc_is_a_page(html):
    missing = [page for page in PAGES if not (html / f"{page}.html").is_file()]
    assert missing == []
    assert f"{PAGES[0]}.html" in (html / "index.html").read_text(encoding="utf-8")


def test_api_pages_have_every_public_name_once_on_the_page_of_its_room(html):
    found = ROOT.glob("bn_experiments/*/__init__.py")
    rooms = sorted(f"bn_experiments.{path.parent.name}" for path in found)
    packages = [importlib.import_module(name) for name in ["bnlib", "bn_solver", *rooms]]
    public = [f"{p.__name__}.{name}" for p in packages for name in getattr(p, "__all__", [])]
    shown = []
    for path in (html / "chapters").glob("api*.html"):
        names = re.findall(r'<dt class="sig [^>]*id="([\w.]+)"', path.read_text(encoding="utf-8"))
        names = [name for name in names if name.rpartition(".")[0] not in public]
        assert len({name.rpartition(".")[0] for name in names}) <= 1, path.name
        shown += names
    assert sorted(shown) == sorted(public), "Remedy: one directive a name in chapters/api-ROOM.md"


def test_links_lead_somewhere_and_nothing_is_loaded_from_elsewhere(html):
    assert links.problems(html) == []


def test_pages_do_not_name_the_machine_that_built_them(html):
    root = str(html.parent.parent)
    assert [path for path in html.rglob("*.html") if root in path.read_text("utf-8")] == []


def test_no_sentence_became_a_lettered_list(html):
    """A line of a docstring that begins "X. " is a list to Sphinx."""
    pages = [f"{page}.html" for page in PAGES]
    lettered = re.compile(r'<ol class="(upper|lower)(alpha|roman)')
    found = [page for page in pages if lettered.search((html / page).read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize("page", PAGES)
def test_page_opened_as_a_file(page, html, chromium):
    address = (html / f"{page}.html").as_uri()
    if found := browser.problems(chromium, address, also=(test_dark.too_light, test_lines.torn)):
        pytest.fail("\n".join(found), pytrace=False)


def test_first_page_over_http(html, chromium):
    with served() as address:
        # Through the redirect at the root, as a reader comes.
        assert browser.problems(chromium, address, local=(address, "data:", "blob:")) == []


def test_typing_into_the_search_box_searches(html, page):
    page.goto((html / f"{PAGES[0]}.html").as_uri())
    page.locator(".search-button-field:visible, .search-button__button:visible").first.click()
    page.keyboard.type("initialization")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results a")
    assert "search.html?q=initialization" in page.url


# The detectors are tested too: each planted defect must be reported, a sound page must not.

SOUND = """<!DOCTYPE html><html lang="en"><head><title>A page</title>
<link rel="stylesheet" href="{sheet}"></head>
<body style="background:#fff;color:#222;margin:0">
<input type="search" aria-label="Search"><article class="bd-article"><h1 id="top">A page</h1>
<p>Text, <a href="#top">a link</a>, <code>$PATH</code> and
<span class="math notranslate">{formula}</span>.</p>{defect}</article></body></html>"""

DEFECTS = {
    "TeX error": '<mjx-container><mjx-merror data-mjx-error="x">y</mjx-merror></mjx-container>',
    "TeX error: unknown": '<mjx-container><mjx-mi style="color: red">y</mjx-mi></mjx-container>',
    "raw TeX": "<p>It costs $x$ here.</p>",
    "not rendered": '<span class="math notranslate">x^2</span>',
    "external request": '<img src="http://127.0.0.1:9/a.svg" alt="%s">' % ("long " * 9),
    "overflow": '<div style="width:2000px">wide</div>',
    "contrast": '<p style="color:#aaa">pale</p>',
    "image": '<img src="data:image/svg+xml,<svg xmlns=\'http://www.w3.org/2000/svg\'/>" alt="x">',
    "search box": '<input type="search">',
    "console": "<script>console.error('planted')</script>",
    "page": "<h1>Another title</h1>",
}


@pytest.mark.parametrize("kind", [None, *DEFECTS])
def test_a_planted_defect_is_reported(kind, html, chromium, tmp_path):
    path = tmp_path / "page.html"
    sheet = (html / "_static" / "formulas.css").as_uri()
    built = (html / f"{PAGES[0]}.html").read_text(encoding="utf-8")
    formula = re.search(r"<mjx-container.*?</mjx-container>", built, re.DOTALL)[0]
    text = SOUND.format(sheet=sheet, formula=formula, defect=DEFECTS.get(kind, ""))
    path.write_text(text, encoding="utf-8")
    found = browser.problems(chromium, path.as_uri())
    if kind is None:
        assert found == []
    else:
        assert [line for line in found if line.startswith(kind)]


@pytest.mark.parametrize(
    ("kind", "defect"),
    [
        ("broken link", '<a href="nowhere.html">x</a>'),
        ("broken link", '<img src="nowhere.svg">'),
        ("broken anchor", '<a href="#nowhere">x</a>'),
        ("external", '<script src="https://cdn.example/x.js"></script>'),
        ("external", '<link rel="stylesheet" href="//cdn.example/x.css">'),
    ],
)
def test_a_planted_bad_link_is_reported(kind, defect, tmp_path):
    sound = '<h1 id="a">A</h1><a href="#a">x</a> <a href="https://example.org/">y</a>'
    (tmp_path / "page.html").write_text(sound, encoding="utf-8")
    assert links.problems(tmp_path) == []
    (tmp_path / "page.html").write_text(sound + defect, encoding="utf-8")
    found = links.problems(tmp_path)
    assert len(found) == 1
    assert f"page.html: {kind}: " in found[0]
