"""Virtual machines among processes: by what they hold, and by their names where that says nothing."""

from __future__ import annotations

import pathlib

from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.guests import observe_guests
from agent.hardware.processes import Process
from kubeapi.hardware_v1.layers import Part


def opened(root: pathlib.Path, pid: int, *files: tuple[str, str]) -> None:
    """A process's open files, each by what it is and what the kernel tells of it."""
    for number, (target, info) in enumerate(files):
        for folder in ("fd", "fdinfo"):
            (root / f"proc/{pid}/{folder}").mkdir(parents=True, exist_ok=True)
        (root / f"proc/{pid}/fd/{number}").symlink_to(target)
        (root / f"proc/{pid}/fdinfo/{number}").write_text(info)


def tap(name: str, netns: int = 1) -> Part:
    return Part(id=f"link/{netns}/{name}", kind="tap", name=name, floor="network")


def found(
    root: pathlib.Path, *processes: Process, taps: tuple[Part, ...] = ()
) -> tuple[list[Part], list[tuple[str, str]]]:
    findings = Findings(parts=[*taps])
    observe_guests(Tree(root), processes, findings)
    vms = [part for part in findings.parts if part.kind == "vm"]
    return vms, [(link.source, link.target) for link in findings.links if link.kind == "backs"]


def test_who_holds_a_kvm_vm_is_one_whatever_its_name(tmp_path: pathlib.Path) -> None:
    opened(tmp_path, 7, ("anon_inode:kvm-vm", ""), ("/dev/net/tun", "pos:\t0\niff:\ttap0\n"), ("/dev/null", ""))
    (vm,), backs = found(tmp_path, Process(7, 1, "mine"), taps=(tap("tap0"), tap("tap1")))
    assert (vm.id, vm.value("kvm")) == ("vm/7", True)
    assert all(fact.confidence == "certain" for fact in vm.facts)
    assert backs == [("vm/7", "link/1/tap0")]


def test_an_emulator_without_kvm_is_known_by_its_name(tmp_path: pathlib.Path) -> None:
    opened(tmp_path, 8, ("/dev/net/tun", "iff:\ttap0\n"))
    (vm,), backs = found(tmp_path, Process(8, 1, "qemu-system-x86"), taps=(tap("tap0"),))
    monitor = vm.fact("monitor")
    assert monitor is not None and (monitor.value, monitor.confidence) == ("qemu-system-x86", "likely")
    assert backs == [("vm/8", "link/1/tap0")]
    assert len(found(tmp_path, Process(9, 1, "firecracker"))[0]) == 1  # though its files may not be looked at


def test_who_only_holds_a_tap_is_a_tunnel(tmp_path: pathlib.Path) -> None:
    opened(tmp_path, 7, ("/dev/net/tun", "iff:\ttap0\n"))
    assert found(tmp_path, Process(7, 1, "openvpn"), taps=(tap("tap0"),)) == ([], [])


def test_a_tap_of_the_same_name_elsewhere_is_another(tmp_path: pathlib.Path) -> None:
    opened(tmp_path, 7, ("anon_inode:kvm-vm", ""), ("/dev/net/tun", "iff:\ttap0\n"))
    _, backs = found(tmp_path, Process(7, 1, "vmm", netns=2), taps=(tap("tap0", 1), tap("tap0", 2)))
    assert backs == [("vm/7", "link/2/tap0")]
