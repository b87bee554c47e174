"""Wires the parts into the process that a node is, and takes away all that such processes have made."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from agent.agent import Agent, AgentConfig
from agent.network.config import NetworkConfig
from agent.network.network import observe_network, remove_network, reserve_ranges
from agent.runtime.docker import DockerRuntime
from agent.volumes import delete_directory
from kubeapi import registry as kinds
from kubeapi.client.client import Client
from kubeapi.client.http import HttpTransport
from kubeapi.clock import SystemClock
from naru.config import ClusterConfig
from naru.foreground import run_until_stopped

LONGEST_GRACE = 10.0


@contextlib.asynccontextmanager
async def node(data_dir: pathlib.Path, config: ClusterConfig) -> AsyncIterator[None]:
    """This machine as a node of the cluster, until the block ends."""
    certificate, key, token = _shown(data_dir, config)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(data_dir / "ca.crt"))
    tls.load_cert_chain(certificate, key)
    tls.minimum_version, tls.verify_mode = ssl.TLSVersion.TLSv1_2, ssl.CERT_REQUIRED
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
    await run_until_stopped(node(data_dir, config), ready_fd)


class Belongings(NamedTuple):
    """What a cluster has on this machine's engine and in its kernel: containers by their ids, the rest by their names.

    `containers` tells pod and name of each, sandboxes last; `running` are to be ended first, each with its grace in seconds.
    """

    containers: dict[str, str]
    running: dict[str, int]
    devices: list[str]
    volumes: list[str]


async def observe_belongings(config: ClusterConfig) -> Belongings:
    """All that is the cluster's, by its labels and names: nothing else may be removed."""
    runtime = DockerRuntime(config.id)
    try:
        sandboxes, containers = await runtime.observe()
        volumes = await runtime.volumes()
    finally:
        await runtime.close()
    named = {c.id: f"{c.pod.namespace}/{c.pod.name}/{c.name}" for c in containers}
    named |= {s.id: f"{s.pod.namespace}/{s.pod.name} (sandbox)" for s in sandboxes}
    running = {c.id: c.stop_seconds for c in containers if c.phase == "running"}
    return Belongings(named, running, await observe_network(_names(config)), volumes)


async def remove_pods(config: ClusterConfig, data_dir: pathlib.Path, found: Belongings) -> None:
    """End these containers, each within its grace but LONGEST_GRACE at most, and remove them with the pods' folders."""
    runtime = DockerRuntime(config.id)
    try:
        await asyncio.gather(*(runtime.stop(id_, min(grace, LONGEST_GRACE)) for id_, grace in found.running.items()))
        await asyncio.gather(*(runtime.remove(container) for container in found.containers))
    finally:
        await runtime.close()
    delete_directory(data_dir / "pods")


async def reserve_node_ranges(config: ClusterConfig) -> None:
    """Claim the cluster's ranges on this machine, so that no other cluster chooses them."""
    await reserve_ranges(_names(config))


async def remove_node_network(config: ClusterConfig) -> None:
    """Remove the cluster's devices, routes and rules from this machine's kernel."""
    await remove_network(_names(config))


def _names(config: ClusterConfig) -> NetworkConfig:
    """What the cluster's things in the kernel are called; which podCIDR is this node's does not matter for it."""
    return NetworkConfig(config.id, config.node, config.pod_range, config.pod_range, config.service_range)


async def remove_volumes(config: ClusterConfig, names: Sequence[str]) -> None:
    """Remove these Docker volumes with the data in them."""
    runtime = DockerRuntime(config.id)
    try:
        for name in names:
            await runtime.remove_volume(name)
    finally:
        await runtime.close()
