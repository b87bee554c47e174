"""Wires the parts into the process that a control plane is: store, API server, controllers and scheduler.

They live in one event loop; the controllers reach the API server in process, through the same door as everybody else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import pathlib
import random
from collections.abc import AsyncIterator

import yaml

from controlplane.admission.chain import Ranges
from controlplane.apiserver.authentication import ADMIN
from controlplane.apiserver.serve import serve
from controlplane.controllers.manager import Manager
from controlplane.store.sqlite import SqliteStore
from kubeapi import registry as kinds
from kubeapi.client.client import Client
from kubeapi.clock import SystemClock
from kubeapi.names import CONTROLLERS
from naru import kubeconfig
from naru.config import ClusterConfig
from naru.foreground import run_until_stopped


@contextlib.asynccontextmanager
async def control_plane(data_dir: pathlib.Path, config: ClusterConfig, controllers: str) -> AsyncIterator[None]:
    """A control plane that answers, until the block ends. ValueError for a controller that nobody has."""
    registry, clock, rng = kinds.load(), SystemClock(), random.Random()
    store = await SqliteStore.open(data_dir / "store.db")
    try:
        ranges = Ranges(ipaddress.IPv4Network(config.service_range))
        async with serve(store, registry, clock, rng, data_dir, config.port, ranges=ranges, node=config.node) as server:
            write_kubeconfig(data_dir, config)
            user, groups = ADMIN
            client = Client(server, registry, CONTROLLERS, user=user, groups=groups)

            compacted_next = store.revision

            async def compact() -> None:  # to where the store was when this was called last
                nonlocal compacted_next
                revision, compacted_next = compacted_next, store.revision
                await store.compact(revision)

            manager = Manager(
                client,
                registry,
                clock,
                rng,
                controllers,
                root_ca=(data_dir / "ca.crt").read_text(),
                pod_network=config.pod_range,
                compact=compact,
            )
            await manager.start()
            try:
                yield
            finally:
                await manager.stop()
    finally:
        await store.close()


async def run_control_plane(
    data_dir: pathlib.Path, config: ClusterConfig, controllers: str, ready_fd: int | None
) -> None:
    """Run a control plane until SIGTERM or SIGINT."""
    await run_until_stopped(control_plane(data_dir, config, controllers), ready_fd)


def write_kubeconfig(data_dir: pathlib.Path, config: ClusterConfig) -> None:
    """DATA_DIR/kubeconfig (0600): the administrator's way in."""
    name = f"naru-{config.id}"
    cluster = {"server": f"https://127.0.0.1:{config.port}", "certificate-authority": str(data_dir / "ca.crt")}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": {"token": (data_dir / "token").read_text().strip()}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path = data_dir / "kubeconfig"
    if not path.exists() or path.read_bytes() != yaml.safe_dump(content, sort_keys=False).encode():
        kubeconfig.write(path, content)  # whole or not at all; on a full disk the one that is right stays
