"""A switch for one guest: a bridge with the host's end of a small network, and the tap that the guest's NIC is behind.

Nothing leaves by it: the bridge has no other port, the guest no route but its own network, which is of the range that is set
aside for benchmarks (RFC 2544).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import NamedTuple

from pyroute2 import IPRoute

PREFIX = 30
MAC = "02:00:00:4e:61:72"


class Switch(NamedTuple):
    """The devices' names, and which of the small networks it is."""

    bridge: str
    tap: str
    number: int

    @property
    def host(self) -> str:
        """Our address on it."""
        return f"198.18.{self.number}.1"

    @property
    def guest(self) -> str:
        """The guest's."""
        return f"198.18.{self.number}.2"


@contextlib.contextmanager
def switch() -> Iterator[Switch]:
    """Make both; they are gone when the block ends, however it does."""
    mark = secrets.token_hex(3)
    made = Switch(f"narub-{mark}", f"narut-{mark}", secrets.randbelow(256))
    with IPRoute() as route:
        try:
            route.link("add", ifname=made.bridge, kind="bridge")
            [bridge] = route.link_lookup(ifname=made.bridge)
            route.link("add", ifname=made.tap, kind="tuntap", mode="tap")
            [tap] = route.link_lookup(ifname=made.tap)
            route.link("set", index=tap, master=bridge, state="up")
            route.addr("add", index=bridge, address=made.host, prefixlen=PREFIX)
            route.link("set", index=bridge, state="up")
            # The guest's address is known: nobody has to ask for it, which takes a second where nobody answers yet.
            route.neigh("add", ifindex=bridge, dst=made.guest, lladdr=MAC, state=0x80)
            yield made
        finally:
            for name in (made.tap, made.bridge):
                for index in route.link_lookup(ifname=name):
                    route.link("del", index=index)
