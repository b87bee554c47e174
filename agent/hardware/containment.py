"""Whether this kernel is seen from inside a container, and of which kind.

The kernel gives its first namespaces fixed numbers (include/linux/proc_ns.h), so whoever has those is in no namespace of
its own, whatever files lie around: images of virtual machines are built from container images, `/.dockerenv` and all. The
reverse needs care: a container may share some namespaces (`--pid=host`), and a service may have some of its own. So four
witnesses are asked, and a table holds the verdict:

    pid       a process namespace of its own
    others    some other namespace of its own (uts, ipc, cgroup, user, time; the numbers of net and mnt are fixed by new
              kernels only)
    placed    the root, or a file of /etc, is mounted from an engine's storage, or a cgroup carries an engine's name
    marked    a file that engines leave for programs to find
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.hardware.evidence import Tree
from kubeapi.hardware_v1.layers import Confidence, Evidence

FIRST = {"pid": 4026531836, "uts": 4026531838, "ipc": 4026531839, "cgroup": 4026531835, "user": 4026531837}
FIRST["time"] = 4026531834
# Where an engine keeps root file systems and files that it mounts, as seen from inside; the first that matches.
STORAGE = (
    (r"/kubelet/pods/|/kubepods", "Kubernetes pod"),
    (r"/docker/(overlay2|containers|btrfs|zfs|vfs|rootfs)/|\bdocker[-/][0-9a-f]{12,64}", "docker"),
    (r"/containers/storage/|/overlay-containers/|\blibpod-[0-9a-f]{12,64}", "podman"),
    (r"io\.containerd\.|/containerd/|\bcri-containerd-", "containerd"),
    (r"\blxcfs\b|/lxc(\.payload)?[./]|/var/lib/lxc/|/lxd/", "lxc"),
    (r"/machine\.slice/systemd-nspawn@", "systemd-nspawn"),
)
MARKS = {"/.dockerenv": "docker", "/run/.containerenv": "podman", "/dev/lxd/sock": "lxc", "/dev/.lxc": "lxc"}
NAMES = re.compile(r"docker|podman|lxc|lxc-libvirt|systemd-nspawn|rkt|wsl|proot|pouch|container-other|oci")

OWN = "it has namespaces of its own, and what is mounted in it comes from an engine's storage"
SHARED = "it shares every numbered namespace with the kernel's first, but lives on an engine's storage"
MARKED = "it has namespaces of its own, and a file that engines leave"
ALONE = "it has a namespace of its own, as sandboxed services have, but nothing of it is an engine's"
FIRSTS = (
    "its namespaces have the kernel's first, fixed numbers, which no container's have; a file may be left in any image"
)
BLIND = "namespaces can't be read here"
# (pid, others, placed, marked) → whether it is a container, how sure, and why. None stands for either.
TABLE: tuple[tuple[tuple[bool | None, bool | None, bool | None, bool | None], bool, Confidence, str], ...] = (
    ((True, None, True, None), True, "certain", OWN),
    ((None, True, True, None), True, "certain", OWN),
    ((False, False, True, None), True, "likely", SHARED),
    ((True, True, False, None), True, "likely", "it has namespaces of its own, its processes' among them"),
    ((True, False, False, True), True, "likely", MARKED),
    ((False, True, False, True), True, "likely", MARKED),
    ((None, None, False, None), False, "likely", ALONE),
)


class Containment(NamedTuple):
    """The verdict: in a container or not (None: can't be told), of which kind (empty: not known), why, on what."""

    inside: bool | None
    kind: str
    confidence: Confidence
    why: str
    namespaces: list[Evidence]
    places: list[Evidence]
    marks: list[Evidence]
    shared: list[str]  # namespaces that are the host's

    @property
    def says(self) -> str:
        """In a word: `none`, `docker`, `a container`."""
        return "unknown" if self.inside is None else self.kind or "a container" if self.inside else "none"


class Signs(NamedTuple):
    """What was seen: namespaces (True where it is its own), and kinds with evidence by place and by mark."""

    own: dict[str, bool]
    namespaces: list[Evidence]
    places: list[tuple[str, Evidence]]
    marks: list[tuple[str, Evidence]]


def observe_containment(tree: Tree) -> Containment:
    """Asks the witnesses of a tree."""
    own, namespaces = _namespaces(tree)
    return judge(Signs(own, namespaces, _places(tree), _marks(tree)))


def judge(signs: Signs) -> Containment:
    """The verdict on what was seen. Pure."""
    places, marks = [seen for _, seen in signs.places], [seen for _, seen in signs.marks]
    kind = next((kind for kind, _ in [*signs.places, *signs.marks]), "")
    shared = [name for name, own in signs.own.items() if not own]
    inside, confidence, why = _verdict(signs)
    return Containment(inside, kind if inside else "", confidence, why, signs.namespaces, places, marks, shared)


def _verdict(signs: Signs) -> tuple[bool | None, Confidence, str]:
    placed, marked = bool(signs.places), bool(signs.marks)
    if len(signs.own) < 2:  # one number alone is no witness
        return (True if placed or marked else None), "likely" if placed or marked else "unknown", BLIND
    pid = signs.own.get("pid", False)
    others = any(own for name, own in signs.own.items() if name != "pid")
    if not pid and not others and not placed:
        return False, "certain", FIRSTS
    seen = (pid, others, placed, marked)
    return next(
        (inside, confidence, why)
        for row, inside, confidence, why in TABLE
        if all(want in (None, is_so) for want, is_so in zip(row, seen, strict=True))
    )


def _namespaces(tree: Tree) -> tuple[dict[str, bool], list[Evidence]]:
    own, evidence = {}, []
    for name, first in FIRST.items():
        link = tree.link(f"/proc/self/ns/{name}")
        if found := re.fullmatch(r"\w+:\[(\d{1,12})\]", link.text or ""):
            own[name] = int(found[1]) != first
            evidence.append(Evidence(source=link.path, value=f"{found[1]}, {'its own' if own[name] else 'the first'}"))
    return own, evidence


def _places(tree: Tree) -> list[tuple[str, Evidence]]:
    """What says whose storage this root is on. Of a mount only its place and an engine's path in it are kept."""
    found = []
    for line in (tree.read("/proc/self/mountinfo").text or "").splitlines():
        fields = line.split(" ")
        if len(fields) < 5:
            continue
        point = fields[4]
        told = line if point == "/" else fields[3] if point in ("/etc/hosts", "/etc/hostname") else ""
        if point == "/proc/meminfo" and "lxcfs" in line:
            told = "lxcfs"
        for pattern, kind in STORAGE:
            if match := re.search(pattern, told):
                seen = Evidence(source="/proc/self/mountinfo", value=f"{point} from {match[0]}")
                found.append((kind, seen))
                break
    for line in (tree.read("/proc/self/cgroup").text or "").splitlines():
        path = line.rpartition(":")[2]
        for pattern, kind in STORAGE:
            if path != "/" and (match := re.search(pattern, path)):
                found.append((kind, Evidence(source="/proc/self/cgroup", value=match[0][:40])))
                break
    return found


def _marks(tree: Tree) -> list[tuple[str, Evidence]]:
    found = [(kind, Evidence(source=path, value="present")) for path, kind in MARKS.items() if tree.exists(path)]
    told = tree.read("/run/systemd/container")  # the manager's word for it, systemd's container interface
    if name := NAMES.fullmatch((told.text or "").strip()):
        found.append((name[0], told.evidence))
    return found
