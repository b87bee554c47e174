"""A node with pods a and b and an uplink, as plain data: what `observe` would read, and our own rules as nft lists them."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any

from agent.network.config import NetworkConfig
from agent.network.endpoints import ServicePort, Target
from agent.network.nft import plan_transaction
from agent.network.rules import plan_base, plan_rules
from agent.trace.ruleset import Ruleset
from agent.trace.scene import LOCAL, Device, Listener, Netns, PodPlace, Route, Scene

CONFIG = NetworkConfig("7e57", "here", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/16")
NODE, POD_A, POD_B = 1, 2, 3
A, B, UPLINK = "10.244.0.2", "10.244.0.3", "192.0.2.1"
CLUSTER_IP, NODE_PORT = "10.96.0.50", 30080
BRIDGE, PORT_A, PORT_B, NIC = 2, 3, 4, 5


def web(*targets: Target) -> ServicePort:
    """Service shop/web: port 80, a nodePort, these endpoints."""
    return ServicePort("shop", "web", "", "tcp", 80, NODE_PORT, (CLUSTER_IP,), (), 0, targets, targets, targets)


def target(address: str, port: int = 8080) -> Target:
    return Target(address, port, True)


def listed(document: Any, *more: dict[str, Any]) -> Ruleset:
    """A transaction as `nft -j list ruleset` would show it afterwards; more are entries of others' tables."""
    handles, entries, elements = itertools.count(1), [], {}
    for command in document["nftables"]:
        item = command.get("add")
        if item is None:
            continue
        ((kind, what),) = item.items()
        if kind == "element":
            elements[what["name"]] = what["elem"]
        elif kind != "table":
            entries.append({kind: what | ({"handle": next(handles)} if kind == "rule" else {})})
    for entry in entries:
        for kind in ("map", "set"):
            if kind in entry:
                entry[kind] = entry[kind] | {"elem": elements.get(entry[kind]["name"], [])}
    return Ruleset.of({"nftables": [*entries, *more]})


def rules(*ports: ServicePort, more: tuple[dict[str, Any], ...] = ()) -> Ruleset:
    """Our rules for these Services."""
    base, wanted = plan_base(CONFIG), plan_rules(CONFIG, ports, ())
    return listed(plan_transaction(CONFIG.table, base, None, wanted), *more)


def foreign(hook: str, *expressions: Any, priority: int = 0, policy: str = "accept") -> tuple[dict[str, Any], ...]:
    """A chain of somebody else's with one rule."""
    place = {"family": "ip", "table": "foreign"}
    chain = place | {"name": "guard", "type": "filter", "hook": hook, "prio": priority, "policy": policy}
    return {"chain": chain}, {"rule": place | {"chain": "guard", "handle": 7, "expr": [*expressions]}}


def route(destination: str, device: int = 0, kind: str = "unicast", **more: Any) -> Route:
    return Route(ipaddress.IPv4Network(destination), kind, device, **more)


def pod_space(inode: int, address: str, port: int, listens: tuple[Listener, ...]) -> Netns:
    """What plumbing makes in a pod."""
    routes = (
        route("0.0.0.0/0", 2, gateway=CONFIG.gateway),
        route(f"{CONFIG.gateway}/32", 2, source=address),
        route(f"{address}/32", 2, "local", table=LOCAL, source=address),
    )
    devices = {1: Device(1, "lo", "loopback"), 2: Device(2, "eth0", "veth", peer=(NODE, port))}
    return Netns(inode, f"/proc/{inode}/ns/net", devices, {address: 2}, routes, listeners=listens)


def scene(
    *ports: ServicePort,
    more: tuple[dict[str, Any], ...] = (),
    bridge_filtering: bool = False,
    listens: tuple[Listener, ...] = (Listener("tcp", "0.0.0.0", 8080),),
) -> Scene:
    """The node, all its namespaces known."""
    routes = (
        route("0.0.0.0/0", NIC, gateway="192.0.2.254"),
        route("192.0.2.0/24", NIC, source=UPLINK),
        route("10.244.0.0/24", BRIDGE, source=CONFIG.gateway),
        route("10.96.0.0/16", BRIDGE, source=CONFIG.gateway),
        route("10.244.0.0/16", kind="unreachable", metric=2**31),
        route("10.96.0.0/16", kind="unreachable", metric=2**31),
        *(route(f"{a}/32", i, "local", table=LOCAL, source=a) for a, i in ((UPLINK, NIC), (CONFIG.gateway, BRIDGE))),
        route("127.0.0.0/8", 1, "local", table=LOCAL, source="127.0.0.1"),
    )
    devices = {
        1: Device(1, "lo", "loopback"),
        BRIDGE: Device(BRIDGE, CONFIG.bridge, "bridge"),
        PORT_A: Device(PORT_A, "va", "veth", master=BRIDGE, peer=(POD_A, 2)),
        PORT_B: Device(PORT_B, "vb", "veth", master=BRIDGE, peer=(POD_B, 2)),
        NIC: Device(NIC, "eth0", "nic", driver="virtio_net"),
    }
    addresses = {"127.0.0.1": 1, CONFIG.gateway: BRIDGE, UPLINK: NIC}
    node = Netns(
        NODE,
        "/proc/1/ns/net",
        devices,
        addresses,
        routes,
        ruleset=rules(*ports, more=more),
        bridge_filtering=bridge_filtering,
    )
    places = tuple(
        PodPlace("shop", name, name, address, inode, inode)
        for name, address, inode in (("a", A, POD_A), ("b", B, POD_B))
    )
    spaces = {NODE: node, POD_A: pod_space(POD_A, A, PORT_A, listens), POD_B: pod_space(POD_B, B, PORT_B, listens)}
    return Scene(CONFIG, NODE, spaces, places, ports)
