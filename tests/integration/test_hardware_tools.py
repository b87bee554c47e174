"""What discovery says of the machine that runs the tests, held against independent tools, one after the other.

Nothing here is a number of some machine: a tool and discovery have to agree, or the test states why they differ and proves
by the kernel's own evidence who is right. systemd-detect-virt and virt-what are misled where a virtual machine's root was
built from a container image (`/.dockerenv` is left in it), and know no monitor but by DMI names.
"""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException, ImageNotFound

from agent.hardware.containment import ALONE, FIRST, observe_containment
from agent.hardware.cpuid import by_instruction, no_cpuid, real_cpuid
from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.host import observe_host
from agent.hardware.virtualization import observe_virtualization
from kubeapi.hardware_v1.layers import Layers, Part
from kubeapi.meta_v1.types import ObjectMeta
from tests.machines import grow

pytestmark = pytest.mark.skipif(not Path("/sys/devices/system/cpu/online").exists(), reason="sysfs is not mounted here")

# The tools' words, and ours: any of which may stand in the name of what is beneath.
VM_WORDS = {
    "kvm": ("KVM",), "qemu": ("QEMU", "KVM"), "amazon": ("Amazon EC2", "Nitro"), "aws": ("Amazon EC2",), "xen": ("Xen",),
    "xen-hvm": ("Xen",), "xen-domu": ("Xen",), "xen-dom0": ("Xen",), "vmware": ("VMware",), "oracle": ("VirtualBox",),
    "virtualbox": ("VirtualBox",), "microsoft": ("Hyper-V",), "hyperv": ("Hyper-V",), "google": ("Google",),
    "google_cloud": ("Google",), "parallels": ("Parallels",), "bhyve": ("bhyve",), "apple": ("Apple",),
}  # fmt: skip
CONTAINER_WORDS = {
    "docker": "docker",
    "podman": "podman",
    "lxc": "lxc",
    "lxc-libvirt": "lxc",
    "systemd-nspawn": "systemd-nspawn",
}
# Evidence that systemd-detect-virt and virt-what do not look at.
UNASKED = (
    "/sys/firmware/acpi",
    "/sys/bus/pci",
    "/sys/bus/virtio",
    "/sys/devices/system/clocksource",
    "/proc/stat",
    "SMBIOS",
)


def here() -> Layers:
    """This machine."""
    findings, tree = Findings(), Tree()
    observe_host(tree, findings)
    observe_virtualization(tree, findings)
    return findings.document(ObjectMeta(name="here"))


def part(layers: Layers, id: str) -> Part:
    found = layers.part(id)
    assert found is not None
    return found


def output(*command: str, check: bool = True) -> str:
    """What a tool prints; the test is skipped where the tool is not there or can't run."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment, check=False)
    if check and done.returncode:
        pytest.skip(f"{command[0]} can't run here: {done.stderr.strip()[:200]}")
    return done.stdout.strip()


def flat(rows: list[dict[str, Any]]) -> dict[str, str]:
    """lscpu's fields by name, which newer versions nest."""
    fields: dict[str, str] = {}
    for row in rows:
        fields[row["field"].rstrip(":")] = str(row["data"])
        fields |= flat(row.get("children", []))
    return fields


def test_lscpu_counts_the_same_processors() -> None:
    fields = flat(json.loads(output("lscpu", "-J"))["lscpu"])
    cpu = part(here(), "cpu")
    sockets, cores = fields.get("Socket(s)", ""), fields.get("Core(s) per socket", "")
    if sockets.isdigit() and cores.isdigit():
        assert cpu.value("sockets") == int(sockets) and cpu.value("cores") == int(sockets) * int(cores)
        assert cpu.value("threads per core") == int(fields["Thread(s) per core"])
    if "NUMA node(s)" in fields:
        assert cpu.value("nodes") == int(fields["NUMA node(s)"])
    if fields.get("Architecture") == "x86_64":
        assert cpu.value("model") == fields["Model name"]
        assert bool(cpu.value("hypervisor flag")) == ("hypervisor" in fields["Flags"].split())
    assert part(here(), "kernel").value("arch") in (None, fields["Architecture"])
    assert cpu.value("cpus") == os.sysconf("SC_NPROCESSORS_ONLN")


def test_lscpu_counts_the_same_caches() -> None:
    caches = json.loads(output("lscpu", "-J", "-B", "-C=NAME,ONE-SIZE,ALL-SIZE") or '{"caches": []}')["caches"]
    cpu = part(here(), "cpu")
    for cache in caches:
        fact = cpu.fact(cache["name"])
        assert fact and fact.value == int(cache["one-size"])
        instances = int(cache["all-size"]) // int(cache["one-size"])
        assert fact.note == (f"{instances} of it" if instances > 1 else "")


def test_lscpu_names_the_same_hypervisor() -> None:
    """lscpu takes the first signature of the processor; we go behind a face that is known to be imitated."""
    vendor = flat(json.loads(output("lscpu", "-J"))["lscpu"]).get("Hypervisor vendor")
    if vendor is None:
        pytest.skip("lscpu sees no hypervisor here")
    layers = here()
    name = part(layers, "hypervisor").name
    face = {"Microsoft": "Hyper-V", "Oracle": "VirtualBox"}.get(vendor, vendor)
    disputed = {witness.says for conflict in layers.conflicts for witness in conflict.witnesses}
    assert face.lower() in name.lower() or face in disputed


def test_lsblk_lists_the_same_disks() -> None:
    rows = json.loads(output("lsblk", "-J", "-b", "-d", "-o", "NAME,SIZE,ROTA,MODEL,RM"))["blockdevices"]
    theirs = {row["name"]: row for row in rows if row["size"]}
    ours = {found.name: found for found in here().parts if found.kind == "disk"}
    differ = ours.keys() ^ theirs.keys()
    assert not [name for name in differ if not name.startswith(("loop", "nbd"))]  # which come and go
    for name in ours.keys() & theirs.keys():
        row, disk = theirs[name], ours[name]
        assert disk.value("size") == int(row["size"])
        assert bool(disk.value("rotational")) == row["rota"] and bool(disk.value("removable")) == row["rm"]
        if row["model"] and disk.value("model"):
            assert str(disk.value("model")).split() == str(row["model"]).replace("_", " ").split()


def test_lsblk_tells_the_same_mount_points() -> None:
    """lsblk also tells bind mounts of a part of a file system, as every container has; we tell whole ones only."""
    rows = json.loads(output("lsblk", "-J", "-o", "NAME,MOUNTPOINTS"))["blockdevices"]

    def points(rows: list[dict[str, Any]]) -> set[str]:
        below = [points(row.get("children", [])) for row in rows]
        return {point for row in rows for point in row["mountpoints"] if point}.union(*below)

    for disk in (found for found in here().parts if found.kind == "disk"):
        mounted = str(disk.value("mounted") or "")
        ours = {told.rpartition(" (")[0] for told in mounted.split(", ")} - {""}
        assert ours <= points(rows)


def test_free_and_meminfo_tell_the_same_memory() -> None:
    lines = [line.split() for line in output("free", "-b").splitlines()]
    theirs = {line[0]: int(line[1]) for line in lines if line[0].endswith(":")}
    memory = part(here(), "memory")
    assert (memory.value("total"), memory.value("swap")) == (theirs["Mem:"], theirs["Swap:"])
    meminfo = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert memory.value("commit limit") == int(meminfo["CommitLimit"].split()[0]) * 1024


def agrees_on_vm(words: list[str]) -> None:
    """A tool's words for virtual machines against our verdict; where they differ, ours has evidence that it did not ask."""
    layers = here()
    hypervisor = layers.part("hypervisor")
    if hypervisor is None:
        assert not words or all(word in ("amazon", "aws") for word in words)  # they call EC2's metal by its house
        return
    disputed = {witness.says for conflict in layers.conflicts for witness in conflict.witnesses}
    seen = [seen.source for fact in hypervisor.facts for seen in fact.evidence]
    for word in words:
        told = VM_WORDS.get(word, ())
        assert not told or any(name in hypervisor.name or name in disputed for name in told), (word, hypervisor.name)
    if not words:
        assert [source for source in seen if source.startswith(UNASKED)], (
            "we saw a hypervisor by what the tool asks, too"
        )


def agrees_on_container(word: str) -> None:
    """A tool's word for containers against our verdict; where they differ, the kernel's first namespaces decide."""
    layers = here()
    container = part(layers, "kernel").fact("container")
    assert container is not None
    first = {name: os.readlink(f"/proc/self/ns/{name}") == f"{name}:[{number}]" for name, number in FIRST.items()}
    if container.value == "none" and word == "container-other" and not first["pid"]:
        # systemd since 256 takes a process namespace of its own for a container; a chroot by `unshare --pid` has one too.
        assert ALONE in container.note
        assert all(own for name, own in first.items() if name != "pid")
    elif container.value == "none" and word:
        # Misled: a file says container, and the kernel's numbers say that this process is in no namespace of its own.
        [conflict] = [conflict for conflict in layers.conflicts if conflict.question == "is this a container?"]
        assert "is a leftover" in conflict.verdict and "fixed numbers" in conflict.why
        assert all(Path(seen.source).exists() for seen in conflict.witnesses[0].evidence)
        assert all(first.values())
    elif container.value not in ("none", None) and not word:
        assert not all(first.values())  # it has namespaces of its own, and no file that the tool knows
    elif word in CONTAINER_WORDS and container.value not in ("a container", None):
        assert container.value == CONTAINER_WORDS[word]


def test_systemd_detect_virt_names_the_same_hypervisor() -> None:
    word = output("systemd-detect-virt", "--vm", check=False)
    if not word:
        pytest.skip("systemd-detect-virt can't run here")
    agrees_on_vm([] if word == "none" else [word])


def test_systemd_detect_virt_is_misled_by_leftover_files_only() -> None:
    word = output("systemd-detect-virt", "--container", check=False)
    if not word:
        pytest.skip("systemd-detect-virt can't run here")
    agrees_on_container("" if word == "none" else word)


def test_virt_what_names_the_same_hypervisor_and_is_misled_by_leftover_files_only() -> None:
    if os.geteuid():
        pytest.skip("virt-what needs root")
    facts = output("virt-what").split()
    containers = [fact for fact in facts if fact in CONTAINER_WORDS]
    agrees_on_vm([fact for fact in facts if fact in VM_WORDS])
    agrees_on_container(containers[0] if containers else "")


def test_both_ways_to_ask_the_processor_answer_the_same() -> None:
    ask = real_cpuid()
    if ask is no_cpuid:
        pytest.skip("this processor has no CPUID")
    try:
        instruction = by_instruction()
    except (OSError, ValueError) as error:
        pytest.skip(f"no page may be made executable here: {error}")
    for leaf in (0, 0x40000000):
        by_code, told = instruction(leaf), ask(leaf)
        assert by_code and told and by_code[:4] == told[:4]
    vendor = part(here(), "cpu").value("vendor")
    first = instruction(0)
    assert first and first._replace(ecx=first.edx, edx=first.ecx).signature == vendor  # in that order at leaf 0


def test_discovery_of_the_machine_takes_less_than_twenty_milliseconds() -> None:
    def seconds() -> float:
        before = time.process_time()
        here()
        return time.process_time() - before

    here()  # what is built once for a process, such as the documents' validators
    assert min(seconds() for _ in range(10)) < 0.020


FIRST_PID = "pid:[4026531836]"  # the kernel's own number of its first namespace
SHOW = """
for name in pid uts ipc cgroup user time; do echo "ns $name $(readlink /proc/self/ns/$name)"; done
while read line; do echo "mount $line"; done < /proc/self/mountinfo
while read line; do echo "cgroup $line"; done < /proc/self/cgroup
"""


@pytest.mark.docker
@pytest.mark.parametrize(
    "shared",
    [{}, {"pid_mode": "host"}, {"pid_mode": "host", "ipc_mode": "host", "uts_mode": "host", "network_mode": "host"}],
    ids=["alone", "pid of the host", "all of the host's"],
)
def test_a_real_container_is_one_whatever_it_shares(shared: dict[str, str], tmp_path: Path) -> None:
    """Even without `/.dockerenv`: by namespaces and by the storage that its files come from."""
    try:
        client = docker.from_env()
        told = client.containers.run("naru/base", ["sh", "-c", SHOW], remove=True, **{"network_mode": "none", **shared})
    except ImageNotFound:
        pytest.skip("image naru/base is not on this engine")
    except DockerException as error:
        pytest.skip(f"no engine: {error}")
    client.close()
    files: dict[str, str | bytes | Path] = {}
    lines = [line.split(" ", 1) for line in told.decode().splitlines()]
    for kind, path in (("mount", "/proc/self/mountinfo"), ("cgroup", "/proc/self/cgroup")):
        files[path] = "".join(f"{line[1]}\n" for line in lines if line[0] == kind)
    for name, link in (line[1].split(" ") for line in lines if line[0] == "ns"):
        files[f"/proc/self/ns/{name}"] = Path(link or "none")
    seen = observe_containment(grow(tmp_path, files))
    assert seen.inside and seen.kind == "docker"
    assert seen.confidence == ("likely" if len(shared) == 4 and {"pid", "cgroup"} <= {*seen.shared} else "certain")
    first = str(Path("/proc/self/ns/pid").readlink()) == FIRST_PID  # a chroot may have numbers of its own
    assert ("pid" in seen.shared) == ("pid_mode" in shared and first)
