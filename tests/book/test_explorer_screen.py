"""What of the explorer is on the screen: where a link leads, the verdict, the theme's button."""

import pytest

STATE = "#explorer=1,0,0,1,1,1,2,0,5,-3,-1"
TALL = '<div style="height: 2500px"></div>'
PAGE = f'{TALL}<div class="bn-explorer"></div>{TALL}<button id="pst-back-to-top">Top</button>'
TOP = "document.querySelector('{}').getBoundingClientRect().top"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_to_a_state_leads_to_the_explorer(width, opened):
    for at, there in [(STATE, True), ("", False), ("#explorer=1,2", False)]:
        with opened(PAGE, at=at, width=width) as page:
            assert (abs(page.evaluate(TOP.format(".bn-explorer"))) < 100) == there
            page.evaluate(f"scrollTo(0, 0); location.hash = '{STATE.replace('-3', '-4')}'")
            page.wait_for_function("() => scrollY > 2000")


def test_the_first_page_passes_a_state_on(html, chromium):
    for javascript, rest in [(True, STATE), (False, "")]:
        page = chromium.new_page(java_script_enabled=javascript)
        page.goto((html / "index.html").as_uri() + STATE)
        page.wait_for_url(f"**/chapters/index.html{rest}")
        if javascript:
            page.wait_for_function(f"() => Math.abs({TOP.format('.bn-explorer')}) < 100")
            assert page.locator(".bn-verdict").inner_text().startswith("Does not apply.")
        page.close()


def test_the_verdict_stays_in_sight_on_a_phone(opened):
    for width, stays in [(390, True), (1280, False)]:
        with opened(PAGE, width=width) as page:
            page.set_viewport_size({"width": width, "height": 400})
            page.locator(".bn-plot").last.evaluate("e => e.scrollIntoView({block: 'end'})")
            assert (0 <= page.evaluate(TOP.format(".bn-verdict")) < 100) == stays


def test_the_button_of_the_theme_covers_no_number(opened):
    with opened(PAGE) as page:
        button = page.locator("#pst-back-to-top")
        for element, seen in [("h1", True), (".bn-explorer", False), ("#pst-back-to-top", True)]:
            page.locator(element).evaluate("e => e.scrollIntoView()")
            page.wait_for_function(f"() => document.body.matches('.bn-seen') != {int(seen)}")
            assert button.is_visible() == seen


def test_no_name_is_hidden_by_the_start(opened):
    hidden = """() => [...document.querySelectorAll(".bn-tall .bn-name")].filter(name => {
      const dot = document.querySelector("[aria-label='W₀, the start'] circle:not(.bn-grip)");
      const {left, right, top, bottom} = name.getBoundingClientRect();
      const {x, y, width} = dot.getBoundingClientRect(), r = width / 2, [p, q] = [x + r, y + r];
      return Math.hypot(Math.max(left - p, 0, p - right), Math.max(top - q, 0, q - bottom)) < r;
    }).length"""
    with opened(PAGE) as page:
        for button in 15 * ["A random set", "W₀ = W*"]:
            page.get_by_role("button", name=button).click()
            assert page.locator(".bn-tall .bn-name").count()
            assert page.evaluate(hidden) == 0
