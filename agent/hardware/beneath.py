"""The floors beneath the engine alone: what a Machine's status is made of.

`Discovery` reads the whole tower, containers, rules and all, when somebody asks to see it. An agent looks at its machine by
itself, whenever hardware changes: so it reads only what can be told then, in half the time, and needs no engine for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.guests import observe_guests
from agent.hardware.host import observe_host
from agent.hardware.links import observe_links
from agent.hardware.processes import Process, observe_processes
from agent.hardware.spaces import observe_spaces
from agent.hardware.virtualization import observe_virtualization
from kubeapi.hardware_v1.layers import Layers
from kubeapi.meta_v1.types import ObjectMeta


def observe_beneath(tree: Tree, node: str, now: datetime) -> Layers:
    """Hardware, hypervisor, kernel, network devices and virtual machines."""
    findings = Findings()
    observe_floors(tree, findings, observe_processes(tree), ())
    return findings.document(ObjectMeta(name=node, creation_timestamp=now))


def observe_floors(tree: Tree, findings: Findings, processes: Mapping[int, Process], within: Iterable[Process]) -> None:
    """The same, added to findings. The network namespaces of the processes within are told beside our own."""
    observe_host(tree, findings)
    observe_virtualization(tree, findings)
    observe_links(tree, observe_spaces(tree, within), findings)
    observe_guests(tree, processes.values(), findings)
