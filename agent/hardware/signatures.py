"""What gives a hypervisor away, as data: products, and the marks by which each source knows them.

A product has a role. The *hypervisor* is what the kernel runs on and the processor answers for (KVM, Xen, Hyper-V). A
*monitor* is the program that made this very machine of it (QEMU, Firecracker), told by firmware and devices, never by the
processor: KVM signs alike for all of them. A *platform* is the house that runs it (EC2, Azure), which may also lend bare
metal. Marks are facts of those products; sources: their code, and the kernel's arch/x86/kernel/cpu/.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Role = Literal["hypervisor", "monitor", "platform", "metal"]


class Product(NamedTuple):
    """A product's name, what it is, and the hypervisors that it works with (the usual one first)."""

    name: str
    role: Role
    on: tuple[str, ...] = ()


PRODUCTS: dict[str, Product] = {
    "kvm": Product("KVM", "hypervisor"),
    "tcg": Product("QEMU's emulation (TCG)", "hypervisor"),
    "xen": Product("Xen", "hypervisor"),
    "hyper-v": Product("Hyper-V", "hypervisor"),
    "vmware": Product("VMware", "hypervisor"),
    "virtualbox": Product("VirtualBox", "hypervisor"),
    "parallels": Product("Parallels", "hypervisor"),
    "bhyve": Product("bhyve", "hypervisor"),
    "apple": Product("Apple Virtualization", "hypervisor"),
    "acrn": Product("ACRN", "hypervisor"),
    "qnx": Product("QNX Hypervisor", "hypervisor"),
    "jailhouse": Product("Jailhouse", "hypervisor"),
    "nvmm": Product("NVMM", "hypervisor"),
    "openbsd": Product("OpenBSD vmm", "hypervisor"),
    "qemu": Product("QEMU", "monitor", ("kvm", "tcg", "xen")),
    "firecracker": Product("Firecracker microVM", "monitor", ("kvm",)),
    "cloud-hypervisor": Product("Cloud Hypervisor", "monitor", ("kvm", "hyper-v")),
    "crosvm": Product("crosvm", "monitor", ("kvm",)),
    "nitro": Product("Nitro", "monitor", ("kvm",)),
    "ec2": Product("Amazon EC2", "platform", ("kvm", "xen")),
    "gce": Product("Google Compute Engine", "platform", ("kvm",)),
    "azure": Product("Microsoft Azure", "platform", ("hyper-v",)),
    "wsl2": Product("Windows Subsystem for Linux 2", "platform", ("hyper-v",)),
    "openstack": Product("OpenStack", "platform", ("kvm", "xen", "vmware")),
    "kubevirt": Product("KubeVirt", "platform", ("kvm",)),
    "ovirt": Product("oVirt", "platform", ("kvm",)),
    "proxmox": Product("Proxmox VE", "platform", ("kvm",)),
    "nutanix": Product("Nutanix AHV", "platform", ("kvm",)),
    "alibaba": Product("Alibaba Cloud", "platform", ("kvm", "xen")),
    "tencent": Product("Tencent Cloud", "platform", ("kvm",)),
    "digitalocean": Product("DigitalOcean", "platform", ("kvm",)),
    "hetzner": Product("Hetzner Cloud", "platform", ("kvm",)),
    "scaleway": Product("Scaleway", "platform", ("kvm",)),
    "vultr": Product("Vultr", "platform", ("kvm",)),
    "akamai": Product("Akamai (Linode)", "platform", ("kvm",)),
    "metal": Product("bare metal", "metal"),
}

# Whose interface a hypervisor offers beside its own, so that guests use drivers which they already have.
IMITATES: dict[str, frozenset[str]] = {
    "kvm": frozenset(("hyper-v",)),
    "xen": frozenset(("hyper-v",)),
    "virtualbox": frozenset(("kvm", "hyper-v")),
    "parallels": frozenset(("kvm", "hyper-v")),
    "vmware": frozenset(("hyper-v",)),
}

# The twelve letters at CPUID 0x40000000, and at each further base 0x100 above it.
CPUID = {
    "KVMKVMKVM": "kvm",
    "Linux KVM Hv": "kvm",
    "TCGTCGTCGTCG": "tcg",
    "XenVMMXenVMM": "xen",
    "Microsoft Hv": "hyper-v",
    "VMwareVMware": "vmware",
    "VBoxVBoxVBox": "virtualbox",
    " lrpepyh  vr": "parallels",
    " prl hyperv": "parallels",
    "prl hyperv": "parallels",
    "bhyve bhyve": "bhyve",
    "BHyVE BHyVE": "bhyve",
    "Apple VZ": "apple",
    "ACRNACRNACRN": "acrn",
    "QNXQVMBSQG": "qnx",
    "Jailhouse": "jailhouse",
    "___ NVMM ___": "nvmm",
    "OpenBSDVMM58": "openbsd",
}

# OEM id (bytes 10 to 16) of an ACPI table's header.
ACPI_TABLES = ("FACP", "APIC", "DSDT", "MCFG", "HPET", "WAET", "GTDT", "SRAT")  # whose header is looked at
ACPI = {
    "FIRECK": "firecracker",
    "CLOUDH": "cloud-hypervisor",
    "CROSVM": "crosvm",
    "BOCHS": "qemu",
    "VBOX": "virtualbox",
    "VMWARE": "vmware",
    "VRTUAL": "hyper-v",
    "MSFTVM": "hyper-v",
    "Xen": "xen",
    "PRLS": "parallels",
    "BHYVE": "bhyve",
    "ACRN": "acrn",
    "AMAZON": "ec2",
    "Google": "gce",
}


class Firmware(NamedTuple):
    """Names in DMI (a regular expression for each field, from its start), and what they say together."""

    fields: dict[str, str]
    says: tuple[str, ...]


# Files below /sys/class/dmi/id that are read: names of makers and models, never a serial number, UUID or asset tag.
DMI_FIELDS = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "bios_version")
DMI = (
    Firmware({"sys_vendor": "QEMU"}, ("qemu",)),
    Firmware({"bios_vendor": "Bochs"}, ("qemu",)),
    Firmware({"product_name": r"KVM( Virtual Machine)?$"}, ("kvm",)),
    Firmware({"sys_vendor": "VMware|VMW"}, ("vmware",)),
    Firmware({"sys_vendor": "innotek GmbH|Oracle", "product_name": "VirtualBox"}, ("virtualbox",)),
    # A Surface laptop has the same vendor: only the product makes it a guest.
    Firmware({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine$"}, ("hyper-v",)),
    Firmware({"sys_vendor": "Xen"}, ("xen",)),
    Firmware({"sys_vendor": "Parallels"}, ("parallels",)),
    Firmware({"bios_vendor": "BHYVE"}, ("bhyve",)),
    Firmware({"product_name": "Apple Virtualization"}, ("apple",)),
    Firmware({"sys_vendor": "Cloud Hypervisor"}, ("cloud-hypervisor",)),
    Firmware({"product_name": "crosvm"}, ("crosvm",)),
    Firmware({"sys_vendor": "Amazon EC2", "product_name": r"[^.]+\.metal"}, ("ec2", "metal")),
    Firmware({"sys_vendor": "Amazon EC2", "product_name": r"[^.]+\.(?!metal)\w"}, ("ec2", "nitro")),
    Firmware({"bios_version": r".*\bamazon"}, ("ec2",)),
    Firmware({"product_name": "Google Compute Engine"}, ("gce",)),
    Firmware({"product_name": "OpenStack"}, ("openstack",)),
    Firmware({"sys_vendor": "KubeVirt"}, ("kubevirt",)),
    Firmware({"product_name": "oVirt|RHEV|RHV"}, ("ovirt",)),
    Firmware({"bios_vendor": "Proxmox"}, ("proxmox",)),
    Firmware({"sys_vendor": "Nutanix", "product_name": "AHV"}, ("nutanix",)),
    Firmware({"sys_vendor": "Alibaba Cloud"}, ("alibaba",)),
    Firmware({"sys_vendor": "Tencent Cloud"}, ("tencent",)),
    Firmware({"sys_vendor": "DigitalOcean"}, ("digitalocean",)),
    Firmware({"sys_vendor": "Hetzner", "product_name": "vServer"}, ("hetzner",)),
    Firmware({"sys_vendor": "Scaleway"}, ("scaleway",)),
    Firmware({"sys_vendor": "Vultr"}, ("vultr",)),
    Firmware({"sys_vendor": "Linode|Akamai"}, ("akamai",)),
)
# Azure gives every guest this asset tag. Read of Hyper-V's guests only, and told only where it is this constant.
AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"

# Devices on the first PCI bus, which the machine is made with: `VENDOR:DEVICE SUBVENDOR:SUBDEVICE`, in hexadecimal.
PCI: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern), says)
    for pattern, says in (
        ("8086:0d57", ("firecracker", "cloud-hypervisor")),  # the host bridge of those that share rust-vmm's ancestors
        ("1234:1111", ("qemu",)),
        ("1b36:", ("qemu",)),
        (r"\S+ 1af4:1100", ("qemu",)),
        ("15ad:", ("vmware",)),
        ("80ee:", ("virtualbox",)),
        ("5853:", ("xen",)),
        ("1414:5353", ("hyper-v",)),
        ("1ab8:", ("parallels",)),
        ("fb5d:", ("bhyve",)),
        ("106b:1a05", ("apple",)),
        ("1d0f:", ("ec2",)),
        ("1ae0:", ("gce",)),
    )
)

# What the kernel registered because it found that hypervisor.
CLOCKS = {
    "kvm-clock": "kvm",
    "hyperv_clocksource_tsc_page": "hyper-v",
    "hyperv_clocksource_msr": "hyper-v",
    "xen": "xen",
}
BUSES = {"vmbus": "hyper-v", "xen": "xen"}  # in /sys/bus, where it has devices

# `compatible` in a device tree, which is what arm64 has instead of CPUID.
TREES = {
    "linux,kvm": ("kvm",),
    "xen,xen": ("xen",),
    "vmware,hypervisor": ("vmware",),
    "qemu,pseries": ("qemu",),
    "linux,dummy-virt": ("qemu", "firecracker", "cloud-hypervisor", "crosvm"),
}
