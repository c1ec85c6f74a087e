"""What the tests of the pages share."""

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
