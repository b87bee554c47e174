"""What a person means by the two ends of a trace: names become addresses. Pure.

--from host | NAMESPACE/POD
--to   [pod/|service/][NAMESPACE/]NAME[:PORT[/PROTOCOL]] | ADDRESS[:PORT[/PROTOCOL]] | nothing: the outside
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from agent.trace.cluster import Cluster
from agent.trace.packet import Packet
from agent.trace.scene import Scene
from kubeapi.core_v1.types import Pod, Service

HOST = "host"
SPORT = 40001  # what a prediction says for the port that a probe will be given
DEFAULT_PORT = 80
TARGET = re.compile(
    r"^(?:(?P<kind>pod|service|svc)/)?(?:(?P<namespace>[a-z0-9-]+)/)?(?P<name>[^/:]+)"
    r"(?::(?P<port>[A-Za-z0-9-]+)(?:/(?P<protocol>tcp|udp|TCP|UDP))?)?$"
)


class EndError(ValueError):
    """An end that nobody can find; the message says what to do."""


class Ends(NamedTuple):
    """Where the packet starts (a namespace's inode) and what it is; source and destination are what a person reads."""

    start: int
    packet: Packet
    source: str
    destination: str
    asked: bool = True  # whether the far end was named, so that a probe may be sent there
    note: str = ""


def resolve(scene: Scene, cluster: Cluster, source: str, to: str) -> Ends:
    """The ends. EndError when one does not exist."""
    start, address, name, namespace = _start(scene, cluster, source)
    if not to:
        gateway = next((r.gateway for r in scene.spaces[scene.node].routes if r.destination.prefixlen == 0), "")
        if not gateway:
            raise EndError("this machine has no default route: name the other end with --to")
        packet = Packet("tcp", address, SPORT, gateway, DEFAULT_PORT)
        return Ends(start, packet, name, "outside", False, f"the outside stands for what is behind {gateway}")
    if _is_ipv6(to):
        raise EndError(f"--to {to}: IPv6 is not followed; name a pod, a Service or an IPv4 address")
    found = TARGET.match(to)
    if found is None:
        raise EndError(f"--to {to}: neither a pod, nor a Service, nor ADDRESS[:PORT]")
    protocol, port = (found["protocol"] or "").lower(), found["port"] or ""
    if _is_address(found["name"]):
        number, note = _number(port, to), ""
        if number is None:
            number, note = DEFAULT_PORT, f"no port was named: {DEFAULT_PORT} stands for one"
        return Ends(start, Packet(protocol or "tcp", address, SPORT, found["name"], number), name, to, True, note)
    where = found["namespace"] or namespace
    if found["kind"] != "service" and found["kind"] != "svc" and (pod := cluster.pod(where, found["name"])):
        return _to_pod(scene, pod, Ends(start, Packet(protocol, address, SPORT, "", 0), name, ""), port)
    if found["kind"] != "pod" and (service := cluster.service(where, found["name"])):
        return _to_service(
            scene, cluster, service, Ends(start, Packet(protocol, address, SPORT, "", 0), name, ""), port
        )
    raise EndError(f"namespace {where} has no {found['kind'] or 'pod or Service'} {found['name']}")


def _start(scene: Scene, cluster: Cluster, source: str) -> tuple[int, str, str, str]:
    if source == HOST:
        return scene.node, "", HOST, "default"
    namespace, _, name = source.rpartition("/")
    namespace = namespace or "default"
    here = next((p for p in scene.pods if (p.namespace, p.name) == (namespace, name)), None)
    if here:
        return here.netns, here.address if here.netns != scene.node else "", f"{namespace}/{name}", namespace
    if (pod := cluster.pod(namespace, name)) is None:
        raise EndError(f"namespace {namespace} has no pod {name}")
    phase = pod.status.phase or "Pending"
    raise EndError(
        f"pod {namespace}/{name} does not run on this node ({phase}): kubectl describe pod {name} -n {namespace}"
    )


def _to_pod(scene: Scene, pod: Pod, ends: Ends, port: str) -> Ends:
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    place = next((p for p in scene.pods if p.uid == pod.metadata.uid), None)
    address = place.address if place else pod.status.pod_ip
    if not address:
        raise EndError(
            f"pod {name} has no address: kubectl describe pod {pod.metadata.name} -n {pod.metadata.namespace}"
        )
    declared = [p for c in pod.spec.containers for p in c.ports]
    named = next((p for p in declared if port and p.name == port), None)
    chosen = named or (declared[0] if declared and not port else None)
    number, note = (chosen.container_port, "") if chosen else (_number(port, name), "")
    if number is None:
        number, note = DEFAULT_PORT, f"{name} declares no port: {DEFAULT_PORT} stands for one"
    protocol = ends.packet.protocol or (chosen.protocol.lower() if chosen and chosen.protocol else "tcp")
    packet = ends.packet._replace(destination=address, dport=number, protocol=protocol)
    return ends._replace(packet=packet, destination=f"{name}:{number}", note=note)


def _to_service(scene: Scene, cluster: Cluster, service: Service, ends: Ends, port: str) -> Ends:
    meta, spec = service.metadata, service.spec
    name = f"{meta.namespace}/{meta.name}"
    wanted = [p for p in spec.ports if not port or port in (p.name, str(p.port))]
    number = wanted[0].port if wanted else _number(port, name)
    if number is None:
        raise EndError(f"Service {name} has no ports")
    protocol = ends.packet.protocol or ((wanted[0].protocol or "TCP").lower() if wanted else "tcp")
    packet = ends.packet._replace(protocol=protocol, dport=number)
    addresses = [a for a in (spec.cluster_ips or [spec.cluster_ip or ""]) if a and a != "None" and ":" not in a]
    if addresses:
        return ends._replace(packet=packet._replace(destination=addresses[0]), destination=f"service {name}:{number}")
    if spec.type == "ExternalName":
        raise EndError(f"Service {name} is only another name of {spec.external_name}: --to its address")
    ready = cluster.selected(service)
    if not ready:
        raise EndError(f"Service {name} is headless and has no pod: kubectl get pods -n {meta.namespace} --show-labels")
    ends = _to_pod(scene, ready[0], ends._replace(packet=packet), "" if not port else str(number))
    return ends._replace(note=f"Service {name} is headless: its name leads straight to its pods")


def _number(port: str, of: str) -> int | None:
    if not port:
        return None
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise EndError(f"{of} has no port {port}")
    return int(port)


def _is_ipv6(text: str) -> bool:
    """`fd00::1`, or `[fd00::1]:80`."""
    try:
        ipaddress.IPv6Address(text.partition("]")[0].removeprefix("["))
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
