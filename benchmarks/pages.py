"""What the pages of the built book weigh, and how soon a slow phone shows their formulas.

`make pages-report` opens each page in Chromium as a phone does whose processor is four times slower
than this machine's, and writes `benchmarks/pages.md`.
"""

from __future__ import annotations

import gzip
import platform
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Browser

from bnlib import __version__
from tools import browser
from tools.project import HTML, ROOT
from tools.toc import entries

REPORT = ROOT / "benchmarks" / "pages.md"
SLOWER, REPETITIONS = 4, 3
PACKED = {".woff", ".woff2", ".png"}  # a server does not compress these again
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
}
# Runs before anything of the page: when it is painted with its first formula and the letters of
# that are loaded, and how far things have moved.
WATCH = """
window.bnSeen = {formula: null, shift: 0};
new PerformanceObserver(list => {
  for (const each of list.getEntries()) if (!each.hadRecentInput) bnSeen.shift += each.value;
}).observe({type: "layout-shift", buffered: true});
(function look() {
  const painted = performance.getEntriesByName("first-contentful-paint").length;
  const waiting = [...document.fonts].some(font => font.status === "loading");
  if (painted && !waiting && document.querySelector("mjx-math"))
    bnSeen.formula = performance.now();
  else requestAnimationFrame(look);
})();
"""
FORMULAS = "document.querySelectorAll('.bd-article .math').length"
LIMITS = {"raw": 2_000_000, "packed": 600_000, "formula": 1500, "shift": 0.05}
HEAD = """\
# What a page weighs, and how soon it is read

Written by `make pages-report` with version {version} of the book on {where}. Each page is opened \
from its file, 390 pixels wide, with a processor {slower} times slower than this one; times are \
medians of {repetitions}. *Loaded*: all that the browser asks for, in kB; *packed*: the same as \
gzip sends it. *First formula*: milliseconds until the page is painted with its formulas and \
their letters are loaded. \
*Shift*: the sum of the layout shifts until three seconds later, most of {repetitions}.

Wanted: at most {raw:,} kB, {packed:,} kB packed, {formula:,} ms, {shift}. {verdict}

| page | requests | loaded | packed | first formula | shift |
|:-----|---------:|-------:|-------:|--------------:|------:|
"""


def loaded(urls: list[str]) -> dict[str, int]:
    """Return how much a page loads, from the addresses of files that it asked for."""
    paths = {Path(unquote(urlsplit(url).path)) for url in urls if url.startswith("file:")}
    data = {path: path.read_bytes() for path in sorted(paths)}
    packed = [each if p.suffix in PACKED else gzip.compress(each) for p, each in data.items()]
    return {
        "requests": len(paths),
        "raw": sum(map(len, data.values())),
        "packed": sum(map(len, packed)),
    }


def opened(running: Browser, path: Path) -> dict[str, Any]:
    """Open a page as a slow phone does and return what was seen."""
    context = running.new_context(**PHONE)  # with an empty cache
    page = context.new_page()
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.add_init_script(WATCH)
    page.goto(path.as_uri(), wait_until="load")
    if page.evaluate(FORMULAS):
        page.wait_for_function("() => bnSeen.formula !== null", timeout=0)
    page.wait_for_timeout(3000)
    seen = page.evaluate("bnSeen")
    context.close()
    return {**loaded(urls), **seen}


def measured(running: Browser, path: Path) -> dict[str, Any]:
    """Return what several visits saw: the median of times, the worst shift."""
    visits = [opened(running, path) for _ in range(REPETITIONS)]
    times = sorted(each["formula"] for each in visits if each["formula"] is not None)
    worst = max(each["shift"] for each in visits)
    return {**visits[0], "formula": times[len(times) // 2] if times else None, "shift": worst}


def report(rows: dict[str, dict[str, Any]], where: str) -> str:
    """Return the page of what was measured."""
    above = [
        f"{name} ({key})"
        for name, row in rows.items()
        for key, limit in LIMITS.items()
        if row[key] is not None and row[key] > limit
    ]
    verdict = f"Above that: {', '.join(above)}." if above else "No page is above that."
    limits = {**LIMITS, "raw": LIMITS["raw"] // 1000, "packed": LIMITS["packed"] // 1000}
    text = HEAD.format(
        version=__version__,
        where=where,
        slower=SLOWER,
        repetitions=REPETITIONS,
        verdict=verdict,
        **limits,
    )
    for name, row in rows.items():
        formula = "" if row["formula"] is None else f"{row['formula']:,.0f}"
        sizes = f"{row['raw'] / 1000:,.0f} | {row['packed'] / 1000:,.0f}"
        text += f"| {name} | {row['requests']} | {sizes} | {formula} | {row['shift']:.3f} |\n"
    return text


def main() -> None:
    """Measure every page of the table of contents and write the report."""
    with browser.launch() as running:
        rows = {name: measured(running, HTML / f"{name}.html") for name in entries()}
        where = f"{platform.system()} {platform.machine()}, Chromium {running.version}"
    REPORT.write_text(report(rows, where), encoding="utf-8")
    print(f"Written to {REPORT.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
