"""What the API says of this node, laid over what was found: pods on their namespaces, Services on the kernel's rules.

A pod stands on the network namespace of its containers. Whose namespace it is then also tells whose its devices are, and the
far ends of its veths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agent.hardware.evidence import fact
from agent.hardware.findings import Findings
from agent.hardware.runtimes import Inside
from agent.hardware.view import NodeView
from agent.runtime.protocol import Listed
from kubeapi.client.recorder import reference_of
from kubeapi.core_v1.types import ObjectReference, Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from kubeapi.hardware_v1.layers import Evidence, Link, Part

ENDED = ("Succeeded", "Failed")


class Claims(NamedTuple):
    """What the API said at one moment: its caches change meanwhile, and in another thread."""

    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()

    @classmethod
    def of(cls, view: NodeView) -> Claims:
        """What is known now; for the loop's thread."""
        return cls(tuple(view.pods()), tuple(view.services()), tuple(view.slices()))


def observe_claims(
    claims: Claims, containers: Sequence[Inside], pods: Mapping[str, str], listed: Iterable[Listed], findings: Findings
) -> None:
    """Pods and Services. pods gives the part of the pod of a container's id."""
    host = next((part.id for part in findings.parts if part.kind == "netns"), "")
    places = {pods[inside.id]: inside.place for inside in containers if inside.id in pods}
    known = {f"pod/{pod.metadata.namespace}/{pod.metadata.name}": pod for pod in claims.pods}
    running = {pods[row.id]: row for row in listed if row.id in pods and row.pod}
    references: dict[str, ObjectReference] = {}
    for id in sorted({*places, *known}):
        pod, on = known.get(id), places.get(id, "kernel")
        if (pod is None and id not in running) or (pod is not None and pod.status.phase in ENDED and id not in places):
            continue
        part = _pod(id, pod, on) if pod else Part(id=id, kind="pod", name=id.partition("/")[2], floor="pod", on=on)
        if part.object is None:
            _, namespace, name = id.split("/")
            part.object = ObjectReference(kind="Pod", api_version="v1", namespace=namespace, name=name)
        findings.parts.append(part)
        if on != host:
            references[on] = part.object
    _own(references, findings)
    findings.parts += [_service(service) for service in claims.services]
    findings.links += [link for piece in claims.slices for link in translations(piece)]


def _own(references: Mapping[str, ObjectReference], findings: Findings) -> None:
    """Whose a namespace is tells whose all in it is, and the other ends of its veths."""
    owners: dict[str, ObjectReference] = {}
    for part in findings.parts:
        if part.kind not in ("pod", "route") and (owner := references.get(part.id) or references.get(part.on)):
            owners[part.id] = part.object = owner
    parts = {part.id: part for part in findings.parts}
    for link in findings.links:
        for end, other in ((link.source, link.target), (link.target, link.source)):
            if link.kind == "peer" and end in owners and other in parts and parts[other].object is None:
                parts[other].object = owners[end]
    for part in findings.parts:
        if part.kind in ("container", "process") and part.object is None and (above := parts.get(part.on)):
            part.object = above.object


def _pod(id: str, pod: Pod, on: str) -> Part:
    source = f"API pods {pod.metadata.namespace}/{pod.metadata.name}"
    facts = [fact("phase", pod.status.phase or "Pending", Evidence(source=source, value=pod.status.phase or "Pending"))]
    if pod.status.pod_ip:
        facts.append(fact("address", pod.status.pod_ip, Evidence(source=source, value=f"podIP {pod.status.pod_ip}")))
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return Part(id=id, kind="pod", name=name, floor="pod", on=on, object=reference_of(pod), facts=facts)


def _service(service: Service) -> Part:
    meta, spec = service.metadata, service.spec
    source = f"API services {meta.namespace}/{meta.name}"
    ports = ", ".join(
        f"{port.port}/{port.protocol or 'TCP'}" + (f" (node {port.node_port})" if port.node_port else "")
        for port in spec.ports
    )
    values = {"type": spec.type or "ClusterIP", "address": spec.cluster_ip or spec.external_name or "", "ports": ports}
    facts = [fact(name, value, Evidence(source=source, value=value)) for name, value in values.items() if value]
    name = f"{meta.namespace}/{meta.name}"
    return Part(
        id=f"service/{name}", kind="service", name=name, floor="network", on="kernel",
        object=reference_of(service), facts=facts,
    )  # fmt: skip


def translations(piece: EndpointSlice) -> list[Link]:
    """What a slice says: its Service's address leads to these pods."""
    service = (piece.metadata.labels or {}).get("kubernetes.io/service-name", "")
    found = []
    for endpoint in piece.endpoints if service else ():
        target = endpoint.target_ref
        if target is None or target.kind != "Pod":
            continue
        ready = endpoint.conditions is None or endpoint.conditions.ready is not False
        addresses = ", ".join(f"{address}:{port.port}" for address in endpoint.addresses for port in piece.ports)
        source = f"API endpointslices {piece.metadata.namespace}/{piece.metadata.name}"
        found.append(
            Link(
                kind="translates",
                source=f"service/{piece.metadata.namespace}/{service}",
                target=f"pod/{target.namespace}/{target.name}",
                evidence=[Evidence(source=source, value=addresses)],
                note=addresses if ready else f"{addresses}, not ready: nothing is led there",
            )
        )
    return found
