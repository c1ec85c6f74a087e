"""Figures in the dark: no white sheets, colours apart, letters legible, captions that stay true."""

import io
import itertools
import re
import xml.etree.ElementTree as ET

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bn_experiments.book import figures
from tests.book import browser, guards
from tools.project import CHAPTERS, ROOT

STYLE = ROOT / "bn_experiments/book/book.mplstyle"
PAPER = "#FFFFFF"
CYCLE = [f"#{each}" for each in re.findall(r'"([0-9A-F]{6})"', STYLE.read_text("utf-8"))[:4]]
AREAS = [PAPER, figures.FAILS, figures.VOID]
ROLES = [*AREAS, figures.START, figures.STANDARD, figures.NORMALIZED, *CYCLE[2:]]
# Linear light, as a reader without green cones sees it (Machado, Oliveira and Fernandes, 2009).
NO_GREEN = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)
# From linear sRGB to the cones, and from their cube roots to OKLab.
CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
)
DARK = """<!DOCTYPE html><html data-theme="dark"><head><link rel="stylesheet" href="{css}">
</head><body style="margin:0"><article class="bd-article"><figure>
<img style="display: block; {more}" src="swatches.svg" alt="x"></figure></article></body></html>"""


def linear(colour):
    value = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    low, high = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def distance(one, other, vision):
    seen = [LAB @ np.cbrt(CONES @ np.clip(vision @ linear(c), 0, 1)) for c in (one, other)]
    return float(np.linalg.norm(seen[0] - seen[1]))


def pixels(locator):
    """Return what is on the screen as an array of bytes."""
    return (plt.imread(io.BytesIO(locator.screenshot()))[..., :3] * 255).round().astype(int)


def colours_of_letters():
    """Return the colour of every text of the stored figures."""
    found = set()
    for path in CHAPTERS.glob("*.ipynb"):
        for group in (g for svg in guards.figures(path) for g in ET.fromstring(svg).iter()):
            if group.get("id", "").startswith("text_"):
                styles = "".join(each.get("style", "") for each in group.iter())
                found |= {each.upper() for each in re.findall(r"fill: (#\w{6})", styles)}
    return found | {"#000000"}  # what has no fill is black


def in_the_dark(page, folder, colours, more=""):
    """Return the colours that the screen shows, in the dark, for colours of a figure."""
    size = 20
    squares = [
        f'<rect x="{size * i}" width="{size}" height="{size}" fill="{colour}"/>'
        for i, colour in enumerate(colours)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size * len(colours)}" height="{size}">'
    (folder / "swatches.svg").write_text(head + "".join(squares) + "</svg>", encoding="utf-8")
    css = (ROOT / "_static/book.css").as_uri()
    (folder / "page.html").write_text(DARK.format(css=css, more=more), encoding="utf-8")
    page.goto((folder / "page.html").as_uri())
    shown = pixels(page.locator("img"))
    middles = [shown[size // 2, size // 2 + size * i] for i in range(len(colours))]
    return {c: "#" + "".join(f"{v:02X}" for v in m) for c, m in zip(colours, middles, strict=True)}


def faults(dark):
    """Yield each text that is harder to read than on paper, and each pair that comes together."""
    for text, area in itertools.product(colours_of_letters(), AREAS):
        before, after = contrast(text, area), contrast(dark[text], dark[area])
        if text != area and after < min(4.5, before):
            yield f"text {text} on {area}: {after:.2f}, in the light {before:.2f}"
    for one, other in itertools.combinations(ROLES, 2):
        for vision in (np.eye(3), NO_GREEN):
            before = distance(one, other, vision)
            if (after := distance(dark[one], dark[other], vision)) < min(0.12, 0.75 * before):
                yield f"pair {one}, {other}: {after:.2f}, in the light {before:.2f}"


def test_colours_stay_apart_and_letters_legible(page, tmp_path):
    dark = in_the_dark(page, tmp_path, sorted({*ROLES, *colours_of_letters()}))
    assert contrast(dark[PAPER], "#121212") < 1.01  # the background of the theme
    assert list(faults(dark)) == []


@pytest.mark.parametrize(
    ("filtered", "kind"),
    [("invert(0.944) grayscale(1)", "pair"), ("invert(0.944) brightness(0.6)", "text")],
)
def test_a_worse_filter_is_noticed(filtered, kind, page, tmp_path):
    worse = f"filter: {filtered} !important"
    colours = sorted({*ROLES, *colours_of_letters()})
    found = list(faults(in_the_dark(page, tmp_path, colours, worse)))
    assert [each for each in found if each.startswith(kind)]


def slabs(page):
    """Return the figures whose sheet is not the background of the page, and its lightness."""
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    back = np.array([int(v) for v in re.findall(r"\d+", back)[:3]])
    found = {}
    for image in page.locator(".bd-article :is(figure, .cell_output) img").all():
        if image.is_visible():
            image.scroll_into_view_if_needed()
            corner = pixels(image)[3, 12]
            if np.abs(corner - back).max() > 2:
                found[image.evaluate("e => e.closest('figure').id")] = int(corner.max())
    return found


# What captions say of white and black is not so in the dark; they must say it again.
CAPTIONS = r"""() => [...document.querySelectorAll("figure:has(img) figcaption")]
  .filter(each => /\b(white|black)\b/i.test(each.textContent) !==
    /exchanged/.test(getComputedStyle(each, "::after").content))
  .map(each => each.textContent.slice(0, 60))"""


def too_light(page):
    """Return what is white in the dark on the open page, or said to be; `test_book.py` asks."""
    page.set_viewport_size({"width": 1280, "height": 4000})
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.evaluate(browser.STILL)
    # Dark is low in the landscapes: they are dimmed, not turned.
    found = [n for n, v in slabs(page).items() if n != "fig-landscapes" or v >= 200]
    said = page.evaluate(CAPTIONS)
    return [f"white: {each}" for each in found] + [f"caption: {each}" for each in said]


def test_paper_is_white_and_a_white_slab_and_a_false_caption_are_noticed(html, page):
    page.emulate_media(media="print", color_scheme="dark")
    page.goto((html / "chapters/counterexample.html").as_uri())
    image = "document.querySelector('#fig-plane img')"
    assert page.evaluate(f"getComputedStyle({image}).filter") == "none"
    page.emulate_media(media="screen")
    assert too_light(page) == []
    page.evaluate(f"{image}.style.setProperty('filter', 'none', 'important')")
    assert slabs(page)["fig-plane"] > 250
    page.evaluate("document.querySelector('#fig-plane').id = 'other'")
    assert [each.split(": ")[0] for each in too_light(page)] == ["white", "caption"]
