"""Memory from trees of files: cgroup v1, v2 and both, a process that may not be read, sums that say what they lack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hardware.charge import Cgroups, memory_mounts, memory_path
from agent.hardware.evidence import Tree
from agent.hardware.memory import observe_memory
from kubeapi.core_v1.types import ObjectReference
from kubeapi.hardware_v1.layers import Layers, Part
from kubeapi.hardware_v1.memory import Memory

ID = "ab" * 32
OTHER = "cd" * 32
V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
"""
V2_MOUNTS = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID_MOUNTS = V1_MOUNTS + "44 31 0:41 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
NO_LIMIT = "9223372036854771712\n"
MEMINFO = """\
MemTotal:       24683656 kB
MemAvailable:   22000000 kB
SwapTotal:             0 kB
Committed_AS:    1300000 kB
CommitLimit:    12341828 kB
"""


def tree_of(root: Path, files: Mapping[str, str]) -> Tree:
    """A machine of these files."""
    for path, text in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return Tree(root)


def process(pid: int, name: str, cgroup: str, kilobytes: int, shared: int = 0) -> dict[str, str]:
    """A process's files: everything is resident, `shared` of it with one other."""
    resident = kilobytes + shared
    return {
        f"/proc/{pid}/status": f"Name:\t{name}\nVmSize:\t{resident * 100} kB\nVmRSS:\t{resident} kB\n"
        f"VmData:\t{resident * 2} kB\n",
        f"/proc/{pid}/smaps_rollup": f"Rss: {resident} kB\nPss: {kilobytes + shared // 2} kB\n"
        f"Private_Clean: 0 kB\nPrivate_Dirty: {kilobytes} kB\nSwapPss: 4 kB\n",
        f"/proc/{pid}/cgroup": cgroup,
    }


def machine(mounts: str, **more: str) -> dict[str, str]:
    """The machine's own files."""
    return {"/proc/self/mountinfo": mounts, "/proc/meminfo": MEMINFO, "/proc/sys/vm/overcommit_memory": "0\n"} | more


def v1_files(directory: str, usage: int, limit: str, inactive: int) -> dict[str, str]:
    """A v1 cgroup. Its own key of memory.stat is a trap: it leaves out what lies below."""
    base = f"/sys/fs/cgroup/memory{directory}"
    return {
        f"{base}/memory.usage_in_bytes": f"{usage}\n",
        f"{base}/memory.limit_in_bytes": limit,
        f"{base}/memory.stat": f"inactive_file 0\ntotal_inactive_file {inactive}\ntotal_cache {inactive}\ntotal_rss 7\n",
        f"{base}/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    }


def values(part: Part | None) -> dict[str, object]:
    """The facts of a part."""
    assert part is not None
    return {fact.name: fact.value for fact in part.facts}


def test_v1_charge_is_the_recursive_usage_and_the_limit_the_smallest_on_the_way_up(tmp_path: Path) -> None:
    files = v1_files("", 9000, NO_LIMIT, 0) | v1_files("/docker", 9000, "5000\n", 0)
    files |= v1_files(f"/docker/{ID}", 4000, "8000\n", 1000)
    files |= {"/proc/self/mountinfo": V1_MOUNTS, "/proc/7/cgroup": f"4:memory:/docker/{ID}\n1:cpu:/docker/{ID}\n"}
    cgroups = Cgroups(tree_of(tmp_path, files))
    found = cgroups.of(7)
    assert found is not None and found.container == ID
    facts = {fact.name: fact for fact in cgroups.facts(found)}
    assert (facts["charged"].value, facts["workingSet"].value) == (4000, 3000)
    assert (facts["limit"].value, facts["limit"].note) == (5000, "set above it")
    assert facts["limit"].evidence[0].source == "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes"
    assert facts["oomKills"].value == 3


def test_v2_reads_the_slices_of_systemd(tmp_path: Path) -> None:
    base = f"/sys/fs/cgroup/system.slice/docker-{ID}.scope"
    files = {
        "/proc/self/mountinfo": V2_MOUNTS, "/proc/7/cgroup": f"0::/system.slice/docker-{ID}.scope\n",
        f"{base}/memory.current": "4000\n", f"{base}/memory.max": "max\n", f"{base}/memory.swap.current": "12\n",
        f"{base}/memory.stat": "anon 1\nfile 2\ninactive_file 1500\n",
        "/sys/fs/cgroup/system.slice/memory.max": "max\n", f"{base}/memory.events": "oom 1\noom_kill 1\n",
    }  # fmt: skip
    cgroups = Cgroups(tree_of(tmp_path, files))
    found = cgroups.of(7)
    assert found is not None and found.container == ID and cgroups.mode == "v2"
    facts = {fact.name: fact for fact in cgroups.facts(found)}
    assert (facts["workingSet"].value, facts["chargedSwap"].value, facts["oomKills"].value) == (2500, 12, 1)
    assert (facts["limit"].value, facts["limit"].note) == (None, "none")


def test_hybrid_is_told_by_the_process_and_not_by_the_mount(tmp_path: Path) -> None:
    """cgroup2 is mounted, and the process is in it as well, but its memory is counted in v1."""
    files = v1_files(f"/docker/{ID}", 4000, NO_LIMIT, 0)
    files |= {"/proc/self/mountinfo": HYBRID_MOUNTS, "/proc/7/cgroup": f"4:memory:/docker/{ID}\n0::/docker/{ID}\n"}
    cgroups = Cgroups(tree_of(tmp_path, files))
    found = cgroups.of(7)
    assert found is not None and cgroups.mode == "hybrid"
    assert found.directory == f"/sys/fs/cgroup/memory/docker/{ID}"
    limit = cgroups.limit(found)
    assert (limit.value, limit.note) == (None, "none")


def test_a_cache_larger_than_the_charge_is_not_taken_off(tmp_path: Path) -> None:
    files = v1_files("/a", 100, NO_LIMIT, 200) | {"/proc/self/mountinfo": V1_MOUNTS, "/proc/7/cgroup": "4:memory:/a\n"}
    cgroups = Cgroups(tree_of(tmp_path, files))
    found = cgroups.of(7)
    assert found is not None
    assert {fact.name: fact.value for fact in cgroups.facts(found)}["workingSet"] == 100


@pytest.mark.parametrize("path", ["/../other", "", "/elsewhere/x"])
def test_a_cgroup_that_this_mount_does_not_reach_is_not_guessed(tmp_path: Path, path: str) -> None:
    files = {"/proc/self/mountinfo": V2_MOUNTS.replace(" / /sys", " /docker/x /sys"), "/proc/7/cgroup": f"0::{path}\n"}
    assert Cgroups(tree_of(tmp_path, files)).of(7) is None


def test_a_part_of_the_hierarchy_that_is_mounted_is_read_below_its_root(tmp_path: Path) -> None:
    files = {
        "/proc/self/mountinfo": V2_MOUNTS.replace(" / /sys", " /docker /sys"),
        "/proc/7/cgroup": f"0::/docker/{ID}\n",
    }
    found = Cgroups(tree_of(tmp_path, files)).of(7)
    assert found is not None and found.directory == f"/sys/fs/cgroup/{ID}"


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    memory_mounts(text)
    memory_path(text)


def observed(root: Path, files: Mapping[str, str]) -> Memory:
    """The document of a machine with a pod of two containers in a v1 hierarchy."""
    pod = Part(id="pod/default/web", kind="pod", name="web", floor="pod", object=ObjectReference(name="web"))
    parts = [
        Part(id=f"container/{id[:12]}", kind="container", name=name, floor="container", on=pod.id)
        for id, name in ((ID, "nginx"), (OTHER, "pause"))
    ]
    return observe_memory(tree_of(root, files), Layers(parts=[pod, *parts]))


def pod_files() -> dict[str, str]:
    """Two containers of one pod, a process outside, a kernel thread."""
    files = machine(V1_MOUNTS) | v1_files(f"/docker/{ID}", 4000, "8000\n", 1000)
    files |= v1_files(f"/docker/{OTHER}", 500, NO_LIMIT, 0)
    files |= process(7, "nginx", f"4:memory:/docker/{ID}\n", 1000, shared=200)
    files |= process(8, "nginx", f"4:memory:/docker/{ID}\n", 300, shared=200)
    files |= process(9, "pause", f"4:memory:/docker/{OTHER}\n", 4)
    files |= process(1, "init", "4:memory:/\n", 50)
    return files | {"/proc/2/status": "Name:\tkthreadd\n", "/proc/2/cgroup": "4:memory:/\n"}


def test_shares_add_up_and_resident_does_not(tmp_path: Path) -> None:
    memory = observed(tmp_path, pod_files())
    pod = values(memory.part("pod/default/web"))
    kib = 1024
    assert pod["proportional"] == (1100 + 400 + 4) * kib
    assert pod["resident"] == (1200 + 500 + 4) * kib
    assert pod["unique"] == 1304 * kib
    assert (pod["charged"], pod["workingSet"], pod["limit"]) == (4500, 3500, None)
    limit = memory.part("pod/default/web").fact("limit")  # type: ignore[union-attr]
    assert limit is not None and limit.note == "1 of 2 containers have one"
    assert [part.name for part in memory.on("pod/default/web")] == ["nginx", "pause"]
    assert {part.id for part in memory.on(f"container/{ID[:12]}")} == {"process/7", "process/8"}
    assert memory.part("process/2") is None


def test_the_commit_limit_is_not_called_one_where_it_does_not_bind(tmp_path: Path) -> None:
    part = observed(tmp_path, pod_files()).part("memory")
    assert part is not None
    limit, mode = part.fact("commitLimit"), part.fact("overcommit")
    assert limit and mode and (limit.note, mode.value) == ("does not bind", 0)
    assert values(part)["committed"] == 1300000 * 1024
    (tmp_path / "proc/sys/vm/overcommit_memory").write_text("2\n")
    part = observe_memory(Tree(tmp_path)).part("memory")
    assert part is not None and part.fact("commitLimit").note == "binds"  # type: ignore[union-attr]


def test_what_is_not_permitted_is_said_and_never_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(tmp_path, pod_files())

    real = os.open

    def refusing(path: str, flags: int) -> int:
        if path.endswith(("/1/smaps_rollup", "/8/smaps_rollup")):
            raise PermissionError(13, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    memory = observe_memory(tree)
    share = memory.part("process/1").fact("proportional")  # type: ignore[union-attr]
    assert share is not None and (share.value, share.note) == (None, "not permitted")
    total = memory.part(f"container/{ID[:12]}").fact("proportional")  # type: ignore[union-attr]
    assert total is not None and (total.value, total.note) == (1100 * 1024, "at least: not permitted")
    whole = memory.part("memory").fact("proportional")  # type: ignore[union-attr]
    assert whole is not None and whole.note == "at least: not permitted" and whole.confidence == "likely"


def test_a_machine_without_files_gives_an_empty_document_and_no_exception(tmp_path: Path) -> None:
    memory = observe_memory(Tree(tmp_path))
    assert [part.id for part in memory.parts] == ["memory"]
    assert {fact.value for fact in memory.parts[0].facts} == {None}
    assert Memory.from_json(memory.to_json()) == memory
