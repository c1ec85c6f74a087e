"""Where a Chromium is on this machine, and how it is started: for the PDF and for the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The first has no windows to draw: a page costs half of what it costs in the others.
NAMES = (
    *("chromium-headless-shell", "chromium", "chromium-browser"),
    *("google-chrome", "google-chrome-stable"),
)
REMEDY = (
    "Remedy: install it (apt-get install chromium, or python -m playwright install chromium), "
    "or name it with CHROMIUM=/path/to/chromium"
)

# Waits until the page shows what it will show.
SETTLED = "async () => { await document.fonts.ready; }"


def executable(playwright: Playwright) -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else [*map(shutil.which, NAMES)]
    candidates += [] if named else [playwright.chromium.executable_path]
    return next((path for path in candidates if path and Path(path).is_file()), None)


@contextmanager
def launch() -> Iterator[Browser]:
    """Yield a running Chromium; without one raise FileNotFoundError with the remedy."""
    with sync_playwright() as playwright:
        path = executable(playwright)
        if path is None:
            raise FileNotFoundError(f"no Chromium found. {REMEDY}")
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
