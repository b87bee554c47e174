"""Machine: a physical host, or a virtual machine that runs on another Machine.

What a person knows and no program inside can see (which box this VM is on, which switch its NIC is plugged into) is declared
in spec; what the agent read off the kernel is in status. Neither is made to fit the other: where they disagree, a condition
says so (`agreement.py`). Counts are totals of the machine, sizes are bytes, speeds bits per second.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.meta_v1.types import Condition, ListMeta, ObjectMeta
from kubeapi.model import Doc, Int32, Int64, ListMap, Model, Quantity, StrategicMerge, always, empty

BY_NAME = (ListMap(("name",)), StrategicMerge(("merge",), "name"))
BY_TYPE = (ListMap(("type",)), StrategicMerge(("merge",), "type"))


class Machine(Model):
    """A physical host, or a virtual machine that runs on another Machine. Nodes of one host are one failure domain: they carry
    its name in the label topology.naru.dev/host, and replicas are spread over hosts."""

    kind: str = always(lambda: "Machine")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: Annotated[
        MachineSpec, Doc("What a person declares: what can't be seen from inside, and what is expected.")
    ] = always(lambda: MachineSpec())
    status: Annotated[
        MachineStatus, Doc("What the agent found on the machine, and where that disagrees with spec.")
    ] = always(lambda: MachineStatus())


class MachineList(Model):
    """Several Machines."""

    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "MachineList")
    api_version: str = always(lambda: "hardware.naru.dev/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Machine] = always(list)


class MachineSpec(Model):
    """All of it may be left out."""

    runs_on: Annotated[str, Doc("The Machine that this one is a virtual machine of; empty for a physical host.")] = ""
    node: Annotated[
        str, Doc("The Node that this Machine is; the one of the Machine's own name where it is left out.")
    ] = ""
    cpu: Annotated[Cpu | None, Doc("Its processors; a virtual machine has no more threads than its host.")] = None
    memory: Annotated[
        Quantity | None, Doc("Its RAM in bytes, such as 16Gi; a virtual machine has no more than its host.")
    ] = None
    disks: Annotated[list[Disk], *BY_NAME, Doc("Its disks.")] = empty(list)
    nics: Annotated[list[Nic], *BY_NAME, Doc("Its network cards, real or virtual.")] = empty(list)
    hypervisor: Annotated[Hypervisor | None, Doc("What runs virtual machines on it, and the switches in it.")] = None


class Cpu(Model):
    """Processors. Counts are of the whole machine: 1 socket with 8 cores of 2 threads each is 1, 8, 16."""

    sockets: Annotated[Int32, Doc("Chips, as the machine sees them.")] = 0
    cores: Annotated[Int32, Doc("Cores of all sockets.")] = 0
    threads: Annotated[Int32, Doc("What a kernel numbers as CPUs; of a virtual machine its virtual CPUs.")] = 0
    model: Annotated[str, Doc("The model, as /proc/cpuinfo names it.")] = ""


class Disk(Model):
    """A disk, real or virtual."""

    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, Doc("The device's name, such as nvme0n1 or sda.")] = always(str)
    size: Annotated[Quantity | None, Doc("Bytes.")] = None
    kind: Annotated[str, Doc("One of hdd, ssd, nvme, virtual.")] = ""


class Nic(Model):
    """A network card, as it is declared. A virtual machine's is plugged into a switch of its host, or is a NIC of the host
    that was handed through to it."""

    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, Doc("The interface's name, such as eth0 or enp3s0.")] = always(str)
    mac: Annotated[str, Doc("Its hardware address, six pairs of hex digits with colons.")] = ""
    switch: Annotated[str, Doc("The switch of the host's hypervisor that it is plugged into.")] = ""
    passthrough: Annotated[str, Doc("The NIC of the host that it is, instead of a plug in a switch.")] = ""
    speed: Annotated[Quantity | None, Doc("Bits per second, such as 1G or 2500M.")] = None
    model: Annotated[
        str, Doc("The card, such as I225-V; of a virtual one what is emulated: e1000, vmxnet3, virtio.")
    ] = ""


class Hypervisor(Model):
    """What runs virtual machines, and the switches that it has for their NICs."""

    needs: ClassVar[tuple[str, ...]] = ("kind",)
    kind: Annotated[str, Doc("Its name, such as VMware, KVM, Hyper-V, Xen or VirtualBox.")] = always(str)
    version: Annotated[str, Doc("Its version.")] = ""
    switches: Annotated[list[Switch], *BY_NAME, Doc("Its virtual networks.")] = empty(list)


class Switch(Model):
    """A virtual network of a hypervisor: an L2 switch in software, and what joins it to the world."""

    needs: ClassVar[tuple[str, ...]] = ("name", "mode")
    name: Annotated[str, Doc("Its name, such as vmnet8, virbr0 or vmbr0.")] = always(str)
    mode: Annotated[
        str,
        Doc(
            "bridged: joined to the uplink, guests are in the host's network; nat: a router in software translates their "
            "addresses to the host's; hostOnly: no way out of the host."
        ),
    ] = always(str)
    uplink: Annotated[str, Doc("The NIC of this machine that its packets leave by. Required by bridged.")] = ""
    subnet: Annotated[str, Doc("The guests' network, such as 192.168.80.0/24.")] = ""
    words: Annotated[str, Doc("What the hypervisor's own screens call it, such as VMnet8 (NAT).")] = ""


class MachineStatus(Model):
    """What was found. The agent of the machine writes it, from facts that it shows with their evidence in `naru layers`."""

    observed_generation: Annotated[Int64, Doc("The generation of spec that the conditions speak of.")] = 0
    host: Annotated[str, Doc("The physical host at the end of the runsOn chain.")] = ""
    architecture: Annotated[str, Doc("The processor's architecture, such as x86_64.")] = ""
    operating_system: Annotated[str, Doc("The distribution and its version.")] = ""
    kernel: Annotated[str, Doc("The kernel's release.")] = ""
    cpu: Annotated[Cpu | None, Doc("The processors that the kernel sees.")] = None
    memory: Annotated[
        Quantity | None, Doc("The memory that the kernel has (MemTotal): a little less than is installed.")
    ] = None
    disks: Annotated[list[Disk], *BY_NAME, Doc("The disks that the kernel sees.")] = empty(list)
    nics: Annotated[list[SeenNic], *BY_NAME, Doc("The network cards that the kernel sees.")] = empty(list)
    switches: Annotated[list[SeenSwitch], *BY_NAME, Doc("The bridges in the kernel.")] = empty(list)
    beneath: Annotated[Beneath | None, Doc("What the kernel stands on, as far as can be seen from it.")] = None
    hosts_machines: Annotated[
        bool | None, Doc("Whether virtual machines can run on it; nothing where that could not be tried.")
    ] = None
    horizon: Annotated[str, Doc("Beyond what nothing can be seen from this machine.")] = ""
    conditions: Annotated[
        list[Condition], *BY_TYPE,
        Doc("Discovered: the agent has looked. HostFound: runsOn names a Machine. Agrees: nothing in status contradicts spec."),
    ] = empty(list)  # fmt: skip


class SeenNic(Model):
    """A network card, as the kernel of the machine sees it."""

    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, Doc("The interface's name.")] = always(str)
    mac: Annotated[str, Doc("Its hardware address.")] = ""
    kind: Annotated[
        str, Doc("physical, passed-through, paravirtual, emulated or software, as seen from this kernel.")
    ] = ""
    driver: Annotated[str, Doc("The driver, such as virtio_net or igc.")] = ""
    bus: Annotated[str, Doc("Where it is plugged into the machine.")] = ""
    speed: Annotated[Quantity | None, Doc("Bits per second; nothing where no link has a speed of its own.")] = None
    switch: Annotated[str, Doc("The bridge that it is a port of; of a guest's NIC the one its tap is a port of.")] = ""


class SeenSwitch(Model):
    """A bridge in the kernel: what a hypervisor's switch is called there."""

    needs: ClassVar[tuple[str, ...]] = ("name",)
    name: Annotated[str, Doc("The bridge's name.")] = always(str)
    ports: Annotated[
        list[str], Doc("The cards and the taps of virtual machines plugged into it; pods' veths are not told.")
    ] = empty(list)


class Beneath(Model):
    """What a kernel stands on, as far as it shows."""

    kind: Annotated[str, Doc("The hypervisor, such as KVM or VMware; none, or unknown.")] = ""
    monitor: Annotated[str, Doc("The program that makes the virtual machine of it, such as QEMU or Firecracker.")] = ""
    platform: Annotated[str, Doc("Who runs it, such as Amazon EC2.")] = ""
    confidence: Annotated[str, Doc("certain, likely or unknown.")] = ""
    says: Annotated[str, Doc("All of that in words.")] = ""
