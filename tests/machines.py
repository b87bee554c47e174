"""Machines on paper: small /proc and /sys trees, synthesised from what such machines show, and their processors' answers.

A machine is a sum of traits (an x86 kernel, the names in its firmware, what is on its first bus). `grow` writes it below a
directory, so that discovery reads it as it reads the machine it runs on.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from agent.hardware.containment import FIRST
from agent.hardware.cpuid import Cpuid, Leaf
from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.host import observe_host
from agent.hardware.live import Live
from agent.hardware.virtualization import observe_virtualization
from kubeapi.hardware_v1.layers import Layers
from kubeapi.meta_v1.types import ObjectMeta

Files = dict[str, str | bytes | Path]  # a Path is what a symbolic link points to
MEMINFO = "MemTotal: 4030000 kB\nMemFree: 1000 kB\nMemAvailable: 3000000 kB\nSwapTotal: 1048572 kB\n"
MEMINFO += "CommitLimit: 3063572 kB\nCommitted_AS: 500000 kB\nHugePages_Total: 2\nHugepagesize: 2048 kB\n"
HYPERVISOR = 1 << 31  # CPUID.1:ECX


class Machine(NamedTuple):
    """Files, the signatures of its processor's hypervisor leaves (None: it has no such instruction), and further leaves."""

    files: Files
    signatures: tuple[str, ...] | None = ()
    leaves: Mapping[int, tuple[int, int, int, int]] = {}
    hidden: bool = False  # the hypervisor bit is off

    @property
    def cpuid(self) -> Cpuid:
        """Its processor."""

        def ask(leaf: int) -> Leaf | None:
            if self.signatures is None:
                return None
            if leaf == 1:
                return Leaf(0, 0, HYPERVISOR if self.signatures and not self.hidden else 0, 0)
            if leaf in self.leaves:
                return Leaf(*self.leaves[leaf])
            number, rest = divmod(leaf - 0x40000000, 0x100)
            if rest == 0 and 0 <= number < len(self.signatures):
                letters = self.signatures[number].encode().ljust(12, b"\0")
                return Leaf(leaf + 1, *struct.unpack("<3I", letters))
            return Leaf(0, 0, 0, 0)

        return ask

    def live(self) -> Live:
        """What it answers itself."""
        return Live(cpuid=self.cpuid)


def grow(root: Path, files: Files) -> Tree:
    """A tree with these files. A path of which another is a part is left out: trees of random paths have such."""
    for path, content in files.items():
        place = root / path.lstrip("/")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                place.symlink_to(content)
            else:
                place.write_bytes(content if isinstance(content, bytes) else content.encode())
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue
    return Tree(root)


def beneath(machine: Machine, root: Path, live: Live | None = None) -> Layers:
    """What discovery says of a machine on paper."""
    findings = Findings()
    tree = grow(root, machine.files)
    live = live or machine.live()
    observe_host(tree, findings, live)
    observe_virtualization(tree, findings, live)
    return findings.document(ObjectMeta(name="paper"))


def x86(*, hypervisor: bool = True, flags: str = "fpu lm sse2", cpus: int = 2, stolen: int = 0) -> Files:
    """An x86-64 kernel in its first namespaces."""
    shown = flags + (" hypervisor" if hypervisor else "")
    block = f"processor: 0\nvendor_id : GenuineIntel\nmodel name\t: Xeon\ncpu MHz\t: 2400.1\nflags\t\t: {shown}\n"
    return kernel(cpus=cpus, stolen=stolen) | {"/proc/cpuinfo": "\n".join([block] * cpus)}


def arm(part: str = "0xd0c") -> Files:
    """An arm64 kernel: no CPUID, no flag."""
    return kernel() | {
        "/proc/cpuinfo": f"processor : 0\nFeatures : fp asimd\nCPU implementer : 0x41\nCPU part : {part}\n"
    }


def kernel(*, cpus: int = 2, stolen: int = 0) -> Files:
    """What every kernel shows: two threads a core, one socket, a memory node."""
    home = "/sys/devices/system"
    files: Files = {
        "/proc/stat": f"cpu  10 0 20 3000 5 0 1 {stolen} 0 0\nbtime 1795512288\n",
        "/proc/meminfo": MEMINFO,
        "/proc/sys/vm/overcommit_memory": "0\n",
        "/proc/sys/kernel/osrelease": "6.1.0-25-amd64\n",
        "/proc/sys/kernel/version": "#1 SMP\n",
        "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
        "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
        f"{home}/cpu/online": f"0-{cpus - 1}\n",
        f"{home}/node/node0/meminfo": "Node 0 MemTotal:  4030000 kB\n",
    }
    for cpu in range(cpus):
        files[f"{home}/cpu/cpu{cpu}/topology/physical_package_id"] = "0\n"
        files[f"{home}/cpu/cpu{cpu}/topology/core_id"] = f"{cpu // 2}\n"
        for index, (level, kind, size) in enumerate((("1", "Data", "32K"), ("3", "Unified", "8M"))):
            cache = f"{home}/cpu/cpu{cpu}/cache/index{index}"
            shared = f"{cpu - cpu % 2}-{cpu - cpu % 2 + 1}" if level == "1" else f"0-{cpus - 1}"
            files |= {f"{cache}/level": level, f"{cache}/type": kind, f"{cache}/size": size}
            files[f"{cache}/shared_cpu_list"] = shared
    return files | namespaces()


def namespaces(*own: str) -> Files:
    """/proc/self/ns, with namespaces of its own where named."""
    return {f"/proc/self/ns/{name}": Path(f"{name}:[{first + (name in own) * 1000}]") for name, first in FIRST.items()}


def dmi(vendor: str = "", product: str = "", **fields: str) -> Files:
    """Names in firmware, with the secrets that lie beside them."""
    told = {"sys_vendor": vendor, "product_name": product, **fields}
    secret = {"product_serial": "SECRET", "product_uuid": "SECRET", "board_serial": "SECRET"}
    return {f"/sys/class/dmi/id/{field}": f"{value}\n" for field, value in (told | secret).items() if value}


def acpi(maker: str, *tables: str) -> Files:
    """ACPI tables of a maker: a header, and what must not be read behind it."""
    header = b"\xc3\x80\0\0\x01\xff" + maker.encode().ljust(6) + b"TABLE   " + bytes(12)
    return {
        f"/sys/firmware/acpi/tables/{table}": table.encode() + header + b"SECRET"
        for table in tables or ("FACP", "APIC")
    }


def pci(*devices: str) -> Files:
    """Devices on the first bus, `VENDOR:DEVICE` or `VENDOR:DEVICE SUBVENDOR:SUBDEVICE`."""
    files: Files = {}
    for slot, ids in enumerate(devices):
        device, _, sub = ids.partition(" ")
        told = f"DRIVER=x\nPCI_CLASS=20000\nPCI_ID={device.upper()}\nPCI_SUBSYS_ID={sub.upper() or '0000:0000'}\n"
        files[f"/sys/bus/pci/devices/0000:00:{slot:02x}.0/uevent"] = told
    return files


def clocks(*names: str) -> Files:
    """The clock sources that the kernel registered."""
    return {
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": " ".join(("tsc", *names, "acpi_pm"))
        + "\n"
    }


def bus(name: str, *devices: str) -> Files:
    """Devices on a bus made for guests."""
    return {f"/sys/bus/{name}/devices/{device}/uevent": "\n" for device in devices}


def balloon(features: str = "0110010") -> Files:
    """A virtio balloon; the sixth letter of features is free page reporting."""
    home = "/sys/bus/virtio/devices/virtio0"
    interrupts = "      CPU0  CPU1\n 32:  927  3 PCI-MSIX-0000:00:01.0   4-edge      virtio0-reporting_vq\n"
    return {f"{home}/device": "0x0005\n", f"{home}/features": f"{features}\n", "/proc/interrupts": interrupts}


def disk(name: str, path: str, sectors: int, **device: str) -> Files:
    """A whole disk whose place in sysfs is path."""
    home = f"/sys/devices/{path}"
    files: Files = {
        f"{home}/size": f"{sectors}\n",
        f"{home}/dev": "8:0\n",
        f"{home}/queue/rotational": "0\n",
        f"/sys/class/block/{name}": Path(f"../../devices/{path}"),
        f"/sys/block/{name}": Path(f"../devices/{path}"),
        f"{home}/device/serial": "SECRET",
    }
    return files | {f"{home}/device/{field}": f"{value}\n" for field, value in device.items()}


def mounts(*lines: str) -> Files:
    """/proc/self/mountinfo: each line `DEVICE ROOT POINT TYPE SOURCE OPTIONS`."""
    text = ""
    for number, line in enumerate(lines):
        device, root, point, kind, source, options = line.split(" ")
        text += f"{30 + number} 1 {device} {root} {point} rw,relatime - {kind} {source} {options}\n"
    return {"/proc/self/mountinfo": text}
