"""What is beneath, on machines of every kind: the verdict, who is not believed and why, and where sight ends."""

from pathlib import Path

import pytest

from agent.hardware.evidence import SECRET, Read, Tree
from agent.hardware.findings import Findings
from agent.hardware.host import observe_host
from agent.hardware.kvm import Kvm
from agent.hardware.live import Live
from agent.hardware.virtualization import observe_virtualization
from kubeapi.hardware_v1.layers import Evidence
from kubeapi.meta_v1.types import ObjectMeta
from tests.guests import CASES, HYPERV, INSIDES, KVM, Case, Inside
from tests.machines import Machine, acpi, beneath, disk, dmi, grow, pci, x86


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_beneath(case: Case, tmp_path: Path) -> None:
    layers = beneath(case.machine, tmp_path)
    part = layers.part("hypervisor")
    assert (part.name if part else "") == case.name
    kernel_part = layers.part("kernel")
    assert kernel_part is not None and kernel_part.on == ("hypervisor" if part else "machine")
    refused = [
        conflict.witnesses[1].says
        for conflict in layers.conflicts
        if "is beneath" in conflict.question or "made this" in conflict.question
    ]
    assert tuple(refused) == case.unbelieved
    assert part is None or {name: str(part.value(name)) for name in case.facts} == dict(case.facts)


@pytest.mark.parametrize("case", [case for case in CASES.values() if not case.name])
def test_finding_nothing_is_never_bare_metal(case: Case, tmp_path: Path) -> None:
    layers = beneath(case.machine, tmp_path)
    machine = layers.part("machine")
    told = machine.fact("hypervisor") if machine else None
    assert told and told.value is None and told.confidence == "unknown" and "does not prove bare metal" in told.note
    assert [horizon.part for horizon in layers.horizons] == ["machine"]
    assert "does not prove bare metal" in layers.horizons[0].says


def test_bare_metal_is_only_a_platforms_word(tmp_path: Path) -> None:
    machine = Machine({**x86(hypervisor=False), **dmi("Amazon EC2", "m5.metal"), **acpi("AMAZON"), **pci("1d0f:8061")})
    layers = beneath(machine, tmp_path)
    part = layers.part("machine")
    assert layers.part("hypervisor") is None and part
    told = part.fact("hypervisor")
    assert told and (told.value, told.confidence) == ("none", "likely") and part.value("platform") == "Amazon EC2"


def test_a_hypervisor_outweighs_a_platforms_word_of_metal(tmp_path: Path) -> None:
    """Somebody runs a guest on an instance that is called metal, and copied the names of its firmware."""
    layers = beneath(Machine({**x86(), **dmi("Amazon EC2", "m5.metal"), **acpi("BOCHS")}, (KVM,)), tmp_path)
    part = layers.part("hypervisor")
    assert part and part.name == "QEMU on KVM (Amazon EC2)"


def test_an_imitated_interface_is_told_with_its_reason(tmp_path: Path) -> None:
    layers = beneath(CASES["VirtualBox, which shows Linux KVM's face"].machine, tmp_path)
    [conflict] = [conflict for conflict in layers.conflicts if conflict.part == "hypervisor"]
    assert conflict.verdict == "VirtualBox" and "interface beside its own" in conflict.why
    assert [witness.says for witness in conflict.witnesses] == ["VirtualBox", "KVM"]
    assert "CPUID 0x40000000" in [seen.source for seen in conflict.witnesses[1].evidence]


def test_copied_firmware_makes_a_verdict_only_likely(tmp_path: Path) -> None:
    layers = beneath(CASES["KVM with VMware's names in its firmware"].machine, tmp_path)
    part = layers.part("hypervisor")
    fact = part.fact("hypervisor") if part else None
    assert fact and (fact.value, fact.confidence) == ("KVM", "likely")
    assert "copied" in layers.conflicts[0].why


@pytest.mark.parametrize("inside", INSIDES.values(), ids=INSIDES.keys())
def test_whether_this_is_a_container(inside: Inside, tmp_path: Path) -> None:
    layers = beneath(Machine(inside.files), tmp_path)
    part = layers.part("kernel")
    fact = part.fact("container") if part else None
    assert fact and (fact.value, fact.confidence) == (inside.says, inside.confidence)
    assert inside.shared in fact.note
    conflicts = [conflict for conflict in layers.conflicts if conflict.question == "is this a container?"]
    assert bool(conflicts) == inside.leftover
    for conflict in conflicts:
        assert conflict.verdict == "no container: /.dockerenv is a leftover"
        assert [witness.says for witness in conflict.witnesses] == ["a container", "no container"]
        assert "fixed numbers" in conflict.why


def test_a_guest_that_hosts_guests_though_its_flags_say_no(tmp_path: Path) -> None:
    def answers() -> Kvm:
        return Kvm(True, [Evidence(source="ioctl KVM_CREATE_VCPU", value="ok")])

    files = {**x86(), "/sys/module/kvm_pvm/refcnt": "0\n"}
    layers = beneath(Machine(files, (KVM,)), tmp_path, Live(Machine(files, (KVM,)).cpuid, answers))
    part = layers.part("kernel")
    fact = part.fact("hosts machines") if part else None
    assert fact and fact.value is True and fact.note == "by kvm_pvm"
    assert [conflict.verdict for conflict in layers.conflicts] == ["yes"]


def test_a_machine_that_is_not_here_is_not_asked(tmp_path: Path) -> None:
    """The processor and /dev/kvm of the machine that runs this are no part of a captured tree."""
    findings = Findings()
    observe_virtualization(grow(tmp_path, x86()), findings)
    told = {part.id: part for part in findings.parts}
    assert told["kernel"].value("hosts machines") is None
    evidence = [seen.source for part in findings.parts for fact in part.facts for seen in fact.evidence]
    assert not [source for source in evidence if source.startswith(("CPUID", "ioctl"))]


class Watched(Tree):
    """A tree that notes every file it is asked for."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def path(self, path: str) -> Path:
        self.asked.append(path)
        return super().path(path)

    def read(self, path: str, limit: int = 1 << 20) -> Read:
        self.asked.append(path)
        return super().read(path, limit)


@pytest.mark.parametrize("name", ["Azure", "Firecracker", "EC2 Nitro guest", "VMware", "Xen HVM"])
def test_nothing_secret_is_read_or_told(name: str, tmp_path: Path) -> None:
    machine = CASES[name].machine
    secrets = {f"/proc/{name}": "token=SECRET" for name in ("cmdline", "self/environ", "1/environ", "self/cmdline")}
    secrets["/sys/hypervisor/uuid"] = "SECRET"
    tree = Watched(grow(tmp_path, {**machine.files, **secrets, **disk("sda", "pci0/block/sda", 8, wwid="SECRET")}).root)
    findings = Findings()
    observe_host(tree, findings, machine.live())
    observe_virtualization(tree, findings, machine.live())
    assert "/proc/meminfo" in tree.asked
    assert not [path for path in tree.asked if path.rsplit("/", 1)[-1] in SECRET | {"uuid", "serial", "wwid"}]
    assert b"SECRET" not in findings.document(ObjectMeta()).to_json()


def test_an_asset_tag_is_told_only_where_it_is_azures(tmp_path: Path) -> None:
    owners = dmi("Microsoft Corporation", "Virtual Machine", chassis_asset_tag="SECRET")
    layers = beneath(Machine({**x86(), **owners}, (HYPERV,)), tmp_path)
    assert b"SECRET" not in layers.to_json()
