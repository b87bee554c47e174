"""What discovery, memory and trace may see of their node: the machine's files, the engine, and what the API says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.network.config import NetworkConfig
from agent.runtime.protocol import Runtime
from kubeapi.client.client import Client
from kubeapi.clock import Clock
from kubeapi.core_v1.types import Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node by its name; /proc and /sys lie under root. The functions give what is known now, shared: not to be changed.

    On a machine without a cluster there are no pods, Services and slices, and `network` and `client` are None; without an
    engine `runtime` is.
    """

    name: str
    clock: Clock
    root: Path = Path("/")
    runtime: Runtime | None = None
    pods: Callable[[], Sequence[Pod]] = tuple
    services: Callable[[], Sequence[Service]] = tuple
    slices: Callable[[], Sequence[EndpointSlice]] = tuple
    network: Callable[[], NetworkConfig | None] = lambda: None
    client: Client | None = None
