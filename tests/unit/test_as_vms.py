"""The comparison with virtual machines: which boxes there are, and the models' arithmetic by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.vm.initramfs import Server, archive, script
from benchmarks.vm.kernel import Module
from benchmarks.vm.report import table
from kubeapi.hardware_v1.korean import told_in_korean
from kubeapi.hardware_v1.layers import Fact, Layers, Link, Part
from kubeapi.hardware_v1.memory import Memory
from kubeapi.hardware_v1.vms import Measured, Range, Sample, VmBench, Vms
from kubeapi.meta_v1.types import ObjectMeta
from naru.layers.as_vms import alone, as_vms, guest_memory, owners
from naru.layers.hypervisors import FIRECRACKER_VM, MODELS, QEMU
from naru.layers.labels import Labels
from naru.layers.terminal import Look
from naru.layers.tower import Tower
from naru.layers.vms_text import text

MIB = 1 << 20


def process(pid: int, name: str, on: str, proportional: int, unique: int, resident: int) -> Part:
    """A process with these MiB."""
    sizes = {"proportional": proportional, "unique": unique, "resident": resident}
    facts = [Fact(name=key, value=value * MIB, unit="B") for key, value in sizes.items()]
    return Part(id=f"process/{pid}", kind="process", name=name, floor="process", on=on, facts=facts)


def part(id: str, kind: str, on: str = "", **facts: int | str) -> Part:
    """A part of the tower."""
    listed = [Fact(name=name, value=value) for name, value in facts.items()]
    return Part(id=id, kind=kind, name=id.rpartition("/")[2], floor="pod", on=on, facts=listed)


def machine() -> tuple[Layers, Memory]:
    """Two pods of one image, the first with two processes, on an engine with two shims."""
    pods = [part("pod/shop/a", "pod", "netns/1"), part("pod/shop/b", "pod", "netns/2")]
    containers = [
        part(f"container/{name}", "container", f"pod/shop/{name}", image="web:1", imageSize=300 * MIB) for name in "ab"
    ]
    spaces = [part("kernel", "kernel"), part("netns/1", "netns", "kernel"), part("netns/2", "netns", "kernel")]
    wires = [
        part("link/1/2", "veth", "netns/1"),
        part("link/0/9", "veth", "kernel"),
        part("link/0/5", "bridge", "kernel"),
    ]
    ties = [
        Link(kind="peer", source="link/1/2", target="link/0/9"),
        Link(kind="port", source="link/0/9", target="link/0/5"),
    ]
    processes = [
        process(10, "nginx", "container/a", 6, 4, 8),
        process(11, "nginx", "container/a", 4, 2, 6),
        process(12, "nginx", "container/b", 5, 4, 8),
        process(1, "dockerd", "", 100, 100, 100),
        process(2, "containerd-shim", "", 3, 2, 10),
        process(3, "containerd-shim", "", 3, 2, 10),
    ]
    return Layers(parts=[*spaces, *pods, *containers, *wires], links=ties), Memory(
        parts=[*pods, *containers, *processes]
    )


def test_the_eight_boxes_of_two_guests_and_the_four_that_vanish() -> None:
    vms = as_vms(*machine())
    assert [(box.number, box.layer) for box in vms.boxes] == [
        (1, "process"), (2, "os"), (3, "process"), (4, "os"), (5, "nic"), (6, "process"), (7, "os"), (8, "nic"),
    ]  # fmt: skip
    assert [box.number for box in vms.boxes if box.vanishes] == [4, 5, 7, 8]
    holds = {box.number: box.holds for box in vms.boxes}
    assert holds[1] == ["1 x dockerd", "2 x containerd-shim"]
    assert holds[3] == ["nginx", "nginx"]
    assert holds[5] == ["2 - 9 - 5"]  # the pod's end, the host's end, the switch


def test_the_sandbox_of_another_clusters_pod_is_no_guest() -> None:
    layers, _ = machine()
    layers.parts += [
        part("container/x", "container", "kernel", sandbox=True),
        part("container/y", "container", "kernel"),
    ]
    assert [owner.id for owner in owners(Tower(layers))] == ["pod/shop/a", "pod/shop/b", "container/y"]


def test_counts_are_exact_and_sums_go_over_all_guests() -> None:
    vms = as_vms(*machine())
    for hypervisor in vms.hypervisors:
        kernels, nics = hypervisor.cost("kernels"), hypervisor.cost("software NICs")
        assert kernels and nics and kernels.machines and nics.machines
        assert (kernels.now, kernels.machines.typical, nics.now, nics.machines.typical) == (1, 3, 0, 2)
    memory = vms.hypervisors[0].cost("memory")
    assert memory is not None and memory.now == (6 + 4 + 5 + 3 + 3) * MIB  # shares of pods and shims, not the engine


def test_memory_alone_is_between_the_share_and_what_is_resident() -> None:
    vms = as_vms(*machine())
    assert vms.guests[0].alone == Range(low=10 * MIB, typical=(4 + 2 + 4) * MIB, high=14 * MIB)


def test_kubevirts_formula_by_hand() -> None:
    """0.002 x RAM + 218 + 8 x vCPU on top of what the guest touches; in the end all of its RAM is touched."""
    given_ = {assumption.name: assumption.value for assumption in QEMU.assumptions}
    found = guest_memory(given_, Range(low=10 * MIB, typical=20 * MIB, high=30 * MIB))
    kernel = given_["guestKernel"]
    assert found.low / MIB == pytest.approx(10 + kernel.low + 218 + 8 + 0.002 * 256)
    assert found.typical / MIB == pytest.approx(20 + kernel.typical + 218 + 8 + 0.002 * 512)
    assert found.high / MIB == pytest.approx(1024 + 218 + 8 * 2 + 0.002 * 1024)


def test_ram_is_rounded_up_where_the_pod_needs_more() -> None:
    given_ = {assumption.name: assumption.value for assumption in FIRECRACKER_VM.assumptions}
    found = guest_memory(given_, Range(low=10 * MIB, typical=20 * MIB, high=250 * MIB))
    assert found.high / MIB == 384 + 5  # 250 + 80 in steps of 128, and the VMM


def test_a_disk_has_a_copy_of_the_image_for_each_guest_and_containers_one() -> None:
    disk = as_vms(*machine()).hypervisors[0].cost("disk")
    assert disk is not None and disk.machines is not None
    assert disk.now == 300 * MIB
    assert disk.machines.low == 2 * 8 * MIB
    assert disk.machines.typical == (2 * 106 + 600) * MIB


def test_every_assumption_names_its_source_and_no_range_is_upside_down() -> None:
    for model in MODELS:
        assert model.assumptions
        for given_ in model.assumptions:
            assert given_.source
            assert given_.value.low <= given_.value.typical <= given_.value.high


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 40)), min_size=1))
def test_a_range_is_never_upside_down(sizes: list[tuple[int, int, int]]) -> None:
    """unique <= proportional <= resident, as the kernel counts."""
    parts = [process(pid, "p", "", *(sorted(size)[i] for i in (1, 0, 2))) for pid, size in enumerate(sizes)]
    found = alone(parts)
    assert found is not None and found.low <= found.typical <= found.high


def test_a_guest_that_may_not_be_read_is_named_and_not_counted_as_nothing() -> None:
    layers, memory = machine()
    for one in memory.parts:
        if one.id == "process/12":
            one.facts = [Fact(name="proportional", value=None, note="not permitted")]
    vms = as_vms(layers, memory)
    assert vms.guests[1].alone is None
    assert any("pod/shop/b" in note for note in vms.notes)


def test_without_pods_the_containers_are_the_guests() -> None:
    layers = Layers(parts=[part("kernel", "kernel"), part("container/x", "container", "kernel")])
    memory = Memory(parts=[part("container/x", "container"), process(5, "sleep", "container/x", 1, 1, 2)])
    vms = as_vms(layers, memory)
    assert [(guest.part, guest.processes) for guest in vms.guests] == [("container/x", 1)]


def measured() -> VmBench:
    """A measurement."""

    def side(seconds: float, memory: int, disk: int) -> Measured:
        sizes = Sample(values=[memory * MIB, (memory + 2) * MIB, (memory + 1) * MIB])
        times = Sample(values=[seconds, seconds * 3, seconds * 2])
        return Measured(seconds=times, memory=sizes, resident=sizes, disk=disk * MIB, processes=3, kernel_threads=40)

    return VmBench(
        metadata=ObjectMeta(creation_timestamp=datetime(2026, 11, 24, tzinfo=UTC)), machine="here", accelerator="tcg",
        why="no /dev/kvm", hypervisor="QEMU 7.2", kernel="Debian's Linux 6.1", server="nginx", ram=256 * MIB,
        guest_kernel=Sample(values=[50.0 * MIB]), guest=side(4.0, 245, 300), container=side(0.3, 5, 250),
    )  # fmt: skip


def test_a_measurement_of_this_machine_is_used_and_says_that_it_was_emulated() -> None:
    bench = VmBench.from_json(measured().to_json())
    own = as_vms(*machine(), bench).hypervisors[-1]
    given_ = {assumption.name: assumption for assumption in own.assumptions}
    assert given_["boot"].value == Range(low=4, typical=8, high=12)
    assert given_["vmm"].value == Range(low=239, typical=240, high=241)  # beyond the container's 6
    assert "emulated (no /dev/kvm)" in own.says and "2026-11-24" in given_["vmm"].source
    assert "emulated: no /dev/kvm" in table(bench) and "4 .. 8 .. 12 s" in table(bench)


def test_the_text_shows_ranges_sources_and_how() -> None:
    vms = Vms.from_json(as_vms(*machine()).to_json())
    shown = text(vms, Labels(), Look())
    assert "4 of 8 boxes vanish: 4, 5, 7, 8" in shown
    assert "openshift-docs#98819" in shown and "How it was computed" in shown
    assert " .. " in next(line for line in shown.splitlines() if line.startswith("memory"))


def test_all_of_it_is_told_in_korean_and_numbers_stay_as_they_are() -> None:
    vms = as_vms(*machine())
    told = told_in_korean(vms)
    sentences = [*(box.why for box in told.boxes), *told.notes, *(hypervisor.says for hypervisor in told.hypervisors)]
    sentences += [cost.how for hypervisor in told.hypervisors for cost in hypervisor.costs]
    sentences += [given.source for hypervisor in told.hypervisors for given in hypervisor.assumptions]
    assert [text for text in sentences if not re.search("[가-힣]", text) and not text.startswith("Firecracker")] == []
    shown = text(told, Labels(language="ko"), Look()).splitlines()
    assert "상자 8개 가운데 4개가 사라진다: 4, 5, 7, 8" in shown
    memory = [next(line for line in lines if line.startswith(start)).split()[1:] for lines, start in (
        (shown, "메모리"), (text(vms, Labels(), Look()).splitlines(), "memory")
    )]  # fmt: skip
    assert memory[0] == memory[1]


def test_the_guests_archive_begins_and_ends_as_the_kernel_wants() -> None:
    server = Server("web:1", ["nginx", "-g", "daemon off;"], ["PATH=/usr/sbin:/bin"], "/", 80, ("was",))
    init = script(server, [Module("virtio_net", b"")])
    assert "chroot /root nginx -g 'daemon off;' &" in init and "export PATH=/usr/sbin:/bin" in init
    made = archive({"init": init.encode(), "bin/busybox": b"x"})
    assert made.startswith(b"070701") and len(made) % 4 == 0 and b"TRAILER!!!" in made
