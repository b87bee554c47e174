"""Where a Service's traffic goes.

Its pods as EndpointSlice and Endpoints; hand-written Endpoints mirrored into slices.

The decision is `endpoints_of(service, pods)`; `to_slice_ports`, `to_subsets` and the shells below only write it in
the two shapes. Watches Services, pods, Endpoints and EndpointSlices. Key: a Service.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple

from controlplane.controllers.controller import Controller, itself, key_of, split
from controlplane.controllers.owners import reference_to
from controlplane.controllers.pods import condition, is_finished, is_ready
from controlplane.controllers.triggers import Seen, annotated, earliest_news, triggers_of
from kubeapi.core_v1.types import (
    EndpointAddress,
    Endpoints,
    EndpointSubset,
    Node,
    ObjectReference,
    Pod,
    Service,
    ServicePort,
)
from kubeapi.core_v1.types import EndpointPort as SubsetPort
from kubeapi.discovery_v1.types import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from kubeapi.meta_v1.types import ObjectMeta

HEADLESS = "service.kubernetes.io/headless"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
CONTROLLER = "endpointslice-controller.k8s.io"
MIRRORING = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
ZONE = "topology.kubernetes.io/zone"
MAXIMUM = 100  # endpoints in one slice

Ports = tuple[tuple[str, str, int, str | None], ...]  # name, protocol, number, application protocol


class Target(NamedTuple):
    """A pod behind a Service, and the ports that it answers on."""

    endpoint: Endpoint
    ports: Ports


def port_number(pod: Pod, port: ServicePort) -> int | None:
    """A Service port's number in the pod: targetPort by number, or by the name of a container's port."""
    wanted = port.target_port if port.target_port not in (None, 0, "") else port.port
    if isinstance(wanted, int):
        return wanted
    for container in pod.spec.containers:
        for found in container.ports:
            if found.name == wanted and (found.protocol or "TCP") == (port.protocol or "TCP"):
                return found.container_port
    return None


def endpoints_of(service: Service, pods: Iterable[Pod], zones: Mapping[str, str] | None = None) -> list[Target]:
    """The Service's endpoints, sorted by pod name: every selected pod that has an address and has not ended.

    `zones` are the nodes' zones, by node name.
    """
    out: list[Target] = []
    always = service.spec.publish_not_ready_addresses
    for pod in sorted(pods, key=lambda p: p.metadata.name):
        if not _selects(service, pod) or not pod.status.pod_ip or is_finished(pod):
            continue
        serving, terminating = is_ready(pod), pod.metadata.deletion_timestamp is not None
        ports = tuple(
            (p.name, p.protocol or "TCP", number, p.app_protocol)
            for p in service.spec.ports
            if (number := port_number(pod, p)) is not None
        )
        endpoint = Endpoint(
            addresses=[pod.status.pod_ip],
            conditions=EndpointConditions(
                ready=always or (serving and not terminating), serving=serving, terminating=terminating
            ),
            node_name=pod.spec.node_name or None,
            zone=(zones or {}).get(pod.spec.node_name),
            target_ref=ObjectReference(
                kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid
            ),
        )
        if pod.spec.hostname and pod.spec.subdomain == service.metadata.name:
            endpoint.hostname = pod.spec.hostname
        out.append(Target(endpoint, ports))
    return out


def to_subsets(targets: Sequence[Target]) -> list[EndpointSubset]:
    """The same as Endpoints' subsets, one for each set of ports; a terminating pod is in none."""
    groups: dict[Ports, EndpointSubset] = {}
    for endpoint, ports in targets:
        conditions = endpoint.conditions
        if conditions.terminating and not conditions.ready:
            continue
        subset = groups.setdefault(
            ports,
            EndpointSubset(ports=[SubsetPort(name=n, protocol=p, port=i, app_protocol=a) for n, p, i, a in ports]),
        )
        address = EndpointAddress(
            ip=endpoint.addresses[0],
            node_name=endpoint.node_name,
            target_ref=endpoint.target_ref,
            hostname=endpoint.hostname or "",
        )
        (subset.addresses if conditions.ready else subset.not_ready_addresses).append(address)
    return list(groups.values())


def to_slices(targets: Sequence[Target]) -> list[tuple[list[EndpointPort], list[Endpoint]]]:
    """The same as (ports, endpoints) of slices; one empty slice when there is nothing."""
    groups: dict[Ports, list[Endpoint]] = defaultdict(list)
    for endpoint, ports in targets:
        groups[ports].append(endpoint)
    out = [
        ([EndpointPort(name=n, protocol=p, port=i, app_protocol=a) for n, p, i, a in ports], part[i : i + MAXIMUM])
        for ports, part in groups.items()
        for i in range(0, len(part), MAXIMUM)
    ]
    return out or [([], [])]


def mirrored(endpoints: Endpoints) -> list[tuple[list[EndpointPort], list[Endpoint]]]:
    """Hand-written Endpoints as (ports, endpoints) of slices."""
    out = []
    for subset in endpoints.subsets:
        ports = [
            EndpointPort(name=p.name, protocol=p.protocol, port=p.port, app_protocol=p.app_protocol)
            for p in subset.ports
        ]
        found = [
            Endpoint(
                addresses=[a.ip],
                conditions=EndpointConditions(ready=ready),
                hostname=a.hostname or None,
                node_name=a.node_name,
                target_ref=a.target_ref,
            )
            for ready, part in ((True, subset.addresses), (False, subset.not_ready_addresses))
            for a in part
        ]
        out.append((ports, found))
    return out


class EndpointsController(Controller):
    """Keeps a Service's EndpointSlices and Endpoints."""

    name: ClassVar[str] = "endpointslice-controller"
    component: ClassVar[str] = "endpoint-slice-controller"

    def setup(self) -> None:
        self._made: dict[str, EndpointSlice] = {}  # by uid: created, and not shown by the informer yet
        self._triggers: dict[str, Seen] = {}
        self.context.informer(EndpointSlice).on_change(self._seen)
        self._services = self.watch(Service, itself)
        self._pods = self.watch(Pod, self._services_of, facts=_facts)
        self._nodes = self.context.informer(Node)  # a node's zone does not change while pods run on it
        self._endpoints = self.watch(Endpoints, itself)
        self._slices = self.watch(EndpointSlice, self._service_of_slice)

    def _seen(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for part in (old, new):
            if part is not None:
                self._made.pop(part.metadata.uid, None)

    def _services_of(self, pod: Pod) -> Iterable[str]:
        found = self._services.list(pod.metadata.namespace)
        return [key_of(s) for s in found if s.spec.selector and _selects(s, pod)]

    def _service_of_slice(self, part: EndpointSlice) -> Iterable[str]:
        if part.metadata.labels.get(MANAGED_BY) not in (CONTROLLER, MIRRORING):
            return []
        return [f"{part.metadata.namespace}/{part.metadata.labels.get(SERVICE_NAME, '')}"]

    async def reconcile(self, key: str) -> None:
        namespace, name = split(key)
        service, endpoints = self._services.get(namespace, name), self._endpoints.get(namespace, name)
        if service is None:
            self._triggers.pop(key, None)
        if service is None or service.spec.type == "ExternalName":
            managed = endpoints and endpoints.metadata.labels.get("endpoints.kubernetes.io/managed-by")
            if endpoints is not None and managed:
                await self.client.delete(Endpoints, name, namespace, uid=endpoints.metadata.uid)
            await self._keep_slices(key, None, CONTROLLER, [])
            await self._keep_slices(key, None, MIRRORING, [])
        elif service.spec.selector:
            pods = [p for p in self._pods.list(namespace) if _selects(service, p)]
            zones = {n.metadata.name: z for n in self._nodes.list() if (z := n.metadata.labels.get(ZONE))}
            targets, triggers = endpoints_of(service, pods, zones), triggers_of(service, pods)
            trigger = earliest_news(self._triggers.get(key), triggers)
            await self._keep_slices(key, service, CONTROLLER, to_slices(targets), _headless(service), trigger)
            reached = [t for t in targets if t.ports or not service.spec.ports]  # slices tell the others without ports
            await self._keep_endpoints(service, endpoints, to_subsets(reached), trigger)
            self._triggers[key] = triggers
        elif endpoints is not None and _mirrors(endpoints):
            labels = {k: v for k, v in endpoints.metadata.labels.items() if k != "endpoints.kubernetes.io/managed-by"}
            await self._keep_slices(key, endpoints, MIRRORING, mirrored(endpoints), labels)
        else:
            await self._keep_slices(key, None, MIRRORING, [])

    async def _keep_slices(
        self,
        key: str,
        owner: Service | Endpoints | None,
        manager: str,
        wanted: list[tuple[list[EndpointPort], list[Endpoint]]],
        labels: dict[str, str] | None = None,
        trigger: datetime | None = None,
    ) -> None:
        namespace, name = split(key)
        marks = {MANAGED_BY: manager, SERVICE_NAME: name}
        known = {s.metadata.uid: s for s in self._slices.list(namespace)}
        known |= {u: s for u, s in self._made.items() if u not in known and s.metadata.namespace == namespace}
        found = [s for s in known.values() if marks.items() <= s.metadata.labels.items()]
        found.sort(key=lambda s: s.metadata.name)
        all_labels = (labels or {}) | marks
        for i, (ports, endpoints) in enumerate(wanted):
            if i < len(found):
                part = found[i].clone()
                part.metadata.labels, part.ports, part.endpoints = all_labels, ports, endpoints
                if part != found[i]:
                    part.metadata.annotations = annotated(part.metadata.annotations, trigger)
                    await self.client.update(part)
            elif owner is not None:
                meta = ObjectMeta(
                    generate_name=f"{name}-",
                    namespace=namespace,
                    labels=all_labels,
                    annotations=annotated({}, trigger),
                    owner_references=[reference_to(owner)],
                )
                made = EndpointSlice(metadata=meta, address_type="IPv4", ports=ports, endpoints=endpoints)
                answer = await self.client.create(made)
                self._made[answer.metadata.uid] = answer
        for part in found[len(wanted) :]:
            await self.client.delete(EndpointSlice, part.metadata.name, namespace, uid=part.metadata.uid)

    async def _keep_endpoints(
        self, service: Service, found: Endpoints | None, subsets: list[EndpointSubset], trigger: datetime | None
    ) -> None:
        labels = (
            service.metadata.labels | {"endpoints.kubernetes.io/managed-by": "endpoint-controller"} | _headless(service)
        )
        if found is None:
            meta = ObjectMeta(name=service.metadata.name, namespace=service.metadata.namespace, labels=labels)
            meta.annotations = annotated({}, trigger)
            await self.client.create(Endpoints(metadata=meta, subsets=subsets))
        elif found.subsets != subsets or found.metadata.labels != labels:
            changed = found.clone()
            changed.subsets, changed.metadata.labels = subsets, labels
            changed.metadata.annotations = annotated(found.metadata.annotations, trigger)
            await self.client.update(changed)


def _facts(pod: Pod) -> object:
    meta, spec, ready = pod.metadata, pod.spec, condition(pod, "Ready")
    where = (pod.status.pod_ip, spec.node_name, spec.hostname, spec.subdomain)
    return meta.uid, meta.labels, meta.deletion_timestamp, where, is_finished(pod), ready


def _selects(service: Service, pod: Pod) -> bool:
    return service.spec.selector.items() <= pod.metadata.labels.items()


def _headless(service: Service) -> dict[str, str]:
    return {HEADLESS: ""} if service.spec.cluster_ip == "None" else {}


def _mirrors(endpoints: Endpoints) -> bool:
    meta = endpoints.metadata
    return meta.labels.get(SKIP_MIRROR) != "true" and LEADER not in meta.annotations and meta.deletion_timestamp is None
