"""What a node has once and its pods share. Made by the agent, handed to every pod's worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent.images import Images
from agent.network.protocol import Network
from agent.objects import Objects
from agent.runtime.protocol import Runtime
from agent.volumes import Volumes
from kubeapi.core_v1.types import Pod

if TYPE_CHECKING:
    from kubeapi.clock import Clock

Say = Callable[[Pod, str, str, str, str], None]
"""Record an Event: the pod, the field path of its container (may be empty), type, reason, message."""


@dataclass(frozen=True, slots=True)
class Parts:
    """directory holds a folder per pod (by uid); host_resolv is the text of the host's resolv.conf."""

    runtime: Runtime
    network: Network
    images: Images
    volumes: Volumes
    objects: Objects
    clock: Clock
    say: Say
    directory: Path
    host_ip: str = ""
    host_resolv: str = ""
    allocatable: Mapping[str, str | int | float] | None = None
