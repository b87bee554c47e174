"""The processors, as the kernel counts them: sockets, cores, threads and caches from sysfs's topology, names from cpuinfo.

The topology is the kernel's own, the same on every architecture. In a virtual machine it is a story that the hypervisor
tells: two "cores" may be two threads of one. cpuinfo is x86's and arm64's in two different words.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from kubeapi.hardware_v1.layers import Evidence, Fact, Part

CPUS = "/sys/devices/system/cpu"
HERTZ_NOTE = "at this moment"
MOST = 8192  # processors that a kernel can be built for; a broken file may tell any number
# Linux names arm64 cores by number only; these are the ones that servers have (MIDR: implementer, part).
ARM_CORES = {
    ("0x41", "0xd03"): "ARM Cortex-A53", ("0x41", "0xd08"): "ARM Cortex-A72", ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd0c"): "ARM Neoverse-N1", ("0x41", "0xd40"): "ARM Neoverse-V1", ("0x41", "0xd49"): "ARM Neoverse-N2",
    ("0x41", "0xd4f"): "ARM Neoverse-V2", ("0xc0", "0xac3"): "Ampere-1", ("0x48", "0xd01"): "HiSilicon TaiShan v110",
    ("0x61", "0x000"): "Apple silicon",
}  # fmt: skip


class Topology(NamedTuple):
    """Distinct packages and cores of the processors that are online."""

    sockets: int
    cores: int


def observe_processors(tree: Tree, findings: Findings) -> None:
    """Adds `cpu`: one part for all of them."""
    info = tree.read("/proc/cpuinfo")
    first = _fields((info.text or "").split("\n\n", 1)[0])
    flags = set(first.get("flags", first.get("Features", "")).split())
    facts = [*_model(first), *_counts(tree), *_caches(tree), *_hertz(tree, first), *_flags(first, flags)]
    nodes = [name for name in tree.names("/sys/devices/system/node") if re.fullmatch(r"node\d+", name)]
    if nodes:
        seen = Evidence(source="/sys/devices/system/node", value=" ".join(nodes))
        facts.append(fact("nodes", len(nodes), seen, note="memory nodes (NUMA)"))
    name = str(next((fact.value for fact in facts if fact.name == "model"), "processors"))
    findings.parts.append(Part(id="cpu", kind="cpu", name=name, floor="hardware", on="machine", facts=facts))


def cpu_list(text: str) -> list[int]:
    """The numbers of a list as the kernel writes it, `0-3,8`. What is broken in it is left out."""
    numbers: list[int] = []
    for span in text.strip().split(","):
        if found := re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", span):
            numbers += range(int(found[1]), min(int(found[2] or found[1]), MOST) + 1)
    return numbers


def _fields(block: str) -> dict[str, str]:
    """One processor's lines of cpuinfo."""
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, colon, value in pairs if colon}


def _model(fields: dict[str, str]) -> list[Fact]:
    def seen(*names: str) -> Evidence:
        told = ", ".join(f"{name}: {fields[name]}" for name in names if name in fields)
        return Evidence(source="/proc/cpuinfo", value=told)

    facts = []
    if model := fields.get("model name"):
        facts.append(fact("model", model, seen("model name")))
    elif part := fields.get("CPU part"):
        maker = fields.get("CPU implementer", "")
        name = ARM_CORES.get((maker, part), f"arm64 core {maker}/{part}")
        facts.append(fact("model", name, seen("CPU implementer", "CPU part"), confidence="likely"))
    if vendor := fields.get("vendor_id"):
        facts.append(fact("vendor", vendor, seen("vendor_id")))
    return facts


def _counts(tree: Tree) -> list[Fact]:
    online = tree.read(f"{CPUS}/online")
    cpus = cpu_list(online.text or "")
    if not cpus:
        return []
    counted = fact("cpus", len(cpus), online)
    topology = _topology(tree, cpus)
    if topology is None:
        return [counted]
    seen = Evidence(
        source=f"{CPUS}/cpu*/topology/{{physical_package_id,core_id}}",
        value=f"{topology.sockets} packages, {topology.cores} cores",
    )
    return [
        counted,
        fact("sockets", topology.sockets, seen),
        fact("cores", topology.cores, seen),
        fact("threads per core", max(1, len(cpus) // topology.cores), seen, online),
    ]


def _topology(tree: Tree, cpus: list[int]) -> Topology | None:
    places = []
    for cpu in cpus:
        package = tree.read(f"{CPUS}/cpu{cpu}/topology/physical_package_id").text
        core = tree.read(f"{CPUS}/cpu{cpu}/topology/core_id").text
        if package is None or core is None:
            return None
        places.append((package.strip(), core.strip()))
    return Topology(len({package for package, _ in places}), len(set(places)))


def _caches(tree: Tree) -> list[Fact]:
    """L1d, L1i, L2, L3: the size of one, and how many there are (a processor's own, or shared by some)."""
    facts = []
    cpus = cpu_list(tree.read(f"{CPUS}/online").text or "")
    for index in (name for name in tree.names(f"{CPUS}/cpu0/cache") if name.startswith("index")):
        home = f"{CPUS}/cpu0/cache/{index}"
        size = tree.read(f"{home}/size")
        level, kind = ((tree.read(f"{home}/{file}").text or "").strip() for file in ("level", "type"))
        found = re.fullmatch(r"(\d{1,9})([KMG])", (size.text or "").strip())
        if not found or not level:
            continue
        number = int(found[1]) * 1024 ** (" KMG".index(found[2]))
        name = f"L{level}" + {"Data": "d", "Instruction": "i"}.get(kind, "")
        instances = _instances(tree, cpus, index)
        facts.append(fact(name, number, size, unit="B", note=f"{instances} of it" if instances > 1 else ""))
    return facts


def _instances(tree: Tree, cpus: list[int], index: str) -> int:
    """How many caches of a kind there are: each is looked at once, through the first processor that shares it."""
    left, instances = list(cpus), 0
    while left:
        shared = tree.read(f"{CPUS}/cpu{left[0]}/cache/{index}/shared_cpu_list")
        gone = {left[0], *cpu_list(shared.text or "")}
        left = [cpu for cpu in left if cpu not in gone]
        instances += 1
    return instances


def _hertz(tree: Tree, fields: dict[str, str]) -> list[Fact]:
    facts = []
    if re.fullmatch(r"\d{1,6}(\.\d+)?", now := fields.get("cpu MHz", "")):
        seen = Evidence(source="/proc/cpuinfo", value=f"cpu MHz: {now}")
        facts.append(fact("frequency", round(float(now)), seen, unit="MHz", note=HERTZ_NOTE))
    most = tree.read(f"{CPUS}/cpu0/cpufreq/cpuinfo_max_freq")  # kHz
    if re.fullmatch(r"\d{1,9}", (most.text or "").strip()):
        facts.append(fact("highest frequency", int(most.text or "0") // 1000, most, unit="MHz"))
    return facts


def _flags(fields: dict[str, str], flags: set[str]) -> list[Fact]:
    """x86's only: arm64 has no flag that would tell."""
    if "flags" not in fields:
        return []

    def seen(*names: str) -> Evidence:
        told = [name for name in names if name in flags]
        return Evidence(source="/proc/cpuinfo flags", value=" ".join(told) or f"(no {' or '.join(names)})")

    under = "a hypervisor is beneath" if "hypervisor" in flags else "absent: a hypervisor may hide it"
    host = next((flag for flag in ("vmx", "svm") if flag in flags), None)
    note = "" if host else "not shown, which does not tell whether virtual machines can run"
    return [
        fact("hypervisor flag", "hypervisor" in flags, seen("hypervisor"), note=under),
        fact("virtualization flag", host, seen("vmx", "svm"), note=note),
    ]
