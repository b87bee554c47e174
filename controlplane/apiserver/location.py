"""Where a node's agent answers, and the error of one that does not."""

from __future__ import annotations

import socket
from typing import NamedTuple
from urllib.parse import quote, urlencode

# Headers of one connection (RFC 9110, 7.6.1) and of one body's framing: never passed on.
HOP_BY_HOP = frozenset(
    {
        "connection", "content-length", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip


class Location(NamedTuple):
    """Where an agent answers: its node, by whose name its certificate goes, that node's address, port, path and query."""

    node: str
    address: str
    port: int
    path: str
    query: tuple[tuple[str, str], ...] = ()

    @property
    def authority(self) -> str:
        """Address and port, as people know them."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL, as people know it."""
        return f"https://{self.authority}{quote(self.path)}" + (f"?{urlencode(self.query)}" if self.query else "")

    @property
    def url(self) -> str:
        """The URL to ask: over loopback when the node is this machine, where its agent listens."""
        where = self._replace(address="127.0.0.1") if is_own(self.address) else self
        return where.shown


class UnreachableError(Exception):
    """No agent answers at a location; the text is what Go would say of it."""


def is_own(address: str) -> bool:
    """Whether an address is one of this machine's: only those can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
