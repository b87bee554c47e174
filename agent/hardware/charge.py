"""What a cgroup is charged for memory, and the limit that holds for it: cgroup v1, v2, and both at once.

Which of the two counts memory is told by the process: a line of /proc/PID/cgroup that names `memory` is v1, whatever else
is mounted; only without one is it v2. Where that cgroup's files lie is told by the mounts. A limit anywhere above holds as
well, so the effective one is the smallest along the way up.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from agent.hardware.evidence import Read, Tree, fact
from agent.hardware.processes import container_in
from kubeapi.hardware_v1.layers import Evidence, Fact

UNLIMITED = 1 << 62  # v1 writes "no limit" as the largest multiple of a page that fits


class Files(NamedTuple):
    """The same questions in the files of each version. cold is the key of what can be dropped at once in memory.stat, where
    v1's plain keys leave out what lies below."""

    usage: str
    limit: str
    swap: str
    cold: str
    cache: str
    anonymous: str
    kills: str


V1 = Files(
    "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.memsw.usage_in_bytes",
    "total_inactive_file", "total_cache", "total_rss", "memory.oom_control",
)  # fmt: skip
V2 = Files(
    "memory.current", "memory.max", "memory.swap.current",
    "inactive_file", "file", "anon", "memory.events",
)  # fmt: skip


class Mount(NamedTuple):
    """A mounted hierarchy: the part of it that is mounted, and where."""

    root: str
    point: str


class MemoryCgroup(NamedTuple):
    """Where a cgroup's files lie, how far up this mount reaches, and which version's names they have."""

    directory: str
    top: str
    files: Files

    @property
    def container(self) -> str:
        """The engine's id of the container it belongs to (64 digits), or nothing: `docker/ID`, `docker-ID.scope`."""
        return container_in(self.directory)

    def ancestors(self) -> Iterator[str]:
        """Itself and all above it that can be seen, from below."""
        path = PurePosixPath(self.directory)
        for step in (path, *path.parents):
            yield str(step)
            if str(step) == self.top:
                return


class Cgroups:
    """The hierarchies that are mounted here."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.v1, self.v2 = memory_mounts(tree.read("/proc/self/mountinfo").text or "")
        self._limit = functools.cache(tree.read)  # those further up hold for many

    @property
    def mode(self) -> str:
        """v1, v2 or hybrid; `none` where nothing is mounted. In hybrid the processes tell which one counts memory."""
        return {(True, True): "hybrid", (True, False): "v1", (False, True): "v2"}.get(
            (self.v1 is not None, self.v2 is not None), "none"
        )

    def of(self, pid: int | str) -> MemoryCgroup | None:
        """The cgroup that is charged for a process. None where its files can't be reached from here."""
        return self.named(self._tree.read(f"/proc/{pid}/cgroup").text or "")

    def named(self, cgroup: str) -> MemoryCgroup | None:
        """The one that the text of a /proc/PID/cgroup names."""
        version, path = memory_path(cgroup)
        mount, files = (self.v1, V1) if version == 1 else (self.v2, V2)
        if mount is None or not path or ".." in path:  # above the root of our own cgroup namespace
            return None
        inside = PurePosixPath(path)
        if not inside.is_relative_to(mount.root):
            return None
        directory = PurePosixPath(mount.point) / inside.relative_to(mount.root)
        return MemoryCgroup(str(directory), mount.point, files)

    def facts(self, cgroup: MemoryCgroup) -> list[Fact]:
        """What it is charged, the part of it that stays, what of it is cache, its swap, its limit, and its OOM kills."""
        files = cgroup.files
        usage = self._tree.read(f"{cgroup.directory}/{files.usage}")
        stat = self._tree.read(f"{cgroup.directory}/memory.stat")
        charged, parts = number(usage), numbers(stat.text or "")
        cold = parts.get(files.cold, 0)
        facts = [
            fact("charged", charged, usage, unit="B", note=usage.why),
            fact(
                "workingSet",
                None if charged is None else charged - cold if cold < charged else charged,
                usage,
                Evidence(source=stat.path, value=f"{files.cold} {cold}"),
                unit="B",
                note=usage.why or stat.why,
            ),
            self.limit(cgroup),
        ]
        for name, key in (("cache", files.cache), ("anonymous", files.anonymous)):
            if key in parts:
                facts.append(fact(name, parts[key], Evidence(source=stat.path, value=f"{key} {parts[key]}"), unit="B"))
        facts += self._swap(cgroup, charged)
        kills = self._tree.read(f"{cgroup.directory}/{files.kills}")
        if (killed := numbers(kills.text or "").get("oom_kill")) is not None:
            facts.append(fact("oomKills", killed, Evidence(source=kills.path, value=f"oom_kill {killed}")))
        return facts

    def limit(self, cgroup: MemoryCgroup) -> Fact:
        """The smallest limit from the cgroup up; the evidence is the file that set it."""
        reads = [self._limit(f"{directory}/{cgroup.files.limit}") for directory in cgroup.ancestors()]
        known = [(value, read) for read in reads if (value := number(read)) is not None and value < UNLIMITED]
        if known:
            value, read = min(known, key=lambda pair: pair[0])
            own = read.path.rpartition("/")[0] == cgroup.directory
            return fact("limit", value, read, unit="B", note="" if own else "set above it")
        if all(read.text is None for read in reads):
            return fact("limit", None, reads[0], unit="B", note=reads[0].why)
        return fact("limit", None, next(read for read in reads if read.text is not None), unit="B", note="none")

    def _swap(self, cgroup: MemoryCgroup, charged: int | None) -> list[Fact]:
        read = self._tree.read(f"{cgroup.directory}/{cgroup.files.swap}")
        swapped = number(read)
        if cgroup.files is V1 and swapped is not None and charged is not None:
            swapped = max(0, swapped - charged)  # v1 counts memory and swap together
        return [] if swapped is None else [fact("chargedSwap", swapped, read, unit="B")]


def memory_mounts(mountinfo: str) -> tuple[Mount | None, Mount | None]:
    """The v1 hierarchy that counts memory, and the v2 one (proc_pid_mountinfo(5)); of several mounts of one, the widest."""
    v1, v2 = [], []
    for line in mountinfo.splitlines():
        before, found, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if not found or len(left) < 5 or len(right) < 3:
            continue
        mount = Mount(_unescaped(left[3]), _unescaped(left[4]))
        if right[0] == "cgroup" and "memory" in right[2].split(","):
            v1.append(mount)
        elif right[0] == "cgroup2":
            v2.append(mount)
    widest = [min(mounts, key=lambda mount: len(mount.root), default=None) for mounts in (v1, v2)]
    return widest[0], widest[1]


def memory_path(cgroup: str) -> tuple[int, str]:
    """The version that counts a process's memory and its path there, from /proc/PID/cgroup. (2, '') for none."""
    unified = ""
    for line in cgroup.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if "memory" in controllers.split(","):
            return 1, path
        if line.startswith("0::"):
            unified = path
    return 2, unified


def number(read: Read) -> int | None:
    """A file that holds one number; None for another (`max`) or none."""
    text = (read.text or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def numbers(text: str) -> Mapping[str, int]:
    """A file of lines `key number`."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isascii() and pair[1].isdigit()}


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
