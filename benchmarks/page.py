"""The page with many pods: `python -m benchmarks.page [--pods N] [--changes N] [--seconds N]`, in headless Chromium.

A control plane without controllers has the pods, all of one Deployment and as an agent would tell of them. The list of
workloads is scrolled by one step in every frame, while pods turn ready and unready. Told are the frames that the screen
would have shown (60 in a second) and those that were dropped, the long tasks (50 ms and more in one go), and what a
frame takes of the page's thread: the last also says something where others compute on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import orjson
from playwright.async_api import Page, async_playwright

from benchmarks.cluster import free_port
from kubeapi.client.http import HttpTransport
from kubeapi.client.transport import Request
from naru.processes import Process

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FRAME = 1000 / 60
PODS = "/api/v1/namespaces/default/pods"
MERGE = {"content-type": "application/merge-patch+json"}
AT_ONCE = 32
SCROLL = """async (seconds) => {
  const list = document.querySelector("[role=treegrid]");
  const long = [];
  const watching = new PerformanceObserver((seen) => long.push(...seen.getEntries().map(({ duration }) => duration)));
  watching.observe({ type: "longtask" });
  const frames = [await new Promise(requestAnimationFrame)];
  const end = frames[0] + 1000 * seconds;
  for (let step = 120; frames.at(-1) < end; frames.push(await new Promise(requestAnimationFrame))) {
    const before = list.scrollTop;
    list.scrollTop += step;
    if (list.scrollTop === before) step = -step;
  }
  watching.disconnect();
  return { frames: frames.slice(1).map((at, index) => at - frames[index]), long };
}"""


class Scrolled(NamedTuple):
    """What scrolling was like: milliseconds between frames, of long tasks, and of the page's thread."""

    frames: list[float]
    long: list[float]
    thread: float

    def __str__(self) -> str:
        shown, wanted = len(self.frames), round(sum(self.frames) / FRAME)
        longest = f", the longest {max(self.long):.0f} ms" if self.long else ""
        return (
            f"{shown} of {wanted} frames shown, {wanted - shown} dropped ({1 - shown / wanted:.1%}), "
            f"the longest {max(self.frames):.0f} ms; {len(self.long)} long tasks{longest}; "
            f"{self.thread / shown:.1f} ms of the page's thread a frame"
        )


class Cluster:
    """A control plane's pods, by its socket."""

    def __init__(self, data_dir: Path, pods: int) -> None:
        self._transport = HttpTransport(socket=data_dir / "naru.sock")
        self._names = [f"web-{number:05}" for number in range(pods)]
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """What is answered; an error ends the bench."""
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._turns:
            answer = await self._transport.send(Request(method, path, headers=sent, body=orjson.dumps(body)))
        assert answer.status < 300, answer.body
        return orjson.loads(answer.body)

    async def fill(self) -> None:
        """All pods, which run."""
        owner = await self._owner("apis/apps/v1", "Deployment", "web", len(self._names))
        owner = await self._owner("apis/apps/v1", "ReplicaSet", "web-1", len(self._names), owner)
        await asyncio.gather(*(self._pod(name, owner) for name in self._names))

    async def _owner(self, group: str, kind: str, name: str, replicas: int, *owners: dict[str, Any]) -> dict[str, Any]:
        labels = {"app": "web"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "nginx", "image": "nginx:1"}]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        body = {"metadata": {"name": name, "ownerReferences": owners}, "spec": spec}
        made = await self.send("POST", f"/{group}/namespaces/default/{kind.lower()}s", body)
        return {
            "apiVersion": "apps/v1",
            "kind": kind,
            "name": name,
            "uid": made["metadata"]["uid"],
            "controller": True,
        }

    async def _pod(self, name: str, owner: dict[str, Any]) -> None:
        metadata = {"name": name, "labels": {"app": "web"}, "ownerReferences": [owner]}
        spec = {"nodeName": "n1", "containers": [{"name": "nginx", "image": "nginx:1"}]}
        await self.send("POST", PODS, {"metadata": metadata, "spec": spec})
        await self.tell(name, ready=True)

    async def tell(self, name: str, *, ready: bool) -> None:
        """As its agent would."""
        container = {"name": "nginx", "image": "nginx:1", "imageID": "", "restartCount": 0, "started": True}
        container |= {"ready": ready, "containerID": f"docker://{name}", "state": {"running": {}}}
        condition = {"type": "Ready", "status": "True" if ready else "False"}
        status = {"phase": "Running", "conditions": [condition], "containerStatuses": [container]}
        await self.send("PATCH", f"{PODS}/{name}/status", {"status": status}, **MERGE)

    async def change(self, rate: float) -> None:
        """Pods in turn become unready and ready again, so many in a second, until cancelled."""
        for ready in [False, True] * 1_000_000:
            for name in self._names:
                next_at = time.monotonic() + 1 / rate
                await self.tell(name, ready=ready)
                await asyncio.sleep(max(0.0, next_at - time.monotonic()))

    async def close(self) -> None:
        """Close its connections."""
        await self._transport.close()


async def scrolled(page: Page, seconds: float) -> Scrolled:
    """Scroll for so long."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def thread() -> float:
        metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
        return float(1000 * next(one["value"] for one in metrics if one["name"] == "TaskDuration"))

    before = await thread()
    told = await page.evaluate(SCROLL, seconds)
    return Scrolled(told["frames"], told["long"], await thread() - before)


async def measured(data_dir: Path, port: int, pods: int, changes: float, seconds: float) -> None:
    """Fill the cluster, open the page, print."""
    cluster = Cluster(data_dir, pods)
    await cluster.fill()
    code = (await cluster.send("POST", "/dashboard/codes"))["code"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = await browser.new_page(ignore_https_errors=True)
        begun = time.perf_counter()
        await page.goto(f"https://127.0.0.1:{port}/dashboard/login?code={code}")
        await page.evaluate("location.hash = '#/workloads?q=web'")
        await page.locator("[data-kind=pod]").first.wait_for()
        print(f"{pods} pods are listed {1000 * (time.perf_counter() - begun):.0f} ms after the login was asked for")
        print(f"scrolled, nothing changes: {await scrolled(page, seconds)}")
        changing = asyncio.create_task(cluster.change(changes))
        print(f"scrolled, {changes:g} pods change a second: {await scrolled(page, seconds)}")
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        await browser.close()
    await cluster.close()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--changes", type=float, default=20, help="in a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="naru-bench-") as folder:
        port, server = free_port(), Process(Path(folder), "server")
        server.start(["--port", str(port), "--controllers", ""])
        try:
            asyncio.run(measured(Path(folder), port, options.pods, options.changes, options.seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
