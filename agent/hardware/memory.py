"""Memory as promised and as taken, read on demand: the kernel walks a process's page tables to tell its share, a
millisecond or two for each.

Who is in which pod is not asked here: a process's cgroup names its container, and `Layers` knows that container's pod.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from agent.hardware.charge import Cgroups, MemoryCgroup
from agent.hardware.evidence import Read, Tree, fact
from kubeapi.hardware_v1.layers import Evidence, Fact, Layers, Part
from kubeapi.hardware_v1.memory import MACHINE, Memory
from kubeapi.meta_v1.types import ObjectMeta

OVERCOMMIT = {
    0: "heuristic: only a single request larger than all RAM and swap is refused",
    1: "always: nothing is refused",
    2: "never: what would pass the limit is refused",
}
SUMMED = {"promised": "", "committed": "", "resident": "shared pages counted once for each process", "proportional": ""}
SUMMED |= {"unique": "", "swapped": ""}
STATUS = {"promised": "VmSize", "committed": "VmData", "resident": "VmRSS"}
ROLLUP = {"proportional": ("Pss",), "unique": ("Private_Clean", "Private_Dirty"), "swapped": ("SwapPss",)}
AT_LEAST = "at least: "
ESTIMATE = "private writable mappings; what was mapped without a reservation is in it"


class Process(NamedTuple):
    """A process that has an address space: its part, and the cgroup that is charged for it."""

    part: Part
    cgroup: MemoryCgroup | None


def observe_memory(tree: Tree, layers: Layers | None = None) -> Memory:
    """The whole document. Blocks for a millisecond or two per process."""
    known = {part.id: part for part in (layers.parts if layers else ())}
    metadata = layers.metadata if layers else ObjectMeta(creation_timestamp=datetime.now(UTC).replace(microsecond=0))
    cgroups = Cgroups(tree)
    processes = [found for pid in tree.names("/proc") if pid.isdigit() and (found := _process(tree, cgroups, pid))]
    by_container: dict[str, list[Process]] = defaultdict(list)
    for process in processes:
        if process.part.on:
            by_container[process.part.on].append(process)
    containers = [_container(cgroups, id, inside, known.get(id)) for id, inside in sorted(by_container.items())]
    by_pod: dict[str, list[Part]] = defaultdict(list)
    for container in containers:
        if container.on.startswith("pod/"):  # one outside of pods stands on its network namespace
            by_pod[container.on].append(container)
    pods = [_pod(id, inside, known.get(id)) for id, inside in sorted(by_pod.items())]
    machine = _machine(tree, cgroups, [process.part for process in processes])
    return Memory(metadata=metadata, parts=[machine, *pods, *containers, *(process.part for process in processes)])


def _process(tree: Tree, cgroups: Cgroups, pid: str) -> Process | None:
    """None for what has no address space (a kernel thread, a zombie) or has ended meanwhile."""
    status = tree.read(f"/proc/{pid}/status")
    fields = kilobytes(status.text or "")
    if "VmSize" not in fields:
        return None
    facts = [
        fact(name, fields.get(key), _line(status, key, fields), unit="B", note=ESTIMATE if key == "VmData" else "")
        for name, key in STATUS.items()
    ]
    rollup = tree.read(f"/proc/{pid}/smaps_rollup")
    shares = kilobytes(rollup.text or "")
    for name, keys in ROLLUP.items():
        readable = all(key in shares for key in keys)
        evidence = [_line(rollup, key, shares) for key in keys] if readable else [rollup.evidence]
        value = sum(shares[key] for key in keys) if readable else None
        facts.append(fact(name, value, *evidence, unit="B", note="" if readable else rollup.why or "not told"))
    cgroup = cgroups.of(pid)
    container = cgroup.container[:12] if cgroup else ""
    name = next((line[5:].strip() for line in (status.text or "").splitlines() if line.startswith("Name:")), pid)
    on = f"container/{container}" if container else ""
    return Process(Part(id=f"process/{pid}", kind="process", name=name, floor="process", on=on, facts=facts), cgroup)


def _container(cgroups: Cgroups, id: str, inside: list[Process], known: Part | None) -> Part:
    part = Part(id=id, kind="container", name=id.partition("/")[2], floor="container")
    if known:
        part = part.model_copy(update={"name": known.name, "on": known.on, "object": known.object})
    facts = totals(process.part for process in inside)
    if (cgroup := inside[0].cgroup) is not None:
        facts += cgroups.facts(cgroup)
    return part.model_copy(update={"facts": facts})


def _pod(id: str, inside: list[Part], known: Part | None) -> Part:
    """A pod's containers have cgroups of their own: its charge is their sum, and its limit too where all have one."""
    part = Part(id=id, kind="pod", name=id.partition("/")[2], floor="pod", object=known.object if known else None)
    facts = totals(inside)
    for name in ("charged", "workingSet"):
        facts.append(_total(name, [found for part in inside if (found := part.fact(name))], ""))
    limits = [found for part in inside if (found := part.fact("limit"))]
    limited = [limit.value for limit in limits if isinstance(limit.value, int)]
    if limits and len(limited) == len(inside):
        facts.append(fact("limit", sum(limited), Evidence(source="the sum of its containers"), unit="B"))
    else:
        note = f"{len(limited)} of {len(inside)} containers have one" if limited else "none"
        facts.append(fact("limit", None, Evidence(source="the limits of its containers"), unit="B", note=note))
    return part.model_copy(update={"facts": facts})


def totals(parts: Iterable[Part]) -> list[Fact]:
    """The sums over processes or containers of each fact that both have."""
    listed = list(parts)
    return [
        _total(name, [found for part in listed if (found := part.fact(name))], note) for name, note in SUMMED.items()
    ]


def _total(name: str, facts: list[Fact], note: str) -> Fact:
    """A sum that says how many of its terms are missing; null where all are."""
    known = [found.value for found in facts if isinstance(found.value, int)]
    source = Evidence(source=f"the sum of {len(known)} of {len(facts)}")
    if not known:
        return fact(name, None, source, unit="B", note=next((found.note for found in facts), "not told"))
    gaps = [found for found in facts if found.value is None or found.note.startswith(AT_LEAST)]
    if gaps:
        why = gaps[0].note.removeprefix(AT_LEAST)
        return fact(name, sum(known), source, unit="B", confidence="likely", note=f"{AT_LEAST}{why}")
    return fact(name, sum(known), source, unit="B", note=note)


def _machine(tree: Tree, cgroups: Cgroups, processes: list[Part]) -> Part:
    meminfo, mode = tree.read("/proc/meminfo"), tree.read("/proc/sys/vm/overcommit_memory")
    fields = kilobytes(meminfo.text or "")
    facts = [
        fact(name, fields.get(key), _line(meminfo, key, fields), unit="B", note=meminfo.why)
        for name, key in (
            ("total", "MemTotal"), ("available", "MemAvailable"), ("swap", "SwapTotal"), ("swapFree", "SwapFree"),
            ("cache", "Cached"), ("kernelSlab", "Slab"), ("pageTables", "PageTables"), ("hugePages", "Hugetlb"),
        )
    ]  # fmt: skip
    number = int(mode.text) if mode.text and mode.text.strip().isdigit() else None
    meaning = OVERCOMMIT.get(number if number is not None else -1, "")
    facts += [
        fact("overcommit", number, mode, note=mode.why or meaning),
        fact("commitLimit", fields.get("CommitLimit"), _line(meminfo, "CommitLimit", fields), unit="B",
             note="binds" if number == 2 else "does not bind"),
    ]  # fmt: skip
    sums = {found.name: found for found in totals(processes)}
    sums["committed"] = fact(
        "committed", fields.get("Committed_AS"), _line(meminfo, "Committed_AS", fields), unit="B", note=meminfo.why
    )
    facts += sums.values()
    own = cgroups.of("self")
    if own is not None and (limit := cgroups.limit(own)).value is not None:
        facts.append(limit.model_copy(update={"note": "holds for this process; the other numbers are the host's"}))
    return Part(id=MACHINE, kind="memory", name="memory", floor="hardware", on="machine", facts=facts)


def kilobytes(text: str) -> Mapping[str, int]:
    """The lines `Key: number kB` of a file of /proc, in bytes."""
    found = {}
    for line in text.splitlines():
        key, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isascii() and words[0].isdigit():
            found[key] = int(words[0]) * 1024
    return found


def _line(read: Read, key: str, fields: Mapping[str, int]) -> Evidence:
    """The one line of a file that a fact rests on."""
    value = f"{key}: {fields[key] // 1024} kB" if key in fields else f"({read.why or 'no ' + key})"
    return Evidence(source=read.path, value=value)
