"""Engine, containerd, shims, containers and their processes: who made whom, by the kernel's word and the engine's.

The kernel knows processes by name, parent and cgroup, so the chain is found without an engine that answers; what the engine
adds are names, images and versions. A shim is left by its maker on purpose (its parent is init), so that containers outlive
the daemon: it is known by its child, the first process of its container. runc makes a container and leaves: it is told, not
seen. A process of a container that has joined other namespaces than the container's first one tells which.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from agent.hardware.charge import Cgroups, number
from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.processes import Process, observe_namespaces
from agent.runtime.protocol import EngineInfo, Listed
from kubeapi.hardware_v1.layers import Confidence, Evidence, Fact, Link, Part

DAEMON, CONTAINERD, SHIM = "dockerd", "containerd", "containerd-shim"
TITLES = {"docker": "Docker"}


class Engine(NamedTuple):
    """What an engine's API says of itself, of all that it runs, and of its images' sizes by name and id."""

    info: EngineInfo
    listed: Sequence[Listed] = ()
    images: Mapping[str, int] = MappingProxyType({})


class Inside(NamedTuple):
    """A container as its processes show it. first is its first process."""

    id: str
    first: Process
    processes: list[Process]

    @property
    def part(self) -> str:
        """Its part's id."""
        return f"container/{self.id[:12]}"

    @property
    def place(self) -> str:
        """What it stands on by itself: its network namespace, where that may be known (not of a zombie, say)."""
        return f"netns/{self.first.netns}" if self.first.netns else "kernel"


def observe_runtimes(
    tree: Tree, processes: Mapping[int, Process], engine: Engine | None, pods: Mapping[str, str], findings: Findings
) -> list[Inside]:
    """Add the whole chain. pods gives the part of the pod of a container's id, where it has one."""
    containers = containers_of(processes)
    findings.parts += chain_of(processes, engine, findings.links)
    listed = {row.id: row for row in (engine.listed if engine else ())}
    above = _containerd(findings)
    for inside in containers:
        _shim(processes, inside, above, findings)
    cgroups, host = Cgroups(tree), observe_namespaces(tree, "self")
    namespaces = {inside.id: observe_namespaces(tree, inside.first.pid) for inside in containers}
    shared = _shared(namespaces, pods)
    for inside in containers:
        own = namespaces[inside.id]
        row = listed.get(inside.id)
        facts = _told(inside, row, engine) + [
            _namespace(kind, value, inside.first.pid, host, shared.get(pods.get(inside.id, ""), Counter()))
            for kind, value in own.items()
        ]
        facts += _charged(tree, cgroups, inside)
        on = pods.get(inside.id) or inside.place
        name = (row.container or ("pause" if row.sandbox else row.name)) if row else inside.first.name
        findings.parts.append(Part(id=inside.part, kind="container", name=name, floor="container", on=on, facts=facts))
        findings.parts += [_process(tree, process, inside, own, host) for process in inside.processes]
    return containers


def containers_of(processes: Mapping[int, Process]) -> list[Inside]:
    """Containers by their processes; the first of one is that whose parent is outside of it."""
    together: dict[str, list[Process]] = defaultdict(list)
    for process in processes.values():
        if process.container and not process.name.startswith((SHIM, "runc")):
            together[process.container].append(process)
    found = []
    for id, inside in sorted(together.items()):
        numbers = {process.pid for process in inside}
        first = min(inside, key=lambda p: (p.parent in numbers, not _of_shim(processes, p), p.pid))
        found.append(Inside(id, first, sorted(inside)))
    return found


def chain_of(processes: Mapping[int, Process], engine: Engine | None, links: list[Link]) -> list[Part]:
    """Engine and containerd, as far as either the kernel or the engine's API shows them."""
    daemon = next((p for p in processes.values() if p.name == DAEMON), None)
    runtime = [p for p in processes.values() if p.name == CONTAINERD]
    parts = []
    if engine or daemon:
        info = engine.info if engine else None
        name = TITLES.get(info.name, info.name) if info else "Docker"
        facts = []
        if info:
            facts.append(
                fact("version", info.version, Evidence(source="the engine's GET /version", value=info.version))
            )
        else:
            facts.append(fact("version", None, confidence="unknown", note="the engine was not asked"))
        parts.append(
            Part(id="engine", kind="engine", name=name, floor="runtime", on="kernel", facts=facts + _pid(daemon))
        )
    if runtime:
        own = next((p for p in runtime if daemon and p.parent == daemon.pid), runtime[0])
        certain: Confidence = "certain" if daemon and own.parent == daemon.pid else "likely"
        facts = _versions(engine) + _pid(own)
        on = "engine" if parts else "kernel"
        parts.append(Part(id="containerd", kind="containerd", name="containerd", floor="runtime", on=on, facts=facts))
        if on == "engine":
            said = Evidence(source=own.path("stat"), value=f"{own.name}, parent {own.parent}")
            links.append(Link(kind="runs", source="engine", target="containerd", confidence=certain, evidence=[said]))
    return parts


def _versions(engine: Engine | None) -> list[Fact]:
    told = engine.info.components if engine else {}
    source = "the engine's GET /version"
    found = []
    if version := told.get("containerd"):
        found.append(fact("version", version, Evidence(source=source, value=f"containerd {version}")))
    if version := told.get("runc"):
        said = Evidence(source=source, value=f"runc {version}")
        found.append(fact("runc", version, said, note="makes a container and leaves: no process of it stays"))
    return found


def _pid(process: Process | None) -> list[Fact]:
    if process is None:
        return []
    return [fact("pid", process.pid, Evidence(source=process.path("stat"), value=f"{process.pid} ({process.name})"))]


def _of_shim(processes: Mapping[int, Process], process: Process) -> bool:
    parent = processes.get(process.parent)
    return parent is not None and parent.name.startswith(SHIM)


def _containerd(findings: Findings) -> str:
    known = {part.id for part in findings.parts}
    return next((id for id in ("containerd", "engine") if id in known), "kernel")


def _shim(processes: Mapping[int, Process], inside: Inside, above: str, findings: Findings) -> None:
    if not _of_shim(processes, inside.first):
        return
    shim, id = processes[inside.first.parent], f"shim/{inside.id[:12]}"
    part = Part(id=id, kind="shim", name=f"{shim.name} {inside.id[:12]}", floor="runtime", on=above, facts=_pid(shim))
    findings.parts.append(part)
    child = Evidence(source=inside.first.path("stat"), value=f"{inside.first.name}, parent {shim.pid}")
    findings.links.append(Link(kind="runs", source=id, target=inside.part, evidence=[child]))
    if above == "containerd":
        says = Evidence(source=shim.path("stat"), value=f"{shim.name}, parent {shim.parent}")
        note = "it lets go of its shims, so that containers outlive it"
        link = Link(kind="runs", source=above, target=id, confidence="likely", evidence=[says], note=note)
        findings.links.append(link)


def _told(inside: Inside, row: Listed | None, engine: Engine | None) -> list[Fact]:
    first = inside.first
    facts = [
        fact("id", inside.id, Evidence(source=first.path("cgroup"), value=first.cgroup.splitlines()[0])),
        *_pid(first),
    ]
    if row:
        said = Evidence(source="the engine's GET /containers/json", value=f"{row.name} {row.image}")
        facts += [fact("image", row.image, said)] if row.image else []
        size = _size(row.image, engine.images if engine else {})
        if size is not None:
            said_size = Evidence(source="the engine's GET /images/json", value=f"{row.image} {size}")
            facts.append(fact("imageSize", size, said_size, unit="B"))
        facts.append(fact("engineName", row.name, said))
        facts += [fact("sandbox", True, said, note="it only holds its pod's namespaces")] if row.sandbox else []
    return facts


def _size(image: str, sizes: Mapping[str, int]) -> int | None:
    """An image's bytes. A name without a tag means the latest, as everywhere."""
    return sizes.get(image, sizes.get(f"{image}:latest"))


def _shared(namespaces: Mapping[str, Mapping[str, int]], pods: Mapping[str, str]) -> dict[str, Counter[int]]:
    """How many containers of each pod are in a namespace."""
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for id, own in namespaces.items():
        if pod := pods.get(id):
            found[pod].update(own.values())
    return found


def _namespace(kind: str, value: int, pid: int, host: Mapping[str, int], pod: Counter[int]) -> Fact:
    note = "the host's" if host.get(kind) == value else "shared within the pod" if pod[value] > 1 else "its own"
    return fact(
        f"{kind}Namespace", value, Evidence(source=f"/proc/{pid}/ns/{kind}", value=f"{kind}:[{value}]"), note=note
    )


def _charged(tree: Tree, cgroups: Cgroups, inside: Inside) -> list[Fact]:
    """Its cgroup, what that is charged for memory and the limit of it."""
    mode = fact("cgroupMode", cgroups.mode, Evidence(source="/proc/self/mountinfo", value=cgroups.mode))
    cgroup = cgroups.named(inside.first.cgroup)
    source = inside.first.path("cgroup")
    if cgroup is None:
        return [mode, fact("cgroup", None, Evidence(source=source), note="outside of what can be seen from here")]
    usage = tree.read(f"{cgroup.directory}/{cgroup.files.usage}")
    path = fact("cgroup", cgroup.directory, Evidence(source=source, value=cgroup.directory))
    return [mode, path, fact("memory", number(usage), usage, unit="B", note=usage.why), cgroups.limit(cgroup)]


def _process(tree: Tree, process: Process, inside: Inside, own: Mapping[str, int], host: Mapping[str, int]) -> Part:
    facts = _pid(process)
    if process is not inside.first:
        joined = observe_namespaces(tree, process.pid)
        for kind in (kind for kind, value in joined.items() if own.get(kind) != value):
            other = _namespace(kind, joined[kind], process.pid, host, Counter())
            facts.append(other.model_copy(update={"note": f"{other.note}, not its container's"}))
    return Part(
        id=f"process/{process.pid}", kind="process", name=process.name, floor="process", on=inside.part, facts=facts
    )


def pods_by_container(listed: Iterable[Listed]) -> dict[str, str]:
    """The part of each container's pod. Of two pods of one name (clusters of their own) the first keeps it."""
    owners: dict[str, str] = {}
    found = {}
    for row in listed:
        if row.pod:
            id = f"pod/{row.pod.namespace}/{row.pod.name}"
            if owners.setdefault(id, row.pod.uid) == row.pod.uid:
                found[row.id] = id
    return found
