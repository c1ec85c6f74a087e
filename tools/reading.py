"""A Sphinx extension: what a page of the book tells beside its text.

Its description and the version; formulas in words, for the description and for what the search
shows; a link from a symbol, where a page first has it, to its row on the page of notation; what a
link leads to, for `_static/previews.js`; the words that `index_words` in _config.yml sends to a page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from docutils.utils.math import tex2unichar
from sphinx.application import Sphinx
from sphinx.config import Config

import bnlib

NOTATION = "chapters/notation"
LONGEST_LINKED = 30  # a formula with more TeX than this is no symbol
SIGNS: dict[str, str] = {"lVert": "‖", "rVert": "‖", "top": "ᵀ", "circ": "°", "R": "ℝ"}
for name in ("mathalpha", "mathbin", "mathrel", "mathord", "mathop", "mathopen", "mathclose"):
    SIGNS = getattr(tex2unichar, name) | SIGNS
STYLES = r"\\(operatorname|math[a-z]+|text[a-z]*|[bB]igg?[lrm]?|left|right|[dt]frac|q?quad|limits)\b"
ARGUMENT = r"\s*(?:\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}|(\\[A-Za-z]+|[^\s\\{}]))"
INLINE = re.compile(r'(<span class="math notranslate nohighlight")>\\\((.*?)\\\)</span>', re.DOTALL)


def applied(tex: str, name: str, form: str, count: int) -> str:
    """Return the TeX with the command `name` of `count` arguments written out as `form`."""

    def written(match: re.Match[str]) -> str:
        groups = [each or "" for each in match.groups()]
        values = [groups[2 * i] or groups[2 * i + 1] for i in range(count)]
        return re.sub(r"#(\d)", lambda number: values[int(number[1]) - 1], form)

    pattern = re.compile(rf"\\{name}(?![A-Za-z])" + ARGUMENT * count)
    while (text := pattern.sub(written, tex)) != tex:
        tex = text
    return tex


def in_words(tex: str, macros: dict[str, Any]) -> str:
    """Return a formula as one line of text, without a backslash."""
    forms = {name: (each, 0) if isinstance(each, str) else each for name, each in macros.items()}
    forms |= {"frac": ("#1/#2", 2), "sqrt": ("√#1", 1), "tfrac": ("#1/#2", 2)}
    accents = {"hat": "hat", "bar": "bar", "tilde": "tilde", "widehat": "hat", "dot": "dot"}
    forms |= {name: (f"#1{tex2unichar.mathaccent[each]}", 1) for name, each in accents.items()}
    for name, (form, count) in forms.items():
        tex = applied(tex, name, form, count)
    tex = re.sub(STYLES, "", re.sub(r"\\(begin|end)\{\w+\*?\}|\\[,;:!> ]|\\\\|&|~", " ", tex))
    tex = re.sub(r"\\([A-Za-z]+)", lambda match: SIGNS.get(match[1], f" {match[1]} "), tex)
    tex = re.sub(r"[\\{}]", "", re.sub(r"\^\{?(\*|⊤|ᵀ|°)\}?", r"\1", tex).replace("^∘", "°"))
    digits = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    tex = re.sub(r"_(\d)", lambda match: match[1].translate(digits), tex)
    tex = re.sub(r"\^([23])", lambda match: "²³"[int(match[1]) - 2], tex)
    return " ".join(tex.split())


def plain(node: nodes.Node, macros: dict[str, Any]) -> str:
    """Return the text of a paragraph, its formulas in words."""
    if isinstance(node, nodes.math):
        return in_words(node.astext(), macros)
    if isinstance(node, nodes.Text) or not node.children:
        return node.astext()
    return "".join(plain(each, macros) for each in node.children)


def description(doctree: nodes.document, macros: dict[str, Any], longest: int = 200) -> str:
    """Return the first sentences of a page; of one without any, its title and the book's."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            text = " ".join(plain(paragraph, macros).split())
            if len(text) <= longest:
                return text
            ends = [match.start() for match in re.finditer(r"(?<=[.?:]) ", text[:longest])]
            return text[: ends[-1]] if ends else text[:longest].rpartition(" ")[0] + " …"
    return ""


def tell_version(app: Sphinx, config: Config) -> None:
    """Put the version of the library at the foot of every page."""
    config["version"] = config["release"] = bnlib.__version__
    config["html_theme_options"]["extra_footer"] = f"<p>Version {bnlib.__version__}</p>"


def enter_words(app: Sphinx, doctree: nodes.document) -> None:
    """Enter the words that a page explains into the index, which the search looks at first."""
    page = app.env.docname
    words = app.config["index_words"].get(page.rpartition("/")[2], [])
    entries = [("single", word, "", "main", None) for word in words]
    app.env.get_domain("index").entries[page] += entries  # type: ignore[attr-defined]


def symbols(app: Sphinx, page: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the anchor of each row of the notation that a page may use, and what its symbol is.

    In notation.md a symbol with an anchor is `[$s$]{#sym-s}`, or `[$s$]{#sym-s .in-intercept}` if
    it has this meaning in that chapter only.
    """
    for span in app.env.get_doctree(NOTATION).findall(nodes.inline):
        anchors = [each for each in span["ids"] if each.startswith("sym-")]
        pages = [each for each in span["classes"] if each.startswith("in-")]
        if anchors and (not pages or f"in-{page.rpartition('/')[2]}" in pages):
            symbol = re.escape(span.astext().removesuffix("^2"))
            whole = r"(?<![\\A-Za-z{])(?<!\\bar )(?<!\\hat )(?<!\\tilde )" + symbol
            yield anchors[0], re.compile(whole + r"(?![A-Za-z_'])")


def link_symbols(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Link a short formula in running text to the row of the first symbol that is new in it."""
    if app.builder.format != "html" or page == NOTATION:
        return
    waiting = dict(symbols(app, page))
    for formula in list(doctree.findall(nodes.math)):
        if len(formula.astext()) > LONGEST_LINKED or not linkable(formula):
            continue
        for anchor, symbol in waiting.items():
            if symbol.search(formula.astext()):
                address = f"{app.builder.get_relative_uri(page, NOTATION)}#{anchor}"
                link = nodes.reference(internal=True, refuri=address, classes=["symbol"])
                formula.replace_self(link)
                link += formula
                del waiting[anchor]
                break


def linkable(node: nodes.Node) -> bool:
    """Return whether a link may be put here: in a paragraph, but in no link, table or caption."""
    kinds, above = set(), node.parent
    while above is not None:
        kinds.add(type(above))
        above = above.parent
    elsewhere = {nodes.reference, nodes.title, nodes.caption, nodes.table, nodes.figure}
    return nodes.paragraph in kinds and not kinds & elsewhere


class Previews:
    """What the links of the book lead to, gathered page by page."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, str]] = {}

    def gather(
        self, app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
    ) -> None:
        """Describe the page, put its inline formulas in words, and keep what can be linked to."""
        if doctree is None:
            return
        macros = app.config["mathjax3_config"]["tex"]["macros"]
        told = description(doctree, macros) or f"{context['title']}. {app.config['html_title']}."
        context["metatags"] += f'<meta name="description" content="{escape(told)}" />'
        self.pages[page] = dict(targets(BeautifulSoup(context["body"], "html.parser")))

        def worded(match: re.Match[str]) -> str:
            words = escape(in_words(unescape(match[2]), macros))
            return f'{match[1]} data-words="{words}">\\({match[2]}\\)</span>'

        context["body"] = INLINE.sub(worded, context["body"])

    def write(self, app: Sphinx, error: Exception | None) -> None:
        """Write a script for each page; another page loads it when a link to it is pointed at."""
        if error is None and app.builder.format == "html":
            for page, found in self.pages.items():
                path = Path(app.outdir) / "_static" / "previews" / f"{page}.js"
                path.parent.mkdir(parents=True, exist_ok=True)
                text = f"bnPreviews[{json.dumps(page)}] = {json.dumps(found, ensure_ascii=False)};\n"
                path.write_text(text, encoding="utf-8")


def targets(body: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Yield the anchors of a page and the HTML to show of them: for the page itself, of ""."""
    for extra in body.select(".headerlink, script, style"):
        extra.decompose()
    for link in body.select("a"):
        link.unwrap()  # nothing in a preview can be reached
    for each in body.select("section[id], .proof[id], figure[id], div.math[id], .citation[id]"):
        yield str(each["id"]), clean(*opening(each) if each.name == "section" else [each])
    for symbol in body.select("td [id^=sym-]"):
        cells = [cell for cell in symbol.find_parent("tr").select("td")[:2]]
        inside = "</strong>: ".join(cell.decode_contents() for cell in cells)
        yield str(symbol["id"]), clean(BeautifulSoup(f"<p><strong>{inside}</p>", "html.parser"))
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
