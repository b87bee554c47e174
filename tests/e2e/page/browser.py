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
from typing import Any, Literal
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]
from playwright.async_api import Browser, Page, StorageState, async_playwright, expect

from tests.e2e.conftest import Cluster

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SERIOUS = ("serious", "critical")
SCHEMES: dict[Literal["light", "dark"], dict[str, Any]] = {"light": {}, "dark": {"runOnly": ["color-contrast"]}}
SESSIONS: dict[str, StorageState] = {}  # by the cluster's URL
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

    async def enter(self) -> None:
        """As `naru dashboard` says: by its URL, once; who has been here before is known by a cookie."""
        url = self.cluster.url
        login = f"{url}/dashboard/" if url in SESSIONS else self.cluster.naru("dashboard", "--no-open").splitlines()[0]
        await self.page.goto(login)
        await self.page.locator("#nav a").first.wait_for()
        if url not in SESSIONS:
            SESSIONS[url] = await self.page.context.storage_state()

    async def open_anew(self, route: str) -> None:
        """Load the page at a view. What the page before it asked for is over first."""
        await self.page.goto("about:blank")
        await self.page.goto(f"{self.cluster.url}/dashboard/#/{route}")

    async def see(self, route: str, *, ready: str = "h1") -> None:
        """Open a view by its address and wait until `ready` is to be seen."""
        await self.page.evaluate("route => { location.hash = route }", f"#/{route}")
        await self.page.locator(f"main {ready}").first.wait_for()

    async def picture(self, name: str) -> None:
        """Keep what is seen."""
        await self.page.screenshot(path=kept(name))

    async def complaints(self) -> list[str]:
        """What axe finds serious or critical."""
        return await complaints(self.page)


async def complaints(page: Page) -> list[str]:
    """What axe finds serious or critical, and where; in the other colours only what depends on them."""
    found: list[str] = []
    for scheme, rules in SCHEMES.items():
        await page.emulate_media(color_scheme=scheme)
        await page.evaluate(AXE)
        violations = await page.evaluate("async (options) => (await axe.run(options)).violations", rules)
        found += [
            f"{scheme}: {one['id']} ({one['help']}): {node['target']} {node['failureSummary']}"
            for one in violations
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]
    return found


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
    known = SESSIONS.get(cluster.url)
    tab = await browser.new_context(viewport=size, ignore_https_errors=True, storage_state=known, **settings)
    try:
        desk = Desk(cluster, await tab.new_page())
        try:
            await desk.enter()
            yield desk
        except BaseException as error:
            await desk.picture("failed")
            error.add_note(f"{desk.page.url}, kept as {kept('failed')}; {desk.wrong}")
            raise
        assert not desk.wrong, "\n".join(desk.wrong)
    finally:
        await tab.close()
