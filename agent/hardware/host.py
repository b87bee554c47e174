"""The machine that the kernel sees: what it is made of, each a part with its facts.

    processors ─┐
    memory      ├─ stand on `machine`; the kernel stands on it too, until a hypervisor is found between the two
    disks       │  (virtualization.py)
    kernel     ─┘

Everything here is what this kernel was told. In a virtual machine that is what the hypervisor lends; in a container it is
the host's, for a container has no hardware of its own.
"""

from __future__ import annotations

from agent.hardware.disks import observe_disks
from agent.hardware.evidence import Tree, fact
from agent.hardware.findings import Findings
from agent.hardware.kernel import observe_kernel
from agent.hardware.live import Live
from agent.hardware.processors import observe_processors
from agent.hardware.ram import observe_ram
from kubeapi.hardware_v1.layers import Fact, Part

# What firmware says of the whole: names only. Serial numbers, UUIDs and asset tags lie beside them and are not read.
FIRMWARE = {"vendor": "sys_vendor", "model": "product_name", "board": "board_name", "firmware": "bios_vendor"}


def observe_host(tree: Tree, findings: Findings, live: Live | None = None) -> None:
    """Adds `machine`, `cpu`, `memory`, `disk/NAME` and `kernel`."""
    live = live or Live.of(tree)
    facts = _firmware(tree)
    name = " ".join(str(fact.value) for fact in facts if fact.name in ("vendor", "model"))
    findings.parts.append(
        Part(id="machine", kind="machine", name=name or "this machine", floor="hardware", facts=facts)
    )
    observe_processors(tree, findings)
    observe_ram(tree, findings)
    observe_disks(tree, findings)
    observe_kernel(tree, findings, live)


def _firmware(tree: Tree) -> list[Fact]:
    """The machine's names as its firmware tells them; nothing where it has none, as in a microVM."""
    reads = {name: tree.read(f"/sys/class/dmi/id/{file}") for name, file in FIRMWARE.items()}
    return [fact(name, read.text.strip(), read) for name, read in reads.items() if read.text and read.text.strip()]
