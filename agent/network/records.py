"""What the cluster's DNS knows, by Kubernetes' DNS specification 1.1.0. Pure: names in, records out, from informers' caches.

    SVC.NS.svc.DOMAIN                          A: cluster address, or the endpoints of a headless one; CNAME: ExternalName
    HOSTNAME.SVC.NS.svc.DOMAIN                 A: one endpoint of a headless Service
    _PORT._PROTOCOL.SVC.NS.svc.DOMAIN          SRV: port and name of the Service, or of each endpoint
    A-B-C-D.NS.pod.DOMAIN                      A: the address that the name says
    D.C.B.A.in-addr.arpa                       PTR: the Service or endpoint behind an address

An answer tells three things apart: records; none of the asked type under a name that exists (NODATA); no such name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from agent.network.endpoints import SERVICE_NAME
from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import Endpoint, EndpointSlice


class Lister(Protocol):
    """The part of an informer that is asked here."""

    def list(self, namespace: str | None = None) -> list[Any]:
        """What is known of a namespace, or of all."""
        ...

    def on_change(self, handler: Callable[[Any, Any], None]) -> None:
        """Call `handler(old, new)` after every change."""
        ...


class Record(NamedTuple):
    """name is absolute, without the last dot; data: an address, a name, or (port, name) of an SRV."""

    name: str
    type: str
    data: str | tuple[int, str]


class Answer(NamedTuple):
    """exists tells NODATA (True without records) from NXDOMAIN; extra are addresses of names in SRV records."""

    records: tuple[Record, ...] = ()
    exists: bool = True
    extra: tuple[Record, ...] = ()


class Member(NamedTuple):
    """An endpoint of a headless Service: its own name under the Service's, its address, the ports of its slice."""

    label: str
    address: str
    ports: tuple[tuple[str, str, int], ...]


class Zone(NamedTuple):
    """Everything that has a name: Services and their members by (namespace, name); names by address."""

    services: dict[tuple[str, str], Service]
    members: dict[tuple[str, str], list[Member]]
    names: dict[str, list[str]]
    namespaces: frozenset[str]


NO_SUCH_NAME = Answer(exists=False)


class Records:
    """Answers names of `domain` and of the addresses in the cluster. The zone is made again after a change, when asked."""

    def __init__(self, domain: str, services: Lister, slices: Lister) -> None:
        self.domain, self._services, self._slices = domain, services, slices
        self.ready = False  # until the caches hold the whole: what is not in them yet is not missing
        self._zone: Zone | None = None
        services.on_change(self._changed)
        slices.on_change(self._changed)

    def answer(self, name: str, type_: str) -> Answer | None:
        """The answer to a question, or None for a name that others know. `name` without its last dot, in any case."""
        labels = tuple(name.lower().split("."))
        domain = tuple(self.domain.split("."))
        if labels[-2:] == ("in-addr", "arpa"):
            return self._reverse(labels, name, type_)
        if labels[-len(domain) :] != domain:
            return None
        return self._inside(labels[: -len(domain)], name, type_)

    def _changed(self, old: object, new: object) -> None:
        self._zone = None

    @property
    def zone(self) -> Zone:
        """The names as the caches have them now."""
        if self._zone is None:
            self._zone = build_zone(self.domain, self._services.list(), self._slices.list())
        return self._zone

    def _reverse(self, labels: tuple[str, ...], name: str, type_: str) -> Answer | None:
        names = self.zone.names.get(".".join(reversed(labels[:-2])))
        if not names:
            return None
        return Answer(tuple(Record(name, "PTR", n) for n in names) if type_ in ("PTR", "ANY") else ())

    def _inside(self, labels: tuple[str, ...], name: str, type_: str) -> Answer:
        match labels:
            case () | ("svc",) | ("pod",):
                return Answer()
            case ("dns-version",):
                return Answer()
            case (namespace, "svc" | "pod"):
                return Answer() if namespace in self.zone.namespaces else NO_SUCH_NAME
            case (address, namespace, "pod"):
                return _pod(address, name, type_)
            case (*below, service_name, namespace, "svc"):
                service = self.zone.services.get((namespace, service_name))
                return self._service(tuple(below), service, name, type_) if service else NO_SUCH_NAME
        return NO_SUCH_NAME

    def _service(self, below: tuple[str, ...], service: Service, name: str, type_: str) -> Answer:
        if service.spec.type == "ExternalName":
            alias = (Record(name, "CNAME", (service.spec.external_name or "").rstrip(".")),)
            return Answer(alias) if not below else NO_SUCH_NAME
        key = (service.metadata.namespace, service.metadata.name)
        own = f"{key[1]}.{key[0]}.svc.{self.domain}"
        members = self.zone.members.get(key, [])
        address = _address(service)
        match below:
            case ():
                addresses = [address] if address else [m.address for m in members]
                # A headless Service without endpoints has no addresses to its name, but it is there.
                return Answer(_addresses(name, addresses) if type_ in ("A", "ANY") else ())
            case (label,) if label.startswith("_"):
                known = {f"_{protocol}" for _, protocol, _ in _ports(service, members)}
                return Answer() if label in known else NO_SUCH_NAME
            case (label,):
                found = [m.address for m in members if m.label == label]
                if not found:
                    return NO_SUCH_NAME
                return Answer(_addresses(name, found) if type_ in ("A", "ANY") else ())
            case (port, protocol) if port.startswith("_") and protocol.startswith("_"):
                wanted = (port[1:], protocol[1:])
                return self._srv(service, members, own, wanted, name, type_)
        return NO_SUCH_NAME

    def _srv(
        self, service: Service, members: list[Member], own: str, wanted: tuple[str, str], name: str, type_: str
    ) -> Answer:
        address = _address(service)
        if address:
            hits = [
                (number, own, address) for port, protocol, number in _ports(service, []) if (port, protocol) == wanted
            ]
        else:
            hits = [
                (number, f"{member.label}.{own}", member.address)
                for member in members
                for port, protocol, number in member.ports
                if (port, protocol) == wanted
            ]
        if not hits:
            return NO_SUCH_NAME
        if type_ not in ("SRV", "ANY"):
            return Answer()
        return Answer(
            tuple(Record(name, "SRV", (number, target)) for number, target, _ in hits),
            extra=tuple(dict.fromkeys(Record(target, "A", at) for _, target, at in hits)),
        )


def _pod(label: str, name: str, type_: str) -> Answer:
    try:
        address = str(ipaddress.IPv4Address(label.replace("-", ".")))
    except ValueError:
        return NO_SUCH_NAME
    return Answer((Record(name, "A", address),) if type_ in ("A", "ANY") else ())


def build_zone(domain: str, services: list[Service], slices: list[EndpointSlice]) -> Zone:
    """All names of the cluster, in one pass."""
    by_key = {(s.metadata.namespace, s.metadata.name): s for s in services}
    members: dict[tuple[str, str], list[Member]] = {}
    names: dict[str, list[str]] = {}
    for piece in slices:
        key = (piece.metadata.namespace, piece.metadata.labels.get(SERVICE_NAME, ""))
        service = by_key.get(key)
        if service is None or _address(service) or piece.address_type != "IPv4":
            continue
        for member, named in _members(service, piece):
            members.setdefault(key, []).append(member)
            if named:
                names.setdefault(member.address, []).append(f"{member.label}.{key[1]}.{key[0]}.svc.{domain}")
    for (namespace, name), service in by_key.items():
        if address := _address(service):
            names.setdefault(address, []).append(f"{name}.{namespace}.svc.{domain}")
    namespaces = frozenset({s.metadata.namespace for s in services} | {s.metadata.namespace for s in slices})
    return Zone(by_key, members, names, namespaces)


def _members(service: Service, piece: EndpointSlice) -> Iterator[tuple[Member, bool]]:
    ports = tuple(((p.name or "").lower(), (p.protocol or "TCP").lower(), p.port) for p in piece.ports if p.port)
    for endpoint in piece.endpoints:
        if _hidden(service, endpoint):
            continue
        for address in endpoint.addresses:
            label = (endpoint.hostname or address.replace(".", "-")).lower()
            yield Member(label, address, ports), bool(endpoint.hostname)


def _hidden(service: Service, endpoint: Endpoint) -> bool:
    return endpoint.conditions.ready is False and not service.spec.publish_not_ready_addresses


def _address(service: Service) -> str:
    address = service.spec.cluster_ip or ""
    return "" if address == "None" or ":" in address else address


def _ports(service: Service, members: list[Member]) -> list[tuple[str, str, int]]:
    named = [((p.name or "").lower(), (p.protocol or "TCP").lower(), p.port) for p in service.spec.ports]
    return named + [port for member in members for port in member.ports]


def _addresses(name: str, addresses: list[str]) -> tuple[Record, ...]:
    return tuple(Record(name, "A", a) for a in dict.fromkeys(addresses))
