"""A browser drops what it is loading when its machine's addresses change (ERR_NETWORK_CHANGED): the page bears it."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.page import world
from tests.e2e.page.documents import Cluster, opened

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.page]
STYLES = {"body": "margin-top", ".stage": "position"}  # what would be another without app.css, without drawing.css


@pytest.mark.parametrize(
    "dropped",
    [
        ["/app.css"],
        ["/drawing.css"],
        ["/app.js"],
        ["/views/logs.js"],
        ["/drawing/marks.js", "/i18n.js"],
        ["/dashboard/terms.json", "/dashboard/terms.json"],
        ["/api/v1/pods", "/api/v1/services"],
        ["/dashboard/watch"],
        ["/proxy/layers", "/proxy/trace", "/proxy/trace"],
    ],
    ids=" ".join,
)
async def test_whatever_is_dropped_comes_in_the_end(browser: Browser, documents: Cluster, dropped: list[str]) -> None:
    async with opened(browser, documents, "path") as page:
        await page.locator(".hop").first.wait_for()
        styles = (
            "styles => Object.entries(styles).map(([of, style]) => getComputedStyle(document.querySelector(of))[style])"
        )
        whole = await page.evaluate(styles, STYLES)
    documents.drops = dropped.copy()
    async with opened(browser, documents, "path") as page:
        await expect(page.locator(".hop").first).to_be_visible()
        await expect(page.locator("html")).to_have_attribute("data-connection", "live")
        for (selector, style), value in zip(STYLES.items(), whole, strict=True):
            await expect(page.locator(selector)).to_have_css(style, value)
    assert documents.drops == []


async def test_a_packet_that_is_to_be_sent_is_not_sent_twice(browser: Browser, documents: Cluster) -> None:
    """Nobody knows whether the first was."""
    async with opened(browser, documents, "path") as page:
        await page.locator(".hop").first.wait_for()
        documents.drops = ["/proxy/trace"]
        await page.get_by_role("button", name="Send a packet").click()
        await expect(page.locator(".status.failed")).to_contain_text("does not answer")
        assert not any("probe" in asked for asked in documents.asked)


async def test_a_page_of_one_who_is_logged_out_meanwhile_shows_nothing_of_the_cluster(
    browser: Browser, documents: Cluster
) -> None:
    async with opened(browser, documents, "workloads") as page:
        await page.locator("[role=row]").first.wait_for()
        documents.logged_in = False
        await page.evaluate("location.hash = '#/path'")
        await expect(page.locator("main h1")).to_have_text("You are logged out.")
        assert world.pod_name(0) not in await page.content()
