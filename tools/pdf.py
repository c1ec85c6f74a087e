"""Print the built book into one PDF: title page, contents, every page, with their numbers.

The pages are those that `make book` built, one after the other, so that every number of a section,
an equation, a theorem or a figure is the one of the book. Chromium prints them.
"""

from __future__ import annotations

import html as markup
import re
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from pypdf import PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject

from tools import browser
from tools.metadata import apa, source
from tools.project import HTML, PDF, ROOT, Progress, exclusive
from tools.toc import entries

COLUMN = 643  # the paper without its margins, in pixels of CSS
# Where the numbers of pages end in the contents, in points; Helvetica's digits are 0.556 em wide.
RIGHT, SIZE, DIGIT = 538, 9.5, 0.556
BUTTON = re.compile(
    r"""<button onclick="window\.print\(\)"([^>]*)title="Print to PDF"(.*?)</button>""", re.DOTALL
)


def title_page(cff: dict[str, Any]) -> str:
    """Return the title page: title, authors, version, abstract, citation and licence."""
    said = {
        "book-title": cff["title"],
        "authors": ", ".join(each["name"] for each in cff["authors"]),
        "version": f"Version {cff['version']}, {cff['date-released']}",
        "abstract": cff["abstract"],
        "citation": f"{cff['message']}\n\n{apa(cff)}",
        "licence": f"Licences of code and text: {', '.join(cff['license'])}.",
        "folded": "The code that the pages fold is not printed here.",
    }
    lines = (f'<p class="{name}">{markup.escape(str(text))}</p>' for name, text in said.items())
    return f'<section class="title-page">{"".join(lines)}</section>'


def compose(page: Page, html: Path, cff: dict[str, Any]) -> None:
    """Turn `page` of the browser into the whole book in `html`, laid out for paper."""
    paths = [html / f"{entry}.html" for entry in entries()]
    pages = {path.as_uri(): path.read_text(encoding="utf-8") for path in paths}
    page.set_default_timeout(0)  # a slow machine is no mistake
    page.set_viewport_size({"width": COLUMN, "height": 900})
    page.emulate_media(media="print", color_scheme="light")
    page.goto(paths[0].as_uri())
    page.evaluate(browser.SETTLED)
    page.add_style_tag(path=ROOT / "tools" / "pdf.css")
    script = (ROOT / "tools" / "pdf.js").read_text(encoding="utf-8")
    page.evaluate(script, [pages, title_page(cff)])


def number_contents(writer: Any) -> None:
    """Write into the contents, after the title page, the page that each of its links leads to."""
    targets = writer.named_destinations.items()
    places = {name: writer.get_destination_page_number(target) for name, target in targets}
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    font = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})
    for page in writer.pages[1 : min(places.values())]:
        lines = ["Q /Artifact BMC"]  # what the page draws is kept to itself between q and Q
        for link in (each.get_object() for each in page["/Annots"]):
            text = str(places[link["/Dest"]] + 1)
            left, bottom = RIGHT - DIGIT * SIZE * len(text), float(link["/Rect"][1])
            lines.append(f"BT /Number {SIZE} Tf {left:.1f} {bottom + 2.5:.1f} Td ({text}) Tj ET")
        before, after = DecodedStreamObject(), DecodedStreamObject()
        before.set_data(b"q ")
        after.set_data(" ".join([*lines, "EMC"]).encode())
        page["/Resources"]["/Font"][NameObject("/Number")] = font
        parts = [writer._add_object(before), page.raw_get("/Contents"), writer._add_object(after)]
        page[NameObject("/Contents")] = ArrayObject(parts)


def finish(paper: bytes, cff: dict[str, Any]) -> bytes:
    """Return what Chromium printed with numbers in the contents, and what the file is about."""
    writer = PdfWriter(BytesIO(paper), incremental=True)
    number_contents(writer)
    date = f"D:{str(cff['date-released']).replace('-', '')}000000Z"
    about = {
        "/Title": cff["title"],
        "/Author": ", ".join(each["name"] for each in cff["authors"]),
        "/Subject": f"Version {cff['version']}",
        "/Keywords": ", ".join(cff["keywords"]),
        "/CreationDate": date,
        "/ModDate": date,
    }
    writer.add_metadata(about)
    written = BytesIO()
    writer.write(written)
    return written.getvalue()


def printed(page: Page, cff: dict[str, Any]) -> bytes:
    """Return the composed page as a PDF; its bookmarks are made from its tags."""
    paper = page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
    return finish(paper, cff)


def offer(html: Path) -> None:
    """Let the button ".pdf" of each page in `html` give the PDF there, not print the page."""
    for path in html.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        up = "../" * (len(path.relative_to(html).parts) - 1)
        link = rf'<a href="{up}{PDF}"\1title="The whole book as one PDF"\2</a>'
        if (changed := BUTTON.sub(link, text)) != text:
            path.write_text(changed, encoding="utf-8")


def main() -> None:
    """Print the book that was built before, and let its pages offer it."""
    progress = Progress("Printing the book …")
    try:
        with browser.launch() as running:
            page, cff = running.new_page(), source()
            compose(page, HTML, cff)
            (HTML / PDF).write_bytes(printed(page, cff))
    except FileNotFoundError as error:
        progress.done("failed")
        sys.exit(f"The book cannot be printed: {error}")
    offer(HTML)
    progress.done()
    print(f"The book: {(HTML / PDF).as_uri()}")


if __name__ == "__main__":
    with exclusive():
        main()
