"""One browser for all that is tested of the page; each test has a session of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.e2e.page.browser import chromium
from tests.e2e.page.documents import Cluster


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    async with chromium() as started:
        yield started


@pytest.fixture
def documents() -> Iterator[Cluster]:
    """What a page without a cluster is told; its console must have said nothing in the end."""
    answers = Cluster()
    yield answers
    assert answers.complaints == []
