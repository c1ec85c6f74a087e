"""A small page with the explorer's scripts, opened from a file, on which nothing may go wrong."""

from contextlib import contextmanager

from tests.book import browser, explorer

PAGE = """<!DOCTYPE html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A page</title>{head}</head>
<body><article class="bd-article"><h1>A page</h1>{body}</article></body></html>"""
# What the book's theme defines, so that a page without it has its colours.
THEME = """<style>:root { --pst-color-text-base: #222832; --pst-color-background: #fff;
--pst-color-text-muted: #48566b; --pst-color-border: #d1d5da; }
html[data-theme=dark] { --pst-color-text-base: #ced6dd; --pst-color-background: #121212;
--pst-color-text-muted: #9ca4af; --pst-color-border: #48566b; color-scheme: dark; }
body { background: var(--pst-color-background); color: var(--pst-color-text-base); }
html[data-theme=dark] a { color: #7cc4f2; }</style>"""


EXPLORER = '<div class="bn-explorer" data-size="%s"><p id="stays">A figure.</p></div>'


@contextmanager
def opened(chromium, folder, body=EXPLORER % "large", theme="light", at="", **more):
    """Yield a page with this body; scripts in the reverse order, as none may depend on it."""
    parts = [f'<script src="{path.as_uri()}"></script>' for path in reversed(explorer.SCRIPTS)]
    style = f'<link rel="stylesheet" href="{explorer.FILES[-1].as_uri()}">'
    text = PAGE.format(theme=theme, head="".join([THEME, style, *parts]), body=body)
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    with browser.watched(chromium, path.as_uri() + at, "file:", **more) as page:
        yield page
