"""What the page knows of the cluster: a thousand pods without stutter, watches that go on, and what it concludes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from kubeapi.client.http import HttpTransport
from kubeapi.client.transport import Request
from tests.e2e.conftest import Cluster
from tests.e2e.page.browser import at_desk

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(150), pytest.mark.page]
PODS = 1000
IN_SIGHT = 60  # rows


class Api:
    """The cluster by its socket."""

    def __init__(self, data_dir: Path) -> None:
        self._transport = HttpTransport(socket=data_dir / "naru.sock")

    async def send(self, method: str, path: str, body: object, media: str = "application/json") -> None:
        headers = {"content-type": media}
        answer = await self._transport.send(Request(method, path, headers=headers, body=json.dumps(body).encode()))
        assert answer.status < 300, answer.body

    async def pod(self, name: str, **labels: str) -> None:
        spec = {"containers": [{"name": "c", "image": "naru/web:1"}]}
        metadata = {"name": name, "labels": labels}
        await self.send("POST", "/api/v1/namespaces/default/pods", {"metadata": metadata, "spec": spec})

    async def ready(self, name: str, ready: bool) -> None:
        """As its agent would say."""
        container = {"name": "c", "image": "naru/web:1", "imageID": "", "restartCount": 0, "started": True}
        container |= {"ready": ready, "containerID": f"docker://{name}", "state": {"running": {}}}
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        status = {"phase": "Running", "conditions": [condition], "containerStatuses": [container]}
        path = f"/api/v1/namespaces/default/pods/{name}/status"
        await self.send("PATCH", path, {"status": status}, "application/merge-patch+json")

    async def close(self) -> None:
        await self._transport.close()


@pytest_asyncio.fixture(loop_scope="package")
async def api(api_only: Cluster) -> AsyncIterator[Api]:
    made = Api(api_only.data_dir)
    yield made
    await made.close()


def answered(page: Page, origin: str) -> list[str]:
    """The paths that the page gets an answer from, as it gets them: those that a browser drops are asked again."""
    paths: list[str] = []
    page.on("response", lambda answer: paths.append(answer.url.removeprefix(origin)))
    return paths


def once(answer: Callable[[Route], Awaitable[None]]) -> Callable[[Route], Awaitable[None]]:
    """The first request is answered so, and all others by the server."""
    first = iter([answer])

    async def route(asked: Route) -> None:
        await next(first, Route.continue_)(asked)

    return route


async def test_a_watch_that_breaks_goes_on_where_it_was(api_only: Cluster, browser: Browser, api: Api) -> None:
    async with at_desk(api_only, browser) as desk:

        async def end(watch: Route) -> None:
            await api.pod("broken-1")
            await watch.fulfill(body="", content_type="application/x-ndjson")

        await desk.page.goto("about:blank")  # or the first watch would be that of the page that is left
        await desk.page.route("**/dashboard/watch*", once(end))
        paths = answered(desk.page, api_only.url)
        await desk.open_anew("workloads?q=broken")
        await expect(desk.page.locator("[data-kind=pod]", has_text="broken-1")).to_be_visible()
        assert paths.count("/api/v1/pods") == 1


async def test_a_revision_that_is_forgotten_makes_one_kind_listed_anew(
    api_only: Cluster, browser: Browser, api: Api
) -> None:
    async with at_desk(api_only, browser) as desk:

        async def forget(watch: Route) -> None:
            await api.pod("forgotten-1")
            frame = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
            await watch.fulfill(body=f"0 {json.dumps(frame)}\n", content_type="application/x-ndjson")

        await desk.page.goto("about:blank")  # or the first watch would be that of the page that is left
        await desk.page.route("**/dashboard/watch*", once(forget))
        paths = answered(desk.page, api_only.url)
        async with desk.page.expect_response(lambda _: paths.count("/api/v1/pods") == 2):
            await desk.open_anew("workloads?q=forgotten")
        await expect(desk.page.locator("[data-kind=pod]", has_text="forgotten-1")).to_be_visible()
        assert paths.count("/api/v1/services") == 1
        await api.pod("forgotten-2")
        await expect(desk.page.locator("[data-kind=pod]", has_text="forgotten-2")).to_be_visible()


async def test_of_a_thousand_pods_only_those_in_sight_are_in_the_document(
    api_only: Cluster, browser: Browser, api: Api
) -> None:
    names = [f"many-{number:04}" for number in range(PODS)]
    turns = asyncio.Semaphore(32)

    async def make(name: str) -> None:
        async with turns:
            await api.pod(name)

    await asyncio.gather(*(make(name) for name in names))
    async with at_desk(api_only, browser) as desk:
        page = desk.page
        await desk.see("workloads?q=many", ready="[data-kind=pod]")
        await expect(page.locator("[role=treegrid]")).to_have_attribute("aria-rowcount", str(2 * PODS))
        assert await page.locator("[role=row]").count() < IN_SIGHT
        await page.locator("[role=row][tabindex='0']").press("End")
        await expect(page.locator(":focus")).to_have_attribute("aria-rowindex", str(2 * PODS))
        await expect(page.locator("[data-kind=pod]", has_text=names[-1])).to_be_visible()
        assert await page.locator("[role=row]").count() < IN_SIGHT
        await api.ready(names[-1], ready=True)
        await expect(page.locator("[data-kind=pod]", has_text=names[-1]).locator(".badge.good")).to_be_visible()
        await desk.picture("thousand")


def pod(**status: Any) -> dict[str, Any]:
    """A pod of one container `c` on node `n`."""
    spec = {"nodeName": "n", "containers": [{"name": "c", "image": "i:1"}]}
    return {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec, "status": status}


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pod(
        phase="Running", containerStatuses=[{"name": "c", "ready": False, "restartCount": 2, "state": state} | more]
    )


READY = {"type": "Ready", "status": "True"}
OOM = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff"}}
EVENT = {"reason": "Unhealthy", "message": "Readiness probe failed: refused", "metadata": {}}
DEAD = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "silent"}]}}
DIAGNOSES: dict[str, tuple[dict[str, Any], list[Any], Any, str, list[str]]] = {
    "ready": (pod(phase="Running", conditions=[READY]), [], None, "ready", []),
    "over": (pod(phase="Succeeded"), [], None, "over", []),
    "failed": (pod(phase="Failed", reason="Evicted"), [], None, "failed", ["failed"]),
    "not looked at": (pod() | {"spec": {"containers": [{"name": "c"}]}}, [], None, "notReady", ["unseen"]),
    "creating": (container({"waiting": {"reason": "ContainerCreating"}}), [], None, "notReady", ["creating"]),
    "out of memory": (container(BACK_OFF, lastState=OOM), [], None, "notReady", ["memory"]),
    "finishes": (container({"terminated": {"exitCode": 0}}), [], None, "notReady", ["finishes"]),
    "starting": (container({"running": {}}, started=False), [], None, "notReady", ["startup"]),
    "not probed": (container({"running": {}}, started=True), [], None, "notReady", ["notYet"]),
    "probe fails": (container({"running": {}}, started=True), [EVENT], None, "notReady", ["probe"]),
    "node is silent": (container({"running": {}}, started=True), [], DEAD, "notReady", ["node", "notYet"]),
    "nothing known": (pod(), [], None, "notReady", ["creating"]),
}


async def test_conclusions_are_those_of_the_table_and_each_has_a_sentence(api_only: Cluster, browser: Browser) -> None:
    async with at_desk(api_only, browser) as desk:
        ask = """async (cases) => {
          const { diagnose } = await import("/dashboard/diagnosis.js");
          const { SENTENCES } = await import("/dashboard/sentences.js");
          return cases.map(([pod, events, node]) => {
            const { state, findings } = diagnose(pod, events, node ?? undefined);
            const said = [`why/is/${state}`, ...findings.flatMap(({ key }) => [`why/${key}`, `next/${key}`])];
            return [state, findings.map(({ key }) => key), said.filter((key) => !(key in SENTENCES)),
              findings.every(({ evidence }) => evidence.every(({ source, said }) => source && said))];
          });
        }"""
        told = await desk.page.evaluate(ask, [case[:3] for case in DIAGNOSES.values()])
    for (name, (*_, state, findings)), found in zip(DIAGNOSES.items(), told, strict=True):
        assert found == [state, findings, [], True], name
