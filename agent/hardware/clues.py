"""Clues to what is beneath: each source is asked by itself, and tells which products it speaks for.

    processor   CPUID's hypervisor leaves            hard to fake from outside, silent on other machines than x86
    kernel      /sys/hypervisor, clocks, buses, steal  what the kernel found when it started
    firmware    DMI names, ACPI's OEM ids, device tree  written by whoever made the machine, and copied at will
    devices     the first PCI bus, virtio
    software    names and files around the kernel

A clue says nothing about the others; weighing.py weighs them. What can't be read gives no clue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from agent.hardware import signatures as known
from agent.hardware.cpuid import Cpuid
from agent.hardware.evidence import Tree
from kubeapi.hardware_v1.layers import Evidence

Source = Literal["processor", "kernel", "firmware", "devices", "software"]
BASES = range(0x40000000, 0x40010000, 0x100)  # where hypervisors sign, as the kernel itself looks (asm/cpuid)
WITHOUT = 2  # bases in a row without a signature, after which there are no more
PCI_DEVICES = 40  # of the first bus
VIRTUAL_MACHINE = 1 << 4  # SMBIOS type 0, extension byte 2: "the machine is a virtual machine"


class Clue(NamedTuple):
    """What one source speaks for: products, any of which it may be; none means a hypervisor, whichever."""

    source: Source
    says: tuple[str, ...]
    evidence: list[Evidence]


class Privilege(NamedTuple):
    """What the hypervisor lets this kernel be (`dom0`, `root partition`, `PV`), and the hypervisor beneath it, if told."""

    form: str
    evidence: list[Evidence]
    beneath: str = ""


def gather(tree: Tree, cpuid: Cpuid) -> list[Clue]:
    """All clues, the processor's first."""
    found = (_processor(cpuid), _kernel(tree), _dmi(tree), _acpi(tree), _device_tree(tree), _devices(tree), _wsl(tree))
    return [clue for clues in found for clue in clues]


def flag(tree: Tree) -> tuple[bool | None, Evidence]:
    """Whether the processor tells that a hypervisor is beneath; None where it can't (only x86 has the flag)."""
    found = re.search(r"^flags\s*:(.*)$", tree.read("/proc/cpuinfo").text or "", re.MULTILINE)
    if found is None:
        return None, Evidence(source="/proc/cpuinfo flags", value="(absent)")
    has = "hypervisor" in found[1].split()
    return has, Evidence(source="/proc/cpuinfo flags", value="hypervisor" if has else "(no hypervisor)")


def privilege(tree: Tree, cpuid: Cpuid, hypervisor: str) -> Privilege | None:
    """In which form Xen or Hyper-V runs this kernel."""
    if hypervisor == "xen":
        domain = tree.read("/proc/xen/capabilities")
        if "control_d" in (domain.text or ""):
            return Privilege("dom0", [domain.evidence])
        guest = tree.read("/sys/hypervisor/guest_type")
        return Privilege(guest.text.strip(), [guest.evidence]) if guest.text and guest.text.strip() else None
    if hypervisor == "hyper-v" and (rights := cpuid(0x40000003)) and (hints := cpuid(0x40000004)):
        form = "root partition" if rights.ebx & 1 else "guest partition"  # CreatePartitions; TLFS 2.4
        beneath = "Hyper-V" if hints.eax & 1 << 12 else ""  # HV_X64_HYPERV_NESTED, asm/hyperv-tlfs.h
        seen = [rights.evidence(0x40000003, f"ebx {rights.ebx:#x}"), hints.evidence(0x40000004, f"eax {hints.eax:#x}")]
        return Privilege(form, seen, beneath)
    return None


def _processor(cpuid: Cpuid) -> Iterator[Clue]:
    """Signatures, the outermost face first: a hypervisor that imitates another puts its own behind it."""
    first = cpuid(1)
    if first is None or not first.ecx & 1 << 31:
        return
    yield Clue("processor", (), [first.evidence(1, "ecx bit 31 (hypervisor) is set")])
    silent = 0
    for base in BASES:
        leaf = cpuid(base)
        if leaf and (product := known.CPUID.get(leaf.signature)):
            yield Clue("processor", (product,), [leaf.evidence(base, leaf.signature)])
            silent = 0
        elif (silent := silent + 1) == WITHOUT:
            return


def _kernel(tree: Tree) -> Iterator[Clue]:
    kind = tree.read("/sys/hypervisor/type")
    if (name := (kind.text or "").strip()) in ("xen", "kvm"):
        yield Clue("kernel", (name,), [kind.evidence])
    clocks = tree.read("/sys/devices/system/clocksource/clocksource0/available_clocksource")
    for clock in (clocks.text or "").split():
        if clock in known.CLOCKS:
            yield Clue("kernel", (known.CLOCKS[clock],), [Evidence(source=clocks.path, value=clock)])
    for bus, product in known.BUSES.items():
        if devices := tree.names(f"/sys/bus/{bus}/devices"):
            yield Clue(
                "kernel", (product,), [Evidence(source=f"/sys/bus/{bus}/devices", value=f"{len(devices)} devices")]
            )


def _dmi(tree: Tree) -> Iterator[Clue]:
    reads = {field: tree.read(f"/sys/class/dmi/id/{field}") for field in known.DMI_FIELDS}
    names = {field: (read.text or "").strip() for field, read in reads.items()}
    for row in known.DMI:
        if all(re.match(pattern, names[field]) for field, pattern in row.fields.items()):
            yield Clue("firmware", row.says, [reads[field].evidence for field in row.fields])
            if row.says == ("hyper-v",):
                tag = tree.read("/sys/class/dmi/id/chassis_asset_tag")
                if (tag.text or "").strip() == known.AZURE_TAG:
                    yield Clue("firmware", ("azure",), [tag.evidence])
    bios = _bytes(tree, "/sys/firmware/dmi/entries/0-0/raw", 24)
    if len(bios) > 0x13 and bios[1] > 0x13 and bios[0x13] & VIRTUAL_MACHINE:
        yield Clue("firmware", (), [Evidence(source="SMBIOS type 0", value="the machine is a virtual machine")])


def _acpi(tree: Tree) -> Iterator[Clue]:
    """One clue for each maker, with all tables that name it. Nothing but a table's header is read."""
    makers: dict[str, list[Evidence]] = {}
    for table in known.ACPI_TABLES:
        path = f"/sys/firmware/acpi/tables/{table}"
        maker = _bytes(tree, path, 36)[10:16].decode("latin-1").rstrip("\0 ")
        if maker in known.ACPI:
            makers.setdefault(maker, []).append(Evidence(source=f"{path} bytes 10-16", value=maker))
    for maker, evidence in makers.items():
        yield Clue("firmware", (known.ACPI[maker],), evidence)
    boxes = [name for name in tree.names("/sys/bus/acpi/devices") if name.startswith("QEMU0002")]
    if boxes:  # QEMU's fw_cfg
        yield Clue("devices", ("qemu",), [Evidence(source="/sys/bus/acpi/devices", value=boxes[0])])


def _device_tree(tree: Tree) -> Iterator[Clue]:
    for path in ("/proc/device-tree/hypervisor/compatible", "/proc/device-tree/compatible"):
        read = tree.read(path)
        for name in (read.text or "").split("\0"):
            if name in known.TREES:
                yield Clue("firmware", known.TREES[name], [Evidence(source=path, value=name)])
    if boxes := [name for name in tree.names("/proc/device-tree") if name.startswith("fw-cfg")]:
        yield Clue("devices", ("qemu",), [Evidence(source="/proc/device-tree", value=boxes[0])])


def _devices(tree: Tree) -> Iterator[Clue]:
    first = [name for name in tree.names("/sys/bus/pci/devices") if name.startswith("0000:00:")]
    for name in first[:PCI_DEVICES]:
        path = f"/sys/bus/pci/devices/{name}/uevent"
        told = dict(line.partition("=")[::2] for line in (tree.read(path).text or "").splitlines())
        ids = f"{told.get('PCI_ID', '')} {told.get('PCI_SUBSYS_ID', '')}".lower()
        for pattern, says in known.PCI:
            if pattern.match(ids):
                yield Clue("devices", says, [Evidence(source=path, value=ids.strip())])
    if virtio := tree.names("/sys/bus/virtio/devices"):
        told_of = Evidence(source="/sys/bus/virtio/devices", value=" ".join(virtio))
        yield Clue("devices", (), [told_of])


def _wsl(tree: Tree) -> Iterator[Clue]:
    """`microsoft` alone in a kernel's name is no sign; a kernel built by its user has none, but WSL's own files stay."""
    release = tree.read("/proc/sys/kernel/osrelease")
    evidence = [release.evidence] if re.search("WSL2|microsoft-standard", release.text or "") else []
    for path in ("/proc/sys/fs/binfmt_misc/WSLInterop", "/run/WSL", "/mnt/wsl"):
        if tree.exists(path):
            evidence.append(Evidence(source=path, value="present"))
    if evidence:
        yield Clue("software", ("wsl2",), evidence)


def _bytes(tree: Tree, path: str, count: int) -> bytes:
    """The first bytes of a file; none where they can't be had."""
    try:
        with tree.path(path).open("rb") as file:
            return file.read(count)
    except OSError:
        return b""
