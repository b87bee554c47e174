"""The columns of core/v1. Source: k8s.io/kubernetes/pkg/printers/internalversion."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubeapi.core_v1.pod_columns import POD
from kubeapi.core_v1.types import Endpoints, Event, Node, PersistentVolume, PersistentVolumeClaim, Service
from kubeapi.meta_v1.columns import AGE, NAME, NONE, UNKNOWN, UNSET, column, joined, labels_text, since
from kubeapi.registry import Column

MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
ROLE = "node-role.kubernetes.io/"


def _modes(modes: list[str]) -> str:
    return ",".join(short for mode, short in MODES.items() if mode in modes)


def _size(amounts: dict[str, Any]) -> str:
    return str(amounts.get("storage", ""))


def _node_status(node: Node) -> str:
    ready = [c for c in node.status.conditions if c.type == "Ready"]
    words = ["Ready" if c.status == "True" else "NotReady" for c in ready] or ["Unknown"]
    return ",".join(words + (["SchedulingDisabled"] if node.spec.unschedulable else []))


def _node_roles(node: Node) -> str:
    roles = {key.removeprefix(ROLE) for key in node.metadata.labels if key.startswith(ROLE) and key != ROLE}
    return joined(sorted(roles))


def _address(node: Node, kind: str) -> str:
    return next((a.address for a in node.status.addresses if a.type == kind), NONE)


def _external(service: Service) -> str:
    spec = service.spec
    if spec.type == "ExternalName":
        return spec.external_name
    if spec.type == "LoadBalancer":
        given = [i.ip or i.hostname for i in service.status.load_balancer.ingress]
        return ",".join(sorted(given) + spec.external_ips) or "<pending>"
    return joined(spec.external_ips)


def _service_ports(service: Service) -> str:
    return joined(
        f"{p.port}:{p.node_port}/{p.protocol}" if p.node_port else f"{p.port}/{p.protocol}" for p in service.spec.ports
    )


def _endpoints(endpoints: Endpoints) -> str:
    found = []
    for subset in endpoints.subsets:
        if not subset.ports:
            found += [address.ip for address in subset.addresses]
        for port in subset.ports:
            for a in subset.addresses:
                host = f"[{a.ip}]" if ":" in a.ip else a.ip
                found.append(f"{host}:{port.port}")
    return joined(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


def _claim_status(claim: PersistentVolumeClaim) -> str:
    return "Terminating" if claim.metadata.deletion_timestamp else claim.status.phase


def _volume_claim(volume: PersistentVolume) -> str:
    ref = volume.spec.claim_ref
    return f"{ref.namespace}/{ref.name}" if ref else ""


def _event_seen(event: Event, now: datetime) -> str:
    if event.series:
        return since(event.series.last_observed_time, now)
    return since(event.last_timestamp or event.event_time, now)


def _event_first(event: Event, now: datetime) -> str:
    return since(event.first_timestamp or event.event_time, now)


def _event_object(event: Event) -> str:
    ref = event.involved_object
    return f"{ref.kind.lower()}/{ref.name}" if ref.name else ref.kind.lower()


def _event_source(event: Event) -> str:
    component = event.source.component or event.reporting_component
    host = event.source.host or event.reporting_instance
    return f"{component}, {host}" if host else component


NAMESPACE = (NAME, column("Status", lambda o: o.status.phase), AGE)
NODE = (
    NAME,
    column("Status", _node_status),
    column("Roles", _node_roles),
    AGE,
    column("Version", lambda o: o.status.node_info.kubelet_version),
    column("Internal-IP", lambda o: _address(o, "InternalIP"), wide=True),
    column("External-IP", lambda o: _address(o, "ExternalIP"), wide=True),
    column("OS-Image", lambda o: o.status.node_info.os_image or UNKNOWN, wide=True),
    column("Kernel-Version", lambda o: o.status.node_info.kernel_version or UNKNOWN, wide=True),
    column("Container-Runtime", lambda o: o.status.node_info.container_runtime_version or UNKNOWN, wide=True),
)
SERVICE = (
    NAME,
    column("Type", lambda o: o.spec.type),
    column("Cluster-IP", lambda o: o.spec.cluster_ip or NONE),
    column("External-IP", _external),
    column("Port(s)", _service_ports),
    AGE,
    column("Selector", lambda o: labels_text(o.spec.selector), wide=True),
)
ENDPOINTS = (NAME, column("Endpoints", _endpoints), AGE)
CONFIG_MAP = (NAME, column("Data", lambda o: len(o.data) + len(o.binary_data)), AGE)
SECRET = (NAME, column("Type", lambda o: o.type), column("Data", lambda o: len(o.data)), AGE)
SERVICE_ACCOUNT = (NAME, AGE)
EVENT = (
    Column("Last Seen", _event_seen, description="Time since it was last seen."),
    column("Type", lambda o: o.type),
    column("Reason", lambda o: o.reason),
    column("Object", _event_object),
    column("Subobject", lambda o: o.involved_object.field_path, wide=True),
    column("Source", _event_source, wide=True),
    column("Message", lambda o: o.message.strip()),
    Column("First Seen", _event_first, priority=1, description="Time since it was first seen."),
    column("Count", lambda o: str(o.series.count if o.series else o.count or 1), wide=True),
    Column("Name", NAME.cell, format="name", priority=1, description=NAME.description),
)


def _class(obj: PersistentVolume | PersistentVolumeClaim) -> str:
    """The class by its annotation of old, which counts before the field."""
    return obj.metadata.annotations.get("volume.beta.kubernetes.io/storage-class") or obj.spec.storage_class_name or ""


VOLUME = (
    NAME,
    column("Capacity", lambda o: _size(o.spec.capacity)),
    column("Access Modes", lambda o: _modes(o.spec.access_modes)),
    column("Reclaim Policy", lambda o: o.spec.persistent_volume_reclaim_policy),
    column("Status", lambda o: "Terminating" if o.metadata.deletion_timestamp else o.status.phase),
    column("Claim", _volume_claim),
    column("StorageClass", _class),
    column("VolumeAttributesClass", lambda o: o.spec.volume_attributes_class_name or UNSET),
    column("Reason", lambda o: o.status.reason),
    AGE,
    column("VolumeMode", lambda o: o.spec.volume_mode or UNSET, wide=True),
)
CLAIM = (
    NAME,
    column("Status", _claim_status),
    column("Volume", lambda o: o.spec.volume_name),
    column("Capacity", lambda o: _size(o.status.capacity) if o.spec.volume_name else ""),
    column("Access Modes", lambda o: _modes(o.status.access_modes) if o.spec.volume_name else ""),
    column("StorageClass", _class),
    column("VolumeAttributesClass", lambda o: o.spec.volume_attributes_class_name or UNSET),
    AGE,
    column("VolumeMode", lambda o: o.spec.volume_mode or UNSET, wide=True),
)
__all__ = [
    "CLAIM", "CONFIG_MAP", "ENDPOINTS", "EVENT", "NAMESPACE", "NODE", "POD", "SECRET", "SERVICE", "SERVICE_ACCOUNT",
    "VOLUME",
]  # fmt: skip
