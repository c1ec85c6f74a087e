r"""A Sphinx extension: formulas are typeset when the book is built, by MathJax.

Pages then show them at once, without a script. MathJax is that of `sphinx-mathjax-offline`, and it
runs in the Node.js that Playwright carries; neither needs the network. Sphinx writes a formula as
``\(…\)`` or ``\[…\]``; this takes its place when all pages are written. What MathJax refuses ends
the build. The style sheet keeps the rules of the characters that some formula has.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.ext.mathjax import html_visit_displaymath, html_visit_math

NAME = "typeset"
SHEET = "formulas.css"
FONTS = "mathjax/output/chtml/fonts/woff-v2"
MATH = r'[^>]*class="(?:[^"]* )?math notranslate'
INLINE = re.compile(rf"(<span {MATH}[^>]*>)\\\((.*?)\\\)(?=</span>)", re.DOTALL)
DISPLAY = re.compile(
    rf'(<div {MATH}[^>]*>\s*(?:<span class="eqno">.*?</span>)?)\\\[(.*?)\\\](?=\s*</div>)',
    re.DOTALL,
)
WRONG = re.compile(r'data-mjx-error="([^"]*)"|color: red')
# What a rule is for, in its selectors and on the pages.
PART = re.compile(r"\b(mjx-c[0-9A-F]+|TEX-\w+|mjx-stretchy-[vh])\b")
PREVIEWS = re.compile(r"^bnPreviews\[[^]]*\] = ")
FONT = re.compile(r"\bMJX[\w-]+")
LINK = re.compile(rf'(?<=_static/){re.escape(SHEET)}(?:\?v=\w+)?(?=")')
RULE = re.compile(r'([^{}]+)\{(?:"[^"]*"|[^{}"])*\}\s*')


class Formula(NamedTuple):
    """One formula: its TeX, and whether it stands in a line of its own."""

    tex: str
    display: bool


def node() -> str:
    """Return the path of Node.js."""
    package = importlib.util.find_spec("playwright")
    own = Path(package.origin or "").parent / "driver" if package else Path()
    for found in (shutil.which("node", path=str(own)), shutil.which("node")):
        if found:
            return found
    raise ExtensionError("no Node.js. Remedy: python -m pip install playwright, which carries one")


def mathjax() -> Path:
    """Return the folder of MathJax."""
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None or package.origin is None:
        raise ExtensionError("no MathJax. Remedy: python -m pip install sphinx-mathjax-offline")
    return Path(package.origin).parent / "static" / "mathjax"


def typeset(formulas: Iterable[Formula], tex: dict[str, Any]) -> tuple[dict[Formula, str], str]:
    """Return the HTML of each formula, with these settings of TeX, and MathJax's style sheet.

    Raises ``ExtensionError`` naming the formula if MathJax refuses one.
    """
    wanted = list(dict.fromkeys(formulas))
    told = {"folder": str(mathjax()), "fonts": FONTS, "tex": tex, "formulas": wanted}
    command = [node(), str(Path(__file__).with_suffix(".js"))]
    env = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
    done = subprocess.run(
        command, input=json.dumps(told), env=env, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise ExtensionError(f"MathJax ended: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    for formula, html in zip(wanted, answer["html"], strict=True):
        if found := WRONG.search(html):
            raise ExtensionError(f"formula {formula.tex}: {found[1] or 'an unknown command'}")
    return dict(zip(wanted, answer["html"], strict=True)), answer["css"]


def found_in(text: str) -> Iterable[Formula]:
    """Yield the formulas of a page that are not typeset yet."""
    for pattern in (INLINE, DISPLAY):
        yield from (Formula(unescape(tex), pattern is DISPLAY) for _, tex in pattern.findall(text))


def replaced(text: str, html: dict[Formula, str]) -> str:
    """Return a page with its formulas typeset."""
    for pattern in (INLINE, DISPLAY):
        display = pattern is DISPLAY
        found = pattern.split(text)  # text, tag, formula, text, tag, …
        found[2::3] = (html[Formula(unescape(tex), display)] for tex in found[2::3])
        text = "".join(found)
    if len(re.findall(f"<{MATH}", text)) != text.count("<mjx-container"):
        raise ExtensionError("a formula is written in another way. Remedy: correct INLINE, DISPLAY")
    return text


def used(css: str, parts: set[str]) -> str:
    """Return the style sheet without the rules of parts, as characters, that no page has."""

    def needed(rule: re.Match[str]) -> bool:
        return any(set(PART.findall(each)) <= parts for each in rule[1].split(","))

    kept = [rule for rule in RULE.finditer(css) if needed(rule)]
    fonts = {name for rule in kept if "@" not in rule[1] for name in FONT.findall(rule[0])}
    return "".join(
        rule[0] for rule in kept if "@" not in rule[1] or FONT.findall(rule[0])[0] in fonts
    )


def read(path: Path) -> dict[str, str]:
    """Return the HTML of a page, as that of "", or of a script of previews, by anchor."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return {"": text}
    parts: dict[str, str] = json.loads(PREVIEWS.sub("", text).rstrip(";\n"))
    return parts


def write(path: Path, parts: dict[str, str]) -> None:
    """Write what `read` returned, where it is another now."""
    before = path.read_text(encoding="utf-8")
    begin = PREVIEWS.match(before)
    after = f"{begin[0]}{json.dumps(parts, ensure_ascii=False)};\n" if begin else parts[""]
    if after != before:
        path.write_text(after, encoding="utf-8")


def typeset_pages(app: Sphinx, error: Exception | None) -> None:
    """Typeset all formulas of the book and of its previews, and write their style sheet."""
    if error is not None or app.builder.format != "html":
        return
    output = Path(app.outdir)
    static = output / "_static"
    paths = [*sorted(output.rglob("*.html")), *sorted(static.glob("previews/**/*.js"))]
    files = {path: read(path) for path in paths}
    texts = [text for parts in files.values() for text in parts.values()]
    html, css = typeset(
        (each for text in texts for each in found_in(text)), app.config["mathjax3_config"]["tex"]
    )
    shown: set[str] = set()
    for parts in files.values():
        for name, text in parts.items():
            parts[name] = replaced(text, html)
            shown |= set(PART.findall(parts[name]))
    sheet = used(css, shown)
    (static / SHEET).write_text(sheet, encoding="utf-8")
    version = f"{SHEET}?v={crc32(sheet.encode()):08x}"  # as Sphinx marks its own files
    for path, parts in files.items():
        write(path, {name: LINK.sub(version, text) for name, text in parts.items()})


def name_renderer(_: Sphinx, config: Config) -> None:
    """Write formulas as for MathJax in a page, but let no page load it."""
    config["html_math_renderer"] = NAME


def as_for_mathjax(app: Sphinx) -> None:
    """Write them in the way of MyST, which has put its own in the place of Sphinx's by now."""
    renderers = app.registry.html_block_math_renderers
    renderers[NAME] = renderers["mathjax"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect it, after the previews and before `tools.lean`."""
    app.add_html_math_renderer(NAME, (html_visit_math, None), (html_visit_displaymath, None))
    app.add_css_file(SHEET)
    app.connect("config-inited", name_renderer)
    app.connect("builder-inited", as_for_mathjax, priority=900)
    app.connect("build-finished", typeset_pages, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
