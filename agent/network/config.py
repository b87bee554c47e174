"""What one node's network is called and which addresses it has; every name in the kernel follows from the cluster's id.

So several clusters live side by side on a machine, and what one has made is found by name, also after a crash.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class NetworkConfig:
    """cluster: its id (four hexadecimal digits); pod_cidr: this node's part of pod_range; ranges are CIDR text."""

    cluster: str
    node: str
    pod_cidr: str
    pod_range: str
    service_range: str
    domain: str = "cluster.local"

    @property
    def bridge(self) -> str:
        """The bridge that the node's pods are plugged into."""
        return f"naru-{self.cluster}"

    @property
    def table(self) -> str:
        """The nftables table (family ip) that holds all our rules."""
        return f"naru_{self.cluster}"

    @property
    def veth_prefix(self) -> str:
        """How the host's ends of all veth pairs of this cluster begin."""
        return f"nv{self.cluster}"

    def veth(self, pod_uid: str) -> str:
        """The host's end of a pod's veth pair: 15 characters, the most that the kernel takes."""
        return self.veth_prefix + hashlib.sha256(pod_uid.encode()).hexdigest()[: 15 - len(self.veth_prefix)]

    @cached_property
    def gateway(self) -> str:
        """The bridge's own address: the first of the node's podCIDR."""
        return str(ipaddress.IPv4Network(self.pod_cidr)[1])

    @cached_property
    def dns_address(self) -> str:
        """Where the cluster's DNS answers: the tenth address of the service range, as is custom."""
        return str(ipaddress.IPv4Network(self.service_range)[10])
