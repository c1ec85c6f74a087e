"""Write the licences of what the lock pins, and the texts of those that the book carries.

`LICENSES.md` has a row for each package, from what the installed package says of itself, or from
what is known here of those that are installed on other machines only or say nothing of use.
`_static/licences/others.txt` goes with the pages: these licences demand that their text does.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from tools.project import ROOT, write_made
from tools.ran import table

LOCK, TABLE = ROOT / "requirements.txt", ROOT / "LICENSES.md"
TEXTS = ROOT / "_static" / "licences" / "others.txt"
# What packages of other machines are under, and those whose own words are wrong or too many.
KNOWN = {
    "appnope": "BSD-2-Clause", "axe-playwright-python": "MIT AND MPL-2.0", "cffi": "MIT-0",
    "colorama": "BSD-3-Clause", "contourpy": "BSD-3-Clause", "cycler": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "docutils": "BSD-2-Clause AND PSF-2.0 AND LicenseRef-Public-Domain",  # GPL: a file for Emacs
    "matplotlib": "PSF-2.0", "numpydoc": "BSD-2-Clause", "ptyprocess": "ISC",
    "pycparser": "BSD-3-Clause", "scipy": "BSD-3-Clause",
    "sphinx-mathjax-offline": "MIT AND Apache-2.0",  # it carries MathJax
}  # fmt: skip
WORDS = {
    "Apache 2.0": "Apache-2.0", "Apache Software License": "Apache-2.0", "BSD License": "BSD",
    "BSD 3-Clause License": "BSD-3-Clause", "ISC License (ISCL)": "ISC", "ISC license": "ISC",
    "MIT License": "MIT", "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}  # fmt: skip
# They may be used beside code under BSD-3-Clause, and what is carried of them distributed with it.
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC",
    "LGPL-3.0-or-later", "LicenseRef-Public-Domain", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0",
    "PSF-2.0", "Zlib",
}  # fmt: skip
CARRIED = (
    "myst-nb", "pydata-sphinx-theme", "Pygments", "Sphinx", "sphinx-book-theme",
    "sphinx-copybutton", "sphinx-design", "sphinx-proof", "sphinx-togglebutton",
)  # fmt: skip
NOTICES = """\
What the pages of this book carry that others wrote, and under which licences.

MathJax (mathjax/): Copyright The MathJax Consortium. Apache-2.0.txt, beside this file.
Font Awesome Free (vendor/fontawesome/), of which the signs that are shown: Copyright Fonticons,
Inc. The fonts: OFL-1.1.txt, beside this file. The icons: CC BY 4.0. The code: MIT, as below.
Bootstrap (scripts/bootstrap.js, styles/): Copyright The Bootstrap Authors. MIT, as below.
clipboard.js (clipboard.min.js): Copyright Zeno Rocha. MIT, as below.
"""
OPENING = """\
# Licences of the packages in the lock

Made by `make record` from what each package that `requirements.txt` pins says of itself (BSD alone
where it does not say which). All of them may be used beside this project, whose code is under the
BSD 3-Clause licence and whose text and figures are under CC BY 4.0. The licences of what the pages
of the book carry of others are in `_static/licences`.

"""


def normal(name: str) -> str:
    """Return the name of a package as the lock writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def of(name: str) -> str:
    """Return the licence of a package as an SPDX expression, or what it says that is none."""
    if name in KNOWN:
        return KNOWN[name]
    try:
        said = distribution(name).metadata
    except PackageNotFoundError:
        return "unknown"
    classifiers = (each.rpartition(" :: ") for each in said.get_all("Classifier") or ())
    words = {word for kind, _, word in classifiers if kind.startswith("License")}
    [short] = said.get_all("License") or [""]
    told = " AND ".join(WORDS.get(each, each) for each in sorted(words or {short}))
    [spdx] = said.get_all("License-Expression") or [short if allowed(short) else told]
    return spdx or "unknown"


def allowed(expression: str) -> bool:
    """Return whether each part of an expression is a licence that this project may meet."""
    return {*re.split(" AND | OR ", expression)} <= ALLOWED


def pinned(lock: str) -> list[str]:
    """Return the names of the packages in a lock."""
    return sorted({normal(each) for each in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)})


def page(names: list[str]) -> str:
    """Return the table; ``ValueError`` with the names of those that are not allowed."""
    found = {name: of(name) for name in names}
    if wrong := [f"{name}: {each}" for name, each in found.items() if not allowed(each)]:
        raise ValueError(
            f"licences: {', '.join(wrong)}; read it, then add it to KNOWN or ALLOWED, or do "
            "without this package."
        )
    return OPENING + table("| package | licence |", "|---|---|", found.items()) + "\n"


def texts() -> str:
    """Return the notices and licences of what the book carries."""
    parts = [NOTICES]
    for name in CARRIED:
        files = distribution(name).files or []
        for file in (each for each in files if each.name.startswith("LICENSE")):
            if file.parts[0].endswith(".dist-info"):
                text = file.read_text(encoding="utf-8").rstrip()
                parts.append(f"{'=' * 80}\n{name}\n{'=' * 80}\n\n{text}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    write_made(TABLE, page(pinned(LOCK.read_text(encoding="utf-8"))))
    write_made(TEXTS, texts())
