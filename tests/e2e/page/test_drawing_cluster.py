"""The drawing's three questions on the running example: what is lit is what the agent says, and what the kernel has."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.conftest import Cluster
from tests.e2e.page.browser import at_desk

pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="package"), pytest.mark.timeout(180), pytest.mark.page]
PATIENCE = 30_000  # milliseconds for a probe on a busy machine
ASK = """async (path) => {
  const answer = await fetch(path, { method: path.includes("/trace?") ? "POST" : "GET", headers: { "X-Naru-Page": "1" } });
  return answer.json();
}"""


def objects(cluster: Cluster, kind: str, selector: str = "") -> list[dict[str, Any]]:
    """The example's objects of a kind."""
    answer = cluster.kubectl("get", kind, "--namespace", "shop", "--selector", selector, "--output", "json")
    items: list[dict[str, Any]] = json.loads(answer.stdout)["items"]
    return items


def host_links() -> dict[str, dict[str, Any]]:
    """This machine's devices by name, as `ip` tells them."""
    return {link["ifname"]: link for link in json.loads(subprocess.check_output(["ip", "-json", "link"]))}


async def document(page: Page, cluster: Cluster, path: str) -> dict[str, Any]:
    """What the node's agent answers to the page."""
    node = objects(cluster, "pods")[0]["spec"]["nodeName"]
    answer: dict[str, Any] = await page.evaluate(ASK, f"/api/v1/nodes/{node}/proxy/{path}")
    return answer


async def test_how_web_reaches_db_is_drawn_as_the_agent_tells_and_the_kernel_has_it(
    shop_node: Cluster, browser: Browser
) -> None:
    web, db = (objects(shop_node, "pods", f"app={tier}")[0] for tier in ("web", "db"))
    source, target = f"shop/{web['metadata']['name']}", f"shop/{db['metadata']['name']}"
    query = f"from={source}&to={target}:5432"
    async with at_desk(shop_node, browser) as desk:
        await desk.see(f"path?{query}", ready=".hop")
        told = await document(desk.page, shop_node, f"trace?{query}")
        lines = desk.page.locator(".hops > li")
        await expect(lines).to_have_count(len(told["hops"]))
        for position, hop in enumerate(told["hops"]):
            await expect(lines.nth(position)).to_contain_text(hop["says"])
        lit = await desk.page.eval_on_selector_all(".hop", "parts => parts.map((part) => part.dataset.key)")
        assert {hop["part"] for hop in told["hops"] if hop.get("part")} <= set(lit)
        frames = await desk.page.locator('.part[data-key^="pod/shop/"]').all_text_contents()
        assert any(source in text for text in frames) and any(target in text for text in frames)
        devices = host_links()
        host_ends = [hop["name"] for hop in told["hops"] if "master" in devices.get(hop["name"], {})]
        bridges = {hop["name"] for hop in told["hops"] if hop["kind"] == "bridge"}
        assert len(host_ends) == 2
        assert {devices[name]["master"] for name in host_ends} == bridges


async def test_a_packet_that_is_sent_is_seen_on_the_drawing(shop_node: Cluster, browser: Browser) -> None:
    web, db = (objects(shop_node, "pods", f"app={tier}")[0]["metadata"]["name"] for tier in ("web", "db"))
    async with at_desk(shop_node, browser) as desk:
        await desk.see(f"path?from=shop/{web}&to=shop/{db}:5432", ready=".hop")
        await desk.page.get_by_role("button", name="Send a packet").click()
        await expect(desk.page.locator(".hops .state.is-seen").first).to_be_visible(timeout=PATIENCE)
        await expect(desk.page.locator(".steps")).to_contain_text("answered", timeout=PATIENCE)
        await expect(desk.page.locator(".hop.is-seen .time", has_text="µs").first).to_be_visible()
        await desk.picture("path-seen")


async def test_a_container_stands_on_shim_engine_kernel_and_what_is_beneath(
    shop_node: Cluster, browser: Browser
) -> None:
    db = objects(shop_node, "pods", "app=db")[0]
    [status] = db["status"]["containerStatuses"]
    async with at_desk(shop_node, browser) as desk:
        await desk.see(f"beneath?container=shop/{db['metadata']['name']}/postgres", ready=".level")
        layers = await document(desk.page, shop_node, "layers")
        names = {part["id"]: part["name"] for part in layers["parts"]}
        keys = await desk.page.eval_on_selector_all(".level-part", "levels => levels.map((level) => level.dataset.key)")
        container = status["containerID"].removeprefix("docker://")[:12]
        assert f"container/{container}" in keys
        assert f"shim/{container}" in keys
        assert [key for key in keys if key in ("containerd", "engine", "kernel", "hypervisor", "machine")] == [
            key for key in ("containerd", "engine", "kernel", "hypervisor", "machine") if key in names
        ]
        await expect(desk.page.locator('.level-part[data-key="kernel"]')).to_contain_text(platform.release())
        await desk.page.get_by_role("button", name="Same kernel: share it").click()
        await expect(desk.page.locator(".box:visible")).to_have_count(4)
        await desk.picture("beneath")


async def test_memory_that_is_promised_is_told_beside_what_is_taken(shop_node: Cluster, browser: Browser) -> None:
    pods = {f"shop/{pod['metadata']['name']}" for pod in objects(shop_node, "pods")}
    async with at_desk(shop_node, browser) as desk:
        await desk.see("memory", ready=".memory-row")
        for pod in pods:
            await expect(desk.page.locator(".memory-table tbody th", has_text=pod)).to_be_visible()
        ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        await expect(desk.page.locator(".ram text")).to_contain_text(f"{ram:.1f} GiB")
        await desk.picture("memory")
