"""What the pages of the book get beyond Markdown: a Sphinx extension, named in `_config.yml`.

The name of a file of this project becomes a link to it: to the repository of a book that is built
for one, else to a copy that the book carries. A line is never broken between a formula and the
punctuation that belongs to it, as browsers do around everything that is not text. What the theme
and its extensions write is mended where a screen reader, or a browser, would stumble.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform

from tools.project import ROOT

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LARGEST = 300_000  # bytes of a file that the book carries
OPENING = re.compile(r"[(\[{“‘]+$")
CLOSING = re.compile(r"[^\w\s([{“‘]+(?:s\b)?")


def file_named(text: str, root: Path = ROOT) -> str | None:
    """Return the path of the file that a text names, without the test after `::`, or None."""
    name = PurePosixPath(text.partition("::")[0])
    sound = name.parts and not name.is_absolute() and not {"..", "_build", ".venv"} & {*name.parts}
    if not sound or not (path := root / name).is_file() or path.stat().st_size > LARGEST:
        return None
    return str(name)


class LinkedFiles(SphinxTransform):
    """Make a link of each literal that is the path of a file, seen from the top of the project."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        """Change the document in place."""
        theme = self.config.html_theme_options
        for literal in list(self.document.findall(nodes.literal)):
            path = file_named(literal.astext())
            if path is None or isinstance(literal.parent, (nodes.reference, addnodes.pending_xref)):
                continue
            if repository := theme.get("repository_url"):
                address = f"{repository}/blob/{theme['repository_branch']}/{path}"
                link: nodes.Element = nodes.reference(refuri=address)
            else:
                link = addnodes.download_reference(refdoc=self.env.docname, reftarget=f"/{path}")
            literal.replace_self(link)
            link += literal


class UnbrokenFormulas(SphinxPostTransform):
    """Keep each inline formula on the line of what is attached to it."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the document in place."""
        for formula in list(self.document.findall(nodes.math)):
            self.keep(formula)

    @staticmethod
    def keep(formula: nodes.Element) -> None:
        """Wrap a formula, and the punctuation around it, in one element that has no breaks."""
        while isinstance(formula.parent, nodes.Inline) and len(formula.parent) == 1:
            formula = formula.parent  # the comma after $x$ in bold stands outside of the bold
        parent, at = formula.parent, formula.parent.index(formula)
        before = parent[at - 1] if at else None
        after = parent[at + 1] if at + 1 < len(parent) else None
        opening = OPENING.search(before) if isinstance(before, nodes.Text) else None
        closing = CLOSING.match(after) if isinstance(after, nodes.Text) else None
        if not opening and not closing:
            return
        whole = nodes.inline(classes=["text-nowrap"])
        parts: list[Any] = [whole]
        if opening is not None:
            parts.insert(0, nodes.Text(opening.string[: opening.start()]))
            whole += nodes.Text(opening[0])
        formula.replace_self(nodes.inline())  # it moves
        whole += formula
        if closing is not None:
            parts.append(nodes.Text(closing.string[closing.end() :]))
            whole += nodes.Text(closing[0])
        first, last = at - (opening is not None), at + 1 + (closing is not None)
        parent[first:last] = [each for each in parts if each is whole or each]


# In a written page: what is there, and what should be.
MENDED = [
    # A folded block is announced by its own words, a folded part of the sidebar by its title.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r"(>([^<>]+)</a><details[^>]*>)<summary>", r'\1<summary aria-label="Pages of: \2">'),
    # The title of the book and the search belong to a landmark, too.
    (r'(<div id="pst-primary-sidebar")', r'\1 role="complementary" aria-label="Book"'),
    # A list has items; the role of an entry of a bibliography is deprecated.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # Colours, and the borders in them, are there from the start, not when all scripts have run.
    (
        r'(getItem\("theme"\) \|\| )"auto"',
        r'\1(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")',
    ),
    # A cell of a header without a word heads nothing.
    (r'<th class="head">(<p></p>)?</th>', '<td class="head"></td>'),
]
WORDS = r'data-words="([^"]*)"'
LINK = re.compile(rf'<a class="symbol[^>]*(?=><span class="math[^>]*{WORDS})')
HEADER = re.compile(rf'(<th class="head"><p><span)( class="math[^>]*{WORDS}>[^<]*</span>)(?=</p>)')


def mended(html: str) -> str:
    """Return a written page as a screen reader needs it; a formula alone has its words as name."""
    for there, wanted in MENDED:
        html = re.sub(there, wanted, html, flags=re.DOTALL)
    html = LINK.sub(r'\g<0> aria-label="\1"', html)
    return HEADER.sub(r'\1 aria-hidden="true"\2<span class="sr-only">\3</span>', html)


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend every page of the book once all are written."""
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            html = path.read_text(encoding="utf-8")
            path.write_text(mended(html), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of all of these."""
    app.connect("build-finished", mend_pages)
    app.add_transform(LinkedFiles)
    app.add_post_transform(UnbrokenFormulas)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
