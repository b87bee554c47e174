"""Both sides, in turns, so that whatever else the machine does falls on both alike."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import processes
from benchmarks.vm import guest as guests
from benchmarks.vm.container import container, image_size
from benchmarks.vm.guest import Accelerator, Files, boot
from benchmarks.vm.initramfs import Server, archive, files, make_disk, script
from benchmarks.vm.kernel import Kernel
from benchmarks.vm.report import MIB
from benchmarks.vm.switch import Switch
from kubeapi.hardware_v1.vms import Measured, Sample, VmBench
from kubeapi.meta_v1.types import ObjectMeta

KERNELS = ("Slab", "KernelStack", "PageTables", "Percpu")  # what the kernel keeps for itself, of /proc/meminfo


def prepared(work: Path, kernel: Kernel, server: Server) -> Files:
    """A guest's files, in an empty directory."""
    modules = kernel.drivers()
    init = script(server, modules)
    initramfs = work / "initramfs"
    initramfs.write_bytes(archive(files(init, modules)))
    return Files(kernel.image, initramfs, make_disk(server.image, work), server)


class Side:
    """What is measured of one side, round by round. Sizes in bytes."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.memory: list[float] = []
        self.resident: list[float] = []

    def add(self, seconds: float, pids: Sequence[int]) -> None:
        """A round."""
        held = [processes.memory(pid) for pid in pids]
        self.seconds.append(seconds)
        self.memory.append(sum(one.pss for one in held) * MIB)
        self.resident.append(sum(one.rss for one in held) * MIB)

    def document(self, disk: int, programs: int, threads: int = 0) -> Measured:
        """All rounds."""
        samples = (Sample(values=values) for values in (self.seconds, self.memory, self.resident))
        seconds, memory, resident = samples
        return Measured(
            seconds=seconds, memory=memory, resident=resident, disk=disk, processes=programs, kernel_threads=threads
        )


def kernel_memory(told: dict[str, int], ram: int) -> int:
    """What the guest's kernel took before anything ran, and keeps for itself now."""
    return ram - told["MemTotal"] + sum(told.get(key, 0) for key in KERNELS)


def measure(ready: Files, on: Switch, how: Accelerator, ram: int, rounds: int, kernel: Kernel) -> VmBench:
    """So many guests and containers, in turns."""
    load = os.getloadavg()[0]
    machine, inside, kernels = Side(), Side(), []
    told: dict[str, int] = {}
    count = 0
    for _ in range(rounds):
        with boot(ready, on, how, ram) as guest:
            told = guest.told()
            kernels.append(float(kernel_memory(told, ram)))
            machine.add(guest.seconds, [guest.pid])
        with container(ready.server) as running:
            inside.add(running.seconds, [*running.pids, running.shim])
            count = len(running.pids) + 1
    disk = ready.disk.stat().st_blocks * 512 + ready.initramfs.stat().st_size + kernel.image.stat().st_size
    return VmBench(
        metadata=ObjectMeta(creation_timestamp=datetime.now(UTC).replace(microsecond=0)),
        machine=f"{platform.node()}, {processor()}, {os.cpu_count()} cores, Linux {platform.release()}",
        load=load,
        accelerator=how.name,
        why=how.why,
        hypervisor=guests.version(),
        kernel=f"Debian's Linux {kernel.release}",
        server=f"{ready.server.command[0]} of {ready.server.image}",
        ram=ram,
        guest_kernel=Sample(values=kernels),
        guest=machine.document(disk, told["Programs"] + 1, told["Threads"]),
        container=inside.document(image_size(ready.server.image), count),
    )


def processor() -> str:
    """Its name, where the kernel tells one."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
