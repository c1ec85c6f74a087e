"""A Sphinx extension: what a page of the book has beside its text.

Its description and the version; its formulas in words, for the description and for the search; the
words for which the search shows it first (`index_words` in _config.yml); links from a symbol to its
row on the page of notation; and for `_static/previews.js` what a link leads to.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any
from unicodedata import normalize

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.utils.math import tex2unichar
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config

import bnlib

NOTATION = "chapters/notation"
LONGEST_LINKED = 30  # a formula with more TeX than this is no symbol
SIGNS = {"lVert": "‖", "rVert": "‖", "Vert": "‖", "top": "ᵀ", "circ": "°", "epsilon": "ε"}
for name in ("mathalpha", "mathbin", "mathrel", "mathord", "mathop", "mathopen", "mathclose"):
    SIGNS = getattr(tex2unichar, name) | SIGNS
ACCENTS = {name: tex2unichar.mathaccent[name] for name in ("hat", "bar", "tilde")}
STYLES = r"\\(?:operatorname|math[a-z]+|text[a-z]*|[bB]igg?[lrm]?|left|right|q?quad|limits)\b"
SPACES = r"\\(?:begin|end)\{\w+\*?\}|\\[,;:!> ]|\\\\|&|~"
ARGUMENT = r"\s*(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}|(\\[A-Za-z]+|[^\s\\{}]))"
SINGLE = r"[{}]*\\?\w*[\u0300-\u036f]?"  # needs no brackets in a fraction
FORMULA = re.compile(
    r'(<(?:span|div) class="(?:[^"]* )?math notranslate[^>]*)'
    r'(>\s*(?:<span class="eqno">.*?</span>)?\\[(\[])(.*?)(?=\\[)\]]\s*</)',
    re.DOTALL,
)


def applied(tex: str, name: str, form: str, count: int) -> str:
    """Return the TeX with the command `name` of `count` arguments written out as `form`."""

    def written(match: re.Match[str]) -> str:
        groups = [each or "" for each in match.groups()]
        values = [(groups[2 * i] or groups[2 * i + 1]).strip() for i in range(count)]
        if "/" in form:  # of a fraction
            values = [v if re.fullmatch(SINGLE, v) else f"({v})" for v in values]
        return "{}" + re.sub(r"#(\d)", lambda number: values[int(number[1]) - 1], form)

    pattern = re.compile(rf"\\{name}(?![A-Za-z])" + ARGUMENT * count)
    while (text := pattern.sub(written, tex)) != tex:
        tex = text
    return tex


def in_words(tex: str, macros: dict[str, Any]) -> str:
    """Return a formula as one line of text, without a backslash."""
    forms = {name: (each, 0) if isinstance(each, str) else each for name, each in macros.items()}
    forms |= {"frac": ("#1/#2", 2), "tfrac": ("#1/#2", 2), "sqrt": ("√(#1)", 1)}
    forms |= {name: (f"#1{sign}", 1) for name, sign in ACCENTS.items()}
    for name, (form, count) in forms.items():
        tex = applied(tex, name, form, count)
    tex = re.sub(STYLES, "", re.sub(SPACES, " ", tex))
    fences = r"\\(lVert|langle) +| +\\(rVert|rangle)"
    tex = re.sub(fences, lambda match: SIGNS[match[1] or match[2]], tex)
    tex = re.sub(r"\\([A-Za-z]+)", lambda match: SIGNS.get(match[1], f" {match[1]} "), tex)
    tex = re.sub(r"\^\{?([*ᵀ°])\}?", r"\1", tex)
    tex = re.sub(r"[\\{}]", "", re.sub(r"\^\{([^{}]{2,})\}", r"^(\1)", tex))
    tex = re.sub(r"_(\d)", lambda match: chr(ord("₀") + int(match[1])), tex)
    tex = re.sub(r"\^([23])", lambda match: "²³"[int(match[1]) - 2], tex)
    return normalize("NFC", " ".join(tex.split()))


def plain(node: nodes.Node, macros: dict[str, Any]) -> str:
    """Return the text of a paragraph, its formulas in words."""
    if isinstance(node, nodes.math):
        return in_words(node.astext(), macros)
    if not node.children:
        return str(node.astext())
    return "".join(plain(each, macros) for each in node.children)


def description(doctree: nodes.document, macros: dict[str, Any], enough: int = 80) -> str:
    """Return the first sentences of a page, until that is `enough`; of one without any, ""."""
    told = ""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(plain(paragraph, macros).split())
            for sentence in re.split(r"(?<=[.?]) (?=[A-Z])", text):
                told += f" {sentence}" if len(told) < enough else ""
            break
    return told.strip()


def tell_version(_: Sphinx, config: Config) -> None:
    """Put the version of the library at the foot of every page."""
    config["version"] = config["release"] = bnlib.__version__
    config["html_theme_options"]["extra_footer"] = f"<p>Version {bnlib.__version__}</p>"


def enter_words(app: Sphinx, doctree: nodes.document) -> None:
    """Enter the words that a page explains into the index, which the search looks at first."""
    words = app.config["index_words"].get(app.env.docname.rpartition("/")[2], [])
    doctree += addnodes.index(entries=[("single", word, "", "main", None) for word in words])


@cache
def rows(app: Sphinx) -> dict[str, tuple[re.Pattern[str], list[str]]]:
    """Return for the anchor of each row of the notation what its formulas begin with, and where.

    In notation.md a symbol with an anchor is `[$s$]{#sym-s}`, or `[$s$]{#sym-s .in-intercept}` if
    it has this meaning in that chapter only.
    """
    found = {}
    for span in app.env.get_doctree(NOTATION).findall(nodes.inline):
        for anchor in [each for each in span["ids"] if each.startswith("sym-")]:
            symbol = re.escape(span.astext().removesuffix("^2"))
            pages = [each.removeprefix("in-") for each in span["classes"]]
            found[anchor] = (re.compile(symbol + r"(?![A-Za-z_'])"), pages)
    return found


def link_symbols(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link the first short formula that begins with a symbol to the row of that symbol."""
    if app.builder.format != "html" or page == NOTATION:
        return
    chapter = page.rpartition("/")[2]
    waiting = {
        anchor: row for anchor, (row, pages) in rows(app).items() if not pages or chapter in pages
    }
    for formula in list(doctree.findall(nodes.math)):
        tex = formula.astext()
        begun = [anchor for anchor, symbol in waiting.items() if symbol.match(tex)]
        if begun and len(tex) <= LONGEST_LINKED and linkable(formula):
            del waiting[begun[0]]
            address = f"{app.builder.get_relative_uri(page, NOTATION)}#{begun[0]}"
            link = nodes.reference(internal=True, refuri=address, classes=["symbol"])
            formula.replace_self(link)
            link += formula


def linkable(node: nodes.Node) -> bool:
    """Return whether a link may be put here: not into a link, table, caption or docstring."""
    kinds, above = set(), node.parent
    while above is not None:
        kinds.add(type(above))
        above = above.parent
    elsewhere = {nodes.reference, nodes.title, nodes.caption, nodes.table, addnodes.desc}
    return nodes.paragraph in kinds and not kinds & elsewhere


class Previews:
    """What the links of the book lead to, gathered page by page."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, str]] = {}

    def gather(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
    ) -> None:
        """Describe the page, put its formulas in words, and keep what can be linked to."""
        if doctree is None:
            return
        macros = app.config["mathjax3_config"]["tex"]["macros"]
        told = description(doctree, macros) or f"{context['title']}. {app.config['html_title']}."
        context["metatags"] += f'<meta name="description" content="{escape(told)}" />'
        self.pages[page] = dict(targets(BeautifulSoup(context["body"], "html.parser")))

        def worded(match: re.Match[str]) -> str:
            words = escape(in_words(unescape(match[3]), macros))
            return f'{match[1]} data-words="{words}"{match[2]}{match[3]}'

        context["body"] = FORMULA.sub(worded, context["body"])

    def write(self, app: Sphinx, error: Exception | None) -> None:
        """Write a script for each page; another page loads it when a link to it is pointed at."""
        if error is None and app.builder.format == "html":
            for page, found in self.pages.items():
                path = Path(app.outdir) / "_static" / "previews" / f"{page}.js"
                path.parent.mkdir(parents=True, exist_ok=True)
                told = json.dumps(found, ensure_ascii=False)
                path.write_text(f"bnPreviews[{json.dumps(page)}] = {told};\n", encoding="utf-8")


def targets(body: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Yield the anchors of a page and the HTML to show of them: for the page itself, of ""."""
    for extra in body.select(".headerlink, script, style"):
        extra.decompose()
    for link in body.select("a"):
        link.unwrap()  # nothing in a preview can be reached
    for each in body.select(".proof[id], figure[id], div.math[id], .citation[id]"):
        yield str(each["id"]), clean(each)
    for section in body.select("section[id]"):
        for named in [section, *section.find_all("span", id=True, recursive=False)]:
            yield str(named["id"]), clean(*opening(section))
    for row in body.select("tr"):
        for symbol in row.select("[id^=sym-]"):
            yield str(symbol["id"]), clean(*row.select("td p")[:2])
    if (first := body.select_one("section")) is not None:
        yield "", clean(*opening(first))


def opening(section: Tag) -> list[Tag]:
    """Return the heading of a section and the first thing that it says."""
    return section.find_all(["h1", "h2", "h3", "h4", "p"], limit=2)


def clean(*found: Tag) -> str:
    """Return their HTML without anchors, which a page has once."""
    html = "".join(str(each) for each in found)
    return re.sub(r' (id|tabindex)="[^"]*"', "", html)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register all of this with Sphinx."""
    previews = Previews()
    app.add_config_value("index_words", {}, "env")
    app.connect("config-inited", tell_version)
    app.connect("doctree-read", enter_words)
    app.connect("doctree-resolved", link_symbols, priority=900)
    app.connect("html-page-context", previews.gather)
    app.connect("build-finished", previews.write)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
