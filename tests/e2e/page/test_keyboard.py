"""Whoever has only a keyboard gets everywhere, sees where they are, and is held nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.e2e.page.documents import ORIGIN, Cluster, opened

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.page]
VIEWS = {"": "form", "workloads": ".row", "events": "h1", "logs": ".log", "why": ".verdict"}
VIEWS |= {"path": ".hop", "beneath": ".level", "memory": ".memory-row"}
MOST = 150  # stops before one is held somewhere
WATCH = """() => {
  window.stops = [];
  addEventListener("focusin", ({ target: at }) => {
    const { width, height, top, bottom } = at.getBoundingClientRect();
    const seen = at.matches(":focus-visible") && width > 0 && height > 0 && bottom > 0 && top < innerHeight;
    window.stops.push({ what: at.outerHTML.slice(0, 120), seen, main: Boolean(at.closest("#main")) });
  });
}"""


async def walk(page: Page) -> list[dict[str, Any]]:
    """Every stop of the Tab key, from the page's first until it has left the page."""
    await page.evaluate(WATCH)
    for _ in range(MOST):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement === document.body"):
            break
    stops: list[dict[str, Any]] = await page.evaluate("window.stops")
    return stops


async def test_the_tab_key_walks_through_every_view_and_each_stop_is_seen(browser: Browser, documents: Cluster) -> None:
    documents.pods = 2
    async with opened(browser, documents, "", width=320, reduced_motion="reduce") as page:
        for view, ready in VIEWS.items():
            await page.goto("about:blank")
            await page.goto(f"{ORIGIN}/dashboard/#/{view}")
            await page.locator(f"main {ready}").first.wait_for()
            stops = await walk(page)
            assert 'id="skip"' in stops[0]["what"] and any(stop["main"] for stop in stops), view
            assert len(stops) < MOST, f"{view}: {stops[-1]['what']}"
            assert [stop["what"] for stop in stops if not stop["seen"]] == [], view
