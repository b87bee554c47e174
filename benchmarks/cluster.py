"""Ours: a whole cluster of processes as people start it, in a directory and on a port of its own, asked over HTTPS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from agent.hardware.discovery import FRESH
from benchmarks.engine import COMMAND, IMAGE, Engine, Events
from kubeapi import registry
from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.client.informer import Informer
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import Node, Pod
from kubeapi.hardware_v1.types import Machine
from naru.config import ClusterConfig
from naru.processes import Process

NAMESPACE, APP = "default", "bench"
PATIENCE = 90.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def cold_start() -> float:
    """Milliseconds from nothing to a control plane that answers: keys, store, built-in objects and all."""
    with tempfile.TemporaryDirectory(prefix="naru-bench-") as directory:
        server = Process(Path(directory), "server")
        begun = time.perf_counter()
        server.start(["--port", str(free_port())])
        took = 1000 * (time.perf_counter() - begun)
        server.stop()
        return took


def _template() -> dict[str, Any]:
    container = {"name": "c", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": COMMAND}
    return {"containers": [container], "terminationGracePeriodSeconds": 0}


def _running(pod: Pod) -> bool:
    return pod.status.phase == "Running" and all(c.ready for c in pod.status.container_statuses)


class Cluster:
    """A running cluster of one node. Make it with `running`."""

    def __init__(self, data_dir: Path, client: Client, engine: Engine) -> None:
        self.data_dir, self.client, self._engine = data_dir, client, engine
        self._pods = Informer(client, Pod)
        self._changed = asyncio.Event()
        self._made = 0
        config = ClusterConfig.read(data_dir)
        assert config is not None
        self._label = f"naru.dev/cluster={config.id}"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls, engine: Engine) -> AsyncIterator[Cluster]:
        """`naru up`, and at the end `naru down --delete-data`."""
        data_dir = Path(tempfile.mkdtemp(prefix="naru-bench-"))
        try:
            await asyncio.to_thread(_naru, "up", data_dir, "--detach", "--port", str(free_port()))
            config = ClusterConfig.read(data_dir)
            assert config is not None
            token = (data_dir / "token").read_text()
            transport = HttpTransport(f"https://127.0.0.1:{config.port}", token=token, ca=data_dir / "ca.crt")
            try:
                cluster = cls(data_dir, Client(transport, registry.load(), "naru-bench"), engine)
                await cluster._follow()
                yield cluster
                await cluster._pods.stop()
            finally:
                await transport.close()
        finally:
            await asyncio.to_thread(_naru, "down", data_dir, "--delete-data")

    async def weighed(self) -> None:
        """Until the engine has nothing more of ours to do."""
        await asyncio.to_thread(self._engine.wait_for_shares, self._label)

    async def settled(self) -> None:
        """Until the agent has told of its machine, for which it loads what nothing else here needs."""
        machines, seen = Informer(self.client, Machine), asyncio.Event()
        machines.on_change(lambda *_: seen.set())
        await machines.start()
        async with asyncio.timeout(PATIENCE):
            await seen.wait()
        await machines.stop()

    async def layers(self) -> float:
        """Milliseconds until the API has answered with all layers of the node, none of which was kept from before."""
        (node,) = (await self.client.list(Node)).items
        await asyncio.sleep(FRESH)
        path = f"/api/v1/nodes/{node.metadata.name}/proxy/layers"
        begun = time.perf_counter()
        answer = await self.client.transport.send(Request("GET", path))
        assert answer.status == 200, answer.body
        return 1000 * (time.perf_counter() - begun)

    async def _follow(self) -> None:
        self._pods.on_change(lambda old, new: self._changed.set())
        await self._pods.start()
        await self._pods.synced()

    async def _until(self, holds: Callable[[list[Pod]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds(self._pods.list(NAMESPACE)):
                self._changed.clear()
                await self._changed.wait()

    async def pod(self) -> float:
        """Milliseconds from applying one pod until a watch says that it runs and is ready; the pod is deleted after."""
        self._made += 1
        name = f"one-{self._made}"
        body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": _template()}
        begun = time.perf_counter()
        await self.client.create(Pod.model_validate(body))
        await self._until(lambda pods: any(p.metadata.name == name and _running(p) for p in pods))
        took = 1000 * (time.perf_counter() - begun)
        await self.client.delete(Pod, name, NAMESPACE)
        await self._gone()
        return took

    async def pods(self, count: int) -> float:
        """Milliseconds from applying a Deployment of so many pods until a watch says that all of them run."""
        labels = {"app": APP}
        template = {"metadata": {"labels": labels}, "spec": _template()}
        spec = {"replicas": count, "selector": {"matchLabels": labels}, "template": template}
        begun = time.perf_counter()
        body = {"metadata": {"name": APP, "namespace": NAMESPACE}, "spec": spec}
        await self.client.create(Deployment.model_validate(body))
        await self._until(lambda pods: sum(map(_running, pods)) == count)
        return 1000 * (time.perf_counter() - begun)

    async def ready(self, labels: dict[str, str]) -> list[Pod]:
        """The pods with these labels, once there are some and all are ready."""

        def those(pods: list[Pod]) -> list[Pod]:
            return [p for p in pods if labels.items() <= p.metadata.labels.items()]

        await self._until(lambda pods: bool(those(pods)) and all(map(_running, those(pods))))
        return those(self._pods.list(NAMESPACE))

    async def scale(self, count: int) -> None:
        """As many pods of the Deployment as that."""
        await self.client.patch(Deployment, APP, {"spec": {"replicas": count}}, NAMESPACE)
        await self._until(lambda pods: len(pods) == count and all(map(_running, pods)))

    async def no_pods(self) -> float:
        """Milliseconds from deleting the Deployment until nothing of it is left, in the API and in the engine."""
        begun = time.perf_counter()
        await self.client.delete(Deployment, APP, NAMESPACE)
        await self._gone()
        return 1000 * (time.perf_counter() - begun)

    async def _gone(self) -> None:
        """Until neither the API nor the engine has a pod: a deletion without grace is not waited for by the API."""
        await self._until(lambda pods: not pods)
        await asyncio.to_thread(self._engine.wait_for_none, self._label)

    def names(self) -> list[str]:
        """The pods of the Deployment."""
        return sorted(p.metadata.name for p in self._pods.list(NAMESPACE))

    async def heal(self, name: str) -> tuple[float, float]:
        """Kill a pod's container from outside: milliseconds until its replacement ran, until a watch said it is ready."""
        pod = self._pods.get(NAMESPACE, name)
        assert pod is not None
        container = pod.status.container_statuses[0].container_id.partition("://")[2]

        def restarted(pods: list[Pod]) -> bool:
            return any(
                p.metadata.name == name and _running(p) and p.status.container_statuses[0].restart_count for p in pods
            )

        with await asyncio.to_thread(Events, self._label) as events:
            killed = self._engine.kill(container)
            await self._until(restarted)
            told = 1000 * (time.time() - killed)
            replacement = await asyncio.to_thread(events.until, "start")
            return self._engine.milliseconds_until_started(replacement, killed), told

    def process(self, name: str) -> int:
        """The number of the process `server` or `agent`."""
        found = Process(self.data_dir, name).identity()
        assert found is not None, f"the {name} does not run"
        return found.pid


def _naru(command: str, data_dir: Path, *arguments: str) -> None:
    whole = [sys.executable, "-m", "naru", command, "--data-dir", str(data_dir), *arguments]
    subprocess.run(whole, check=True, stdout=subprocess.DEVNULL)
