"""Wires the parts into the process that a node is, and takes away all that such processes have made."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import signal
import ssl
from collections.abc import AsyncIterator

from agent.agent import Agent, AgentConfig
from agent.network.config import NetworkConfig
from agent.network.network import remove_network, reserve_ranges
from agent.runtime.docker import DockerRuntime
from agent.volumes import delete_directory
from kubeapi import registry as kinds
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.clock import SystemClock
from naru.config import ClusterConfig
from naru.processes import spare_collector, tell_ready

STOP_GRACE = 10.0


@contextlib.asynccontextmanager
async def node(data_dir: pathlib.Path, config: ClusterConfig) -> AsyncIterator[None]:
    """This machine as a node of the cluster, until the block ends."""
    certificate, key, token = _shown(data_dir, config)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(data_dir / "ca.crt"))
    tls.load_cert_chain(certificate, key)
    tls.verify_mode = ssl.CERT_REQUIRED
    transport = HttpTransport(f"https://127.0.0.1:{config.port}", token=token, ca=data_dir / "ca.crt")
    runtime = DockerRuntime(config.id)
    wanted = AgentConfig(config.id, config.node, config.pod_range, config.service_range, data_dir / "pods")
    try:
        async with Agent(Client(transport, kinds.load(), "naru-agent"), runtime, wanted, SystemClock(), tls).running():
            yield
    finally:
        await transport.close()
        await runtime.close()


def _shown(data_dir: pathlib.Path, config: ClusterConfig) -> tuple[pathlib.Path, pathlib.Path, str]:
    """The agent's certificate, its key and its token: the control plane made them, unless the agent is there first."""
    certificate, key, token = (data_dir / f"agent.{end}" for end in ("crt", "key", "token"))
    if not (certificate.exists() and token.exists()):
        from controlplane.apiserver import certs  # 8 MB that an agent has no other use for

        certs.ensure_agent(data_dir, config.node)
    return certificate, key, token.read_text().strip()


async def run_agent(data_dir: pathlib.Path, config: ClusterConfig, ready_fd: int | None) -> None:
    """Be a node until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with node(data_dir, config):
        tell_ready(ready_fd)
        spare_collector()
        await stopped.wait()


async def remove_pods(config: ClusterConfig, data_dir: pathlib.Path) -> int:
    """End and remove every container of the cluster on this machine's engine, and the pods' folders; how many."""
    runtime = DockerRuntime(config.id)
    try:
        sandboxes, containers = await runtime.observe()
        running = [c.id for c in containers if c.phase == "running"]
        await asyncio.gather(*(runtime.stop(c, STOP_GRACE) for c in running))
        everything = [*(c.id for c in containers), *(s.id for s in sandboxes)]
        await asyncio.gather(*(runtime.remove(found) for found in everything))
    finally:
        await runtime.close()
    delete_directory(data_dir / "pods")
    return len(everything)


async def reserve_node_ranges(config: ClusterConfig) -> None:
    """Claim the cluster's ranges on this machine, so that no other cluster chooses them."""
    await reserve_ranges(_names(config))


async def remove_node_network(config: ClusterConfig) -> None:
    """Remove the cluster's devices, routes and rules from this machine's kernel."""
    await remove_network(_names(config))


def _names(config: ClusterConfig) -> NetworkConfig:
    """What the cluster's things in the kernel are called; which podCIDR is this node's does not matter for it."""
    return NetworkConfig(config.id, config.node, config.pod_range, config.pod_range, config.service_range)


async def remove_volumes(config: ClusterConfig) -> list[str]:
    """Remove the Docker volumes that hold the cluster's data; their names."""
    runtime = DockerRuntime(config.id)
    try:
        return await runtime.remove_volumes()
    finally:
        await runtime.close()
