"""The machine that a kernel sees: processors, memory and disks, on paper."""

from pathlib import Path

import pytest

from tests.machines import Machine, beneath, disk, kernel, x86


def test_disks_tell_what_they_are_and_why(tmp_path: Path) -> None:
    files = {
        **kernel(),
        **disk("vda", "pci0000:00/0000:00:02.0/virtio1/block/vda", 1 << 21),
        **disk("loop0", "virtual/block/loop0", 0),
        **disk("dm-0", "virtual/block/dm-0", 2048),
        **disk(
            "sda",
            "pci0000:00/ata1/host0/target0:0:0/0:0:0:0/block/sda",
            4096,
            model="VMware Virtual S",
            vendor="VMware, ",
        ),
        **disk("nvme0n1", "pci0000:00/nvme/nvme0/nvme0n1", 8192, model="Samsung SSD 980"),
    }
    layers = beneath(Machine(files, None), tmp_path)
    sorts = {part.name: part.value("sort") for part in layers.parts if part.kind == "disk"}
    assert sorts == {"vda": "paravirtual", "dm-0": "software", "sda": "emulated", "nvme0n1": "hardware"}
    vda = layers.part("disk/vda")
    assert vda and vda.value("size") == 1 << 30


def test_processors_are_counted_from_the_topology(tmp_path: Path) -> None:
    cpu = beneath(Machine(x86(cpus=8)), tmp_path).part("cpu")
    assert cpu is not None
    assert [cpu.value(name) for name in ("cpus", "sockets", "cores", "threads per core")] == [8, 1, 4, 2]
    caches = [(fact.name, fact.value, fact.note) for fact in cpu.facts if fact.name.startswith("L")]
    assert caches == [("L1d", 32 << 10, "4 of it"), ("L3", 8 << 20, "")]


@pytest.mark.parametrize(("mode", "word"), [("0", "not a limit"), ("1", "not a limit"), ("2", "a limit")])
def test_a_commit_limit_is_a_limit_in_one_mode_only(mode: str, word: str, tmp_path: Path) -> None:
    memory = beneath(Machine({**x86(), "/proc/sys/vm/overcommit_memory": f"{mode}\n"}), tmp_path).part("memory")
    fact = memory.fact("commit limit") if memory else None
    assert fact and fact.note.startswith(word)


def test_nodes_that_tell_less_memory_are_a_conflict(tmp_path: Path) -> None:
    files = {**x86(), "/sys/devices/system/node/node0/meminfo": "Node 0 MemTotal:  2000000 kB\n"}
    layers = beneath(Machine(files), tmp_path)
    [conflict] = [conflict for conflict in layers.conflicts if conflict.part == "memory"]
    assert conflict.verdict == "3.8 GiB" and conflict.witnesses[1].says == "1.9 GiB"
    memory = layers.part("memory")
    assert memory and memory.value("total") == 4030000 * 1024
