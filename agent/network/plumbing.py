"""The kernel's devices, addresses and routes of a node, through netlink, as a CNI plugin makes them.

    pod's netns                    host
    eth0 10.244.0.5/32 ── veth ── bridge naru-XXXX 10.244.0.1/24 ── routing, rules ── outside
         default via 10.244.0.1        + 10.96.0.10/32 (DNS)

A pod's address is a /32 and its only neighbour the gateway: also pods of one bridge are routed, never switched, so every
packet and every reply meets the Service rules whatever bridge-nf-call-iptables says (it belongs to the whole machine, and
to Docker). The device's alias holds the pod's uid and address: the only record of the allocation, gone with the device.

Each function may be repeated; what exists is adopted. All take an open `Netlink`, block, and raise `OSError`.
"""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator
from socket import AF_INET
from typing import NamedTuple

from agent.netlink.changes import (
    LOOPBACK,
    Peer,
    make_bridge,
    make_veth,
    put_address,
    put_route,
    remove_link,
    remove_route,
    set_hairpin,
    set_up,
)
from agent.netlink.namespaces import entered
from agent.netlink.route import (
    MAIN_TABLE,
    Interface,
    find_interface,
    observe_addresses,
    observe_interfaces,
    observe_routes,
)
from agent.netlink.sockets import Netlink
from agent.network.addresses import hardware_address
from agent.network.config import NetworkConfig

FALLBACK_METRIC = 2**31  # behind every other route: reached only where the bridge is gone


class Attachment(NamedTuple):
    """A pod's plug in the bridge."""

    pod_uid: str
    address: str
    device: str


def ensure_node(netlink: Netlink, config: NetworkConfig) -> None:
    """The bridge with its addresses, the routes that keep cluster addresses on this machine, and the sysctls."""
    ensure_fallbacks(netlink, config)  # before anything can use the ranges
    if find_interface(netlink, config.bridge) is None:
        # A hardware address of its own: otherwise it takes the lowest of its ports, and changes as pods come and go.
        netlink.change(make_bridge(config.bridge, hardware_address(config.gateway), _uplink_mtu(netlink)))
        _no_address_by_itself(config.bridge)
    bridge = _required(netlink, config.bridge).index
    netlink.change(
        put_address(bridge, config.gateway, int(config.pod_cidr.partition("/")[2])),
        put_address(bridge, config.dns_address, 32),
        set_up(bridge),
        # The kernel looks a route up before it rewrites what the host itself sends to a Service: this one lets it through
        # to the rules, with a source that pods can answer. What no rule takes is rejected there.
        put_route(config.service_range, bridge, source=config.gateway),
    )
    _sysctl("net/ipv4/ip_forward", "1")
    # NodePorts on 127.0.0.1: the rules rewrite both ends, and refuse pods that try to reach the host's loopback by it.
    _sysctl(f"net/ipv4/conf/{config.bridge}/route_localnet", "1")


def missing(netlink: Netlink, config: NetworkConfig) -> list[str]:
    """What of the node's own is not there, in words."""
    bridge = find_interface(netlink, config.bridge)
    if bridge is None:
        return [f"device {config.bridge}"]
    addresses = observe_addresses(netlink, AF_INET)
    held = {address.text.partition("/")[0] for address in addresses if address.device == bridge.index}
    lost = [f"address {a} of {config.bridge}" for a in (config.gateway, config.dns_address) if a not in held]
    ways = {(route.destination, route.device) for route in observe_routes(netlink, AF_INET)}
    wanted = ((config.pod_range, 0), (config.service_range, 0), (config.service_range, bridge.index))
    return lost + [f"route {network}" for network, device in wanted if (network, device) not in ways]


def ensure_plugged(netlink: Netlink, config: NetworkConfig) -> None:
    """Plug every pod's device in that is out, as all are when the bridge was removed."""
    bridge = _required(netlink, config.bridge).index
    for link in observe_interfaces(netlink):
        if link.name.startswith(config.veth_prefix) and link.master != bridge:
            netlink.change(set_up(link.index, bridge), set_hairpin(link.index))


def ensure_fallbacks(netlink: Netlink, config: NetworkConfig) -> None:
    """What is sent to a cluster address that no device has ends here."""
    for network in (config.pod_range, config.service_range):
        netlink.change(put_route(network, kind="unreachable", metric=FALLBACK_METRIC))


def ensure_attached(netlink: Netlink, config: NetworkConfig, pod_uid: str, pid: int, address: str) -> Attachment:
    """Plug the network namespace of process `pid` into the bridge with `address`, as its eth0."""
    device = config.veth(pod_uid)
    detach(netlink, config, pod_uid)  # a half-made pair, or the one of an earlier sandbox that still lingers
    bridge = _required(netlink, config.bridge)
    netlink.change(make_veth(device, bridge.mtu, Peer("eth0", hardware_address(address), pid)))
    try:
        index = _required(netlink, device).index
        _no_address_by_itself(device)
        # With bridge-nf-call-iptables a Service's rewritten packet may leave through the port it came in by.
        netlink.change(set_up(index, bridge.index, alias=f"{pod_uid} {address}"), set_hairpin(index))
        with _inside(pid) as pod:
            eth0 = _required(pod, "eth0").index
            pod.change(
                set_up(LOOPBACK),
                put_address(eth0, address, 32),
                set_up(eth0),
                put_route(f"{config.gateway}/32", eth0, source=address),
                put_route("default", eth0, gateway=config.gateway),
            )
    except BaseException:
        detach(netlink, config, pod_uid)
        raise
    return Attachment(pod_uid, address, device)


def detach(netlink: Netlink, config: NetworkConfig, pod_uid: str) -> None:
    """Remove a pod's veth pair, if there is one."""
    _remove(netlink, config.veth(pod_uid))


def observe_attachments(netlink: Netlink, config: NetworkConfig) -> dict[str, Attachment]:
    """Every plug of this cluster that exists, by pod uid. A pair dies with its sandbox's namespace."""
    found = {}
    for link in observe_interfaces(netlink):
        if link.name.startswith(config.veth_prefix) and link.alias.count(" ") == 1:
            uid, address = link.alias.split()
            found[uid] = Attachment(uid, address, link.name)
    return found


def plugged_into(netlink: Netlink, device: str, pid: int) -> bool:
    """Whether the device's other end is the eth0 of process `pid`'s namespace."""
    ours = find_interface(netlink, device)
    if ours is None:
        return False
    with _inside(pid) as pod:
        eth0 = find_interface(pod, "eth0")
    return eth0 is not None and eth0.link == ours.index


def observe_node(netlink: Netlink, config: NetworkConfig) -> list[str]:
    """The devices of this cluster, found by name: the pods' before the bridge."""
    names = sorted(link.name for link in observe_interfaces(netlink))
    pods = [name for name in names if name.startswith(config.veth_prefix)]
    return [*pods, *(name for name in names if name == config.bridge)]


def remove_node(netlink: Netlink, config: NetworkConfig) -> None:
    """Remove every device and route of this cluster, found by name. The fallback routes go last."""
    for name in observe_node(netlink, config):
        _remove(netlink, name)
    for network in (config.pod_range, config.service_range):
        with contextlib.suppress(ProcessLookupError):  # ESRCH: there is no such route
            netlink.change(remove_route(network, FALLBACK_METRIC, "unreachable"))


@contextlib.contextmanager
def _inside(pid: int) -> Iterator[Netlink]:
    """Netlink in the network namespace of process `pid`."""
    with entered(f"/proc/{pid}/ns/net"):
        pod = Netlink()
    with pod:
        yield pod


def _uplink_mtu(netlink: Netlink) -> int:
    """The MTU of the device that leads outside: a bigger one in the pods would lose packets where ICMP is filtered."""
    mtus = {link.index: link.mtu for link in observe_interfaces(netlink)}
    for route in observe_routes(netlink, AF_INET):
        if route.destination == "default" and route.table == MAIN_TABLE and route.device in mtus:
            return mtus[route.device]
    return 1500


def _required(netlink: Netlink, name: str) -> Interface:
    found = find_interface(netlink, name)
    if found is None:
        raise OSError(errno.ENODEV, f"no device {name}")
    return found


def _remove(netlink: Netlink, name: str) -> None:
    try:
        netlink.change(remove_link(name))
    except OSError as error:
        if error.errno != errno.ENODEV:  # it never was, or its namespace died meanwhile
            raise


def _no_address_by_itself(device: str) -> None:
    """A device that comes up is given a link-local address (fe80::), which nobody asks ours for. They would come and go with
    pods, and at each change of the host's addresses its browsers break off what they are loading (ERR_NETWORK_CHANGED).
    """
    _sysctl(f"net/ipv6/conf/{device}/addr_gen_mode", "1")


def _sysctl(name: str, value: str) -> None:
    """Set what is otherwise; a kernel without IPv6 has none of its settings, and needs none."""
    path = pathlib.Path("/proc/sys") / name
    with contextlib.suppress(FileNotFoundError) if name.startswith("net/ipv6/") else contextlib.nullcontext():
        if path.read_text().strip() != value:
            path.write_text(value)
