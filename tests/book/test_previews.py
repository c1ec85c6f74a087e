"""The previews of links, as a reader with a mouse, a keyboard or a finger meets them."""

from contextlib import contextmanager

import pytest

from tests.book import browser
from tests.book.test_book import served

SHOWN = ".bn-popover .popover-body"
# Kind: (page, what its link leads to, what the preview holds, a word in it).
KINDS = {
    "theorem": ("how-often", "intercept.html#cor-almost", ".proof", "almost every learning set"),
    "on the same page": ("how-often", "#thm-law", ".proof", "How often the lemma fails"),
    "from a page without formulas": ("related", "still-true.html#prop-ends", ".proof", "8."),
    "equation": ("intercept", "#equation-eq-intercept", "mjx-container", "(4.4)"),
    "figure": ("how-often", "#fig-", "figure img", "Figure 5.1"),
    "citation": ("claim", "references.html#", ".citation", "Santurkar"),
    "section": ("how-often", "claim.html#sec-closest", "h3 + p", "closest"),
    "chapter": ("how-often", "intercept.html", "h1 + p", "the missing intercept"),
    "symbol": ("how-often", "notation.html#sym-theta", "mjx-container", "angle between"),
}
CHECKS = browser.LAYOUT.replace("body, .bd-article *", ".bn-popover *")
OVER = """names => names.forEach(each => document.querySelector(each).dispatchEvent(
  new PointerEvent("pointerover", {bubbles: true, pointerType: "mouse"})))"""
INSIDE = """() => {
  const box = document.querySelector(".bn-popover").getBoundingClientRect();
  return box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
}"""


@pytest.fixture
def opened(html, chromium):
    """Return a context that opens a page of the book, on which nothing may go wrong."""

    @contextmanager
    def opening(name, base="", **more):
        base = base or f"{html.as_uri()}/"
        url, local = f"{base}chapters/{name}.html", (base, "data:", "blob:")
        with browser.watched(chromium, url, local, **more) as page:
            page.evaluate(browser.SETTLED)
            yield page

    return opening


def link_to(page, target):
    """Return the first link to a target, or to one that begins so."""
    equals = "^=" if target[-1] in "#-" else "="
    return page.locator(f".bd-article a.reference.internal[href{equals}'{target}']:visible").first


def point_at(page, target):
    link = link_to(page, target)
    link.scroll_into_view_if_needed()
    link.hover()
    return page.wait_for_selector(SHOWN)


def settled(page):
    """Wait longer than anything takes to appear or to go, by the page's own clock."""
    page.evaluate("() => new Promise(done => setTimeout(done, 700))")


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_shows_what_it_leads_to(kind, opened):
    name, target, part, word = KINDS[kind]
    with opened(name) as page:
        assert not [each for each in page.asked if "/previews/" in each]
        shown = point_at(page, target)
        assert shown.query_selector(part)
        assert word in shown.inner_text()
        assert not shown.query_selector("mjx-merror")
        assert "\\" not in shown.inner_text()
        for formula in shown.query_selector_all(".math"):
            assert formula.query_selector("mjx-container")
        for image in shown.query_selector_all("img"):
            assert image.evaluate("each => each.complete && each.naturalWidth > 0")


def test_over_http_too(opened):
    with served() as address, opened("how-often", base=address) as page:
        assert "angle between" in point_at(page, KINDS["symbol"][1]).inner_text()


@pytest.mark.parametrize("scheme", browser.SCHEMES)
@pytest.mark.parametrize("width", browser.WIDTHS)
def test_it_fits_and_can_be_read(width, scheme, opened):
    with opened("how-often", width=width, color_scheme=scheme, reduced_motion="reduce") as page:
        for kind in ("theorem", "section", "symbol", "figure"):
            point_at(page, KINDS[kind][1])
            page.wait_for_function(f"() => document.querySelectorAll('{SHOWN}').length === 1")
            assert page.evaluate(INSIDE)
            assert page.evaluate(CHECKS) == []
            assert page.evaluate("document.querySelector('.bn-popover').getAnimations()") == []
            page.mouse.move(1, 1)
            page.wait_for_selector(SHOWN, state="detached")


def test_the_pointer_may_go_into_it(opened):
    with opened("how-often") as page:
        point_at(page, KINDS["theorem"][1])
        page.evaluate(OVER, ["h1", ".bn-popover p"])  # the way there leads over something else
        settled(page)
        assert page.locator(SHOWN).is_visible()
        page.evaluate(OVER, ["h1"])
        page.wait_for_selector(SHOWN, state="detached")


def test_the_keyboard_shows_and_dismisses_it(opened):
    with opened("how-often") as page:
        page.keyboard.press("Tab")  # from here on the focus is seen
        link = link_to(page, KINDS["theorem"][1])
        link.focus()
        shown = page.wait_for_selector(SHOWN)
        box = shown.evaluate("each => each.closest('.popover').id")
        assert link.get_attribute("aria-describedby") == box
        assert page.locator(f"#{box}").get_attribute("role") == "tooltip"
        page.keyboard.press("Escape")
        page.wait_for_selector(SHOWN, state="detached")
        page.keyboard.press("Tab")
        page.wait_for_selector(SHOWN)


def test_a_finger_follows_the_link_and_sees_none(opened):
    with opened("how-often", width=390, has_touch=True, is_mobile=True) as page:
        page.evaluate("""() => window.addEventListener("pointerover",
          event => (window.kind = event.pointerType), true)""")
        link = link_to(page, KINDS["on the same page"][1])
        link.scroll_into_view_if_needed()
        link.tap()
        settled(page)
        assert page.evaluate("kind") == "touch"
        assert page.url.endswith("#thm-law")
        assert page.locator(SHOWN).count() == 0


def test_without_a_preview_nothing_is_shown(opened):
    with opened("how-often") as page:
        link = link_to(page, KINDS["theorem"][1])
        target = "intercept.html#nowhere"
        link.evaluate("(link, target) => link.setAttribute('href', target)", target)
        link_to(page, target).hover()
        page.wait_for_function("() => window.bnPreviews['chapters/intercept']")
        settled(page)
        assert page.locator(SHOWN).count() == 0
