"""The virtual machines that run here, and the taps by which their NICs are plugged in.

A virtual machine is a process to this kernel: one that holds a `kvm-vm`, or one that bears the name of a program that makes
machines without KVM. Which taps it holds its open files tell. Looking through all open files costs, so it is done for
processes with such a name, and for every process only where there is a tap that somebody may hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.processes import Process
from kubeapi.hardware_v1.layers import Confidence, Evidence, Link, Part

# As /proc names them, which is 15 characters at most.
MONITORS = re.compile(r"qemu-.*|firecracker|cloud-hyperviso|crosvm|VBoxHeadless|VirtualBoxVM|vmware-vmx|bhyve")
KVM, TUN = "anon_inode:kvm-vm", "/dev/net/tun"
INTERFACE = re.compile(r"^iff:\s*(\S+)$", re.MULTILINE)


class Held(NamedTuple):
    """What a process has open that only a virtual machine has: by which file it is one of KVM, and its taps' names."""

    kvm: Evidence | None
    taps: dict[str, Evidence]


def observe_guests(tree: Tree, processes: Iterable[Process], findings: Findings) -> None:
    """Adds `vm/PID` for each, and a link `backs` to every tap that it holds."""
    taps = [part for part in findings.parts if part.kind == "tap"]
    for process in processes:
        named = MONITORS.fullmatch(process.name) is not None
        if not named and not taps:
            continue
        held = _held(tree, process)
        mine = [tap for tap in taps if tap.name in held.taps and _may_reach(process, tap)]
        for tap in mine:  # a VPN, say, is no machine, but it holds one too
            tap.facts.append(fact("holder", process.pid, held.taps[tap.name], note=process.name))
        if held.kvm is None and not named:
            continue
        findings.parts.append(_machine(process, held))
        findings.links += [
            Link(kind="backs", source=f"vm/{process.pid}", target=tap.id, evidence=[held.taps[tap.name]])
            for tap in mine
        ]


def _held(tree: Tree, process: Process) -> Held:
    kvm, taps = None, dict[str, Evidence]()
    for number in tree.names(process.path("fd")):
        opened = tree.link(process.path(f"fd/{number}"))
        if opened.text == KVM:
            kvm = opened.evidence
        elif opened.text == TUN:
            read = tree.read(process.path(f"fdinfo/{number}"), 4096)
            if found := INTERFACE.search(read.text or ""):
                taps[found[1]] = Evidence(source=read.path, value=found[0])
    return Held(kvm, taps)


def _machine(process: Process, held: Held) -> Part:
    seen = Evidence(source=process.path("stat"), value=process.name)
    sure: Confidence = "certain" if held.kvm else "likely"
    kvm = held.kvm or Evidence(source=process.path("fd"), value="no kvm-vm, or not permitted")
    facts = [
        fact("monitor", process.name, seen, confidence=sure, note="" if held.kvm else "known by its name"),
        fact("kvm", held.kvm is not None, kvm, confidence=sure),
        fact("pid", process.pid, seen),
    ]
    return Part(id=f"vm/{process.pid}", kind="vm", name=process.name, floor="hypervisor", on="kernel", facts=facts)


def _may_reach(process: Process, tap: Part) -> bool:
    """Devices of two namespaces may share a name: a tap is looked for in the process's own, where that is known."""
    return process.netns == 0 or tap.id.startswith(f"link/{process.netns}/")
