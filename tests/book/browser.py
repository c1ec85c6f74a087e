"""A page as a reader's browser shows it: everything wrong with it, one line each."""

import os
import re
from contextlib import ExitStack, contextmanager

import pytest

import tools.browser
from tools.browser import SETTLED

WIDTHS, SCHEMES = (390, 1280), ("light", "dark")
# A browser asks for the .ico by itself while it is on the page that redirects to the first one.
HARMLESS = re.compile(r"/favicon\.ico")

# Ends the transitions of the theme, whatever the clock says.
STILL = """() => document.getAnimations()
  .filter(each => each.effect.getComputedTiming().endTime < Infinity)
  .forEach(each => each.finish())"""

CONTENT = r"""() => {
  const found = [];
  const short = text => JSON.stringify(text.trim().slice(0, 70));
  const article = document.querySelector(".bd-article");
  if (!document.title.trim()) found.push("page: has no title");
  if (article.querySelectorAll("h1").length !== 1) found.push("page: has not one h1");
  const maths = document.querySelectorAll(".math.notranslate");
  for (const each of maths)
    if (!each.querySelector("mjx-container"))
      found.push(`not rendered: ${short(each.textContent)}`);
  for (const each of document.querySelectorAll("mjx-merror, [data-mjx-error]"))
    found.push(`TeX error: ${each.getAttribute("data-mjx-error") || short(each.textContent)}`);
  for (const each of document.querySelectorAll("mjx-container [style*='color: red']"))
    found.push(`TeX error: unknown command (shown red) ${short(each.innerHTML)}`);
  const fonts = [...document.fonts].filter(font => /^"?MJX/.test(font.family));
  if (document.querySelector("mjx-container")) {
    if (!fonts.some(font => font.status === "loaded"))
      found.push("fonts: no glyph font of MathJax was loaded");
    for (const font of fonts.filter(font => font.status === "error"))
      found.push(`fonts: ${font.family} could not be loaded`);
  }
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.data;
    const inside = texts.currentNode.parentElement;
    if (inside.closest("pre, code, mjx-container, script, style, .math")) continue;
    if (/\$|\\[()[\]]|\\[a-zA-Z]{2,}\{/.test(text)) found.push(`raw TeX: ${short(text)}`);
  }
  for (const image of document.querySelectorAll("img")) {
    const name = image.getAttribute("src");
    if (!image.complete || !image.naturalWidth) found.push(`image: ${name} does not show`);
    if (article.contains(image) && image.alt.trim().length < 30)
      found.push(`image: ${name} has an alternative text shorter than 30 characters`);
  }
  return found;
}"""

# Anything a reader can search with, on this width.
SEARCH_BOXES = """() => [...document.querySelectorAll(
  "input[type=search], .search-button, .search-button__button, .search-button-field")]
  .filter(e => e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})).length"""

# A colour in numbers, one above another, and the contrast of two.
COLOURS = r"""
  const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = colour => {  // through a canvas: it reads every notation of colour
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = colour => {
    const [r, g, b] = colour.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };"""

LAYOUT = r"""() => {
  COLOURS;
  const found = [], root = document.documentElement;
  if (root.scrollWidth > innerWidth)
    found.push(`overflow: the page is ${root.scrollWidth} px wide in ${innerWidth} px`);
  const behind = element => {
    if (!element) return [255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(element.parentElement));
  };
  const seen = new Map();
  for (const element of document.querySelectorAll("body, .bd-article *")) {
    const own = [...element.childNodes].filter(n => n.nodeType === 3 && n.data.trim());
    if (!own.length || element.closest("mjx-container, .headerlink, script, style")) continue;
    if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    const back = behind(element);
    const ratio = contrast(over(rgba(getComputedStyle(element).color), back), back);
    const kind = `${element.tagName.toLowerCase()}.${element.className}`;
    if (ratio < 4.5 && !seen.has(kind)) seen.set(kind, ratio);
  }
  for (const [kind, ratio] of seen)
    found.push(`contrast: ${kind} has ${ratio.toFixed(2)}, less than 4.5`);
  return found;
}""".replace("COLOURS;", COLOURS)


@contextmanager
def launch():
    """Yield a browser; without one skip, or fail where BNLIB_REQUIRE_BROWSER=1 demands it."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(tools.browser.launch())
        except FileNotFoundError as error:
            if os.environ.get("BNLIB_REQUIRE_BROWSER") == "1":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield running


def listen(page):
    """Return two lists that grow: what goes wrong in the page's console, and what it asks for."""

    def told(said):
        if said.type == "error":
            wrong.append(f"console: {said.text} {said.location.get('url', '')}")

    wrong, asked = [], []
    page.on("pageerror", lambda error: wrong.append(f"console: {error}"))
    page.on("console", told)
    page.on("request", lambda request: asked.append(request.url))
    return wrong, asked


@contextmanager
def watched(browser, url, local, *, width=1280, **more):
    """Yield a page in whose console nothing may go wrong, and which asks for what is local."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **more)
    wrong, page.asked = listen(page)
    page.goto(url)
    yield page
    assert wrong == []
    assert [each for each in page.asked if not each.startswith(local)] == []
    page.close()


def problems(browser, url, *, local=("file:", "data:", "blob:"), also=()):
    """Return all that is wrong with a page in each width and scheme, or that `also` finds."""
    page = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
    found, requests = listen(page)
    # That a page redirects may end its own request early.
    page.on("requestfailed", lambda r: r.url != url and found.append(f"request failed: {r.url}"))
    page.goto(url)
    page.wait_for_selector(".bd-article")  # also through the redirect of the first page
    page.wait_for_load_state("load")
    page.evaluate(SETTLED)
    found += page.evaluate(CONTENT)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(STILL)
            state = f" ({width} px, {scheme})"
            found += [line + state for line in page.evaluate(LAYOUT)]
        if (count := page.evaluate(SEARCH_BOXES)) != 1:
            found.append(f"search box: {count} are visible ({width} px)")
    found += [line for look in also for line in look(page)]
    page.close()
    found += [f"external request: {each}" for each in requests if not each.startswith(local)]
    return [line for line in found if not HARMLESS.search(line)]
