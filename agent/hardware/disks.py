"""Disks: what the kernel offers as block devices, what each really is, and where its file systems are mounted.

A path without /virtual/ in sysfs does not make a disk physical: virtio, Xen and VMBus disks have devices too. So each gets
a sort with the reason: `software` (loop, device mapper, RAID, zram), `paravirtual` (its bus exists in guests only),
`emulated` (a real bus, and a model that only hypervisors sell) or `hardware`, as this kernel sees it. Serial numbers, WWIDs
and mount options are not read into anything.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.hardware.evidence import Read, Tree, fact
from agent.hardware.findings import Findings
from kubeapi.hardware_v1.layers import Confidence, Evidence, Fact, Part

BLOCK = "/sys/class/block"
SECTOR = 512  # bytes: sysfs counts in these, whatever the disk's own sector is (Documentation/ABI/stable/sysfs-block)
RAM = "1:"  # the major number of /dev/ram0 and its like, which are memory
SHOWN = 20  # mount points or partitions in one fact
# What a path in sysfs tells of a disk: the first that matches.
PATHS = (
    ("/virtual/", "software", "a block device without a device beneath"),
    (r"/virtio\d+/", "paravirtual", "on virtio, a bus made for guests"),
    (r"/vbd-\d+/", "paravirtual", "on Xen's bus, made for guests"),
    (r"/vmbus", "paravirtual", "on VMBus, Hyper-V's bus for guests"),
)
# Makers that only exist in hypervisors and clouds, by the model or vendor that a disk tells.
MAKERS = re.compile(
    r"QEMU|VBOX|VMware|Virtual[ _](disk|HD)|Msft|Google|PersistentDisk|Amazon (Elastic Block|EC2)|MSFT NVMe|BHYVE|"
    r"Parallels|Alibaba Cloud|BlockVolume|nvme_card",
    re.IGNORECASE,
)


class Mount(NamedTuple):
    """A file system at its place: device number, source, type and mount point."""

    device: str
    source: str
    type: str
    point: str


def observe_disks(tree: Tree, findings: Findings) -> None:
    """Adds `disk/NAME` for each whole disk that has a size: loop devices and zram without one are only possibilities."""
    mounts = _mounts(tree)
    for name in tree.names("/sys/block"):
        size = tree.read(f"{BLOCK}/{name}/size")
        if (tree.read(f"{BLOCK}/{name}/dev").text or "").startswith(RAM):
            continue
        if sectors := _number(size):
            facts = [fact("size", sectors * SECTOR, size, unit="B"), *_facts(tree, name, mounts)]
            findings.parts.append(
                Part(id=f"disk/{name}", kind="disk", name=name, floor="hardware", on="machine", facts=facts)
            )


def _facts(tree: Tree, name: str, mounts: list[Mount]) -> list[Fact]:
    home = f"{BLOCK}/{name}"
    model, vendor = tree.read(f"{home}/device/model"), tree.read(f"{home}/device/vendor")
    facts = []
    if model.text and model.text.strip():
        facts.append(fact("model", model.text.strip(), model))
    sort, reason, seen, confidence = _sort(tree.link(home), model, vendor)
    if sort:
        facts.append(fact("sort", sort, *seen, confidence=confidence, note=reason))
    for title, file in (("rotational", "queue/rotational"), ("removable", "removable")):
        read = tree.read(f"{home}/{file}")
        if (value := _number(read)) is not None:
            note = (
                "what the disk says of itself; guests are told anything" if sort in ("paravirtual", "emulated") else ""
            )
            facts.append(fact(title, bool(value), read, note=note if title == "rotational" else ""))
    partitions = [part for part in tree.names(home) if tree.exists(f"{home}/{part}/partition")]
    facts += _partitions(tree, home, partitions)
    facts += _mounted(tree, name, [name, *partitions], mounts)
    return facts


def _sort(link: Read, model: Read, vendor: Read) -> tuple[str, str, list[Read], Confidence]:
    """Which sort a disk is, why, and by which reads."""
    if link.text is None:
        return "", "", [], "unknown"
    for pattern, sort, reason in PATHS:
        if re.search(pattern, link.text):
            return sort, reason, [link], "certain"
    told = [read for read in (model, vendor) if MAKERS.search(read.text or "")]
    if told:
        return "emulated", "a real bus, and a maker that only hypervisors and clouds have", told, "likely"
    return "hardware", "as this kernel sees it", [link], "likely"


def _partitions(tree: Tree, home: str, partitions: list[str]) -> list[Fact]:
    if not partitions:
        return []
    sizes = [(part, tree.read(f"{home}/{part}/size")) for part in partitions[:SHOWN]]
    value = ", ".join(f"{part} {(_number(read) or 0) * SECTOR >> 20} MiB" for part, read in sizes)
    return [fact("partitions", value, *(read for _, read in sizes))]


def _mounted(tree: Tree, disk: str, names: list[str], mounts: list[Mount]) -> list[Fact]:
    """Where the file systems of a disk and its partitions are. btrfs mounts under numbers of its own: by its source."""
    numbers: dict[str, str] = {}
    for name in names:
        inside = f"{BLOCK}/{disk}" if name == disk else f"{BLOCK}/{disk}/{name}"
        numbers[(tree.read(f"{inside}/dev").text or "").strip()] = name
    sources = {f"/dev/{name}" for name in names}
    found = [mount for mount in mounts if mount.device in numbers or mount.source in sources]
    if not found:
        return []
    value = ", ".join(f"{mount.point} ({mount.type})" for mount in found[:SHOWN])
    more = f"and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    seen = Evidence(source="/proc/self/mountinfo", value=", ".join(f"{m.device} {m.point}" for m in found[:3]))
    return [fact("mounted", value, seen, note=more)]


def _mounts(tree: Tree) -> list[Mount]:
    """Whole file systems that are mounted, each place once (proc_pid_mountinfo(5)). A part of one that is mounted elsewhere
    as well (a bind mount, as every container and volume has) is left out."""
    mounts: dict[str, Mount] = {}
    for line in (tree.read("/proc/self/mountinfo").text or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, behind = before.split(" "), after.split(" ")
        if len(fields) >= 5 and len(behind) >= 2 and (fields[3] == "/" or behind[0] == "btrfs"):
            point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            mounts[point] = Mount(fields[2], behind[1], behind[0], point)
    return list(mounts.values())


def _number(read: Read) -> int | None:
    """A file's number; None where there is none."""
    text = (read.text or "").strip()
    return int(text) if re.fullmatch(r"\d{1,18}", text) else None
