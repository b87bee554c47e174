"""What is known of virtual machines' cost, as data: every number with its source. Sizes in MiB, times in seconds.

Models are of three kinds of virtual machine: a general one (QEMU as KubeVirt runs it, a distribution inside), one made for
pods (Kata), one made to be small (Firecracker). A measurement of this machine comes beside them as a fourth.
"""

from __future__ import annotations

from kubeapi.hardware_v1.vms import Assumption, Hypervisor, Range, VmBench

MIB = 1 << 20
KUBEVIRT = "OpenShift Virtualization, per virtual machine: 0.002 x RAM + 218 MiB + 8 MiB x vCPU (openshift-docs#98819)"
FIRECRACKER = "Firecracker SPECIFICATION.md, 1 vCPU and 128 MiB"
KATA_CLASS = "podFixed of kata-deploy's RuntimeClass kata-qemu"
RED_HAT = "Red Hat's example for sandboxed containers 1.10"
DEPOT = "depot.dev, Optimizing microVM boot times: an Ubuntu cloud image until it runs a command"
KUASAR = "kuasar.io, benchmark test report: Kata 2.5"
DEBIAN = "Debian's package linux-image-cloud-amd64 6.1"
CLEAR = "24: clearcontainers/runtime#390; the others assumed"
OWN = "assumed"


def assumed(name: str, unit: str, low: float, typical: float, high: float, source: str) -> Assumption:
    """A row of the table."""
    return Assumption(name=name, unit=unit, value=Range(low=low, typical=typical, high=high), source=source)


VCPU = assumed("vcpus", "", 1, 1, 2, f"{OWN}: one, or two")

QEMU = Hypervisor(
    name="QEMU, as KubeVirt",
    says="a general virtual machine: a disk image with a distribution for every pod",
    assumptions=[
        VCPU,
        assumed("ram", "MiB", 256, 512, 1024, f"{OWN}: the least RAM a distribution is given; rounded up to 128 MiB"),
        assumed("guestKernel", "MiB", 24, 60, 150, f"{CLEAR}; kernel, init, cache"),
        assumed("vmm", "MiB", 218, 218, 218, KUBEVIRT),
        assumed("vmmPerVcpu", "MiB", 8, 8, 8, KUBEVIRT),
        assumed("vmmOfRam", "MiB/MiB", 0.002, 0.002, 0.002, KUBEVIRT),
        assumed("osProcesses", "", 2, 12, 25, f"{OWN}: the VMM and an init; a distribution's dozen; all of its services"),
        assumed("disk", "MiB", 8, 106, 400, f"8 the kernel, 106 with its modules: {DEBIAN}; 400 a distribution: assumed"),
        assumed("imageCopies", "", 0, 1, 1, f"{OWN}: a copy for every guest; none where disks are copied on write"),
        assumed("boot", "s", 0.9, 8, 9, f"{DEPOT}, 8 (7 to 9); below a second with a kernel of its own"),
    ],
)  # fmt: skip

KATA = Hypervisor(
    name="Kata Containers",
    says="a virtual machine made for one pod: an agent instead of a distribution, the image shared in from the host",
    assumptions=[
        VCPU,
        assumed("ram", "MiB", 128, 2048, 2048, "default_memory of Kata's configuration is 2048; 128 assumed as the least"),
        assumed("guestKernel", "MiB", 0, 0, 0, "counted in vmm"),
        assumed("vmm", "MiB", 160, 350, 500, f"160: {KATA_CLASS}; 350 to 500: {RED_HAT}"),
        assumed("osProcesses", "", 3, 4, 5, f"{OWN}: the VMM, virtiofsd (one or two), the agent, its shim"),
        assumed("disk", "MiB", 0, 0, 0, f"{OWN}: one guest kernel and image for all, containers' layers shared in"),
        assumed("imageCopies", "", 0, 0, 1, f"{OWN}: none with virtio-fs; one where images are made block devices"),
        assumed("boot", "s", 0.85, 0.9, 1.8, f"{KUASAR}, 0.85 to 0.95 one by one, to 1.8 with 30 at once"),
    ],
)  # fmt: skip

FIRECRACKER_VM = Hypervisor(
    name="Firecracker",
    says="the smallest: a stripped kernel, a few virtio devices, no firmware",
    assumptions=[
        VCPU,
        assumed("ram", "MiB", 128, 128, 256, f"128: {FIRECRACKER}; 256 assumed"),
        assumed("guestKernel", "MiB", 24, 40, 80, CLEAR),
        assumed("vmm", "MiB", 5, 5, 5, FIRECRACKER),
        assumed("osProcesses", "", 2, 2, 3, f"{OWN}: the VMM, an init, a jailer"),
        assumed("disk", "MiB", 8, 8, 106, f"the kernel; with all its modules: {DEBIAN}"),
        assumed("imageCopies", "", 0, 1, 1, f"{OWN}: a copy for every guest; none where one disk is read by all"),
        assumed("boot", "s", 0.131, 0.137, 0.185, f"{FIRECRACKER}: the VMM 6 to 60 ms (typically 12), then 125 ms to init"),
    ],
)  # fmt: skip

MODELS = (QEMU, KATA, FIRECRACKER_VM)


def measured(bench: VmBench) -> Hypervisor:
    """What was measured here, in the same form. Memory is what the guest took beyond the container with the same server."""
    when = f"{bench.metadata.creation_timestamp:%Y-%m-%d}" if bench.metadata.creation_timestamp else "at some time"
    source = f"make bench-vm, {when}, {bench.machine}"
    guest, inside = bench.guest.memory.range, bench.container.memory.range.typical
    extra = Range(**{key: max(0.0, (value - inside) / MIB) for key, value in guest.to_dict().items()})
    return Hypervisor(
        name="measured here",
        says=f"{bench.hypervisor}, guest kernel {bench.kernel}, serving {bench.server}, {_accelerated(bench)}",
        assumptions=[
            assumed("vcpus", "", 1, 1, 1, source),
            assumed("ram", "MiB", 0, 0, 0, f"counted in vmm; the guest had {bench.ram // MIB} MiB"),
            assumed("guestKernel", "MiB", 0, 0, 0, "counted in vmm"),
            Assumption(name="vmm", unit="MiB", value=extra, source=f"{source}: the guest's memory without the server's"),
            assumed("osProcesses", "", *(bench.guest.processes,) * 3, source),
            assumed("disk", "MiB", *(max(0, bench.guest.disk - bench.container.disk) / MIB,) * 3, source),
            assumed("imageCopies", "", 1, 1, 1, f"{source}: each guest had a disk of its own"),
            Assumption(name="boot", unit="s", value=bench.guest.seconds.range, source=f"{source}, until it answered"),
        ],
    )  # fmt: skip


def _accelerated(bench: VmBench) -> str:
    return "by KVM" if bench.accelerator == "kvm" else f"emulated ({bench.why})"
