"""What a volume is once it is ready, and the errors of one that can't be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class VolumeError(Exception):
    """Volumes are not there (yet); its arguments are messages in the kubelet's words, each an Event FailedMount."""

    def __str__(self) -> str:
        return "; ".join(map(str, self.args))


class SetUpError(Exception):
    """Why one volume can't be had, without its name; failed is the step that the kubelet names before it."""

    def __init__(self, why: str, failed: str = "MountVolume.SetUp") -> None:
        super().__init__(why)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where a volume's content lies on this host. engine_volume names the engine's volume that it is, if it is one."""

    path: Path
    read_only: bool = False
    engine_volume: str = ""
