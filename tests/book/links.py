"""What can be said of built pages without a browser: links, pictures, where things come from."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

# What a page loads by itself; a link a reader may follow (a href) may lead anywhere.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """Collect the anchors of a page and what it refers to."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or "" for name, value in attrs}
        self.anchors |= {attributes.get("id", ""), attributes.get("name", "")} - {""}
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag in LOADS and LOADS[tag] in attributes:
            self.loads.append(attributes[LOADS[tag]])


def problems(folder):
    """Return a line for each broken internal link and each thing loaded from elsewhere."""
    files = [path for path in folder.rglob("*.html") if "_static" not in path.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(files)}
    found = []
    for path, page in pages.items():
        told = [f"external: loads {url}" for url in page.loads if is_external(url)]
        told += [broken(path, url, pages) for url in page.links + page.loads]
        found += [f"{path.relative_to(folder)}: {line}" for line in told if line]
    for path in sorted(folder.glob("_static/**/*.css")):
        urls = re.findall(r"url\(\s*['\"]?((?:https?:)?//[^)'\"]+)", path.read_text("utf-8"))
        found += [f"{path.relative_to(folder)}: external: loads {url}" for url in urls]
    return found


def is_external(url):
    return url.startswith("//") or urlsplit(url).scheme not in ("", "data")


def broken(path, url, pages):
    """Say what is wrong with an internal link on the page `path`; None if it is sound."""
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return f"broken link: {url}"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return f"broken anchor: {url}"
    return None
