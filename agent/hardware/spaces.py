"""The network namespaces of this machine and all that is in each, as the kernel tells over netlink.

A namespace has no name of its own: it is known by its inode, and entered through whoever is in it (/proc/PID/ns/net) or
keeps it (/run/docker/netns; Docker gives no names that `ip netns` would show). A thread enters just long enough to open a
socket, which stays there. Where that is not permitted the namespace is told with the reason, and without devices; and where
netlink does not answer at all, or the machine is a captured one, /sys tells what it knows of our own.

How namespaces call each other: IFLA_LINK_NETNSID is a number that only the namespace which says it understands. So each is
asked what number it gave to the others (RTM_GETNSID), most likely ones first, until all that its devices lead to are known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent.hardware.evidence import Tree
from agent.hardware.processes import Process, namespace_number
from agent.netlink.namespaces import entered
from agent.netlink.route import (
    Forwarding,
    Interface,
    Route,
    number_of,
    observe_addresses,
    observe_forwarding,
    observe_interfaces,
    observe_routes,
)
from agent.netlink.sockets import Netlink

KEPT = ("/run/docker/netns", "/run/netns")


@dataclass(slots=True)
class Space:
    """A network namespace. path leads into it; numbers are what it calls others, with their inodes; why tells what could
    not be had of it."""

    inode: int
    path: str
    pids: list[int] = field(default_factory=list)
    interfaces: dict[int, Interface] = field(default_factory=dict)
    addresses: dict[int, list[str]] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    forwarding: list[Forwarding] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    why: str = ""

    def peer(self, interface: Interface) -> tuple[int, int] | None:
        """The namespace and index of what a device leads to."""
        inode = self.inode if interface.netnsid is None else self.numbers.get(interface.netnsid)
        return (inode, interface.link) if inode and interface.link else None


def observe_spaces(tree: Tree, processes: Iterable[Process]) -> list[Space]:
    """All namespaces that can be found, our own first."""
    own = Space(namespace_number(tree.link("/proc/self/ns/net").text) or 0, "/proc/self/ns/net")
    spaces = {own.inode: own}
    for process in processes:
        if process.netns:
            space = spaces.setdefault(process.netns, Space(process.netns, process.path("ns/net")))
            space.pids.append(process.pid)
    if tree.root == Path("/"):
        for path in (f"{folder}/{name}" for folder in KEPT for name in tree.names(folder)):
            if inode := _kept(path):
                spaces.setdefault(inode, Space(inode, path))
        paths = {space.inode: space.path for space in spaces.values()}
        for space in spaces.values():
            _fill(space, paths, enter=space is not own)
    if not own.interfaces:
        own.interfaces = {found.index: found for found in interfaces_in_sys(tree)}
    return list(spaces.values())


def _kept(path: str) -> int:
    """The inode of the namespace that is mounted on a file; 0 for a mere file, left over by an engine that was killed."""
    try:
        found, known = os.stat(path), os.stat("/proc/self/ns/net")
    except OSError:
        return 0
    return found.st_ino if found.st_dev == known.st_dev else 0


def _fill(space: Space, paths: Mapping[int, str], enter: bool) -> None:
    try:
        with entered(space.path) if enter else contextlib.nullcontext():
            netlink = Netlink()
        with netlink:
            _read(netlink, space)
            space.numbers = _numbers(netlink, space, paths)
    except OSError as error:
        space.why = "not permitted" if isinstance(error, PermissionError) else str(error)


def _read(netlink: Netlink, space: Space) -> None:
    space.interfaces = {link.index: link for link in observe_interfaces(netlink, counters=True)}
    for address in observe_addresses(netlink):
        space.addresses.setdefault(address.device, []).append(address.text)
    space.routes = [route for route in observe_routes(netlink) if route.chosen]
    if any(link.kind == "bridge" for link in space.interfaces.values()):
        space.forwarding = [entry for entry in observe_forwarding(netlink) if entry.learned]


def _numbers(netlink: Netlink, space: Space, paths: Mapping[int, str]) -> dict[int, int]:
    wanted = {link.netnsid for link in space.interfaces.values() if link.netnsid is not None}
    found: dict[int, int] = {}
    for inode, path in paths.items():
        if wanted <= found.keys():
            break
        with contextlib.suppress(OSError):  # that one is gone meanwhile, or not for us to open
            number = number_of(netlink, path)
            if number is not None:
                found[number] = inode
    return found


def interfaces_in_sys(tree: Tree) -> list[Interface]:
    """The devices of the namespace that /sys was mounted in. It tells no kinds but those with a DEVTYPE, tun and bridge."""
    found = []
    for name in tree.names("/sys/class/net"):
        at = f"/sys/class/net/{name}"
        index = _number(tree, f"{at}/ifindex")
        if index is None:
            continue
        kind = "tap" if (_number(tree, f"{at}/tun_flags") or 0) & 2 else ""
        uevent = dict(line.partition("=")[::2] for line in (tree.read(f"{at}/uevent").text or "").splitlines())
        master = tree.link(f"{at}/master").text
        link = _number(tree, f"{at}/iflink") or 0
        found.append(
            Interface(
                index=index,
                name=name,
                type=_number(tree, f"{at}/type") or 0,
                kind=kind or uevent.get("DEVTYPE", ""),
                mac=(tree.read(f"{at}/address").text or "").strip(),
                mtu=_number(tree, f"{at}/mtu") or 0,
                state=(tree.read(f"{at}/operstate").text or "").strip(),
                master=_number(tree, f"/sys/class/net/{master.rpartition('/')[2]}/ifindex") or 0 if master else 0,
                link=0 if link == index else link,
                received=_number(tree, f"{at}/statistics/rx_bytes"),
                sent=_number(tree, f"{at}/statistics/tx_bytes"),
            )
        )
    return found


def _number(tree: Tree, path: str) -> int | None:
    text = (tree.read(path).text or "").strip()
    try:
        return int(text, 0)
    except ValueError:
        return None
