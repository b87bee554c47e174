"""The table of a measurement, from its document. Pure."""

from __future__ import annotations

from kubeapi.hardware_v1.vms import Sample, VmBench

MIB = 1 << 20


def table(bench: VmBench) -> str:
    """Both sides, low .. middle .. high of the rounds."""
    guest, inside = bench.guest, bench.container
    rows = [
        ("", "virtual machine", "container"),
        ("until it answers", *(numbers(side.seconds, 1, "s") for side in (guest, inside))),
        ("memory (PSS)", *(numbers(side.memory, MIB, "MiB") for side in (guest, inside))),
        ("resident (RSS)", *(numbers(side.resident, MIB, "MiB") for side in (guest, inside))),
        ("guest's kernel", numbers(bench.guest_kernel, MIB, "MiB"), "none of its own"),
        ("disk", *(f"{side.disk / MIB:.0f} MiB" for side in (guest, inside))),
        ("processes", *(str(side.processes) for side in (guest, inside))),
        ("kernel threads", str(guest.kernel_threads), "none of its own"),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    how = "by KVM" if bench.accelerator == "kvm" else f"emulated: {bench.why}"
    when = bench.metadata.creation_timestamp
    return "\n".join(
        [
            f"{bench.server}, {when:%Y-%m-%d %H:%M} UTC, {bench.machine}"
            if when
            else f"{bench.server}, {bench.machine}",
            f"{bench.hypervisor}, {bench.ram // MIB} MiB of RAM, {bench.kernel}, {how}",
            "",
            *lines,
            "",
            f"{len(guest.seconds.values)} rounds, load {bench.load:.1f} before them. A guest's processes are those"
            " inside and QEMU's own; a container's include its shim, and so does its memory.",
        ]
    )


def numbers(sample: Sample, scale: float, unit: str) -> str:
    """A sample in its unit."""
    found = sample.range
    return " .. ".join(f"{value / scale:.3g}" for value in (found.low, found.typical, found.high)) + f" {unit}"
