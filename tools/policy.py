"""A Sphinx extension: the content-security policy of each page, which browsers hold it to.

A page runs the scripts in the files of the book and, of those written into it, the ones of the
theme and of its extensions, by their sums. What stands in the article, as what a chapter printed
does, runs no script, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# The standard knows no 'self' of a page that is opened from a file; elsewhere `file:` is nothing.
OWN = "'self' file:"
# Styles: those in formulas, and the theme writes its own as it goes.
POLICY = (
    f"default-src 'none'; script-src {OWN} 'unsafe-hashes' %s; style-src {OWN} 'unsafe-inline'; "
    f"img-src {OWN} data:; font-src {OWN}; connect-src {OWN}; form-action {OWN}; base-uri 'none'"
)
META = '<meta http-equiv="Content-Security-Policy" content="%s" />\n'
KNOWN = re.compile(META.replace("%s", '[^"]*'))
HANDLER = "window.print()"  # the theme's button has it, and the search reads pages that have one
ARTICLE = re.compile(r'<article class="bd-article".*?</article>', re.DOTALL)
SCRIPT = re.compile(r"<script(?![^>]* (?:src|type)=)[^>]*>(.*?)</script>", re.DOTALL)


def sums(html: str) -> str:
    """Return the sums of the scripts that a page has outside of its article, for its policy."""
    scripts = dict.fromkeys([HANDLER, *SCRIPT.findall(ARTICLE.sub("", html))])
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()) for each in scripts)
    return " ".join(f"'sha256-{each.decode()}'" for each in digests)


def guarded(html: str) -> str:
    """Return a page with its policy, which stands before everything that it holds for."""
    html = KNOWN.sub("", html)
    charset = re.search(r"<meta charset=[^>]*>\s*", html)
    at = charset.end() if charset else 0
    return html[:at] + META % (POLICY % sums(html)) + html[at:]


def guard_pages(app: Sphinx, error: Exception | None) -> None:
    """Give every page its policy once all of them are as they stay."""
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            path.write_text(guarded(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect it; it comes after `tools.lean`."""
    app.connect("build-finished", guard_pages, priority=1000)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
