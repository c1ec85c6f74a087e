"""What the tests of the pages share."""

from functools import partial

import pytest

from tests.book import browser


@pytest.fixture(scope="module")
def chromium():
    """Return a running browser; without one the test is skipped, or fails where one must be."""
    with browser.launch() as running:
        yield running


@pytest.fixture
def page(chromium):
    """Return an empty page, closed after the test."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


@pytest.fixture
def opened(chromium, tmp_path):
    """Return what opens a small page with the explorer."""
    from tests.book import explorer_page  # reads what is not in a copy of the chapters alone

    return partial(explorer_page.opened, chromium, tmp_path)
