"""Formulas are typeset when the book is built: what MathJax makes of them, what is kept of it."""

import re

import pytest
from sphinx.errors import ExtensionError

from tools import formulas
from tools.formulas import Formula

TEX = {"packages": {"[-]": ["autoload", "require"]}, "macros": {"R": r"\mathbb{R}"}}
INLINE, DISPLAY = Formula(r"a<b \in \R", False), Formula(r"\Bigl(\frac{W}{2}\Bigr)", True)
PAGE = r"""<p>Here <span aria-hidden="true" class="math notranslate">\(a&lt;b \in \R\)</span>,
<code>\(a\)</code>.</p>
<div class="x math notranslate" id="e">
<span class="eqno">(1)<a>¶</a></span>\[\Bigl(\frac{W}{2}\Bigr)\]</div>"""


@pytest.fixture(scope="module")
def made():
    return formulas.typeset([INLINE, DISPLAY, INLINE], TEX)


def letters(html):
    """Return what a formula says, from the MathML that is read aloud."""
    mathml = re.search(r"<math .*</math>", html, re.DOTALL)[0]
    return re.sub(r"<[^>]*>", "", mathml)


def test_mathjax_typesets_them(made):
    html, css = made
    assert list(html) == [INLINE, DISPLAY]
    assert letters(html[INLINE]) == "a&lt;b∈R"
    assert letters(html[DISPLAY]) == "(W2)"
    assert ('display="true"' in html[INLINE], 'display="true"' in html[DISPLAY]) == (False, True)
    assert "mjx-c1D44A TEX-I" in html[DISPLAY]
    assert "mjx-c.mjx-c1D44A.TEX-I::before {\n  padding: 0.683em 1.048em" in css


@pytest.mark.parametrize(
    ("tex", "told"),
    [(r"\frac{1}", r"\\frac\{1\}: Missing argument"), (r"\nocommand", "an unknown command")],
)
def test_what_mathjax_refuses_ends_the_build(tex, told):
    with pytest.raises(ExtensionError, match=told):
        formulas.typeset([INLINE, Formula(tex, False)], TEX)


def test_without_node_or_mathjax_there_is_a_remedy(monkeypatch):
    monkeypatch.setattr(formulas.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(formulas.shutil, "which", lambda name, path=None: None)
    for tool in (formulas.node, formulas.mathjax):
        with pytest.raises(ExtensionError, match="Remedy: python -m pip install"):
            tool()


def test_they_take_the_place_of_the_tex():
    html = {INLINE: "<mjx-container>I", DISPLAY: "<mjx-container>D"}
    assert set(formulas.found_in(PAGE)) == set(html)
    found = formulas.replaced(PAGE, html)
    assert '<span aria-hidden="true" class="math notranslate"><mjx-container>I</span>' in found
    assert "</span><mjx-container>D</div>" in found
    assert r"<code>\(a\)</code>" in found
    assert list(formulas.found_in(found)) == []
    with pytest.raises(ExtensionError, match="in another way. Remedy: "):
        formulas.replaced('<b class="math notranslate">$a$</b>', html)


def test_the_style_sheet_keeps_what_is_shown():
    css = """mjx-a {x: 1}
mjx-c.mjx-c7B::before {content: "{"}
mjx-c.mjx-c7D::before {content: "}"}
mjx-c.mjx-c41.TEX-I::before {content: "A"}
mjx-c.mjx-c42.TEX-B::before {content: "B"}
.TEX-I {font-family: MJXZERO, MJXTEX-I}
.TEX-B {font-family: MJXZERO, MJXTEX-B}
mjx-stretchy-v mjx-c, mjx-stretchy-h mjx-c {font-family: MJXTEX-S4}
@font-face /* 1 */ {font-family: MJXTEX-I; src: url("i")}
@font-face /* 2 */ {font-family: MJXTEX-B; src: url("b")}
@font-face /* 3 */ {font-family: MJXTEX-S4; src: url("s")}
"""
    kept = formulas.used(css, {"mjx-c7B", "mjx-c41", "TEX-I"})
    gone = ("c7D", "TEX-B", "S4", "stretchy")
    lines = css.splitlines(keepends=True)
    assert kept == "".join(line for line in lines if not any(each in line for each in gone))
    assert "S4" in formulas.used(css, {"mjx-stretchy-h"})


def test_no_letter_of_the_book_lacks_its_rule(html):
    """Else nothing is seen of it: each class of a page that MathJax has a rule for has one here."""
    whole = formulas.typeset([INLINE], TEX)[1]
    sheet = (html / "_static" / formulas.SHEET).read_text(encoding="utf-8")
    shown = set()
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert list(formulas.found_in(text)) == [], path.name
        for letter in re.findall(r"<mjx-c class=\"([^\"]*)\"", text):
            shown.add("mjx-c." + ".".join(letter.split()) + "::before {")
    assert len(shown) > 100
    assert [each for each in shown if each in whole and each not in sheet] == []
    assert [each for each in shown if each not in whole] == []
    assert len(sheet) < len(whole) / 4
    for font in re.findall(r'url\("([^"]*)"\)', sheet):
        assert (html / "_static" / font).is_file()


INDEX = """() => {
  const script = document.querySelector(".bd-article mjx-msub > mjx-script");
  const small = getComputedStyle(script.querySelector("[size=s]")).fontSize;
  return [parseFloat(getComputedStyle(script).verticalAlign),
    parseFloat(small) / parseFloat(getComputedStyle(script.parentElement).fontSize)];
}"""


def test_a_page_shows_them_without_a_script(html, page):
    page.route("**/*.js*", lambda route: route.abort())
    page.goto((html / "chapters/still-true.html").as_uri())
    lowered, smaller = page.evaluate(INDEX)
    assert lowered < -1
    assert 0.6 < smaller < 0.8
