"""Machines of every kind and what each is: the tables against which discovery is held."""

from collections.abc import Mapping
from typing import NamedTuple

from tests.machines import Files, Machine, acpi, arm, balloon, bus, clocks, dmi, mounts, namespaces, pci, x86

KVM, HYPERV, VMWARE, XEN = "KVMKVMKVM", "Microsoft Hv", "VMwareVMware", "XenVMMXenVMM"
METAL: Files = (
    dict(x86(hypervisor=False, flags="fpu vmx")) | dmi("Dell Inc.", "PowerEdge R650") | pci("8086:09a2 1028:0a2e")
)
QEMU = (
    x86()
    | dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)")
    | acpi("BOCHS")
    | pci("8086:29c0 1af4:1100", "1af4:1041 1af4:1100")
)
AZURE_TAG = {"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}
DOCKER_ROOT = "0:50 / / overlay overlay rw,upperdir=/var/lib/docker/overlay2/0a/diff"
DOCKER_HOSTS = "8:1 /var/lib/docker/containers/0a1b/hosts /etc/hosts ext4 /dev/sda1 rw"
PODMAN_ROOT = "0:50 / / overlay overlay rw,upperdir=/var/lib/containers/storage/overlay/0a/diff"
POD_HOSTS = "8:1 /var/lib/kubelet/pods/1/etc-hosts /etc/hosts ext4 /dev/sda1 rw"
ROOT_DISK = "8:1 / / ext4 /dev/sda1 rw"


class Case(NamedTuple):
    """A machine, what it is called (empty: nothing was found beneath it), and which faces are not believed."""

    machine: Machine
    name: str
    unbelieved: tuple[str, ...] = ()
    facts: Mapping[str, str] = {}


CASES: dict[str, Case] = {
    "bare metal": Case(Machine(METAL), ""),
    "a laptop of Hyper-V's maker": Case(
        Machine({**x86(hypervisor=False), **dmi("Microsoft Corporation", "Surface Laptop 4")}), ""
    ),
    "VMware": Case(
        Machine({**x86(), **dmi("VMware, Inc.", "VMware7,1"), **acpi("VMWARE"), **pci("15ad:0740", "15ad:0405")}, (VMWARE,)),
        "VMware",
    ),
    "VMware, by its processor alone": Case(Machine(x86(), (VMWARE,)), "VMware"),
    "VirtualBox, which shows Linux KVM's face": Case(
        Machine(
            {**x86(), **dmi("innotek GmbH", "VirtualBox"), **acpi("VBOX"), **pci("80ee:cafe"), **clocks("kvm-clock")}, (KVM,)
        ),
        "VirtualBox",
        ("KVM",),
    ),
    "VirtualBox that signs": Case(Machine({**x86(), **dmi("innotek GmbH", "VirtualBox")}, ("VBoxVBoxVBox",)), "VirtualBox"),
    "Hyper-V": Case(
        Machine(
            {**x86(), **dmi("Microsoft Corporation", "Virtual Machine"), **acpi("VRTUAL"), **bus("vmbus", "a-b", "c-d")},
            (HYPERV,),
            {0x40000003: (0, 0, 0, 0), 0x40000004: (0, 0, 0, 0)},
        ),
        "Hyper-V",
        facts={"form": "guest partition", "beneath": "unknown"},
    ),
    "Hyper-V that is itself a guest of Hyper-V": Case(
        Machine(x86(), (HYPERV,), {0x40000003: (0, 1, 0, 0), 0x40000004: (1 << 12, 0, 0, 0)}),
        "Hyper-V",
        facts={"form": "root partition", "beneath": "Hyper-V"},
    ),
    "Azure": Case(
        Machine({**x86(), **dmi("Microsoft Corporation", "Virtual Machine", **AZURE_TAG), **acpi("VRTUAL")}, (HYPERV,)),
        "Hyper-V (Microsoft Azure)",
    ),
    "WSL2": Case(
        Machine(
            {**x86(), "/proc/sys/kernel/osrelease": "5.15.153.1-microsoft-standard-WSL2\n", **bus("vmbus", "a")}, (HYPERV,)
        ),
        "Hyper-V (Windows Subsystem for Linux 2)",
    ),
    "WSL2 with a kernel of its user's": Case(
        Machine({**x86(), "/proc/sys/fs/binfmt_misc/WSLInterop": "enabled\n"}, (HYPERV,)),
        "Hyper-V (Windows Subsystem for Linux 2)",
    ),
    "Xen HVM": Case(
        Machine(
            {
                **x86(), **dmi("Xen", "HVM domU"), **acpi("Xen"), **pci("5853:0001"), **clocks("xen"),
                **bus("xen", "vbd-768"),
                "/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "HVM\n",
            },
            (XEN,),
        ),
        "Xen",
        facts={"form": "HVM"},
    ),
    "Xen PV, whose processor answers for itself": Case(
        Machine({**x86(), "/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "PV\n"}, ()),
        "Xen",
        facts={"form": "PV"},
    ),
    "Xen PVH": Case(
        Machine({**x86(), "/sys/hypervisor/type": "xen\n", "/sys/hypervisor/guest_type": "PVH\n"}, (XEN,)),
        "Xen",
        facts={"form": "PVH"},
    ),
    "Xen's dom0, in firmware a plain server": Case(
        Machine(
            {**x86(), **dmi("Dell Inc.", "R650"), "/sys/hypervisor/type": "xen\n", "/proc/xen/capabilities": "control_d\n"}
        ),
        "Xen",
        facts={"form": "dom0"},
    ),
    "KVM and QEMU": Case(Machine({**QEMU, **clocks("kvm-clock")}, (KVM,)), "QEMU on KVM"),
    "KVM behind Hyper-V's face (hv_* of QEMU)": Case(Machine(QEMU, (HYPERV, KVM)), "QEMU on KVM", ("Hyper-V",)),
    "KVM that hides its own signature": Case(Machine(QEMU, (HYPERV,)), "QEMU on KVM", ("Hyper-V",)),
    "KVM in a guest of Hyper-V, as its guest sees it": Case(Machine(x86(), (HYPERV, KVM)), "KVM", ("Hyper-V",)),
    "Xen behind Hyper-V's face (viridian)": Case(Machine(x86(), (HYPERV, XEN)), "Xen", ("Hyper-V",)),
    "a QEMU guest that is told it is none": Case(
        Machine({**QEMU, **x86(hypervisor=False)}, (KVM,), hidden=True), "QEMU on KVM"
    ),
    "QEMU's own emulation": Case(Machine(QEMU, ("TCGTCGTCGTCG",)), "QEMU on QEMU's emulation (TCG)"),
    "KVM with VMware's names in its firmware": Case(
        Machine({**x86(), **dmi("VMware, Inc.", "VMware7,1"), **acpi("BOCHS")}, (KVM,)), "QEMU on KVM", ("VMware",)
    ),
    "Firecracker": Case(
        Machine({**x86(stolen=1117), **acpi("FIRECK", "APIC", "DSDT"), **pci("8086:0d57"), **balloon()}, (KVM,)),
        "Firecracker microVM on KVM",
        facts={"balloon": "free page reporting", "beneath": "unknown"},
    ),
    "Firecracker without ACPI, which is any microVM": Case(
        Machine({**x86(), **bus("virtio", "virtio0")}, (KVM,)), "KVM"
    ),
    "Cloud Hypervisor": Case(
        Machine({**x86(), **dmi("Cloud Hypervisor", "cloud-hypervisor"), **acpi("CLOUDH"), **pci("8086:0d57")}, (KVM,)),
        "Cloud Hypervisor on KVM",
    ),
    "Cloud Hypervisor on Hyper-V": Case(Machine({**x86(), **acpi("CLOUDH")}, (HYPERV,)), "Cloud Hypervisor on Hyper-V"),
    "one of two with that host bridge": Case(Machine({**x86(), **pci("8086:0d57")}, (KVM,)), "KVM"),
    "crosvm": Case(Machine({**x86(), **acpi("CROSVM"), **dmi("ChromiumOS", "crosvm")}, (KVM,)), "crosvm on KVM"),
    "EC2 Nitro guest": Case(
        Machine({**x86(), **dmi("Amazon EC2", "m5.large"), **acpi("AMAZON"), **pci("1d0f:8061", "1d0f:ec20")}, (KVM,)),
        "Nitro on KVM (Amazon EC2)",
    ),
    "EC2 on Xen": Case(
        Machine({**x86(), **dmi("Xen", "HVM domU", bios_version="4.11.amazon"), "/sys/hypervisor/type": "xen\n"}, (XEN,)),
        "Xen (Amazon EC2)",
    ),
    "Google Compute Engine": Case(
        Machine({**x86(), **dmi("Google", "Google Compute Engine"), **acpi("Google"), **pci("1ae0:0042")}, (KVM,)),
        "KVM (Google Compute Engine)",
    ),
    "OpenStack": Case(Machine({**QEMU, **dmi("OpenStack Foundation", "OpenStack Nova")}, (KVM,)), "QEMU on KVM (OpenStack)"),
    "Proxmox": Case(
        Machine({**QEMU, "/sys/class/dmi/id/bios_vendor": "Proxmox distribution of EDK II\n"}, (KVM,)),
        "QEMU on KVM (Proxmox VE)",
    ),
    "oVirt": Case(Machine({**QEMU, **dmi("oVirt", "oVirt Node")}, (KVM,)), "QEMU on KVM (oVirt)"),
    "Parallels": Case(
        Machine({**x86(), **dmi("Parallels Software International Inc.", "Parallels Virtual Platform")}, (" lrpepyh  vr",)),
        "Parallels",
    ),
    "bhyve": Case(Machine({**x86(), **dmi("", "BHYVE", bios_vendor="BHYVE"), **acpi("BHYVE")}, ("bhyve bhyve ",)), "bhyve"),
    "a hypervisor that nobody knows": Case(Machine(x86(), ("WhoAmIWhoAmI",)), "a hypervisor that does not tell its name"),
    "time was stolen, and nothing else is told": Case(
        Machine(x86(hypervisor=False, stolen=99)), "a hypervisor that does not tell its name", facts={"stolen time": "0.99"}
    ),
    "arm64, QEMU by its device tree": Case(
        Machine(
            {
                **arm(), "/proc/device-tree/compatible": "linux,dummy-virt\0", "/proc/device-tree/fw-cfg@9020000/reg": "\0",
                "/proc/device-tree/hypervisor/compatible": "linux,kvm\0",
            },
            None,
        ),
        "QEMU on KVM",
    ),
    "arm64, some monitor on KVM": Case(
        Machine({**arm(), "/proc/device-tree/hypervisor/compatible": "linux,kvm\0"}, None), "KVM"
    ),
    "arm64, EC2 guest": Case(Machine({**arm(), **dmi("Amazon EC2", "m6g.large")}, None), "Nitro on KVM (Amazon EC2)"),
    "arm64, Google": Case(Machine({**arm(), **dmi("Google", "Google Compute Engine")}, None), "KVM (Google Compute Engine)"),
    "arm64, a Raspberry Pi": Case(
        Machine({**arm("0xd08"), "/proc/device-tree/compatible": "raspberrypi,4-model-b\0"}, None), ""
    ),
    "arm64, Apple's": Case(
        Machine({**arm("0x000"), **dmi("Apple Inc.", "Apple Virtualization Generic Platform")}, None), "Apple Virtualization"
    ),
}  # fmt: skip


class Inside(NamedTuple):
    """What a kernel shows of itself to whoever asks, and what it is taken for."""

    files: Files
    says: str | None
    confidence: str
    leftover: bool = False
    shared: str = ""


OWN = ("pid", "uts", "ipc", "cgroup")
INSIDES: dict[str, Inside] = {
    "a host": Inside({**x86(), **mounts(ROOT_DISK)}, "none", "certain"),
    "a leftover of an image": Inside({**x86(), **mounts(ROOT_DISK), "/.dockerenv": ""}, "none", "certain", leftover=True),
    "docker": Inside(
        {**x86(), **namespaces(*OWN), **mounts(DOCKER_ROOT, DOCKER_HOSTS), "/.dockerenv": ""}, "docker", "certain"
    ),
    "docker on cgroup v1": Inside(
        {**x86(), **namespaces("pid", "uts", "ipc"), "/proc/self/cgroup": f"4:memory:/docker/{'a1' * 32}\n"},
        "docker", "certain",
    ),
    "docker --pid=host": Inside(
        {**x86(), **namespaces("uts", "ipc", "cgroup"), **mounts(DOCKER_ROOT), "/.dockerenv": ""},
        "docker", "certain", shared="pid",
    ),
    "docker that shares all but its files": Inside({**x86(), **mounts(DOCKER_ROOT), "/.dockerenv": ""}, "docker", "likely"),
    "podman": Inside(
        {**x86(), **namespaces(*OWN, "user"), **mounts(PODMAN_ROOT), "/run/.containerenv": "engine=podman\n"},
        "podman", "certain",
    ),
    "lxc": Inside(
        {
            **x86(), **namespaces(*OWN, "user", "time"),
            **mounts(ROOT_DISK, "0:40 /proc/meminfo /proc/meminfo fuse.lxcfs lxcfs rw"), "/run/systemd/container": "lxc\n",
        },
        "lxc", "certain",
    ),
    "a pod": Inside(
        {**x86(), **namespaces(*OWN), **mounts("0:50 / / overlay overlay rw", POD_HOSTS)},
        "Kubernetes pod", "certain",
    ),
    "namespaces of its own, of no known engine": Inside(
        {**x86(), **namespaces("pid", "uts", "ipc")}, "a container", "likely"
    ),
    "a sandboxed service": Inside({**x86(), **namespaces("ipc", "uts"), **mounts(ROOT_DISK)}, "none", "likely"),
    "namespaces that can't be read": Inside({"/proc/self/mountinfo": ""}, None, "unknown"),
}  # fmt: skip
