"""The page in a browser with documents in place of a cluster: each request is answered here, with the page's own files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Route

from controlplane.dashboard.files import static
from kubeapi.hardware_v1.korean import told_in_korean
from kubeapi.hardware_v1.layers import Layers
from kubeapi.hardware_v1.memory import Memory
from kubeapi.hardware_v1.terms import tables
from kubeapi.hardware_v1.trace import Trace
from kubeapi.model import Model
from tests.e2e.page import world

ORIGIN = "http://naru.localhost"
DROPPED = "connectionaborted"
BORN = "2026-01-01T00:00:00Z"


@dataclass
class Cluster:
    """What the page is told. asked are the queries for ways; complaints what the console said; of drops, ends of
    paths, each gets no answer once. predicts: cleared, a way is not predicted until it is set."""

    pods: int = 6
    layers: Layers | None = None
    memory: Memory | None = None
    predicted: Trace | None = field(default_factory=world.trace)
    probed: Trace = field(default_factory=lambda: world.trace("seen"))
    complaints: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    predicts: asyncio.Event = field(default_factory=asyncio.Event)
    logged_in: bool = True

    def __post_init__(self) -> None:
        self.predicts.set()

    def answer(self, path: str, query: str) -> object:
        """The JSON at a path; None where there is nothing."""
        lists: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "/api/v1/pods": lambda: [pod(number) for number in range(self.pods)],
            "/api/v1/services": lambda: [
                service("web", "NodePort"),
                service("was", "ClusterIP"),
                service("db", "ClusterIP"),
            ],
            "/api/v1/nodes": lambda: [{"metadata": {"name": world.NODE}}],
        }
        proxy = f"/api/v1/nodes/{world.NODE}/proxy/"
        if path == "/dashboard/terms.json":
            return tables()
        wanted = dict(parse_qsl(query))
        told = told_in_korean if wanted.get("language") == "ko" else Model.model_copy
        if path == f"{proxy}layers":
            return told(self.layers or world.layers(self.pods)).to_dict()
        if path == f"{proxy}layers/memory":
            return told(self.memory or world.memory(self.pods)).to_dict()
        if path == f"{proxy}trace":
            self.asked.append(wanted)
            trace = self.probed if "probe" in wanted else self.predicted
            return trace and told(trace).to_dict()
        if path.startswith(("/api/", "/apis/")):
            return {"items": lists.get(path, list)(), "metadata": {"resourceVersion": "1"}}
        return None


def pod(number: int) -> dict[str, Any]:
    """A running pod as the API tells it."""
    tier, container = world.TIERS[number % 3]
    status = {"name": container, "containerID": f"docker://{number:012x}{'0' * 52}", "state": {"running": {}}}
    return {
        "metadata": {
            "name": world.pod_name(number),
            "namespace": "shop",
            "labels": {"app": tier},
            "uid": str(number),
            "creationTimestamp": BORN,
        },
        "spec": {"nodeName": world.NODE, "containers": [{"name": container}]},
        "status": {"phase": "Running", "containerStatuses": [status]},
    }


def service(name: str, kind: str) -> dict[str, Any]:
    """A Service over a tier."""
    spec = {"type": kind, "clusterIP": "10.96.11.5", "selector": {"app": name}, "ports": [{"port": 80}]}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def complains(said: ConsoleMessage) -> bool:
    """Whether a line of the console is one that nobody wants. Of what is dropped or refused a browser always tells."""
    told = "ERR_CONNECTION_ABORTED" in said.text or "status of 401" in said.text
    return said.type in ("error", "warning") and not told


@asynccontextmanager
async def opened(
    browser: Browser, cluster: Cluster, route: str, *, width: int = 1280, height: int = 900, **context: Any
) -> AsyncIterator[Page]:
    """The page at a route of the shell. context are Playwright's own: colours, movement."""

    quiet: list[Route] = []

    async def answer(asked: Route) -> None:
        url = urlsplit(asked.request.url)
        if dropped := next((end for end in cluster.drops if url.path.endswith(end)), None):
            cluster.drops.remove(dropped)
            return await asked.abort(DROPPED)
        if url.path == "/dashboard/watch":
            return quiet.append(asked)  # a watch in which nothing happens stays open
        if not cluster.logged_in:
            return await asked.fulfill(status=401, body="{}")
        file = static(url.path.removeprefix("/dashboard/")) if url.path.startswith("/dashboard/") else None
        if file:
            await asked.fulfill(body=file.body, content_type=file.media, headers=file.rules)
        elif (body := cluster.answer(url.path, url.query)) is not None:
            if url.path.endswith("/trace") and "probe" not in url.query:
                await cluster.predicts.wait()
            await asked.fulfill(body=json.dumps(body), content_type="application/json")
        else:
            await asked.fulfill(status=404, body="{}")

    tab = await browser.new_context(viewport={"width": width, "height": height}, locale="en", **context)
    page = await tab.new_page()
    try:
        page.set_default_timeout(10_000)
        page.on("console", lambda said: cluster.complaints.append(said.text) if complains(said) else None)
        page.on("pageerror", lambda error: cluster.complaints.append(str(error)))
        await page.route("**/*", answer)
        await page.goto(f"{ORIGIN}/dashboard/#/{route}")
        yield page
    finally:
        await page.goto("about:blank")
        for asked in quiet:
            await asked.abort()
        await tab.close()
