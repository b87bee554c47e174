"""Where the drawing puts things: nothing overlaps or leaves the sheet, whatever the machine and however wide the screen; a
thousand pods take no more room than a few; and what is seen can be used by all (axe), small and large, light and dark."""

from __future__ import annotations

import random
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from kubeapi.hardware_v1.trace import Hop, Trace
from tests.e2e.page import world
from tests.e2e.page.browser import complaints, kept
from tests.e2e.page.documents import Cluster, opened

pytestmark = pytest.mark.asyncio(loop_scope="package")
CASES = 200
PODS = [0, 1, 2, 3, 12]

LAY_OUT = """async ([machines, cases]) => {
  const { index, sceneOf } = await import("/dashboard/drawing/scene.js");
  const { layoutOf } = await import("/dashboard/drawing/layout.js");
  const wrongIn = ({ pods, trace, width }) => {
    const wrong = [];
    const layers = machines[pods];
    const scene = sceneOf(index(layers), trace);
    const laid = layoutOf(scene, width, (text) => text.length * 7);
    const { boxes, heads, counts, frames, wires, floors, horizon, height } = laid;
    const cells = floors.flatMap((floor) => floor.cells);
    const solid = [...boxes, ...heads, ...counts, ...cells, horizon];
    const before = (a, b) => a.x + a.width <= b.x + 0.01 || a.y + a.height <= b.y + 0.01;
    const apart = (a, b) => before(a, b) || before(b, a);
    const inside = ([x, y]) => x >= 0 && x <= width + 0.01 && y >= 0 && y <= height + 0.01;
    const within = (box) => box.x >= 0 && box.y >= 0 && inside([box.x + box.width, box.y + box.height]);
    for (const group of [solid, frames, floors]) {
      group.forEach((a, at) => {
        if (!within(a)) wrong.push(`${a.key} leaves the sheet`);
        for (const b of group.slice(at + 1)) if (!apart(a, b)) wrong.push(`${a.key} lies on ${b.key}`);
      });
    }
    const drawn = new Set([...boxes, ...heads].map(({ key }) => key));
    for (const key of scene.route) if (!drawn.has(key)) wrong.push(`${key} of the way is not drawn`);
    for (const { from, to, points } of wires) if (!points.every(inside)) wrong.push(`${from} → ${to} leaves the sheet`);
    return wrong;
  };
  return cases.map(wrongIn);
}"""


def any_trace(dice: random.Random, pods: int) -> Trace | None:
    """A way of any shape over that machine: from a pod or the host, by whatever rules, to a pod, the outside or nowhere."""
    if not dice.randrange(8):
        return None
    hops: list[Hop] = []

    def pod_side(number: int) -> list[Hop]:
        netns = f"netns/{4026532000 + number}"
        inside = [
            Hop(part=f"process/{1000 + number}", kind="process", name="nginx", netns=netns, says=""),
            Hop(kind="route", name="default via 10.244.0.1", netns=netns, says=""),
            Hop(part=f"link/{4026532000 + number}/2", kind="veth", name="eth0", netns=netns, says=""),
        ]
        outer = Hop(part=f"link/4026531833/{10 + number}", kind="veth", name=f"veth{number}", netns=world.HOST, says="")
        return [*inside[:: dice.choice([1, 2])], outer]

    if pods and dice.randrange(5):
        hops += pod_side(dice.randrange(pods))
    else:
        hops.append(Hop(part="kernel", kind="process", name="host", netns=world.HOST, says=""))
    for number in range(dice.randrange(9)):
        kind = dice.choice(["bridge", "bridge", "service", "route", "masquerade", "nat", "nic", "firewall", "vxlan"])
        part = {"bridge": "link/4026531833/5", "nic": "link/4026531833/2", "service": "service/shop/db"}.get(kind, "")
        hops.append(Hop(part=part, kind=kind, name=f"{kind} {number}", netns=world.HOST, says=""))
    if pods and dice.randrange(3):
        hops += pod_side(dice.randrange(pods))[::-1]
    return Trace(source="a", destination="b", hops=hops)


def any_case(seed: int) -> dict[str, Any]:
    """A machine, a way over it and a width, by chance."""
    dice = random.Random(seed)
    pods = dice.choice(PODS)
    trace = any_trace(dice, pods)
    return {"pods": pods, "trace": trace and trace.to_dict(), "width": dice.randrange(290, 2560)}


async def test_nothing_overlaps_whatever_stands_on_the_machine_and_however_wide_the_screen(
    browser: Browser, documents: Cluster
) -> None:
    async with opened(browser, documents, "home") as page:
        machines = {str(pods): world.layers(pods).to_dict() for pods in PODS}
        found = await page.evaluate(LAY_OUT, [machines, [any_case(seed) for seed in range(CASES)]])
        assert {seed: wrong for seed, wrong in enumerate(found) if wrong} == {}


async def test_of_a_thousand_pods_only_those_on_the_way_are_drawn(browser: Browser, documents: Cluster) -> None:
    documents.pods = 1000
    async with opened(browser, documents, "path") as page:
        await page.locator(".hop").first.wait_for()
        assert await page.locator(".path-drawing .part").count() < 40
        await expect(page.locator(".path-drawing")).to_contain_text("+998")


@pytest.mark.parametrize(("width", "height"), [(320, 640), (1280, 900), (2560, 1300)])
async def test_every_view_is_whole_at_every_width_and_axe_finds_nothing_serious(
    browser: Browser, documents: Cluster, width: int, height: int
) -> None:
    async with opened(browser, documents, "path", width=width, height=height, reduced_motion="reduce") as page:
        for view, ready in [("path", ".hop"), ("beneath", ".level"), ("memory", ".memory-row")]:
            await page.evaluate(f"location.hash = '#/{view}'")
            await page.locator(ready).first.wait_for()
            if view == "path":
                await page.locator(".hop").first.click()
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
            assert await complaints(page) == []
            await page.screenshot(path=kept(f"drawing-{view}-{width}"), full_page=True)
