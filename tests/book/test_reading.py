"""What a page has beside its text: description, version, symbols linked, words for the search."""

import json
import re

import pytest
import yaml
from bs4 import BeautifulSoup

import bnlib
from tests.book import browser
from tests.book.test_book import served
from tools import reading, toc
from tools.project import ROOT

PAGES = toc.entries()
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
MACROS = CONFIG["mathjax3_config"]["tex"]["macros"]
SYMBOLS = {"theta", "bn-optimum", "standard-optimum", "start", "s", "q", "gamma", "beta", "epsilon"}


@pytest.fixture(scope="module")
def pages(html):
    """Return the built pages, read."""
    texts = {page: (html / f"{page}.html").read_text(encoding="utf-8") for page in PAGES}
    return {page: BeautifulSoup(text, "html.parser") for page, text in texts.items()}


def article(page):
    return page.select_one("article.bd-article")


def test_each_page_describes_itself_in_words_of_its_own(pages):
    described = {}
    for name, page in pages.items():
        (meta,) = page.select("meta[name=description]")
        described[name] = meta["content"]
        assert 40 < len(meta["content"]) < 400, name
        assert not re.search(r"[\\${}\n]", meta["content"]), name
        if name != "chapters/references":  # has no sentence of its own
            text = " ".join(article(page).get_text().split())
            assert meta["content"][:30].split("ε")[0] in text, name
    assert len(set(described.values())) == len(PAGES)
    assert described["chapters/variants"] == (
        "The lemma is about batch norm as it stands in a proof: ε=0, γ=1, β=0. "
        "Software has a positive ε, and trains γ and β."
    )


def test_the_version_is_at_the_foot_of_every_page(pages):
    for name, page in pages.items():
        foot = page.select_one(".extra_footer").get_text(strip=True)
        assert foot == f"Version {bnlib.__version__}", name


@pytest.mark.parametrize(
    ("tex", "words"),
    [
        (r"\Wstar", "W*"),
        (r"\What=\Wstar", "Ŵ*=W*"),
        (r"\norm{W_0-\Wstar}^2", "‖W₀-W*‖²"),
        (r"\inner{W_0}{\Wstar}>0", "⟨W₀, W*⟩>0"),
        (r"\norm w", "‖w‖"),
        (r"\frac{a}{1+q}\,s", "a/(1+q) s"),
        (r"\frac12+\frac\theta{2\pi}", "1/2+θ/(2π)"),
        (r"z'\ge\frac h2", "z'≥h/2"),
        (r"s=\kappa\hat u", "s=κû"),
        (r"\sqrt{\sigma^2+\epsilon}", "√(σ²+ε)"),
        (r"\operatorname{sign}(\gamma)\,\hat u_\beta", "sign(γ) û_β"),
        (r"X^\top X", "Xᵀ X"),
        (r"\{k\hat u:k>0\}+\ker X_c", "kû:k>0+ ker X_c"),
        (r"C^{1/2}u", "C^(1/2)u"),
        (r"x_i\in\R^d", "x_i∈R^d"),
    ],
)
def test_a_formula_in_words(tex, words):
    assert reading.in_words(tex, MACROS) == words


def test_every_formula_has_its_words(pages):
    formulas = [each for page in pages.values() for each in article(page).select(".math")]
    assert len(formulas) > 1000
    for each in formulas:
        assert each["data-words"].strip(), each
        assert not re.search(r"[\\{}\n]", each["data-words"]), each


def rows(pages):
    """Return for each anchor of the page of notation the symbol there, and its chapters."""
    found = {}
    for span in pages["chapters/notation"].select("td [id^=sym-]"):
        scope = [f"chapters/{each[3:]}" for each in span.get("class", [])]
        symbol = span.select_one(".math")["data-words"].removesuffix("²")
        found[span["id"]] = (symbol, scope or PAGES)
    return found


def unlinked(name, page, table):
    """Return the symbols that stand alone in a sentence of a page before a link to their row."""
    linked, found = set(), []
    for each in article(page).select("p span.math"):
        link = each.find_parent("a")
        if link is None and not each.find_parent(["table", "figcaption", "dl"]):
            words = each["data-words"]
            alone = {anchor for anchor, (symbol, scope) in table.items() if symbol == words}
            found += [a for a in alone - linked if name in table[a][1]]
        elif link is not None:
            linked.add(link["href"].partition("#")[2])
    return found


def test_symbols_lead_to_their_row_where_a_page_first_has_them(pages):
    table = rows(pages)
    assert {f"sym-{each}" for each in SYMBOLS} <= set(table)
    assert {page for _, scope in table.values() for page in scope} <= set(PAGES)
    used = set()
    for name, page in pages.items():
        links = article(page).select("a.symbol")
        anchors = [each["href"].partition("#")[2] for each in links]
        assert len(set(anchors)) == len(anchors), name
        used |= set(anchors)
        for link, anchor in zip(links, anchors, strict=True):
            symbol, scope = table[anchor]
            assert name in scope
            assert link.select_one(".math")["data-words"].startswith(symbol)
        if name != "chapters/notation":
            assert unlinked(name, page, table) == [], name
    assert used == set(table)


def test_a_symbol_without_its_link_is_found(pages):
    name = "chapters/how-often"
    copy = BeautifulSoup(str(pages[name]), "html.parser")
    article(copy).select_one("a.symbol[href$=sym-theta]").unwrap()
    assert "sym-theta" in unlinked(name, copy, rows(pages))


def previews(html, page):
    text = (html / "_static" / "previews" / f"{page}.js").read_text(encoding="utf-8")
    head = f'bnPreviews["{page}"] = '
    assert text.startswith(head)
    return json.loads(text.removeprefix(head).rstrip(";\n"))


def unpreviewed(pages, told):
    """Return the links of the text into the book that lead to nothing that could be shown."""
    found = []
    for name, page in pages.items():
        for link in article(page).select("a.reference.internal"):
            path, _, anchor = link.get("href", "").partition("#")
            target = f"chapters/{path.removesuffix('.html')}" if path else name
            if path.endswith(".html") or not path:
                found += [] if anchor in told.get(target, {}) else [(name, link["href"])]
    return found


def test_every_link_into_the_book_has_a_preview(html, pages):
    told = {page: previews(html, page) for page in PAGES}
    missing = unpreviewed(pages, told)
    assert [each for each in missing if not re.search(r"#(bnlib|bn_|module-)", each[1])] == []
    del told["chapters/how-often"]["thm-law"]
    assert ("chapters/counterexample", "how-often.html#thm-law") in unpreviewed(pages, told)


def test_previews_repeat_no_anchor_and_hold_no_link(html):
    for page in PAGES:
        for anchor, text in previews(html, page).items():
            assert text.strip(), (page, anchor)
            parsed = BeautifulSoup(text, "html.parser")
            assert parsed.select("[id], [tabindex], a, script, style") == [], (page, anchor)


def test_words_of_the_index_are_told_in_their_chapters(pages):
    words = [word for each in CONFIG["index_words"].values() for word in each]
    assert len(set(words)) == len(words)
    for chapter, told in CONFIG["index_words"].items():
        text = " ".join(article(pages[f"chapters/{chapter}"]).get_text().split()).lower()
        assert [word for word in told if word.lower() not in text] == [], chapter


RESULTS = """async () => {
  const found = () => [...document.querySelectorAll("#search-results li")];
  while (!/found|match/.test(document.querySelector(".search-summary")?.textContent)
    || location.protocol !== "file:" && found().some(li => li.children.length < 2))
    await new Promise(done => setTimeout(done, 20));
  return found().map(li => [li.querySelector("a").getAttribute("href"), li.textContent]);
}"""


# Words, and the chapter that is to be found first.
FIRST = """ReLU activations, relu activations, tanh activations, intercept intercept, seed training,
mini-batch mini-batches, gain still-true, counterexample counterexample, learning rate training,
Coq machine, bias repairs, epsilon variants"""


@pytest.mark.parametrize("over_http", [False, True], ids=["file", "http"])
def test_the_search_finds_a_word_first_where_it_is_told(over_http, html, page):
    with served() as address:
        base = address if over_http else f"{html.as_uri()}/"
        for word, chapter in (each.rsplit(maxsplit=1) for each in FIRST.split(",")):
            page.goto(f"{base}search.html?q={word.strip()}")
            results = page.evaluate(RESULTS)
            assert results[0][0].startswith(f"chapters/{chapter}.html"), word
            assert [text for _, text in results if re.search(r"\\|[_^]\{", text)] == [], word


def test_what_the_search_shows_is_text_in_words(html, page):
    page.goto((html / "search.html").as_uri())
    formula = '<span class="math" data-words="W₀">\\(W_0\\)</span>'
    display = r'<div class="math">\[\frac12\]</div>'
    code = '<div class="highlight"><pre>import numpy</pre></div>'
    text = f'<article class="bd-article"><p>Start at {formula}.</p>{display}{code}</article>'
    whole = f'<main role="main"><p>Contents</p>{text}</main>'
    shown = page.evaluate("text => Search.htmlToText(text)", whole)
    assert shown.split() == ["Start", "at", "W₀.", "…"]


@pytest.mark.parametrize("name", ["search.html?q=intercept", "genindex.html"])
def test_the_pages_of_the_search_are_sound(name, html, page):
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{html.as_uri()}/{name}")
    page.wait_for_load_state("load")
    assert [each for each in wrong if not browser.HARMLESS.search(each)] == []
