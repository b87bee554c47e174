"""What kind of NIC a device is, by the first question that settles it: software, paravirtual, passed through, emulated.

What is left is physical, as far as this kernel sees. That a device hangs on a bus does not make it physical: a hypervisor's
are on buses too. And what a driver says of speed is shown only for what has a wire: a veth says 10 Gb/s, vmxnet3 too, and
no bit of theirs ever meets one.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from agent.hardware.evidence import Read, Tree, fact
from agent.hardware.vendors import vendor_of
from agent.netlink.route import Interface
from kubeapi.hardware_v1.layers import Confidence, Evidence, Fact

Sort = Literal["physical", "passed-through", "paravirtual", "emulated", "software"]
LOOPBACK = 772  # ARPHRD_LOOPBACK
PARAVIRTUAL_BUSES = {"virtio": "virtio", "vmbus": "Hyper-V's VMBus", "xen": "Xen's bus", "xen-backend": "Xen's bus"}
PARAVIRTUAL_DRIVERS = {
    "vmxnet3": "VMware",
    "ena": "Amazon",
    "gve": "Google",
    "mana": "Microsoft",
    "virtio_net": "virtio",
}
VIRTUAL_FUNCTIONS = frozenset({"ixgbevf", "igbvf", "iavf", "i40evf", "cxgb4vf", "rvu_nicvf"})
EMULATED_DRIVERS = frozenset({"e1000", "e1000e", "8139cp", "8139too", "pcnet32", "ne2k-pci", "tulip", "igb"})
# PCI subsystem vendors of those who emulate cards of others: no card of theirs was ever sold.
EMULATORS = {"0x15ad": "VMware", "0x1af4": "QEMU", "0x80ee": "VirtualBox", "0x5853": "Xen", "0x1ab8": "Parallels"}
PCI = re.compile(r"[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


class Device(NamedTuple):
    """What is known of a device for its sort. subsystem is the bus that its driver knows (virtio, pci, usb), maker its PCI
    subsystem vendor, virtual_function whether /sys names a physical function above it."""

    interface: Interface
    hangs: bool = False
    subsystem: str = ""
    driver: str = ""
    maker: str = ""
    virtual_function: bool = False
    in_vm: bool = False


class Verdict(NamedTuple):
    """The sort of a device, how sure it is, and what settled it."""

    sort: Sort
    why: str
    confidence: Confidence = "certain"


def sort_of(device: Device) -> Verdict:
    """The sort of a device."""
    interface, driver = device.interface, device.driver
    if interface.type == LOOPBACK or interface.name == "lo":
        return Verdict("software", "the kernel's loopback")
    if interface.kind:
        return Verdict("software", f"made by the kernel as a {interface.kind}")
    if not device.hangs:
        return Verdict("software", "it hangs on no bus")
    if bus := PARAVIRTUAL_BUSES.get(device.subsystem):
        return Verdict("paravirtual", f"it hangs on {bus}: a device that only a hypervisor offers")
    if device.virtual_function:
        return Verdict("passed-through", "a virtual function of a physical one (SR-IOV)")
    if maker := PARAVIRTUAL_DRIVERS.get(driver):
        return Verdict(
            "paravirtual", f"{driver} drives a device that only {maker}'s hypervisor offers, whatever its bus"
        )
    if driver in VIRTUAL_FUNCTIONS:
        return Verdict("passed-through", f"{driver} drives virtual functions of physical NICs (SR-IOV)")
    if maker := EMULATORS.get(device.maker):
        return Verdict("emulated", f"its PCI subsystem is {maker}'s, which makes no cards")
    if device.in_vm and driver in EMULATED_DRIVERS:
        return Verdict("emulated", f"{driver} in a virtual machine: a card that hypervisors imitate", "likely")
    if device.in_vm and device.subsystem == "pci":
        return Verdict(
            "passed-through", "a PCI device in a virtual machine that no hypervisor is known to imitate", "likely"
        )
    return Verdict("physical", f"on {device.subsystem or 'a bus'}, as this kernel sees it", "likely")


def observe_nic(tree: Tree, interface: Interface, in_vm: bool) -> list[Fact]:
    """The facts of a device of our own namespace: /sys tells of no other. Netlink's word is enough where /sys is silent."""
    at = f"/sys/class/net/{interface.name}"
    place, subsystem = tree.link(at), tree.link(f"{at}/device/subsystem")
    driver, module = tree.link(f"{at}/device/driver"), tree.read(f"{at}/device/subsystem_vendor")
    parent = Evidence(
        source=f"netlink RTM_GETLINK {interface.name}", value=f"{interface.bus} {interface.device}".strip()
    )
    device = Device(
        interface,
        hangs=tree.exists(f"{at}/device") or bool(interface.bus),
        subsystem=_last(subsystem) or interface.bus,
        driver=_last(driver),
        maker=(module.text or "").strip(),
        virtual_function=tree.exists(f"{at}/device/physfn"),
        in_vm=in_vm,
    )
    verdict = sort_of(device)
    kind = Evidence(source=f"netlink RTM_GETLINK {interface.name}", value=f"IFLA_INFO_KIND {interface.kind or 'none'}")
    read = [read for read in (subsystem, driver) if read.text]
    reads: list[Read | Evidence] = [*read] or [parent if interface.bus else kind]
    facts = [fact("sort", verdict.sort, *reads, confidence=verdict.confidence, note=verdict.why)]
    if device.driver:
        facts.append(fact("driver", device.driver, driver))
    elif interface.kind:
        facts.append(fact("driver", interface.kind, kind))
    if device.hangs:
        facts += _bus(tree, interface, device, place, parent)
        facts.append(_speed(tree, at, verdict))
    return facts + mac_facts(tree, interface)


def mac_facts(tree: Tree, interface: Interface) -> list[Fact]:
    """The hardware address, and whose it is."""
    vendor = vendor_of(tree, interface.mac)
    if vendor is None:
        return []
    said = Evidence(source=f"netlink RTM_GETLINK {interface.name}", value=interface.mac)
    address = fact("mac", interface.mac, said, note=vendor.note)
    return [address, fact("vendor", vendor.name, vendor.evidence)] if vendor.name else [address]


def _bus(tree: Tree, interface: Interface, device: Device, place: Read, parent: Evidence) -> list[Fact]:
    """Which bus, where on it, and the driver of the PCI device beneath a virtio one: two true answers to one question."""
    evidence = place if place.text else parent
    facts = [fact("bus", device.subsystem or None, evidence)]
    slots = PCI.findall(place.text or interface.device)
    if slots:
        facts.append(fact("slot", slots[-1], evidence))
        beneath = tree.link(f"/sys/bus/pci/devices/{slots[-1]}/driver")
        if beneath.text and _last(beneath) != device.driver:
            facts.append(fact("busDriver", _last(beneath), beneath))
    return facts


def _speed(tree: Tree, at: str, verdict: Verdict) -> Fact:
    read = tree.read(f"{at}/speed")
    text = (read.text or "").strip()
    told = int(text) if text.removeprefix("-").isdecimal() else -1
    if verdict.sort in ("physical", "passed-through") and told > 0:
        return fact("speed", told, read, unit="Mb/s")
    if told <= 0:
        return fact("speed", None, read, unit="Mb/s", confidence="unknown", note=f"unknown: {_silence(read, verdict)}")
    why = f"unknown: the driver says {told} Mb/s, but there is no wire of its own"
    return fact("speed", None, read, unit="Mb/s", confidence="unknown", note=why)


def _silence(read: Read, verdict: Verdict) -> str:
    if verdict.sort in ("paravirtual", "emulated"):
        return "the hypervisor says none"
    return read.why if read.why in ("absent", "not permitted") else "no link, or the driver says none"


def _last(read: Read) -> str:
    return (read.text or "").rpartition("/")[2]
