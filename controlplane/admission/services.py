"""Services: cluster addresses and node ports, chosen among what no other Service has.

What is taken is read from the Services that exist; there is no second list that could disagree with them.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeapi.core_v1.types import Service
from kubeapi.errors import ApiError, Cause, invalid, invalid_object

if TYPE_CHECKING:
    from controlplane.store import Store


class Taken(NamedTuple):
    """What the existing Services hold, each by its Service's uid."""

    addresses: dict[str, str]
    ports: dict[tuple[str, int], str]


async def taken(store: Store) -> Taken:
    """Read what is taken."""
    held = Taken({}, {})
    entries, _ = store.list("//services/")
    for entry in entries:
        service = Service.from_json(entry.value)
        uid = service.metadata.uid
        held.addresses.update({a: uid for a in service.spec.cluster_ips if a != "None"})
        held.ports.update({(p.protocol, p.node_port): uid for p in service.spec.ports if p.node_port})
    return held


def allocate(
    service: Any, old: Any | None, held: Taken, addresses: IPv4Network, node_ports: range, rng: Random
) -> None:
    """Give `service` the address and the ports it lacks, in place. Raises 422 for what is taken or out of range."""
    spec, uid = service.spec, service.metadata.uid
    causes: list[Cause] = []
    if spec.type == "ExternalName":
        spec.cluster_ip, spec.cluster_ips = "", []
    elif not spec.cluster_ip:
        kept = old.spec.cluster_ip if old is not None and old.spec.type != "ExternalName" else ""
        spec.cluster_ip = kept or _free_address(held, addresses, rng)
    elif spec.cluster_ip != "None" and held.addresses.get(spec.cluster_ip, uid) != uid:
        causes.append(
            invalid("spec.clusterIPs", [spec.cluster_ip], "failed to allocate IP: provided IP is already allocated")
        )
    if spec.type != "ExternalName" and not spec.cluster_ips:
        spec.cluster_ips = [spec.cluster_ip]
    exposed = spec.type == "NodePort" or (
        spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False
    )
    used = {port for (_, port), owner in held.ports.items() if owner != uid}
    before = {(p.protocol, p.port): p.node_port for p in old.spec.ports} if old is not None else {}
    for i, port in enumerate(spec.ports):
        path = f"spec.ports[{i}].nodePort"
        if port.node_port and port.node_port not in node_ports:
            why = (
                f"provided port is not in the valid range. The range of valid ports is {node_ports[0]}-{node_ports[-1]}"
            )
            causes.append(invalid(path, port.node_port, why))
        elif port.node_port and held.ports.get((port.protocol, port.node_port), uid) != uid:
            causes.append(invalid(path, port.node_port, "provided port is already allocated"))
        elif not port.node_port and exposed:
            port.node_port = before.get((port.protocol, port.port)) or _free_port(used, node_ports, rng)
        used.add(port.node_port)
    if causes:
        raise invalid_object("Service", "", service.metadata.name, causes)


def _free_address(held: Taken, addresses: IPv4Network, rng: Random) -> str:
    """A free address of the range's upper part; the lower is left to those who ask for one by number (KEP-3070)."""
    size = addresses.num_addresses
    reserved = min(max(16, size // 16), 256)
    low = 1 + (reserved if size > 2 * reserved else 0)
    start = rng.randrange(low, size - 1)
    for offset in (*range(start, size - 1), *range(1, start)):
        if (address := str(addresses[offset])) not in held.addresses:
            return address
    raise ApiError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def _free_port(used: set[int], node_ports: range, rng: Random) -> int:
    free = [p for p in node_ports if p not in used]
    if not free:
        raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full")
    return rng.choice(free)
