"""A machine as documents, of any number of pods, for the drawing's tests: the classroom's web, was and db on one bridge."""

from __future__ import annotations

from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Conflict, Evidence, Fact, Floor, Horizon, Layers, Link, Part, Value, Witness
from kubeapi.hardware_v1.memory import Memory
from kubeapi.hardware_v1.trace import Drop, Hop, Sighting, State, Trace
from kubeapi.meta_v1.types import ObjectMeta

NODE = "n1"
HOST = "netns/4026531833"
GIB = 1 << 30
TIERS = [("web", "nginx"), ("was", "server"), ("db", "postgres")]


def pod_name(number: int) -> str:
    """The name of the pod of that number."""
    return f"{TIERS[number % 3][0]}-{number:05d}"


def fact(name: str, value: Value, unit: str = "", source: str = "") -> Fact:
    """A fact with a line of evidence."""
    return Fact(
        name=name, value=value, unit=unit, evidence=[Evidence(source=source or f"/sys/{name}", value=str(value))]
    )


def part(id: str, kind: str, name: str, floor: Floor, on: str = "", *facts: Fact) -> Part:
    """A part."""
    return Part(id=id, kind=kind, name=name, floor=floor, on=on, facts=list(facts))


def layers(pods: int = 6) -> Layers:
    """The tower with that many pods on it."""
    parts = [
        part("machine", "machine", "Firecracker microVM", "hardware", "", fact("architecture", "x86_64")),
        part("cpu", "cpu", "AMD EPYC", "hardware", "machine", fact("cpus", 2)),
        part("memory", "memory", "memory", "hardware", "machine", fact("total", 23 * GIB, "B", "/proc/meminfo")),
        part("disk/vda", "disk", "vda", "hardware", "machine", fact("size", 64 * GIB, "B")),
        part("hypervisor", "hypervisor", "KVM (Firecracker)", "hypervisor", "machine", fact("signature", "KVMKVMKVM")),
        part("kernel", "kernel", "Linux 6.18.44", "kernel", "hypervisor", fact("release", "6.18.44")),
        part(
            "link/4026531833/2",
            "nic",
            "eth0",
            "hardware",
            "hypervisor",
            fact("driver", "virtio_net"),
            fact("sort", "paravirtual"),
        ),
        part(
            "link/4026531833/5", "bridge", "naru0", "network", "kernel", fact("addresses", "10.244.0.1/24, fe80::1/64")
        ),
        part("nat/naru/masquerade", "nat", "naru", "network", "kernel", fact("rule", "oif != naru0 masquerade")),
        part("service/shop/db", "service", "shop/db", "network", "kernel", fact("addresses", "10.96.11.5")),
        part("engine", "engine", "Docker 20.10.24", "runtime", "kernel", fact("version", "20.10.24")),
        part("containerd", "containerd", "containerd 1.6.20", "runtime", "engine", fact("pid", 700)),
    ]
    parts.append(part(HOST, "netns", "host", "network", "kernel"))
    links = [Link(kind="masquerades", source="nat/naru/masquerade", target="link/4026531833/2")]
    for number in range(pods):
        inode, name = 4026532000 + number, pod_name(number)
        outer, inner, netns = f"link/4026531833/{10 + number}", f"link/{inode}/2", f"netns/{inode}"
        pod, container, shim = f"pod/shop/{name}", f"container/{number:012x}", f"shim/{number:012x}"
        parts += [
            part(netns, "netns", str(inode), "network", "kernel"),
            part(
                outer,
                "veth",
                f"veth{number:05x}",
                "network",
                "kernel",
                fact("mac", "0a:58:0a:f4:00:02"),
                fact("addresses", "fe80::2/64"),
            ),
            part(
                inner, "veth", "eth0", "network", netns, fact("addresses", f"10.244.{number // 250}.{number % 250 + 2}")
            ),
            part(pod, "pod", f"shop/{name}", "pod", netns),
            part(
                container,
                "container",
                TIERS[number % 3][1],
                "container",
                pod,
                fact("image", f"naru/{TIERS[number % 3][0]}:1"),
            ),
            part(
                f"process/{1000 + number}",
                "process",
                TIERS[number % 3][1],
                "process",
                container,
                fact("pid", 1000 + number),
            ),
            part(shim, "shim", f"shim {number:012x}", "runtime", "containerd", fact("pid", 5000 + number)),
        ]
        links += [
            Link(kind="peer", source=outer, target=inner),
            Link(kind="port", source=outer, target="link/4026531833/5"),
            Link(kind="runs", source=shim, target=container),
        ]
    evidence = [Evidence(source="/.dockerenv", value="present")]
    conflict = Conflict(
        part="hypervisor",
        question="what is this machine?",
        witnesses=[Witness(says="a container", evidence=evidence), Witness(says="namespaces have their first numbers")],
        verdict="a microVM, not a container",
        why="/.dockerenv is a leftover: the root file system was built from an image",
    )
    beyond = (
        "A hypervisor runs this machine. What its host is, and whether that is a guest itself, can't be seen from here."
    )
    horizon = Horizon(part="hypervisor", says=f"{beyond} It is not bare metal; nothing more may be concluded.")
    return Layers(metadata=ObjectMeta(name=NODE), parts=parts, links=links, conflicts=[conflict], horizons=[horizon])


def trace(state: State = "predicted", drop: bool = False) -> Trace:
    """From the first web pod by the Service to the first db pod: the hops, each in that state."""
    host, web, db = "netns/4026531833", "netns/4026532000", "netns/4026532002"
    stops = [
        ("process/1000", "process", "nginx", web, "a socket sends TCP to 10.96.11.5:5432"),
        ("link/4026532000/2", "veth", "eth0", web, "goes out at eth0, to 10.244.0.1"),
        ("link/4026531833/10", "veth", "veth00000", host, "comes in, a port of bridge naru0"),
        ("link/4026531833/5", "bridge", "naru0", host, "its own MAC is addressed: up to this kernel, to be routed"),
        ("service/shop/db", "service", "shop/db", host, "10.96.11.5:5432 becomes 10.244.0.4:5432"),
        ("", "route", "10.244.0.0/24 dev naru0", host, "to 10.244.0.4: by naru0"),
        ("link/4026531833/5", "bridge", "naru0", host, "goes out at naru0"),
        ("link/4026531833/12", "veth", "veth00002", host, "goes out of this port"),
        ("link/4026532002/2", "veth", "eth0", db, "comes in at eth0"),
        ("process/1002", "process", "postgres", db, "the socket at 10.244.0.4:5432 gets it"),
    ]
    probed = state != "predicted"
    saw = [
        Sighting(witness="tracefs", saw="net_dev_queue"),
        Sighting(witness="nft", available=False),
        Sighting(witness="conntrack", saw="DNAT"),
    ]
    hops = [
        Hop(
            part=id,
            kind=kind,
            name=name,
            netns=netns,
            says=says,
            state=state,
            sightings=saw if probed else [],
            microseconds=position * 7.5 if probed else None,
        )
        for position, (id, kind, name, netns, says) in enumerate(stops)
    ]
    answer = Trace(
        source=f"shop/{pod_name(0)}",
        destination="service/shop/db",
        summary="nginx reaches postgres by Service db.",
        hops=hops,
    )
    if drop:
        for hop in hops[5:]:
            hop.state = "predicted"
        about = ObjectReference(
            api_version="networking.k8s.io/v1", kind="NetworkPolicy", namespace="shop", name="db-only-was"
        )
        answer.drop = Drop(
            hop=4,
            reason="NETFILTER_DROP",
            rule="ip daddr 10.244.0.4 drop",
            object=about,
            mend="kubectl -n shop edit networkpolicy db-only-was",
        )
    return answer


def memory(pods: int = 6) -> Memory:
    """What is promised and taken on that machine."""
    parts = [
        part(
            "memory",
            "memory",
            "memory",
            "hardware",
            "machine",
            fact("total", 23 * GIB, "B"),
            fact("committed", 3 * GIB, "B"),
        )
    ]
    for number in range(pods):
        sizes = {
            "promised": 4 * GIB * (number % 5 + 1),
            "committed": GIB // 4,
            "resident": 40 << 20,
            "proportional": 15 << 20,
            "swapped": 0,
            "charged": 60 << 20,
        }
        facts = [fact(name, value, "B") for name, value in sizes.items()]
        limit = (
            Fact(name="limit", unit="B", value=128 << 20)
            if number % 2
            else Fact(name="limit", value=None, note="no limit")
        )
        parts.append(part(f"pod/shop/{pod_name(number)}", "pod", f"shop/{pod_name(number)}", "pod", "", *facts, limit))
    return Memory(metadata=ObjectMeta(name=NODE), parts=parts)
