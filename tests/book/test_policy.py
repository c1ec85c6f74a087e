"""A page does all it should under its content-security policy, and nothing else."""

import pytest

from tests.book import browser
from tests.book.test_book import served
from tools.policy import guarded

LISTEN = """window.refused = [];
window.print = () => { window.printed = true; };
document.addEventListener("securitypolicyviolation",
  said => refused.push(`${said.effectiveDirective} ${said.blockedURI}`));"""
PAGES = ["index", "chapters/claim", "chapters/explorer", "chapters/intercept", "chapters/record"]
PAGES += ["chapters/api-networks", "genindex", "py-modindex", "search"]
PLANTED = """<!DOCTYPE html><html><head><meta charset="utf-8" /><script>window.ours = 1</script>
<script type="application/json">{}</script></head><body onload="window.theirs = 1">
<article class="bd-article"><script>window.theirs = 2</script>
<a href="javascript:window.theirs = 3">x</a>
<img src="http://127.0.0.1:9/a.png"><iframe src="about:blank#"></iframe>
<script src="data:text/javascript,window.theirs=4"></script></article></body></html>"""


@pytest.fixture(params=["file", "http"])
def opened(request, html, page):
    """Return what opens a page of the book, from its file and from a server."""
    page.add_init_script(LISTEN)
    with served() as address:
        base = address if request.param == "http" else f"{html.as_uri()}/"

        def opening(name):
            page.goto(base + name)
            page.wait_for_selector("main", state="attached")
            page.evaluate(browser.SETTLED)
            return page

        yield opening


def test_no_page_is_refused_anything(opened):
    for name in PAGES:
        page = opened(f"{name}.html")
        assert page.evaluate("refused") == [], name
        policy = page.locator("head > meta[http-equiv='Content-Security-Policy']")
        assert "default-src 'none'" in policy.get_attribute("content"), name
        assert "'unsafe-inline' 'sha" not in policy.get_attribute("content")


def test_what_a_reader_presses_works(opened):
    page = opened("chapters/claim.html")
    page.evaluate("document.querySelector('button[onclick]').click()")
    assert page.evaluate("window.printed")
    before = page.evaluate("document.documentElement.dataset.mode")
    page.locator(".theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") != before
    page.locator(".highlight:visible").first.hover()
    page.locator("button.copybtn:visible").first.click()
    page.wait_for_selector("button.copybtn.success")
    page.locator(".bd-article a[href*='references.html#']:visible").first.hover()
    page.wait_for_selector(".bn-popover .popover-body")
    assert page.evaluate("refused") == []
    page.locator(".search-button-field:visible, .search-button__button:visible").first.click()
    page.keyboard.type("lemma")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li:nth-child(5) a")
    page.wait_for_load_state("networkidle")  # it reads the pages that it found
    assert page.evaluate("refused") == []


def test_what_is_planted_is_refused(page, tmp_path):
    path = tmp_path / "a.html"
    path.write_text(guarded(PLANTED), encoding="utf-8")
    assert guarded(guarded(PLANTED)) == guarded(PLANTED)
    page.add_init_script(LISTEN)
    page.goto(path.as_uri(), wait_until="load")
    page.locator("a").click()
    page.evaluate("""() => document.body.append(Object.assign(
      document.createElement("script"), {textContent: "window.theirs = 5"}))""")
    # The browser tells what it refused a moment later.
    page.wait_for_function("() => refused.filter(each => each.includes('inline')).length >= 4")
    assert page.evaluate("[window.ours, window.theirs]") == [1, None]
    kinds = {each.partition(" ")[0] for each in page.evaluate("refused")}
    assert kinds >= {"script-src-elem", "script-src-attr", "img-src"}
    assert len([each for each in page.evaluate("refused") if "inline" in each]) == 4
