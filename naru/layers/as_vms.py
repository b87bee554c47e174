"""`naru layers --as-vms`: what runs now, as if each pod were a virtual machine; what vanishes, and what the rest costs.

    now     process ─ process ─ process        as machines     process │ process │ process
            ───────── one kernel ──────                          OS    │   OS    │   OS
                       NIC                                       NIC   │   NIC   │   NIC
                                                               ────────── hypervisor, OS, NIC ──────────

A pure function of the layers and the memory; what was not read there is an assumption with a source (`hypervisors`).
"""

from __future__ import annotations

import argparse
import math
import pathlib
import sys
from collections.abc import Iterator, Sequence

from kubeapi.hardware_v1.layers import Layers, Part
from kubeapi.hardware_v1.memory import Memory
from kubeapi.hardware_v1.vms import Box, Cost, Guest, Hypervisor, Range, VmBench, Vms
from naru.layers import hypervisors, source
from naru.layers.hypervisors import MIB
from naru.layers.tower import Tower, is_sandbox

SUMMARY = "what runs now as if each pod were a virtual machine: which boxes vanish in containers, what they would cost"
BENCH = "bench-vm.json"
GUEST_STEP = 128  # MiB; RAM is given in such steps
ENGINE = ("dockerd", "containerd", "containerd-shim")
NOTES = [
    "low: only what is touched; high: all of the guests' RAM, which their page caches fill in time",
    "pods of one image share its pages now, and would not between machines: that is in `alone`",
    "KSM, ballooning and virtio-fs DAX can take memory back from guests; none is assumed",
]


def add_arguments(parser: argparse._ArgumentGroup) -> None:
    """The mode has no options of its own."""


def run(options: argparse.Namespace) -> int:
    """Print the boxes and the table."""
    from naru.layers.memory import observe

    vms = as_vms(source.layers(options), observe(options), bench(options.data_dir))
    from naru.cli.layers import document, labels, language, told_in

    if options.output in ("json", "yaml"):
        print(document(vms, options.output), end="")
    else:
        from naru.layers.terminal import Look
        from naru.layers.vms_text import text

        print(text(told_in(vms, language(options)), labels(options), Look.of(sys.stdout)))
    return 0


def bench(data_dir: pathlib.Path) -> VmBench | None:
    """What `make bench-vm` left in DATA_DIR."""
    try:
        return VmBench.from_json((data_dir / BENCH).read_bytes())
    except OSError:
        return None


def as_vms(layers: Layers, memory: Memory, measured: VmBench | None = None) -> Vms:
    """The comparison."""
    tower = Tower(layers)
    held = owners(tower)
    guests = [guest_of(part, tower, memory) for part in held]
    models = [*hypervisors.MODELS, *([hypervisors.measured(measured)] if measured else [])]
    notes = list(NOTES)
    if measured is None:
        notes.append("make bench-vm measures a real guest and a container with the same server on this machine")
    unread = [guest.part for guest in guests if guest.alone is None]
    if unread:
        notes.append(f"memory could not be read, and is left out, for {', '.join(unread)}")
    return Vms(
        metadata=layers.metadata,
        boxes=list(boxes(held, tower, memory)),
        guests=guests,
        hypervisors=[
            model.model_copy(update={"costs": costs(model, guests, memory, measured)}) for model in models
        ],
        notes=notes,
    )  # fmt: skip


def owners(tower: Tower) -> list[Part]:
    """What would be a guest: each pod, and each container that is in none; the sandbox of another cluster's pod is none."""
    pods = tower.pods()
    grouped = {part.id for pod in pods for part in tower.all_above(pod.id)}
    alone = [part for part in tower.parts.values() if part.kind == "container" and part.id not in grouped]
    alone = [part for part in alone if not is_sandbox(part)]
    return [*pods, *sorted(alone, key=lambda part: part.name)]


def processes_of(part: Part, memory: Memory) -> list[Part]:
    """All processes of a pod or container."""
    above = memory.on(part.id)
    return [one for one in above if one.kind == "process"] + [
        process for one in above if one.kind == "container" for process in memory.on(one.id)
    ]


def boxes(guests: Sequence[Part], tower: Tower, memory: Memory) -> Iterator[Box]:
    """The drawing: host process and OS, then process, OS and NIC of each guest."""
    engine = [part for part in memory.parts if part.kind == "process" and not part.on and part.name in ENGINE]
    kernel = tower.parts.get("kernel")
    counted = [f"{sum(part.name == name for part in engine)} x {name}" for name in ENGINE]
    yield Box(
        number=1, layer="process", holds=[count for count in counted if not count.startswith("0 ")],
        why="stays: the container runtime stands where the hypervisor stood",
    )  # fmt: skip
    yield Box(
        number=2, layer="os", holds=[kernel.name] if kernel else [],
        why="stays: the one kernel, which answers the system calls of all",
    )  # fmt: skip
    for index, guest in enumerate(guests, 1):
        inside = processes_of(guest, memory)
        yield Box(
            number=3 * index, layer="process", guest=guest.id, holds=[part.name for part in inside],
            why="stays: processes of the host, in namespaces of their own",
        )  # fmt: skip
        yield Box(
            number=3 * index + 1, layer="os", guest=guest.id, vanishes=True,
            why="vanishes: same kernel as the host's, so system calls go straight to 2",
        )  # fmt: skip
        plugs = tower.plugs(guest)
        wires = [" - ".join(part.name for part in plug if part is not None) for plug in plugs]
        yield Box(
            number=3 * index + 2, layer="nic", guest=guest.id, holds=wires, vanishes=True,
            why="vanishes: no card is imitated and no driver drives it; a veth hands packets to the host's kernel"
            if wires else "vanishes: the pod has no network of its own",
        )  # fmt: skip


def guest_of(owner: Part, tower: Tower, memory: Memory) -> Guest:
    """What a guest would hold."""
    processes = processes_of(owner, memory)
    containers = [part for part in (owner, *tower.all_above(owner.id)) if part.kind == "container"]
    sizes = {str(part.value("image")): part.value("imageSize") for part in containers}
    return Guest(
        part=owner.id,
        processes=len(processes),
        alone=alone(processes),
        images={name: size for name, size in sizes.items() if isinstance(size, int)},
    )


def alone(processes: Sequence[Part]) -> Range | None:
    """Bytes that the processes of one pod would hold in a machine of their own. None where they can't be read."""
    rows = [[part.value(name) for name in ("proportional", "unique", "resident")] for part in processes]
    known = [(p, u, r) for p, u, r in rows if isinstance(p, int) and isinstance(u, int) and isinstance(r, int)]
    if not known or len(known) < len(rows):
        return None
    low = sum(share for share, _, _ in known)
    high = sum(resident for _, _, resident in known)
    typical = sum(unique for _, unique, _ in known) + max(resident - unique for _, unique, resident in known)
    return Range(low=low, typical=min(max(typical, low), high), high=high)


def costs(model: Hypervisor, guests: Sequence[Guest], memory: Memory, measured: VmBench | None) -> list[Cost]:
    """The six rows. Sums over all guests, except for the time, which they spend side by side."""
    count = len(guests)
    given = {assumption.name: assumption.value for assumption in model.assumptions}
    host = [part for part in memory.parts if part.kind == "process" and not part.on and part.name in ENGINE]
    shims = [part for part in host if part.name == "containerd-shim"]
    shim_memory = [value for part in shims if isinstance(value := part.value("proportional"), int)]
    sizes = [sized for guest in guests if guest.alone and (sized := guest_memory(given, guest.alone))]
    share = [guest.alone.low for guest in guests if guest.alone]
    known = {name: size for guest in guests for name, size in guest.images.items()}
    images = [sum(guest.images.values()) for guest in guests if guest.images]
    disk = times(given["disk"], count * MIB)
    return [
        Cost(name="kernels", unit="", now=1, machines=exactly(1 + count), how="the host's, and one per guest"),
        Cost(
            name="OS processes", unit="", now=len(host), machines=times(given["osProcesses"], count),
            how="now: engine, containerd and a shim per container; then per guest VMM, init, agents, services",
        ),
        Cost(
            name="software NICs", unit="", now=0, machines=exactly(count),
            how="an imitated card and its driver per guest, a tap on the host for each; now: a veth, which is neither",
        ),
        Cost(
            name="memory", unit="B", now=sum(share) + sum(shim_memory), machines=added(sizes),
            how="now: proportional memory of pods and shims. Per guest: alone + guestKernel + VMM, where VMM ="
            " vmm + vmmPerVcpu x vcpus + vmmOfRam x RAM; high: all of RAM + VMM;"
            f" RAM = the most of ram and what is needed, in steps of {GUEST_STEP} MiB",
        ),
        Cost(
            name="disk", unit="B", now=sum(known.values()) if known else None,
            machines=added([disk, times(given["imageCopies"], sum(images))]) if len(images) == count else None,
            how="now: each image once. Per guest: disk + imageCopies x its image"
            + ("" if len(images) == count else "; the images' sizes are not known"),
        ),
        Cost(
            name="boot time", unit="s", now=measured.container.seconds.range.typical if measured else None,
            machines=given["boot"], how="one guest until its init or server; now: measured by make bench-vm",
        ),
    ]  # fmt: skip


def guest_memory(given: dict[str, Range], needed: Range) -> Range:
    """Bytes that one guest takes of its host."""
    totals = {}
    for key in ("low", "typical", "high"):
        at = {name: getattr(value, key) for name, value in given.items()}
        touched = getattr(needed, key) / MIB + at["guestKernel"]
        ram = max(at["ram"], math.ceil(touched / GUEST_STEP) * GUEST_STEP)
        vmm = at["vmm"] + at.get("vmmPerVcpu", 0) * at["vcpus"] + at.get("vmmOfRam", 0) * ram
        totals[key] = ((ram if key == "high" else touched) + vmm) * MIB
    return Range(**totals)


def exactly(value: float) -> Range:
    """A number that is sure."""
    return Range(low=value, typical=value, high=value)


def times(value: Range, factor: float) -> Range:
    """A range, so many times."""
    return Range(low=value.low * factor, typical=value.typical * factor, high=value.high * factor)


def added(ranges: Sequence[Range]) -> Range | None:
    """The sum; None of nothing."""
    if not ranges:
        return None
    return Range(
        low=sum(r.low for r in ranges), typical=sum(r.typical for r in ranges), high=sum(r.high for r in ranges)
    )
