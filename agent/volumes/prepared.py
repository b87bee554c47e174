"""What a volume is once it is ready, and the error of one that can't be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class VolumeError(Exception):
    """Volumes are not there (yet); its arguments are messages in the kubelet's words, each an Event FailedMount."""

    def __str__(self) -> str:
        return "; ".join(map(str, self.args))


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where a volume's content lies on this host. engine_volume names the engine's volume that it is, if it is one."""

    path: Path
    read_only: bool = False
    engine_volume: str = ""
