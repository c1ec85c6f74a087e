"""A formula keeps its punctuation on its line: `test_book.py` looks for others on every page."""

from tests.book import browser
from tools import toc

# What is folded is read too.
OPEN = """() => {
  for (const each of document.querySelectorAll("details")) each.open = true;
  for (const each of document.querySelectorAll(".toggle-hidden"))
    each.classList.remove("toggle-hidden");
}"""

# The first character after a formula stands on its right, or on another line.
TORN = r"""() => {
  const found = [], main = document.querySelector(".bd-article");
  const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  const place = (text, at) => {
    const range = document.createRange();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    return range.getClientRects()[0];
  };
  const block = node => node.parentElement.closest(
    "p, li, dd, dt, td, th, figcaption, h1, h2, h3, h4, div");
  for (const formula of main.querySelectorAll("span.math:has(mjx-container)")) {
    const box = formula.querySelector("mjx-container").getClientRects()[0];
    if (!box?.width) continue;
    const ours = text =>
      text && !text.parentElement.closest(".math") && block(text) === block(formula);
    const tell = words => found.push(`${words}: ${block(formula).textContent.trim().slice(0, 50)}`);
    texts.currentNode = formula;
    let text = texts.nextNode();
    while (text && formula.contains(text)) text = texts.nextNode();
    if (ours(text) && /^[^\s\w([{“‘]/.test(text.data)) {
      const next = place(text, 0);
      if (next && next.left < box.right - 2) tell(`${text.data.slice(0, 9)}| begins a line`);
    }
    texts.currentNode = formula;
    text = texts.previousNode();
    if (ours(text) && /[([{“‘]$/.test(text.data)) {
      const last = place(text, text.data.length - 1);
      if (last && last.right > box.left + 2) tell(`${text.data.slice(-9)}| ends a line`);
    }
  }
  return found;
}"""


def torn(page):
    """Return every formula of the open page that is torn from its punctuation, at both widths."""
    page.evaluate(OPEN)
    found = []
    for width in browser.WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{width} px: {each}" for each in page.evaluate(TORN)]
    return found


def test_a_torn_formula_is_noticed(html, page):
    """A column this narrow is broken wherever it can be."""
    page.goto((html / f"{toc.entries()[1]}.html").as_uri())
    page.evaluate(browser.SETTLED)
    whole = page.locator("span.text-nowrap:has(mjx-container):visible").first
    assert page.evaluate(TORN) == []
    whole.evaluate("""e => {
      const narrow = document.createElement("p");
      narrow.style.width = "20px";
      narrow.append("(", e.querySelector(".math").cloneNode(true), ", so");
      const kept = narrow.cloneNode(true);
      const wrap = document.createElement("span");
      wrap.className = "text-nowrap";
      wrap.append(...kept.childNodes);
      kept.append(wrap);
      document.querySelector(".bd-article").append(narrow, kept);
    }""")
    told = [each.split(":")[0] for each in page.evaluate(TORN)]
    assert told == [", so| begins a line", "(| ends a line"]
