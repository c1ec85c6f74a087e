"""A Sphinx extension: the built book loads and carries only what its pages use.

The theme and its extensions put every script, style sheet and font of theirs on every page. After
the build each page keeps those that something on it needs, the icons' font the signs that are
shown, and `_static` the files that are still named. Images get their size, so that nothing moves
when they arrive.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from sphinx.application import Sphinx

# What a page must have for it to need a file whose name begins like this. Of the rest it keeps all.
NEEDED = {
    "fontawesome": None,  # the style sheet shows the same icons, from a font
    "sphinx-thebe": None,  # no page runs code on a server
    "sphinx-design": r'class="[^"]*\bsd-',
    "design-tabs": r'class="[^"]*\bsd-tab-',
    "togglebutton": r'class="(?=[^"]*\badmonition\b)(?:[^"]* )?dropdown[ "]',
    "proof.css": r'class="proof ',
    "explorer": r'class="bn-(?:explorer|intercept)|<th[^>]*><p>assumption',
    "copybutton": r'class="highlight',
    "clipboard": r'class="highlight',
    "searchtools.js": r'id="search-results"',
    "language_data.js": r'id="search-results"',
    "searchindex.js": r'id="search-results"',
}
LINKED = re.compile(
    r'[ \t]*<(?:script|link)\b[^>]*(?:src|href)="[^"]*?([\w.-]+\.(?:js|css))(?:\?[^"]*)?"[^>]*>'
    r"(?:</script>)?\n?"
)
THEBE = re.compile(
    r"(?s)[ \t]*<script(?:>const THEBE_JS_URL|>kernelName|[^>]*x-thebe).*?</script>\n?"
)
TOGGLE = re.compile(r"[ \t]*<script>(?:let|var) toggle.*?</script>\n?")
SCRIPT = re.compile(r'<script(?= )(?![^>]*\b(?:defer|async))(?=[^>]* src="(?!.*documentation_opt))')
IMAGE = re.compile(r'<img\b(?![^>]*\bwidth=")(?=[^>]*\bsrc="([^":]+\.svg)")')
BOXES = re.compile(r'\["(?:pre",[^]]*|:not\(\*\)")\](?=\.join)')
PIXELS = {"": 1, "px": 1, "pt": 4 / 3, "in": 96}
ICON = re.compile(r'((?:\.fa-[\w-]+:+before,?)+)\{content:"\\[0-9a-f]+"\}')
FONT = re.compile(r"@font-face\{[^}]*?(fa-([a-z]+)-\d+)\.woff2\)[^}]*\}")
SIGN = re.compile(r"\\([ef][0-9a-f]{3})\b|([\ue000-\uf8ff])")
STYLES = {
    style: rf'class="[^"]*\bfa(?:{style[0]}|-{style})\b' for style in ("solid", "regular", "brands")
}


def lighter(text: str, folder: Path) -> str:
    """Return the HTML of a page in `folder`: nothing loaded in vain, sizes known beforehand."""

    def kept(match: re.Match[str]) -> str:
        for name, sign in NEEDED.items():
            if match[1].startswith(name):
                return match[0] if sign and re.search(sign, text) else ""
        return match[0]

    def sized(match: re.Match[str]) -> str:
        width, height = size(folder / match[1])
        return f'<img width="{width}" height="{height}"'

    changed = THEBE.sub("", LINKED.sub(kept, text))
    if "togglebutton.js" not in changed:
        changed = TOGGLE.sub("", changed)
    if "searchtools.js" not in changed:  # there its scripts wait for each other
        changed = SCRIPT.sub("<script defer", changed)
    return IMAGE.sub(sized, changed)


def size(path: Path) -> tuple[int, int]:
    """Return width and height of an SVG in pixels of CSS."""
    root = ET.parse(path).getroot()  # noqa: S314 (drawn by the book)
    found = [re.fullmatch(r"([\d.]+)([a-z]*)", root.get(each, "")) for each in ("width", "height")]
    if not all(each and each[2] in PIXELS for each in found):
        raise ValueError(f"{path.name} says no size. Remedy: width and height in pt or px")
    width, height = (round(float(each[1]) * PIXELS[each[2]]) for each in found if each)
    return width, height


def icons(static: Path, shown: str) -> None:
    """Keep of the icons' style sheet and fonts what `shown`, the text of all pages, names."""
    sheet = static / "styles" / "pydata-sphinx-theme.css"
    names = set(re.findall(r"\bfa-[\w-]+", shown))

    def rule(match: re.Match[str]) -> str:
        return match[0] if names & {*re.findall(r"\.(fa-[\w-]+)", match[1])} else ""

    css = ICON.sub(rule, sheet.read_text(encoding="utf-8"))
    others = (path.read_text(encoding="utf-8") for path in static.rglob("*.css") if path != sheet)
    signs = {int(a, 16) if a else ord(b) for each in (css, *others) for a, b in SIGN.findall(each)}

    def face(match: re.Match[str]) -> str:
        if not re.search(STYLES[match[2]], shown):
            return ""
        source = static / "vendor" / "fontawesome" / "webfonts" / f"{match[1]}.ttf"
        font = TTFont(source, recalcTimestamp=False)
        options = subset.Options(notdef_outline=True, layout_features=[])
        few = subset.Subsetter(options)
        few.populate(unicodes=signs)
        few.subset(font)
        font.flavor = "woff"
        font.save(source.with_suffix(".woff"))
        return re.sub(r"src:.*?\}", f'src:url({address(source)}) format("woff")}}', match[0])

    def address(source: Path) -> str:
        return f"../vendor/fontawesome/webfonts/{source.stem}.woff"

    sheet.write_text(FONT.sub(face, css), encoding="utf-8")


def unmeasured(static: Path) -> None:
    """Keep the theme from measuring all boxes, for which a browser lays out whatever is folded.

    Which of them the keyboard must reach says `_static/book.js`, when they are unfolded.
    """
    path = static / "scripts" / "pydata-sphinx-theme.js"
    script, found = BOXES.subn('[":not(*)"]', path.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"{path.name} names its boxes otherwise. Remedy: correct BOXES in lean.py")
    path.write_text(script, encoding="utf-8")


def prune(static: Path, pages: str) -> None:
    """Delete from `static` what neither the pages nor a file that is kept names."""
    files = {path.relative_to(static).as_posix(): path for path in static.rglob("*")}
    files = {name: path for name, path in files.items() if path.is_file()}
    kept = {name for name in files if name.startswith(("previews/", "licences/"))}
    texts = [pages]
    while texts:
        named = set(re.findall(r"[\w.-]+\.\w+", texts.pop()))
        for name in set(files) - kept:
            own = name.endswith(".map") or (name.startswith("mathjax/") and ".woff" not in name)
            if files[name].name in named and not own:
                kept.add(name)
                if name.endswith((".css", ".js")):
                    texts.append(files[name].read_text(encoding="utf-8"))
    for name in set(files) - kept:
        files[name].unlink()
    for folder in sorted(static.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def lean(app: Sphinx, exception: Exception | None) -> None:
    """Do all of this to the book that was built."""
    if exception is not None or app.builder.name != "html":
        return
    output = Path(app.outdir)
    static, pages = output / "_static", []
    for path in sorted(output.rglob("*.html")):
        if static not in path.parents:
            pages.append(lighter(path.read_text(encoding="utf-8"), path.parent))
            path.write_text(pages[-1], encoding="utf-8")
    scripts = [path.read_text(encoding="utf-8") for path in static.glob("scripts/*sphinx*.js")]
    text = "\n".join(pages)
    icons(static, "\n".join([text, *scripts]))
    unmeasured(static)
    prune(static, text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect it; it comes after everything else but the policy."""
    app.connect("build-finished", lean, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
