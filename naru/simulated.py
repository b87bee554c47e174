"""Simulated nodes beside a real one: the real agent on engines in memory, many in one process, in real time.

For trying schedules, rollouts and operators at scale: such a node takes pods, pulls images, starts containers and ends them,
in the time that an engine takes, but nothing runs. Each bears a label and a taint, so that only pods that tolerate it go
there. What was there under that label and is not asked for any more is deleted from the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from agent.agent import AgentConfig
from agent.node import Machine
from agent.runtime.simulated import SimulatedRuntime
from kubeapi import registry as kinds
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.client.transport import Request, Response
from kubeapi.clock import SystemClock
from kubeapi.core_v1.types import Node, Taint
from kubeapi.errors import ApiError
from naru.config import ClusterConfig
from naru.foreground import run_until_stopped
from naru.simulation.node import INFO, SimulatedAgent

LABEL = "naru.dev/simulated"
TAINT = Taint(key=LABEL, value="true", effect="NoSchedule")
MOST = 250  # nodes: each has a /24 of the cluster's /16
CPUS, MEMORY, DISK = 32, 256 * 2**30, 1024 * 2**30
IMAGE = 20_000_000  # bytes of any image
LOOPBACK = "127.0.0.1"  # who asks such a node for logs asks nobody else's machine


class _AnyImage(dict[str, int]):
    """A registry that has every image."""

    def get(self, ref: str, default: object = None) -> int:
        """Its size."""
        return IMAGE


def name_of(number: int) -> str:
    """A simulated node's name."""
    return f"simulated-{number}"


@contextlib.asynccontextmanager
async def simulated_nodes(data_dir: pathlib.Path, config: ClusterConfig, count: int) -> AsyncIterator[None]:
    """So many nodes of the cluster, until the block ends."""
    names = [name_of(number) for number in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        await _forget_others(_client(stack, data_dir), names)
        agents = [_agent(name, _client(stack, data_dir, name), data_dir, config) for name in names]
        await asyncio.gather(*(stack.enter_async_context(agent.running()) for agent in agents))
        yield


class _Node:
    """The administrator's socket with a node behind it, which may what a node may, and has a node's share of the server."""

    def __init__(self, transport: HttpTransport, name: str) -> None:
        self._transport = transport
        self._headers = {"impersonate-user": f"system:node:{name}", "impersonate-group": "system:nodes"}

    async def send(self, request: Request) -> Response:
        """As `Transport` says."""
        return await self._transport.send(replace(request, headers={**request.headers, **self._headers}))

    async def close(self) -> None:
        """As `Transport` says."""
        await self._transport.close()


def _client(stack: contextlib.AsyncExitStack, data_dir: pathlib.Path, node: str = "") -> Client:
    """A way to the API, the administrator's or a node's own: none waits for the requests of another."""
    transport = HttpTransport(socket=data_dir / "naru.sock")
    stack.push_async_callback(transport.close)
    return Client(_Node(transport, node) if node else transport, kinds.load(), "naru-agent")


async def _forget_others(client: Client, names: Sequence[str]) -> None:
    for node in (await client.list(Node, labels=f"{LABEL}=true")).items:
        if node.metadata.name not in names:
            with contextlib.suppress(ApiError):  # gone already
                await client.delete(Node, node.metadata.name)


def _agent(name: str, client: Client, data_dir: pathlib.Path, config: ClusterConfig) -> SimulatedAgent:
    clock = SystemClock()
    runtime = SimulatedRuntime(clock, random.Random())
    runtime.registry = _AnyImage()
    wanted = AgentConfig(
        config.id,
        name,
        config.pod_range,
        config.service_range,
        data_dir / "simulated" / name,
        labels={LABEL: "true"},
        taints=(TAINT,),
    )
    machine = Machine(CPUS, MEMORY, DISK, LOOPBACK, name, INFO)
    return SimulatedAgent(client, runtime, wanted, clock, machine, {})


async def run_simulated_nodes(data_dir: pathlib.Path, config: ClusterConfig, count: int, ready_fd: int | None) -> None:
    """Be so many nodes until SIGTERM or SIGINT."""
    await run_until_stopped(simulated_nodes(data_dir, config, count), ready_fd)
