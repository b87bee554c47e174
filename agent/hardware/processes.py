"""Every process by what the kernel says of it to anybody: its name, its parent, its network namespace, its container.

Arguments and environments are never read: they may hold secrets. A process may end while it is read: it is left out then.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.hardware.evidence import Tree

CONTAINER = re.compile(r"[0-9a-f]{64}")
NAMESPACES = ("pid", "net", "mnt", "uts", "ipc", "user", "cgroup", "time")
KTHREADD = 2


class Process(NamedTuple):
    """netns is 0 where that is not permitted; container the engine's id (64 digits), empty outside of one; cgroup the text
    of its /proc/PID/cgroup."""

    pid: int
    parent: int
    name: str
    netns: int = 0
    container: str = ""
    cgroup: str = ""

    def path(self, file: str) -> str:
        """A file of it in /proc."""
        return f"/proc/{self.pid}/{file}"


def observe_processes(tree: Tree) -> dict[int, Process]:
    """All processes by their number, without the kernel's own threads."""
    found = {}
    for name in tree.names("/proc"):
        if name.isdecimal() and (process := _process(tree, int(name))):
            found[process.pid] = process
    return found


def _process(tree: Tree, pid: int) -> Process | None:
    told = process_of(tree.read(f"/proc/{pid}/stat", 1024).text or "")
    if told is None or KTHREADD in (told.pid, told.parent):
        return None
    cgroup = tree.read(f"/proc/{pid}/cgroup", 8192).text or ""
    netns = namespace_number(tree.link(f"/proc/{pid}/ns/net").text) or 0
    return told._replace(netns=netns, container=container_in(cgroup), cgroup=cgroup)


def process_of(stat: str) -> Process | None:
    """The beginning of /proc/PID/stat. A name may hold spaces and brackets: it ends at the last one (proc_pid_stat(5))."""
    head, _, rest = stat.rpartition(")")
    pid, _, name = head.partition("(")
    fields = rest.split()
    if len(fields) < 2 or not pid.strip().isdecimal() or not fields[1].isdecimal():
        return None
    return Process(int(pid), int(fields[1]), name)


def container_in(cgroup: str) -> str:
    """The container that a /proc/PID/cgroup names, in whichever way its engine writes it: `docker/ID`, `docker-ID.scope`.
    The last of several: a container of an engine within a container is its own."""
    for line in cgroup.splitlines():
        if found := CONTAINER.findall(line):
            return str(found[-1])
    return ""


def namespace_number(link: str | None) -> int | None:
    """4026531833 of `net:[4026531833]`."""
    _, _, number = (link or "").partition(":[")
    return int(number[:-1]) if number.endswith("]") and number[:-1].isdecimal() else None


def observe_namespaces(tree: Tree, pid: int | str) -> dict[str, int]:
    """The numbers of a process's namespaces by kind; those that can't be read are left out."""
    links = {kind: tree.link(f"/proc/{pid}/ns/{kind}") for kind in NAMESPACES}
    return {kind: number for kind, link in links.items() if (number := namespace_number(link.text)) is not None}
