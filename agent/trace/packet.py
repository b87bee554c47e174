"""The packet whose way is told, as its headers say."""

from __future__ import annotations

from typing import NamedTuple


class Packet(NamedTuple):
    """An IPv4 packet that opens a flow: protocol is tcp or udp; came_by and leaves_by are devices' names, where known."""

    protocol: str
    source: str
    sport: int
    destination: str
    dport: int
    came_by: str = ""
    leaves_by: str = ""
    mark: int = 0

    @property
    def text(self) -> str:
        """Both ends, for a reader."""
        return f"{self.source}:{self.sport} → {self.destination}:{self.dport}"
