"""The kernel's devices, addresses and routes of a node, through netlink, as a CNI plugin makes them.

    pod's netns                    host
    eth0 10.244.0.5/32 ── veth ── bridge naru-XXXX 10.244.0.1/24 ── routing, rules ── outside
         default via 10.244.0.1        + 10.96.0.10/32 (DNS)

A pod's address is a /32 and its only neighbour the gateway: also pods of one bridge are routed, never switched, so every
packet and every reply meets the Service rules whatever bridge-nf-call-iptables says (it belongs to the whole machine, and
to Docker). The device's alias holds the pod's uid and address: the only record of the allocation, gone with the device.

Each function may be repeated; what exists is adopted. All take an open `IPRoute`, block, and raise `NetlinkError`.
"""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator
from socket import AF_INET
from typing import Any, NamedTuple

from pyroute2 import IPRoute, netns
from pyroute2.netlink.exceptions import NetlinkError

from agent.network.addresses import hardware_address
from agent.network.config import NetworkConfig

FALLBACK_METRIC = 2**31  # behind every other route: reached only where the bridge is gone


class Attachment(NamedTuple):
    """A pod's plug in the bridge."""

    pod_uid: str
    address: str
    device: str


def ensure_node(ip: IPRoute, config: NetworkConfig) -> None:
    """The bridge with its addresses, the routes that keep cluster addresses on this machine, and the sysctls."""
    ensure_fallbacks(ip, config)  # before anything can use the ranges
    bridge = _index(ip, config.bridge)
    if bridge is None:
        # A hardware address of its own: otherwise it takes the lowest of its ports, and changes as pods come and go.
        ip.link(
            "add", ifname=config.bridge, kind="bridge", address=hardware_address(config.gateway), mtu=_uplink_mtu(ip)
        )
        bridge = _required(ip, config.bridge)
        _no_address_by_itself(config.bridge)
    length = int(config.pod_cidr.partition("/")[2])
    ip.addr("replace", index=bridge, address=config.gateway, prefixlen=length)
    ip.addr("replace", index=bridge, address=config.dns_address, prefixlen=32)
    ip.link("set", index=bridge, state="up")
    # The kernel looks a route up before it rewrites what the host itself sends to a Service: this one lets it through to
    # the rules, with a source that pods can answer. What no rule takes is rejected there.
    ip.route("replace", dst=config.service_range, oif=bridge, prefsrc=config.gateway, scope="link", priority=0)
    _sysctl("net/ipv4/ip_forward", "1")
    # NodePorts on 127.0.0.1: the rules rewrite both ends, and refuse pods that try to reach the host's loopback by it.
    _sysctl(f"net/ipv4/conf/{config.bridge}/route_localnet", "1")


def missing(ip: IPRoute, config: NetworkConfig) -> list[str]:
    """What of the node's own is not there, in words."""
    bridge = _index(ip, config.bridge)
    if bridge is None:
        return [f"device {config.bridge}"]
    held = {address.get_attr("IFA_LOCAL") for address in ip.get_addr(family=AF_INET, index=bridge)}
    lost = [f"address {a} of {config.bridge}" for a in (config.gateway, config.dns_address) if a not in held]
    ways = {(f"{r.get_attr('RTA_DST')}/{r['dst_len']}", r.get_attr("RTA_OIF")) for r in ip.get_routes(family=AF_INET)}
    wanted = ((config.pod_range, None), (config.service_range, None), (config.service_range, bridge))
    return lost + [f"route {network}" for network, device in wanted if (network, device) not in ways]


def ensure_plugged(ip: IPRoute, config: NetworkConfig) -> None:
    """Plug every pod's device in that is out, as all are when the bridge was removed."""
    bridge = _required(ip, config.bridge)
    for link in list(ip.get_links()):
        if (link.get("ifname") or "").startswith(config.veth_prefix) and link.get("master") != bridge:
            ip.link("set", index=link["index"], master=bridge, state="up")
            ip.brport("set", index=link["index"], mode=1)


def ensure_fallbacks(ip: IPRoute, config: NetworkConfig) -> None:
    """What is sent to a cluster address that no device has ends here."""
    for network in (config.pod_range, config.service_range):
        ip.route("replace", dst=network, type="unreachable", priority=FALLBACK_METRIC)


def ensure_attached(ip: IPRoute, config: NetworkConfig, pod_uid: str, pid: int, address: str) -> Attachment:
    """Plug the network namespace of process `pid` into the bridge with `address`, as its eth0."""
    device = config.veth(pod_uid)
    detach(ip, config, pod_uid)  # a half-made pair, or the one of an earlier sandbox that still lingers
    bridge = _required(ip, config.bridge)
    ip.link(
        "add",
        ifname=device,
        kind="veth",
        mtu=_mtu(ip, bridge),
        peer={"ifname": "eth0", "address": hardware_address(address), "net_ns_pid": pid, "mtu": _mtu(ip, bridge)},
    )
    index = _required(ip, device)
    try:
        _no_address_by_itself(device)
        ip.link("set", index=index, master=bridge, state="up", ifalias=f"{pod_uid} {address}")
        # With bridge-nf-call-iptables a Service's rewritten packet may leave through the port it came in by.
        ip.brport("set", index=index, mode=1)
        with _inside(pid) as pod:
            eth0, loopback = _required(pod, "eth0"), _required(pod, "lo")
            pod.link("set", index=loopback, state="up")
            pod.addr("replace", index=eth0, address=address, prefixlen=32)
            pod.link("set", index=eth0, state="up")
            pod.route("replace", dst=f"{config.gateway}/32", oif=eth0, scope="link", prefsrc=address)
            pod.route("replace", dst="default", gateway=config.gateway, oif=eth0)
    except BaseException:
        detach(ip, config, pod_uid)
        raise
    return Attachment(pod_uid, address, device)


def detach(ip: IPRoute, config: NetworkConfig, pod_uid: str) -> None:
    """Remove a pod's veth pair, if there is one."""
    _delete(ip, config.veth(pod_uid))


def observe_attachments(ip: IPRoute, config: NetworkConfig) -> dict[str, Attachment]:
    """Every plug of this cluster that exists, by pod uid. A pair dies with its sandbox's namespace."""
    found = {}
    for link in ip.get_links():
        name, alias = link.get("ifname") or "", link.get("ifalias") or ""
        if name.startswith(config.veth_prefix) and alias.count(" ") == 1:
            uid, address = alias.split()
            found[uid] = Attachment(uid, address, name)
    return found


def plugged_into(ip: IPRoute, device: str, pid: int) -> bool:
    """Whether the device's other end is the eth0 of process `pid`'s namespace."""
    index = _index(ip, device)
    if index is None:
        return False
    with _inside(pid) as pod:
        return any(link.get("ifname") == "eth0" and link.get("link") == index for link in pod.get_links())


def observe_node(ip: IPRoute, config: NetworkConfig) -> list[str]:
    """The devices of this cluster, found by name: the pods' before the bridge."""
    names = sorted(str(link.get("ifname")) for link in ip.get_links())
    pods = [name for name in names if name.startswith(config.veth_prefix)]
    return [*pods, *(name for name in names if name == config.bridge)]


def remove_node(ip: IPRoute, config: NetworkConfig) -> None:
    """Remove every device and route of this cluster, found by name. The fallback routes go last."""
    for name in observe_node(ip, config):
        _delete(ip, name)
    for network in (config.pod_range, config.service_range):
        try:
            ip.route("del", dst=network, type="unreachable", priority=FALLBACK_METRIC)
        except NetlinkError as error:
            if error.code != errno.ESRCH:
                raise


@contextlib.contextmanager
def entered(path: str) -> Iterator[None]:
    """Be in the network namespace at `path` (/proc/PID/ns/net) for a moment: for a thread that may change its own. A socket
    opened there stays there.

    pyroute2's `netns` option forks a helper and ends it with SIGTERM; the helper shares the event loop's wake-up socket, so
    the agent would take that signal for its own.
    """
    with open("/proc/thread-self/ns/net") as home, open(path) as there:
        netns.setns(there.fileno())
        try:
            yield
        finally:
            netns.setns(home.fileno())


@contextlib.contextmanager
def _inside(pid: int) -> Iterator[IPRoute]:
    """Netlink in the network namespace of process `pid`."""
    with entered(f"/proc/{pid}/ns/net"):
        pod = IPRoute()
    with pod:
        yield pod


def _uplink_mtu(ip: IPRoute) -> int:
    """The MTU of the device that leads outside: a bigger one in the pods would lose packets where ICMP is filtered."""
    for route in ip.get_default_routes(family=2):
        if (index := route.get("oif")) is not None:
            return _mtu(ip, index)
    return 1500


def _mtu(ip: IPRoute, index: int) -> int:
    (link,) = ip.get_links(index)
    return int(link.get("mtu"))


def _index(ip: IPRoute, name: str) -> int | None:
    found: list[Any] = list(ip.link_lookup(ifname=name))
    return int(found[0]) if found else None


def _required(ip: IPRoute, name: str) -> int:
    index = _index(ip, name)
    if index is None:
        raise NetlinkError(errno.ENODEV, f"no device {name}")
    return index


def _delete(ip: IPRoute, name: str) -> None:
    index = _index(ip, name)
    if index is None:
        return
    try:
        ip.link("del", index=index)
    except NetlinkError as error:
        if error.code != errno.ENODEV:  # its namespace died meanwhile
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
