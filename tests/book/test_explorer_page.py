"""The explorer, the slider of the intercept and the filter, driven as a reader drives them."""

import json

import numpy as np
import pytest

import bnlib
from tests.book import browser, explorer
from tests.book.explorer_page import EXPLORER
from tools.project import ROOT

FACT = "[data-fact={}]"
# Every text of the drawings: its colour against the areas that are painted below it.
DRAWN = r"""() => {
  COLOURS;
  return [...document.querySelectorAll(".bn-plot text")].map(text => {
    const {x, y, width, height} = text.getBoundingClientRect();
    const kinds = ".bn-void, .bn-fails, .bn-optima, circle:not(.bn-grip), .bn-foot, .bn-star";
    const areas = document.elementsFromPoint(x + width / 2, y + height / 2)
      .filter(each => each.matches(kinds));
    const handle = areas.find(each => each.matches("circle"))?.parentNode;
    if (handle && !handle.contains(text)) return null; // hidden
    const back = areas.reverse().reduce((below, area) => {
      const { fill, opacity } = getComputedStyle(area);
      return over([...rgba(fill).slice(0, 3), opacity], below);
    }, rgba(getComputedStyle(text.closest("svg")).backgroundColor));
    return [text.textContent, contrast(rgba(getComputedStyle(text).fill), back)];
  }).filter(Boolean);
}""".replace("COLOURS;", browser.COLOURS)


def told(page):
    return page.locator(".bn-verdict").inner_text()


def state(page):
    """Return the state that the number fields show."""
    v = [float(each.input_value()) for each in page.locator("input[type=number]").all()]
    return {"x": [v[0:2], v[3:5], v[6:8]], "t": v[2:9:3], "w0": v[9:]}


def agrees(page):
    """Compare what the page tells of its state with bnlib."""
    found = explorer.bnlib_says(json.dumps(state(page)))
    words = {"none closest": "No BN optimum is closest", "does not apply": "Does not apply"}
    words |= {"true": "True", "false": "False"}
    assert told(page).startswith(f"{words[found['verdict']]}.")
    for name in ("left", "right"):
        number = page.locator(f".bn-{name}-side span").inner_text().split(",")[0]
        assert np.isclose(float(number.replace("−", "-")), found[name], rtol=1e-3, atol=1e-9)
    star = page.locator(FACT.format("star")).inner_text().replace("−", "-")
    assert np.allclose(json.loads(f"[{star[1:-1]}]"), found["star"], rtol=1e-3, atol=1e-9)
    if found["theta"]:
        degrees = float(page.locator(FACT.format("theta")).inner_text().rstrip("°"))
        assert np.isclose(degrees, np.degrees(found["theta"]), rtol=1e-3)


def handle(page, label):
    return page.get_by_role("slider", name=label, exact=True)


def field(page, label):
    return page.get_by_role("spinbutton", name=label, exact=True)


def centre(page, label):
    box = handle(page, label).bounding_box()
    return np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])


def drag(page, label, *way):
    """Drag a handle, which has to follow the pointer, in its steps of a tenth."""
    handle(page, label).scroll_into_view_if_needed()
    start = centre(page, label)
    page.mouse.move(*start)
    page.mouse.down()
    for part in (0.5, 1):
        page.mouse.move(*start + part * np.array(way))
    free = 1 if "target" in label else 0  # a target moves up and down only
    assert (np.abs(centre(page, label) - start - way)[free:] < 10).all()
    page.mouse.up()


@pytest.mark.parametrize("size", ["small", "large"])
def test_what_was_there_before_is_hidden_and_printed(size, opened):
    with opened(EXPLORER % size) as page:
        assert page.locator(".bn-app").is_visible()
        assert not page.locator("#stays").is_visible()
        page.emulate_media(media="print")
        assert page.locator("#stays").is_visible()
        assert not page.locator(".bn-app").is_visible()


def test_without_scripts_the_figure_is_there(opened):
    with opened(java_script_enabled=False) as page:
        assert page.locator("#stays").is_visible()
        assert page.locator(".bn-app").count() == 0


def test_the_first_view_is_the_counterexample(opened):
    with opened() as page:
        assert state(page)["t"] == list(bnlib.counterexample().targets)
        assert told(page).startswith("False.")
        assert "#" not in page.url
        share = page.locator(FACT.format("share")).inner_text()
        assert "53.5%" in share
        assert share.startswith("½ of those with a closest BN optimum; of all, 46.5% (strict)")
        agrees(page)


def test_dragging_the_start_changes_the_verdict(opened):
    with opened() as page:
        for dx, dy in [(-60, -150), (-260, 80), (250, 300), (-40, -200)]:
            before = state(page)
            drag(page, "W₀, the start", dx, dy)
            assert state(page)["w0"] != before["w0"]
            assert state(page)["t"] == before["t"]
            agrees(page)
            assert "#explorer=" in page.url


def test_dragging_an_input_and_a_target_moves_the_optima(opened):
    with opened() as page:
        for label in ("example 3, both inputs", "example 2, target"):
            before, star = state(page), page.locator(FACT.format("star")).inner_text()
            drag(page, label, 45, -60)
            assert state(page) != before
            assert state(page)["w0"] == before["w0"]
            assert page.locator(FACT.format("star")).inner_text() != star
            agrees(page)


def test_a_finger_drags_too(opened):
    """Chromium makes pointer events of touches; the page must not scroll instead."""
    with opened(width=390, has_touch=True, is_mobile=True) as page:
        x, y = map(float, centre(page, "W₀, the start"))
        send = page.context.new_cdp_session(page).send
        for kind, place in [("Start", (x, y)), ("Move", (x, y - 60)), ("Move", (x, y - 90))]:
            points = [{"x": place[0], "y": place[1]}]
            send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert state(page)["w0"] != [3, 1]
        assert page.evaluate("scrollY") == 0
        agrees(page)


def test_arrow_keys_move_what_has_the_focus(opened):
    with opened() as page:
        start = handle(page, "W₀, the start")
        start.focus()
        for key in ("ArrowUp", "ArrowRight", "Shift+ArrowDown"):
            page.keyboard.press(key)
        assert state(page)["w0"] == [3.1, 0.1]
        assert start.get_attribute("aria-valuetext") == "(3.1, 0.1)"
        handle(page, "example 1, target").focus()
        page.keyboard.press("Shift+ArrowUp")
        assert state(page)["t"] == [3, 0, 5]
        agrees(page)


def test_number_fields(opened):
    with opened() as page:
        for i, number in enumerate([5, 3, 8], start=1):  # 5 + 3 = 8: no intercept is left
            field(page, f"example {i}, target").fill(str(number))
        third = field(page, "example 3, target")
        assert told(page).startswith("True.")
        assert "intercept is 0" in page.locator(".bn-app ul").inner_text()
        third.press("ArrowUp")
        assert state(page)["t"][2] == 8.1
        for typed, kept in [("", 8.1), ("150", 99), ("-1000", -99), ("0.911588", 0.911588)]:
            third.fill(typed)
            assert third.evaluate("e => e.matches(':out-of-range')") == (abs(kept) == 99)
            third.press("Tab")
            assert state(page)["t"][2] == kept
        assert third.evaluate("e => e.scrollWidth <= e.clientWidth")  # all digits show
        assert third.get_attribute("title") in page.locator("summary").inner_text()


def test_presets_and_random_sets(opened):
    with opened() as page:
        select = page.get_by_label("Preset")
        for name in select.locator("option").all_inner_texts()[:-1]:
            select.select_option(name)
            assert told(page)
            assert select.locator("option:checked").inner_text() == name
            if "equal inputs" in name:
                assert told(page).startswith("Void.")
            else:
                agrees(page)
        for _ in range(10):
            page.get_by_role("button", name="A random set").click()
            agrees(page)
        assert select.locator("option:checked").inner_text() == "your own"
        page.get_by_role("button", name="W₀ = W*").click()
        star = bnlib.Neuron().optima(bnlib.LearningSet(state(page)["x"], state(page)["t"]))[0]
        assert np.allclose(state(page)["w0"], star.weights, atol=1e-6)


def test_a_state_travels_in_the_address(opened):
    with opened() as page:
        page.get_by_role("button", name="A random set").click()
        sent, address = state(page), page.url
    fragment = address[address.index("#") :]
    with opened(at=fragment) as page:
        assert state(page) == sent
        page.evaluate("location.hash = 'explorer=1,0,0,1,1,1,2,0,5,-3,-1'")
        page.wait_for_function(
            "() => document.querySelector('.bn-verdict').textContent.startsWith('Does')"
        )
        assert state(page)["w0"] == [-3, -1]
    for other in ("#a-heading", "#explorer=1,2"):
        with opened(at=other) as page:
            assert state(page)["w0"] == [3, 1]
            assert page.url.endswith(other)


def test_the_verdict_is_announced_only_when_it_changes(opened):
    count = """() => {
      window.said = 0;
      const live = document.querySelector("[aria-live=polite]");
      new MutationObserver(seen => window.said += seen.length)
        .observe(live, {subtree: true, childList: true, characterData: true});
    }"""
    with opened() as page:
        page.evaluate(count)
        handle(page, "W₀, the start").focus()
        page.keyboard.press("ArrowDown")
        assert told(page).startswith("False.")
        assert page.evaluate("said") == 0
        for _ in range(4):
            page.keyboard.press("Shift+ArrowUp")
        assert told(page).startswith("True.")
        assert page.evaluate("said") > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("size", ["small", "large"])
def test_it_fits_and_can_be_read(size, width, theme, opened):
    body = EXPLORER % size + '<div class="bn-intercept"></div>'
    with opened(body, theme=theme, width=width) as page:
        page.set_viewport_size({"width": width, "height": 4000})  # what is not in it has no colours
        for name in ("the counterexample", "no BN optimum is closest", "a constant input"):
            page.get_by_label("Preset").select_option(name)
            assert page.evaluate(browser.LAYOUT) == []
            drawn = page.evaluate(DRAWN)
            assert len(drawn) > 30
            assert [each for each in drawn if each[1] < 4.5] == []


def test_nothing_moves_by_itself(opened):
    with opened() as page:
        page.get_by_role("button", name="A random set").click()
        assert page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize(("name", "size"), [("explorer.md", "large"), ("index.ipynb", "small")])
def test_the_pages_of_the_book_hold_it(name, size):
    text = (ROOT / "chapters" / name).read_text(encoding="utf-8").replace('\\"', '"')
    inside = text[text.index('<div class="bn-explorer') : text.index("</div>")]
    assert f'data-size="{size}"' in inside
    assert "verdict.svg" in inside, "Remedy: the figure for print stays inside the div."


def test_the_first_screen_says_what_fails_and_why_before_one_may_play(html, page):
    page.goto((html / "chapters/index.html").as_uri())
    page.evaluate(browser.SETTLED)
    bottom = "e => e.getBoundingClientRect().bottom"
    for words in ("The claim.", "The verdict: false as stated,", "The reason."):
        paragraph = page.locator(".landing p", has_text=words)
        assert paragraph.evaluate(bottom) < 900
    assert told(page).startswith("False.")
