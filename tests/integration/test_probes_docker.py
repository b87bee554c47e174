"""Probes and hooks of real containers: commands, ports of the host's network, a paused container, one that falls ill."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent import hooks, prober
from agent.plan import Observed
from agent.prober import Finding, ProbeError, Target
from agent.probes import Probes
from agent.runtime.docker import DockerRuntime
from agent.runtime.protocol import ContainerSpec, PodRef, SandboxSpec
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import Container as ContainerTemplate
from kubeapi.core_v1.types import LifecycleHandler, Pod, Probe

pytestmark = pytest.mark.docker
IMAGE = "naru/base"
SERVE = (
    "$s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => PORT, Listen => 5, ReuseAddr => 1) or die;"
    "$| = 1; print qq(up\\n); while ($c = $s->accept) { close $c }"
)


class Node:
    """An engine with one pod's sandbox in the network of its host."""

    def __init__(self, runtime: DockerRuntime, pod: PodRef, sandbox: str) -> None:
        self.runtime, self.pod, self.sandbox = runtime, pod, sandbox
        self.made = 0

    async def run(self, *command: str) -> str:
        self.made += 1
        spec = ContainerSpec(self.pod, "c", self.sandbox, IMAGE, attempt=self.made, entrypoint=command)
        container = await self.runtime.create_container(spec)
        await self.runtime.start(container)
        return container

    async def observe(self) -> Observed:
        sandboxes, containers = await self.runtime.observe(self.pod.uid)
        return Observed(tuple(sandboxes), tuple(containers))


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    runtime = DockerRuntime("test-" + uuid.uuid4().hex[:8])
    if await runtime.image(IMAGE) is None:
        pytest.skip(f"image {IMAGE} is not on this engine")
    pod = PodRef("ns", "p", str(uuid.uuid4()))
    try:
        made = await runtime.start_sandbox(await runtime.create_sandbox(SandboxSpec(pod, network="host")))
        yield Node(runtime, pod, made.id)
    finally:
        sandboxes, containers = await runtime.observe()
        for old in [*containers, *sandboxes]:
            await runtime.remove(old.id)
        await runtime.close()


async def look(node: Node, container: str, **action: Any) -> Finding:
    asked = Probe.model_validate({"timeoutSeconds": 20, **action})
    return await prober.look(node.runtime, asked, Target(ContainerTemplate(name="c"), container, "127.0.0.1"))


async def docker(*words: str) -> None:
    """As somebody at the node's shell would."""
    running = await asyncio.create_subprocess_exec("docker", *words, stdout=asyncio.subprocess.DEVNULL)
    assert await running.wait() == 0


def command(*words: str) -> dict[str, Any]:
    return {"exec": {"command": list(words)}}


async def test_commands_in_a_container(node: Node) -> None:
    container = await node.run("sleep", "999")
    assert await look(node, container, **command("true")) == Finding(True)
    assert await look(node, container, **command("sh", "-c", "echo no; exit 3")) == Finding(False, "no\n")
    late = await look(node, container, timeoutSeconds=1, **command("sleep", "998"))
    assert late == Finding(False, 'command timed out: "sleep 998" timed out after 1s')
    async with asyncio.timeout(10):  # it is ended beside the next look
        while b"998" in (
            left := (await node.runtime.exec(container, ["sh", "-c", "cat /proc/[0-9]*/cmdline"], 20)).stdout
        ):
            assert b"999" in left
    with pytest.raises(ProbeError, match="executable file not found"):
        await look(node, container, **command("nonesuch"))


async def test_a_paused_container_fails_its_command(node: Node) -> None:
    container = await node.run("sleep", "999")
    await docker("pause", container)
    try:
        async with asyncio.timeout(15):
            seen = await look(node, container, **command("true"))
        assert not seen.healthy and "is paused" in seen.message
    finally:
        await docker("unpause", container)


async def test_a_port_of_the_hosts_network(node: Node, unused_tcp_port: int) -> None:
    action = {"tcpSocket": {"port": unused_tcp_port}}
    container = await node.run("perl", "-MIO::Socket", "-e", SERVE.replace("PORT", str(unused_tcp_port)))
    async with asyncio.timeout(10):
        async for said in node.runtime.logs(container, follow=True):
            assert said == b"up\n"
            break
    assert await look(node, container, **action) == Finding(True)
    await node.runtime.stop(container, 0)
    refused = f"dial tcp 127.0.0.1:{unused_tcp_port}: connect: connection refused"
    assert await look(node, container, **action) == Finding(False, refused)


async def test_a_container_turns_ready_fails_its_liveness_and_its_successor_is_asked_anew(node: Node) -> None:
    turned, events = asyncio.Event(), []
    probes = Probes(node.runtime, SystemClock(), turned.set, lambda *e: events.append(e))
    once = {"periodSeconds": 1, "timeoutSeconds": 20, "successThreshold": 1, "failureThreshold": 1}
    ready, live = command("test", "-e", "/tmp/ready"), command("sh", "-c", "test ! -e /tmp/ill || ! echo ill")
    template = {"name": "c", "readinessProbe": {**once, **ready}, "livenessProbe": {**once, **live}}
    pod = Pod.model_validate({"metadata": {"name": "p"}, "spec": {"containers": [template]}})

    async def turn() -> None:
        async with asyncio.timeout(30):
            await turned.wait()
        turned.clear()

    try:
        first = await node.run("sleep", "999")
        probes.follow(pod, await node.observe(), "127.0.0.1")
        assert (probes.ready, probes.failed) == ({first: False}, {})
        await node.runtime.exec(first, ["touch", "/tmp/ready"], 20)
        await turn()
        assert (probes.ready, probes.failed) == ({first: True}, {})
        await node.runtime.exec(first, ["touch", "/tmp/ill"], 20)
        await turn()
        assert probes.failed == {first: "liveness"}
        assert ("c", "Warning", "Unhealthy", "Liveness probe failed: ill\n") in events
        await node.runtime.stop(first, 0)
        second = await node.run("sh", "-c", "touch /tmp/ready; sleep 999")
        probes.follow(pod, await node.observe(), "127.0.0.1")
        turned.clear()  # the first may have turned once more as it ended
        assert (probes.ready, probes.failed) == ({second: False}, {})
        await turn()
        assert probes.ready == {second: True}
    finally:
        await probes.stop()


async def test_hooks_run_in_the_container(node: Node) -> None:
    container = await node.run("sleep", "999")
    template = ContainerTemplate(name="c")

    async def run(*words: str) -> None:
        handler = LifecycleHandler.model_validate(command(*words))
        await hooks.run(handler, node.runtime, hooks.Scene(Pod(), "127.0.0.1", template, container), 5)

    await run("sh", "-c", "echo here > /tmp/hook")
    assert (await node.runtime.exec(container, ["cat", "/tmp/hook"], 20)).output == b"here\n"
    with pytest.raises(hooks.HookError, match="exited with 4"):
        await run("sh", "-c", "exit 4")
