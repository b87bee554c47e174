"""What a volume is once it is ready, and the error of one that can't be had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class VolumeError(Exception):
    """A volume is not there (yet); the text is the kubelet's (Event FailedMount)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where a volume's content lies on this host. engine_volume names the engine's volume that it is, if it is one."""

    path: Path
    read_only: bool = False
    engine_volume: str = ""
