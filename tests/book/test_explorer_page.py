"""The explorer, the slider of the intercept and the filter, driven as a reader drives them."""

import json
import re
from contextlib import contextmanager

import numpy as np
import pytest

import bnlib
from tests.book import browser, explorer
from tools.project import ROOT

PAGE = """<!DOCTYPE html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A page</title>{head}</head>
<body><article class="bd-article"><h1>A page</h1>{body}</article></body></html>"""
# What the book's theme defines, so that a page without it has its colours.
THEME = """<style>:root { --pst-color-text-base: #222832; --pst-color-background: #fff;
--pst-color-text-muted: #48566b; --pst-color-border: #d1d5da; }
html[data-theme=dark] { --pst-color-text-base: #ced6dd; --pst-color-background: #121212;
--pst-color-text-muted: #9ca4af; --pst-color-border: #48566b; color-scheme: dark; }
body { background: var(--pst-color-background); color: var(--pst-color-text-base); }
html[data-theme=dark] a { color: #7cc4f2; }</style>"""
EXPLORER = '<div class="bn-explorer" data-size="{size}"><p id="stays">A figure.</p></div>'
FACT = "[data-fact={}]"
# Every text of the drawings: its colour against the areas that are painted below it.
DRAWN = r"""() => [...document.querySelectorAll(".bn-plot text")].map(text => {
  const canvas = document.createElement("canvas").getContext("2d");
  const rgb = colour => {
    canvas.fillStyle = colour;
    return canvas.fillStyle.match(/[0-9a-f]{2}/g).map(v => parseInt(v, 16));
  };
  const luminance = colour => {
    const part = v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(colour[0]) + 0.7152 * part(colour[1]) + 0.0722 * part(colour[2]);
  };
  const {x, y, width, height} = text.getBoundingClientRect();
  const areas = document.elementsFromPoint(x + width / 2, y + height / 2).filter(each =>
    each.matches(".bn-void, .bn-fails, .bn-optima, .bn-handle circle:not(.bn-grip), .bn-foot, .bn-star"));
  if (areas.some(each => each.matches("circle") && !each.parentNode.contains(text))) return null; // hidden
  const back = areas.reverse().reduce((below, area) => {
    const { fill, opacity } = getComputedStyle(area);
    return rgb(fill).map((v, i) => v * opacity + below[i] * (1 - opacity));
  }, rgb(getComputedStyle(text.closest("svg")).backgroundColor));
  const [low, high] = [rgb(getComputedStyle(text).fill), back].map(luminance).sort((a, b) => a - b);
  return [text.textContent, (high + 0.05) / (low + 0.05)];
}).filter(Boolean)"""


@pytest.fixture(scope="module")
def chromium():
    with browser.launch() as running:
        yield running


@pytest.fixture
def opened(chromium, tmp_path):
    """Return a function that opens a body from a file; nothing may go wrong on its page."""

    @contextmanager
    def opening(body=EXPLORER.format(size="large"), theme="light", at="", width=1280, **more):
        parts = [f'<script src="{path.as_uri()}"></script>' for path in reversed(explorer.SCRIPTS)]
        style = f'<link rel="stylesheet" href="{explorer.FILES[-1].as_uri()}">'
        text = PAGE.format(theme=theme, head="".join([THEME, style, *parts]), body=body)
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        page = chromium.new_page(viewport={"width": width, "height": 900}, **more)
        wrong, asked = [], []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri() + at)
        yield page
        assert wrong == [] and all(each.startswith("file:") for each in asked)
        page.close()

    return opening


def told(page):
    return page.locator(".bn-verdict").inner_text()


def state(page):
    """Return the state that the number fields show."""
    v = [float(each.input_value()) for each in page.locator("input[type=number]").all()]
    return {"x": [v[0:2], v[3:5], v[6:8]], "t": v[2:9:3], "w0": v[9:]}


def agrees(page):
    """Compare what the page tells of its state with bnlib."""
    found = explorer.bnlib_says(json.dumps(state(page)))
    words = {
        "none closest": "No BN optimum is closest",
        "does not apply": "Does not apply",
        "true": "True",
        "false": "False",
    }
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


def drag(page, label, dx, dy):
    handle(page, label).scroll_into_view_if_needed()
    box = handle(page, label).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + dx / 2, y + dy / 2)
    page.mouse.move(x + dx, y + dy)
    page.mouse.up()


@pytest.mark.parametrize("size", ["small", "large"])
def test_what_was_there_before_is_hidden_and_printed(size, opened):
    with opened(EXPLORER.format(size=size)) as page:
        assert page.locator(".bn-app").is_visible() and not page.locator("#stays").is_visible()
        page.emulate_media(media="print")
        assert page.locator("#stays").is_visible() and not page.locator(".bn-app").is_visible()


def test_without_scripts_the_figure_is_there(opened):
    with opened(java_script_enabled=False) as page:
        assert page.locator("#stays").is_visible() and page.locator(".bn-app").count() == 0


def test_the_first_view_is_the_counterexample(opened):
    with opened() as page:
        assert state(page)["t"] == list(bnlib.counterexample().targets)
        assert told(page).startswith("False.") and "#" not in page.url
        share = page.locator(FACT.format("share")).inner_text()
        assert "53.5%" in share and "46.5%" in share
        agrees(page)


def test_dragging_the_start_changes_the_verdict(opened):
    with opened() as page:
        for dx, dy in [(-60, -150), (-260, 80), (250, 300), (-40, -200)]:
            before = state(page)
            drag(page, "W₀, the start", dx, dy)
            assert state(page)["w0"] != before["w0"] and state(page)["t"] == before["t"]
            agrees(page)
            assert "#explorer=" in page.url


def test_dragging_an_input_and_a_target_moves_the_optima(opened):
    with opened() as page:
        for label in ("example 3, both inputs", "example 2, target"):
            before, star = state(page), page.locator(FACT.format("star")).inner_text()
            drag(page, label, 45, -60)
            assert state(page) != before and state(page)["w0"] == before["w0"]
            assert page.locator(FACT.format("star")).inner_text() != star
            agrees(page)


def test_a_finger_drags_too(opened):
    """Chromium makes pointer events of touches; the page must not scroll instead."""
    with opened(width=390, has_touch=True, is_mobile=True) as page:
        box = handle(page, "W₀, the start").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        send = page.context.new_cdp_session(page).send
        for kind, place in [("Start", (x, y)), ("Move", (x, y - 60)), ("Move", (x, y - 90))]:
            points = [{"x": place[0], "y": place[1]}]
            send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert state(page)["w0"] != [3, 1] and page.evaluate("scrollY") == 0
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
        assert told(page).startswith("True.") and "intercept is 0" in page.locator(".bn-app ul").inner_text()
        third.press("ArrowUp")
        assert state(page)["t"][2] == 8.1
        for nonsense in ("", "1e5"):  # kept as it was
            third.fill(nonsense)
            third.press("Tab")
            assert state(page)["t"][2] == 8.1


def test_presets_and_random_sets(opened):
    with opened() as page:
        select = page.get_by_label("Preset")
        for name in select.locator("option").all_inner_texts()[:-1]:
            select.select_option(name)
            assert told(page) and select.locator("option:checked").inner_text() == name
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
        page.wait_for_function("document.querySelector('.bn-verdict').textContent.startsWith('Does')")
        assert state(page)["w0"] == [-3, -1]
    for other in ("#a-heading", "#explorer=1,2"):
        with opened(at=other) as page:
            assert state(page)["w0"] == [3, 1] and page.url.endswith(other)


def test_the_verdict_is_announced_only_when_it_changes(opened):
    count = "() => { window.said = 0; new MutationObserver(seen => window.said += seen.length).observe(" \
        "document.querySelector('[aria-live=polite]'), {subtree: true, childList: true, characterData: true}); }"
    with opened() as page:
        page.evaluate(count)
        handle(page, "W₀, the start").focus()
        page.keyboard.press("ArrowDown")
        assert told(page).startswith("False.") and page.evaluate("said") == 0
        for _ in range(4):
            page.keyboard.press("Shift+ArrowUp")
        assert told(page).startswith("True.") and page.evaluate("said") > 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", browser.WIDTHS)
@pytest.mark.parametrize("size", ["small", "large"])
def test_it_fits_and_can_be_read(size, width, theme, opened):
    body = EXPLORER.format(size=size) + '<div class="bn-intercept"></div>'
    with opened(body, theme=theme, width=width) as page:
        page.set_viewport_size({"width": width, "height": 4000})  # what is not in it has no colours
        for name in ("the counterexample", "no BN optimum is closest", "a constant input"):
            page.get_by_label("Preset").select_option(name)
            assert page.evaluate(browser.LAYOUT) == []
            drawn = page.evaluate(DRAWN)
            assert len(drawn) > 30 and [each for each in drawn if each[1] < 4.5] == []


def test_reduced_motion_is_respected(opened):
    moving = "() => getComputedStyle(document.querySelector('.bn-side i')).transitionDuration"
    with opened() as page:
        assert page.evaluate(moving) != "0s"
        page.emulate_media(reduced_motion="reduce")
        assert page.evaluate(moving) == "0s"


def test_the_slider_moves_the_intercept(opened):
    with opened('<div class="bn-intercept"></div>') as page:
        slider, x = page.locator("input[type=range]"), bnlib.counterexample().inputs
        for a in (-6, -3, -1.5, 0, 2, 6):
            slider.fill(str(a))
            data = bnlib.LearningSet(x, x @ [5, 3] + a)
            (star,), (ray,) = (bnlib.Neuron(normalization=n).optima(data) for n in (None, bnlib.BatchNorm()))
            told = page.locator(".bn-intercept [aria-live]").inner_text().replace("−", "-")
            numbers = [float(each) for each in re.findall(r"-?[\d.]*\d", told)]
            turn = np.cross([*ray.direction, 0], [*star.weights, 0])[2]
            angle = np.degrees(bnlib.angle(star.weights, ray.direction)) * np.sign(turn)
            assert np.allclose(numbers[:4], [a, *star.weights, angle], rtol=1e-3, atol=1e-6)
            assert ("true" in told) == (a == 0) and ("false" in told) == (a != 0)
        slider.fill("-3")
        slider.press("ArrowRight")
        assert "a = −2.9" in page.locator(".bn-intercept [aria-live]").inner_text()


def test_the_decision_table_is_filtered_and_printed_whole(opened):
    rows = [("nothing repaired", "frozen"), ("centred inputs", "frozen"), ("γ and β trained", "trained"),
            ("a constant input", "frozen"), ("scale only", "frozen"), ("eight other activations", "frozen")]
    head = "".join(f"<th>{each}</th>" for each in ("assumption", "a", "b", "c", "γ, β", "Σ"))
    body = "".join(f"<tr><td>{name}</td>{'<td></td>' * 3}<td>{kind}</td><td></td></tr>" for name, kind in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    with opened(table) as page:
        def shown():
            return [each.inner_text() for each in page.locator("tbody td:first-child").all() if each.is_visible()]

        names = [name for name, _ in rows]
        assert shown() == names
        for label, value, kept in [("γ and β", "trained", [2]), ("centred", "inputs", [1]), ("bias", "with", [3]),
                                   ("centred", "nothing", [4]), ("activation", "other", [5])]:
            select = page.get_by_label(f"{label} ")
            select.select_option(value)
            assert shown() == [names[i] for i in kept]
            assert page.locator("output").inner_text() == "1 of 6 rows"
            page.emulate_media(media="print")
            assert shown() == names and not page.locator("form").is_visible()
            page.emulate_media(media="screen")
            select.select_option("")
    with opened(table, java_script_enabled=False) as page:
        assert page.locator("form").count() == 0


def test_the_page_of_the_book_holds_it():
    text = (ROOT / "chapters" / "explorer.md").read_text(encoding="utf-8")
    inside = text[text.index("bn-explorer") : text.index("</div>")]
    assert "verdict.svg" in inside, "Remedy: the figure for print stays inside the div."
