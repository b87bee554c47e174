"""Which address a pod gets. Pure: what is taken is read from the devices of running pods and handed in.

There is no allocation file that could disagree with the world. Addresses are given in a circle and not the lowest first,
so that one just freed rests a while and no late packet of its last owner meets the next.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Container


class NoAddressLeftError(Exception):
    """Every address of the node's podCIDR is taken."""


def next_address(pod_cidr: str, taken: Container[str], last: str | None = None) -> str:
    """The first free address after `last`, around the end; never the network's, the gateway's or the broadcast address.

    Raises NoAddressLeftError.
    """
    network = ipaddress.IPv4Network(pod_cidr)
    first, count = int(network.network_address) + 2, network.num_addresses - 3
    start = int(ipaddress.IPv4Address(last)) + 1 - first if last else 0
    for step in range(max(count, 0)):
        address = str(ipaddress.IPv4Address(first + (start + step) % count))
        if address not in taken:
            return address
    raise NoAddressLeftError(f"no free address in {pod_cidr}")


def hardware_address(address: str) -> str:
    """A MAC that follows from the IPv4 address, so that no neighbour table goes stale when the address is given again."""
    return "0a:58:" + ":".join(f"{octet:02x}" for octet in ipaddress.IPv4Address(address).packed)
