"""Towers built by hand, shaped as discovery shapes them: a virtual machine with an engine, a bridge and pods plugged in."""

from __future__ import annotations

from datetime import UTC, datetime

from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Conflict, Evidence, Fact, Floor, Horizon, Layers, Link, Part, Value, Witness
from kubeapi.meta_v1.types import ObjectMeta

HOST = 4026531833  # the host's network namespace


def known(name: str, value: Value, unit: str = "", source: str = "/proc/x", note: str = "") -> Fact:
    """A fact with the evidence that would have been read."""
    return Fact(name=name, value=value, unit=unit, evidence=[Evidence(source=source, value=str(value))], note=note)


def part(id: str, name: str, floor: Floor, on: str = "", *facts: Fact, kind: str = "") -> Part:
    """A part; its kind is the word that its id begins with, unless said."""
    return Part(id=id, kind=kind or id.split("/")[0], name=name, floor=floor, on=on, facts=list(facts))


def link(kind: str, source: str, target: str) -> Link:
    """A link that is certain."""
    return Link(kind=kind, source=source, target=target)


def machine(pods: int = 0, containers: int = 1) -> Layers:
    """A virtual machine in which so many pods run, `shop/web-0` and on, each with so many containers."""
    layers = Layers(metadata=ObjectMeta(name="vm", creation_timestamp=datetime(2026, 5, 4, 12, 30, tzinfo=UTC)))
    host = f"netns/{HOST}"
    layers.parts = [
        part("machine", "vm", "hardware", ""),
        part("cpu", "cpu", "hardware", "machine", known("model", "EPYC 9654"), known("cpus", 2)),
        part("memory", "memory", "hardware", "machine", known("total", 25276063744, "B"), known("swap", 0, "B")),
        part("disk/vda", "vda", "hardware", "machine", known("size", 53687091200, "B")),
        part(
            "hypervisor", "Firecracker", "hypervisor", "machine", known("interface", "KVM", source="cpuid 0x40000000")
        ),
        part("kernel", "Linux", "kernel", "hypervisor", known("release", "6.18.44"), known("os", "Debian 12")),
        part(host, "host", "network", "kernel"),
        part(f"link/{HOST}/1", "lo", "network", host, kind="loopback"),
        part(
            f"link/{HOST}/2",
            "eth0",
            "hardware",
            "kernel",
            known("sort", "paravirtual"),
            known("driver", "virtio_net", source="ethtool eth0"),
            known("speed", None, "Mb/s", note="unknown: the hypervisor says none"),
            known("mac", "02:fc:00:00:00:05"),
            known("received", 123456, "B"),
            kind="nic",
        ),
        part(f"link/{HOST}/3", "naru-1a2b", "network", "kernel", known("addresses", "10.244.0.1/24"), kind="bridge"),
        part("nat/naru_1a2b/1", "masquerade", "network", "kernel", known("rule", "ip saddr 10.244.0.0/16 masquerade")),
        part("engine", "Docker", "runtime", "kernel", known("version", "20.10.24")),
        part("containerd", "containerd", "runtime", "engine", known("version", "1.6.20")),
    ]
    layers.links = [
        link("masquerades", "nat/naru_1a2b/1", f"link/{HOST}/3"),
        link("uplink", "nat/naru_1a2b/1", f"link/{HOST}/2"),
    ]
    layers.conflicts = [
        Conflict(
            part="machine",
            question="is this a container?",
            witnesses=[Witness(says="docker", evidence=[Evidence(source="/.dockerenv")]), Witness(says="no")],
            verdict="no",
            why="the namespaces are the kernel's first",
        )
    ]
    layers.horizons = [Horizon(part="hypervisor", says="what Firecracker runs on cannot be seen from here")]
    for number in range(pods):
        add_pod(layers, number, containers)
    if pods:
        layers.parts.append(part("service/shop/web", "shop/web", "network", "kernel", known("address", "10.96.0.7:80")))
        layers.links += [link("translates", "service/shop/web", f"pod/shop/web-{number}") for number in range(pods)]
    return layers


def add_pod(layers: Layers, number: int, containers: int) -> None:
    """One more pod with its namespace, veth pair, shims, containers and processes."""
    netns, name = 4026540000 + number, f"web-{number}"
    reference = ObjectReference(kind="Pod", namespace="shop", name=name)
    pod = part(f"pod/shop/{name}", f"shop/{name}", "pod", f"netns/{netns}", known("address", f"10.244.0.{number + 2}"))
    pod.object = reference
    inside, outside = f"link/{netns}/2", f"link/{HOST}/{number + 10}"
    layers.parts += [
        part(f"netns/{netns}", f"{netns}", "network", "kernel"),
        part(f"link/{netns}/1", "lo", "network", f"netns/{netns}", kind="loopback"),
        part(inside, "eth0", "network", f"netns/{netns}", kind="veth"),
        part(outside, f"naru1a2b{number:05}", "network", f"netns/{HOST}", kind="veth"),
        pod,
    ]
    layers.links += [link("peer", inside, outside), link("port", outside, f"link/{HOST}/3")]
    for at in range(containers):
        id = f"{number:06x}{at:06x}"
        memory = known("memory", 12582912, "B", source="/sys/fs/cgroup/memory")
        layers.parts += [
            part(f"shim/{id}", id, "runtime", "containerd"),
            part(f"container/{id}", f"nginx-{at}", "container", pod.id, memory),
            part(f"process/{5000 + number * 10 + at}", "nginx", "process", f"container/{id}"),
        ]
        layers.links += [link("runs", "containerd", f"shim/{id}"), link("runs", f"shim/{id}", f"container/{id}")]
