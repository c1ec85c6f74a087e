"""The built book: what a page loads and weighs, what is carried, what has its room beforehand."""

import re

import pytest
from fontTools.ttLib import TTFont

from benchmarks import pages
from tests.book import browser
from tests.oracles import refused
from tools import lean, toc

# Why the book carries what no page loads by itself.
CARRIED = {
    r"_sources/|_downloads/|run/|[\w-]+\.pdf$": "readers download these",
    r"_static/favicon\.svg$": "a browser with tabs loads it",
    r"_static/previews/": "loaded when a link is pointed at",
    r"_static/mathjax/output/chtml/fonts/": "a page loads those of the letters that it shows",
    r"_static/(file|plus|minus)\.png": "Sphinx's style sheet and script name them",
    r"_static/(licences/|scripts/bootstrap\.js\.LICENSE\.txt)": "licences of what it carries",
    r"objects\.inv|searchindex\.js": "for other books; for the search",
}
OTHERS = ("genindex", "prf-prf", "py-modindex", "search")
IMAGES = """() => [...document.querySelectorAll("img:not([src*=_static])")].map(each => [
  ...["src", "width", "height"].map(name => each.getAttribute(name)),
  each.naturalWidth, each.naturalHeight])"""
ICONS = """() => [...document.querySelectorAll("i[class*='fa-']")]
  .map(each => getComputedStyle(each, "::before").content)"""
# What a page is to do, and does not, for a script of it is missing.
IDLE = """() => [".admonition.dropdown:not(:has(.toggle-button))", "details.toggle",
  "div.highlight:not(:has(.copybtn))", ".bn-explorer:empty", ".sd-tab-set"]
  .flatMap(kind => [...document.querySelectorAll(kind)]).map(each => each.className)
  .concat([...document.querySelectorAll(".bd-search > i")].filter(each =>
    each.getBoundingClientRect().right > each.nextElementSibling.getBoundingClientRect().left)
    .map(() => "a sign over text"))"""


@pytest.fixture(scope="module")
def visits(html, chromium):
    """Return for each page what it asked for, its images, its icons and what does not work."""
    found, page, urls = {}, chromium.new_page(viewport={"width": 390, "height": 844}), []
    page.on("request", lambda request: urls.append(request.url))
    for name in [*toc.entries(), *OTHERS]:
        urls.clear()
        page.goto((html / f"{name}.html").as_uri(), wait_until="load")
        page.evaluate(browser.SETTLED)
        found[name] = ([*urls], *map(page.evaluate, (IMAGES, ICONS, IDLE)))
    page.close()
    return found


def heavy(weights):
    limits = {key: pages.LIMITS[key] for key in ("raw", "packed")}
    return [n for n, w in weights.items() if any(w[key] > limits[key] for key in limits)]


def idle(files, urls):
    """Return the files that none of the addresses is, and no reason of above lets be there."""
    loaded = {url.split("?")[0].split("#")[0].rpartition("/html/")[2] for url in urls}
    return [f for f in files if f not in loaded and not any(re.match(each, f) for each in CARRIED)]


def unsized(images):
    """Return the images without width and height, or with others than the browser sees."""
    return [
        name
        for name, width, height, *natural in images
        if not width or not height or abs(int(width) / int(height) - natural[0] / natural[1]) > 0.02
    ]


def test_no_page_is_heavy(visits):
    weights = {name: pages.loaded(urls) for name, (urls, *_) in visits.items()}
    assert min(each["packed"] for each in weights.values()) > 100_000
    assert heavy(weights) == []
    planted = {"a": {"raw": 2_000_001, "packed": 1}, "b": {"raw": 1, "packed": 600_001}}
    assert heavy(planted) == ["a", "b"]


def test_every_file_is_used(visits, html):
    names = (path.relative_to(html) for path in html.rglob("*") if path.is_file())
    files = [name.as_posix() for name in names if not name.name.startswith(".")]
    urls = [url for asked, *_ in visits.values() for url in asked]
    assert idle(files, [*urls, (html / "index.html").as_uri()]) == []
    assert idle(["_static/more.js", "_static/locales/de.mo"], urls)[0] == "_static/more.js"
    for reason in CARRIED:
        assert any(re.match(reason, name) for name in [*files, "book.pdf"]), reason


def test_every_image_has_its_size(visits):
    images = [each for _, found, *_ in visits.values() for each in found]
    assert len(images) > 30
    assert unsized(images) == []
    planted = [["a", None, "1", 1, 1], ["b", "20", "10", 10, 10], ["c", "2", "1", 2, 1]]
    assert unsized(planted) == ["a", "b"]


def test_every_page_has_the_scripts_that_it_needs(visits):
    assert {name: idle for name, (*_, idle) in visits.items() if idle} == {}


def test_every_icon_is_in_the_font(visits, html):
    """Else a reader sees an empty box: the font has only the signs that the pages show."""
    shown = {sign for _, _, icons, _ in visits.values() for sign in icons}
    font = TTFont(next(html.glob("_static/vendor/fontawesome/webfonts/fa-solid-*.woff")))
    signs = font.getBestCmap()
    assert len(shown) > 8
    assert {f'"{chr(each)}"' for each in signs} >= shown
    assert all(font["glyf"][signs[ord(each[1])]].numberOfContours for each in shown)
    assert len(signs) < 100


PAGE = """<head>
<script src="../_static/{script}.js?v=1"></script>
<link rel="stylesheet" href="../_static/{script}.css" />
<script src="../_static/documentation_options.js"></script>
<script>let toggleHintShow = 'Click to show';</script><script>const THEBE_JS_URL = "x"</script>
<script type="text/x-thebe-config">
</script></head>
<img alt="x" src="../a.svg" /><div class="{name}">x</div>"""


@pytest.mark.parametrize(
    ("script", "name", "stays"),
    [
        ("explorer-view", "bn-explorer wide", True),
        ("explorer-view", "highlight", False),
        ("copybutton", "highlight", True),
        ("sphinx-design.min", "sd-card", True),
        ("fontawesome", "sd-card", False),
        ("togglebutton", "note dropdown admonition", True),
        ("togglebutton", "btn dropdown-toggle", False),
        ("unheard-of", "x", True),
    ],
)
def test_a_page_keeps_what_it_needs(script, name, stays, tmp_path):
    (tmp_path / "chapters").mkdir()
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="30px"/>'
    (tmp_path / "a.svg").write_text(svg, encoding="utf-8")
    text = PAGE.format(script=script, name=name)
    found = lean.lighter(text, tmp_path / "chapters")
    assert (f'<script defer src="../_static/{script}.js?v=1"></script>' in found) is stays
    assert (f"{script}.css" in found) is stays
    assert ("toggleHintShow" in found) is (stays and script == "togglebutton")
    assert "thebe" not in found.lower()
    assert '<script src="../_static/documentation_options.js">' in found
    assert '<img width="96" height="30" alt="x"' in found
    assert lean.lighter(found, tmp_path / "chapters") == found


def test_an_image_without_a_size(tmp_path):
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="100%" height="1px"/>'
    (tmp_path / "a.svg").write_text(svg, encoding="utf-8")
    refused(r"a\.svg says no size. Remedy: ", lean.size, tmp_path / "a.svg")


def test_the_theme_measures_no_box_and_one_that_names_them_otherwise_is_told(html, tmp_path):
    script = tmp_path / "scripts" / "pydata-sphinx-theme.js"
    script.parent.mkdir()
    built = (html / "_static/scripts" / script.name).read_text(encoding="utf-8")
    whole = built.replace('[":not(*)"].join', '["pre",".cell_output > .output"].join')
    assert whole != built
    for text in (whole, built):  # of a page that was not built anew
        script.write_text(text, encoding="utf-8")
        lean.unmeasured(tmp_path)
        assert script.read_text(encoding="utf-8") == built
    script.write_text(whole.replace('"pre"', '"code"'), encoding="utf-8")
    refused("names its boxes otherwise. Remedy: ", lean.unmeasured, tmp_path)


def test_what_nothing_names_is_left_out(tmp_path):
    named = {"a.css": "url(b.png) url(mathjax/f.woff)", "b.png": "", "c.js": ""}
    named |= {"previews/x.js": "", "mathjax/f.woff": ""}
    vain = {"a.css.map": "", "d.js": "c.js", "mathjax/c.js": "", "mathjax/g.woff": ""}
    vain |= {"locales/x/a.mo": ""}
    for name, text in (named | vain).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    lean.prune(tmp_path, '<link href="a.css?v=1"> <script src="c.js"> a.css.map')
    left = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
    assert left == set(named)
    assert not (tmp_path / "locales").exists()


def test_the_report_tells_what_is_above_the_limits():
    row = {"requests": 3, "raw": 1_200_000, "packed": 10_000, "formula": None, "shift": 0.01}
    rows = {"chapters/a": row, "chapters/b": {**row, "formula": 1501.2, "shift": 0.2}}
    text = pages.report(rows, "a machine")
    assert "Above that: chapters/b (formula), chapters/b (shift)." in text
    assert "| chapters/a | 3 | 1,200 | 10 |  | 0.010 |" in text
    assert "| chapters/b | 3 | 1,200 | 10 | 1,501 | 0.200 |" in text
    assert "No page is above that." in pages.report({"chapters/a": row}, "a machine")
