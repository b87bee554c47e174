"""A real browser on the page of a running cluster: Debian's Chromium, headless, driven by Playwright.

`Desk` is one browser with one session: it logs in as people do, opens views, keeps screenshots, and remembers everything
that should not have happened: an error on the console, a request to anywhere but the cluster. Its end fails for any.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.e2e.conftest import Cluster

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SERIOUS = ("serious", "critical")
AXE = Path(AXE_FILE_PATH).read_text()
PATIENCE = 30_000  # milliseconds until something that should be seen must be


def kept(name: str) -> str:
    """Where a screenshot is kept for people to look at."""
    folder = Path(os.environ.get("TEST_ARTIFACTS", Path(tempfile.gettempdir()) / "naru-test-artifacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / f"page-{name}.png")


class Desk:
    """A person's browser at a cluster's page."""

    def __init__(self, cluster: Cluster, page: Page) -> None:
        self.cluster, self.page = cluster, page
        self.wrong: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda said: self._said(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", lambda asked: self._requested(asked.url))

    def _said(self, text: str) -> None:
        """A browser on the node breaks off its requests when a pod gets its interface: the page has to bear it, and does."""
        if "ERR_NETWORK_CHANGED" not in text:
            self.wrong.append(f"console: {text}")

    def _requested(self, url: str) -> None:
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self.cluster.url and parts.scheme not in ("data", "blob", "about"):
            self.wrong.append(f"request to another origin: {url}")

    async def log_in(self) -> None:
        """As `naru dashboard` says: its URL, once."""
        url = self.cluster.naru("dashboard", "--no-open").splitlines()[0]
        await self.page.goto(url)
        await self.page.locator("#nav a").first.wait_for()

    async def see(self, route: str, *, ready: str = "h1") -> None:
        """Open a view by its address and wait until `ready` is to be seen."""
        await self.page.evaluate("route => { location.hash = route }", f"#/{route}")
        await self.page.locator(f"main {ready}").first.wait_for()

    async def picture(self, name: str) -> None:
        """Keep what is seen."""
        await self.page.screenshot(path=kept(name))

    async def complaints(self) -> list[str]:
        """What axe finds serious or critical, and where."""
        await self.page.evaluate(AXE)
        found: list[dict[str, Any]] = await self.page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{one['id']} ({one['help']}): {node['target']} {node['failureSummary']}"
            for one in found
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    expect.set_options(timeout=PATIENCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def at_desk(
    cluster: Cluster, browser: Browser, *, width: int = 1280, height: int = 900, **context: Any
) -> AsyncIterator[Desk]:
    """A browser that is logged in. context are Playwright's own: colours, movement, language."""
    size: Any = {"width": width, "height": height}
    settings = {"locale": "en-US", "reduced_motion": "reduce"} | context
    tab = await browser.new_context(viewport=size, ignore_https_errors=True, **settings)
    try:
        desk = Desk(cluster, await tab.new_page())
        try:
            await desk.log_in()
            yield desk
        except BaseException as error:
            await desk.picture("failed")
            error.add_note(f"{desk.page.url}, kept as {kept('failed')}; {desk.wrong}")
            raise
        assert not desk.wrong, "\n".join(desk.wrong)
    finally:
        await tab.close()
