"""Every reader gets to everything: axe finds nothing, and what is cut off shows that it goes on.

Some pages are looked at always. With BNLIB_PAGES=1 all are, in every width and scheme: minutes.
"""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.book import browser
from tests.lacking import only_with
from tools import toc

SOME = ["chapters/index", "chapters/activations", "chapters/api-variants", "chapters/references"]
MADE = ["search", "genindex", "prf-prf", "py-modindex"]  # by Sphinx, not from a file
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FOUND = "() => document.querySelectorAll('#search-results li span.highlighted').length > 3"
UNFOLD = "() => document.querySelectorAll('details').forEach(each => each.open = true)"
# Boxes wider inside than outside, and formulas wider than their box: each must fade on the side
# where it goes on, scroll, and be reached with the keyboard.
CUT = r"""() => [...document.querySelectorAll(".bd-article *")].filter(box => {
  const scrolls = /auto|scroll/.test(getComputedStyle(box).overflowX);
  const formula = box.matches("mjx-container") && box.firstElementChild.getBoundingClientRect();
  const inside = formula ? formula.width : scrolls ? box.scrollWidth : 0;
  return box.clientWidth && box.checkVisibility() && inside > box.clientWidth + 2;
}).map(box => {
  const style = getComputedStyle(box), [start, end] = [box.scrollLeft > 1,
    box.scrollLeft + box.clientWidth < box.scrollWidth - 1];
  const faded = side => parseFloat(style.getPropertyValue(side)) > 0
    && style.maskImage.includes("gradient");
  const cued = faded("--start") === start && faded("--end") === end && (start || end);
  const reached = box.tabIndex === 0 && /auto|scroll/.test(style.overflowX);
  return [`${box.tagName.toLowerCase()}: ${box.textContent.trim().slice(0, 40)}`, cued && reached];
})"""


def opened(page, html, name, width=1280, scheme="light"):
    """Open a page of the book, all of it drawn; the search finds something."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{html.as_uri()}/{name}.html{'?q=lemma' if name == 'search' else ''}")
    page.wait_for_load_state("load")
    if name == "search":
        page.wait_for_function(FOUND)
    page.evaluate(browser.SETTLED)
    drawn(page)


def drawn(page):
    page.evaluate(browser.STILL)
    page.evaluate(DRAWN)


def violations(page):
    """Return what axe finds on a page, as it is shown now."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]]


def uncued(page):
    return [told for told, sound in page.evaluate(CUT) if not sound]


@pytest.mark.parametrize("scheme", browser.SCHEMES)
@pytest.mark.parametrize("name", [*SOME, "search", "prf-prf"])
def test_axe_finds_nothing(name, scheme, html, page):
    opened(page, html, name, scheme=scheme)
    assert violations(page) == []


def test_axe_finds_what_is_planted(html, page):
    opened(page, html, "chapters/index")
    planted = '<a href="#"></a><img src="x.png"><p style="color: #ccc; background: #fff">pale</p>'
    page.evaluate(f"() => document.querySelector('.bd-article').innerHTML += `{planted}`")
    rules = {each.partition(":")[0] for each in violations(page)}
    assert {"link-name", "image-alt", "color-contrast"} <= rules


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("chapters/how-often", {"mjx-container", "pre"}),
        ("chapters/api-variants", {"mjx-container"}),
        ("chapters/variants", {"pre", "div"}),
    ],
)
def test_what_is_cut_off_on_a_phone_fades_where_it_goes_on(name, kinds, html, page):
    opened(page, html, name, width=390)
    page.evaluate(UNFOLD)
    drawn(page)
    cut = page.evaluate(CUT)
    assert kinds <= {told.partition(":")[0] for told, _ in cut}
    assert uncued(page) == []
    for to in ("50", "box.scrollWidth"):  # in the middle it fades on both sides, then on the left
        scroll = f"box => box.scrollLeft = {to}"
        page.evaluate(f"() => document.querySelectorAll('[tabindex=\"0\"]').forEach({scroll})")
        page.evaluate(DRAWN)
        assert uncued(page) == []
    page.set_viewport_size({"width": 3000, "height": 900})
    drawn(page)
    assert len(page.evaluate(CUT)) < len(cut)
    assert uncued(page) == []


@pytest.mark.parametrize(
    "planted",
    [
        ".cut-end { mask-image: none !important }",
        "mjx-container { overflow: hidden !important }",
        ".cut-end { --end: 0rem !important }",
    ],
)
def test_a_planted_cut_is_found(planted, html, page):
    opened(page, html, "chapters/how-often", width=390)
    assert uncued(page) == []
    page.add_style_tag(content=planted)
    assert uncued(page) != []


@only_with("BNLIB_PAGES", "takes minutes")
@pytest.mark.parametrize("name", [*toc.entries(), *MADE])
def test_every_page_in_every_width_and_scheme(name, html, page):
    opened(page, html, name)
    page.evaluate(UNFOLD)
    found = []
    for width in browser.WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in browser.SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            drawn(page)
            state = f" ({width} px, {scheme})"
            found += [told + state for told in violations(page) + uncued(page)]
    assert found == []
