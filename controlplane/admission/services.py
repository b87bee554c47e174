"""Services: IP families, cluster addresses and node ports, chosen among what no other Service has.

What is taken is read from the Services that exist; there is no second list that could disagree with them. The cluster has
one family, IPv4. Source: k8s.io/kubernetes/pkg/registry/core/service/storage (alloc.go) and KEP-3070.
"""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from kubeapi.core_v1.service_needs import needs_address, needs_health_check, needs_node_port
from kubeapi.core_v1.types import Service
from kubeapi.core_v1.validation.service import validate_addresses
from kubeapi.errors import ApiError, Cause, invalid, invalid_object

if TYPE_CHECKING:
    from controlplane.store import Store

FAMILY, OTHER = "IPv4", {"IPv4": "IPv6", "IPv6": "IPv4"}
TAKEN = "provided port is already allocated"


class Taken(NamedTuple):
    """What the existing Services hold, each by its Service's uid."""

    addresses: dict[str, str]
    ports: dict[int, str]


class Pools(NamedTuple):
    """Where addresses and ports come from, what of it is taken, and the dice."""

    held: Taken
    addresses: IPv4Network
    node_ports: range
    rng: Random


def taken(store: Store) -> Taken:
    """Read what is taken."""
    held = Taken({}, {})
    entries, _ = store.list("//services/")
    for entry in entries:
        service = Service.from_json(entry.value)
        uid = service.metadata.uid
        held.addresses.update({a: uid for a in service.spec.cluster_ips if a != "None"})
        held.ports.update({p.node_port: uid for p in service.spec.ports if p.node_port})
        if service.spec.health_check_node_port:
            held.ports[service.spec.health_check_node_port] = uid
    return held


def allocate(service: Service, old: Service | None, pools: Pools) -> None:
    """Give `service` what it lacks, in place. Raises 422 for what is taken, out of range or of the wrong family."""
    spec = service.spec
    if old is not None:
        _keep_what_was_given(service, old)
    if spec.cluster_ip and not spec.cluster_ips:
        spec.cluster_ips = [spec.cluster_ip]
    choose_families(service, old)
    if needs_address(service) and (old is None or not needs_address(old)):
        _choose_address(service, pools)
    _choose_ports(service, old, pools)


def _keep_what_was_given(new: Service, old: Service) -> None:
    """What a client left out of an update is what it was; what its new type has no use for goes (idempotent updates)."""
    spec, was = new.spec, old.spec
    if needs_address(old) and needs_address(new):
        spec.cluster_ip = spec.cluster_ip or was.cluster_ip
        if not spec.cluster_ips and spec.cluster_ip == was.cluster_ip:
            spec.cluster_ips = [*was.cluster_ips]
    if spec.cluster_ip != was.cluster_ip and spec.cluster_ips == was.cluster_ips:
        # One of the two names was changed by who does not know the other.
        spec.cluster_ips = [spec.cluster_ip] if spec.cluster_ip else []
    if needs_node_port(old) and needs_node_port(new):
        used = {p.node_port for p in was.ports} & {p.node_port for p in spec.ports}
        known = {p.name: p.node_port for p in was.ports}
        for port in spec.ports:
            before = known.get(port.name, 0)
            if not port.node_port and before not in used:
                port.node_port = before
                used.add(before)
    if needs_health_check(old) and needs_health_check(new):
        spec.health_check_node_port = spec.health_check_node_port or was.health_check_node_port


def choose_families(service: Service, old: Service | None) -> None:
    """ipFamilyPolicy and ipFamilies of a Service on a cluster that has IPv4 only."""
    spec = service.spec
    if spec.type == "ExternalName":
        return
    selectorless = spec.cluster_ip == "None" and not spec.selector
    if spec.ip_family_policy is None:
        before = old.spec.ip_family_policy if old is not None else None
        spec.ip_family_policy = before or ("RequireDualStack" if selectorless else "SingleStack")
    _refuse(service, validate_addresses(service))
    single = spec.ip_family_policy == "SingleStack"
    found: list[Cause] = []
    if old is not None and single and spec.ip_families == old.spec.ip_families:
        spec.ip_families = spec.ip_families[:1]
    for what, several in (("cluster IPs", spec.cluster_ips), ("IP families", spec.ip_families)):
        if single and len(several) == 2:
            why = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            found.append(invalid("spec.ipFamilyPolicy", spec.ip_family_policy, why))
    for i, address in enumerate(spec.cluster_ips):
        if address == "None" or i < len(spec.ip_families):
            continue
        family = f"IPv{ip_address(address).version}"
        if family == FAMILY:
            spec.ip_families = [*spec.ip_families, family]
        else:
            why = f"{family} is not configured on this cluster"
            found.append(invalid(f"spec.clusterIPs[{i}]", spec.cluster_ips, why))
    _refuse(service, found)
    if selectorless:  # it has no address of its own, so it may have both families
        spec.ip_families = spec.ip_families or [FAMILY]
        if not single and len(spec.ip_families) < 2:
            spec.ip_families = [*spec.ip_families, OTHER[spec.ip_families[0]]]
        return
    if spec.ip_family_policy == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        found.append(invalid("spec.ipFamilyPolicy", spec.ip_family_policy, why))
    for i, family in enumerate(spec.ip_families):
        if family != FAMILY:
            found.append(invalid(f"spec.ipFamilies[{i}]", family, "not configured on this cluster"))
    _refuse(service, found)
    spec.ip_families = spec.ip_families or [FAMILY]


def _choose_address(service: Service, pools: Pools) -> None:
    spec = service.spec
    asked = spec.cluster_ip
    if asked == "None":
        return
    if not asked:
        spec.cluster_ip = _free_address(pools)
        spec.cluster_ips = [spec.cluster_ip]
    elif ip_address(asked) not in pools.addresses:
        why = f"the provided IP ({asked}) is not in the valid range. The range of valid IPs is {pools.addresses}"
        _refuse(service, [invalid("spec.clusterIPs", spec.cluster_ips, f"failed to allocate IP {asked}: {why}")])
    elif pools.held.addresses.get(asked, service.metadata.uid) != service.metadata.uid:
        why = f"failed to allocate IP {asked}: provided IP is already allocated"
        _refuse(service, [invalid("spec.clusterIPs", spec.cluster_ips, why)])


def _choose_ports(service: Service, old: Service | None, pools: Pools) -> None:
    """A node port for each port of an exposed Service; the same number over several protocols shares one."""
    spec, uid = service.spec, service.metadata.uid
    mine = {p.node_port for p in old.spec.ports} if old is not None else set()
    free = _Ports(pools, uid, mine)
    if spec.type in ("NodePort", "LoadBalancer"):
        given: dict[int, int] = {}
        for i, port in enumerate(spec.ports):
            if not port.node_port and not needs_node_port(service):
                continue
            before = given.get(port.port, 0)
            if not port.node_port:
                asked = next((p.node_port for p in spec.ports if p.port == port.port and p.node_port), 0)
                port.node_port = before or asked or free.next()
            if port.node_port != before and (why := free.take(port.node_port)):
                _refuse(service, [invalid(f"spec.ports[{i}].nodePort", port.node_port, why)])
            given.setdefault(port.port, port.node_port)
    if needs_health_check(service) and not spec.health_check_node_port:
        spec.health_check_node_port = free.next()


class _Ports:
    """The node ports that one Service may still take."""

    def __init__(self, pools: Pools, uid: str, mine: set[int]) -> None:
        self._range, self._rng, self._mine = pools.node_ports, pools.rng, mine
        self._used = {port for port, owner in pools.held.ports.items() if owner != uid}

    def take(self, port: int) -> str:
        """Take a port; why not, or an empty text."""
        if port not in self._range and port not in self._mine:
            return (
                "provided port is not in the valid range. "
                f"The range of valid ports is {self._range[0]}-{self._range[-1]}"
            )
        if port in self._used:
            return TAKEN
        self._used.add(port)
        return ""

    def next(self) -> int:
        """Any free port."""
        free = [p for p in self._range if p not in self._used and p not in self._mine]
        if not free:
            raise ApiError(500, "InternalError", "failed to allocate a nodePort: range is full")
        return self._rng.choice(free)


def _free_address(pools: Pools) -> str:
    """A free address of the range's upper part; the lower is left to those who ask for one by number (KEP-3070)."""
    size = pools.addresses.num_addresses
    reserved = min(max(16, size // 16), 256)
    low = 1 + (reserved if size > 2 * reserved else 0)
    start = pools.rng.randrange(low, size - 1)
    for offset in (*range(start, size - 1), *range(1, start)):
        if (address := str(pools.addresses[offset])) not in pools.held.addresses:
            return address
    raise ApiError(500, "InternalError", "failed to allocate a serviceIP: range is full")


def _refuse(service: Service, causes: list[Cause]) -> None:
    if causes:
        raise invalid_object("Service", "", service.metadata.name, causes)
