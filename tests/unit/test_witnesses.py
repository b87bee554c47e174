"""Each witness is found where it is, and its absence is said where it is hidden: one at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from agent.hardware.asking import Answer
from agent.hardware.evidence import Tree
from agent.hardware.kvm import Kvm
from agent.hardware.witnesses import TRACEPOINTS, WITNESSES, Kernel, check
from kubeapi.hardware_v1.check import Capability
from kubeapi.hardware_v1.layers import Evidence
from tests.unit.test_memory import V1_MOUNTS, tree_of


def answering(error: int = 0) -> Callable[[], Answer]:
    """A kernel's answer."""
    return lambda: Answer(error, Evidence(source="netlink", value="answered"))


def kvm(works: bool | None, why: str = "") -> Callable[[], Kvm]:
    """What /dev/kvm answers."""
    return lambda: Kvm(works, [], why)


KERNEL = Kernel(answering(), answering(), answering(), answering(), kvm(True))
TRACING = "/sys/kernel/tracing"
FILES = {
    "/proc/filesystems": "nodev\ttracefs\n\text4\n",
    "/proc/self/mountinfo": V1_MOUNTS,
    "/proc/self/cgroup": "4:memory:/a\n",
    "/proc/self/smaps_rollup": "Pss: 1 kB\n",
    "/sys/fs/cgroup/memory/a/memory.stat": "total_rss 1\n",
    "/proc/sys/net/netfilter/nf_conntrack_acct": "1\n",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n",
    **{f"{TRACING}/events/{point}/enable": "0\n" for point in TRACEPOINTS},
    f"{TRACING}/events/skb/kfree_skb/format": 'print fmt: "reason: %s", REC->reason\n',
}


def found(tree: Tree, kernel: Kernel = KERNEL) -> Mapping[str, Capability]:
    """By name."""
    return {capability.name: capability for capability in check(tree, kernel)}


def states(tree: Tree, kernel: Kernel = KERNEL) -> dict[str, str]:
    """State by name."""
    return {name: capability.state for name, capability in found(tree, kernel).items()}


def test_a_kernel_that_has_all_offers_all_with_evidence(tmp_path: Path) -> None:
    listed = found(tree_of(tmp_path, FILES))
    assert {capability.state for capability in listed.values()} == {"offered"}
    assert set(listed) == {witness.name for witness in WITNESSES}
    assert all(capability.lost and capability.allow for capability in listed.values())
    assert listed["cgroup memory"].says == "v1: memory is counted in v1 at /sys/fs/cgroup/memory"


@pytest.mark.parametrize(
    ("hidden", "changed"),
    [
        ("/sys/fs/cgroup/memory/a/memory.stat", {"cgroup memory": "missing"}),
        ("/proc/self/mountinfo", {"cgroup memory": "missing"}),
        ("/proc/self/smaps_rollup", {"smaps_rollup": "missing"}),
        ("/proc/sys/net/netfilter/nf_conntrack_acct", {"conntrack accounting": "missing"}),
        ("/proc/sys/net/bridge/bridge-nf-call-iptables", {"bridge netfilter": "missing"}),
        (f"{TRACING}/events/net/netif_rx/enable", {"tracefs": "missing"}),
        (f"{TRACING}/events/skb/kfree_skb/format", {"drop reasons": "missing"}),
        (f"{TRACING}/events", {"tracefs": "dormant", "drop reasons": "dormant"}),
    ],
)
def test_hiding_a_file_changes_the_answer_of_what_rests_on_it_alone(
    tmp_path: Path, hidden: str, changed: dict[str, str]
) -> None:
    tree = tree_of(tmp_path, {path: text for path, text in FILES.items() if not path.startswith(hidden)})
    assert {name: state for name, state in states(tree).items() if state != "offered"} == changed


def test_drop_reasons_without_tracefs_are_a_matter_of_mounting_it_and_with_it_of_the_kernel(tmp_path: Path) -> None:
    def reasons(name: str, files: dict[str, str]) -> Capability:
        return found(tree_of(tmp_path / name, files))["drop reasons"]

    unmounted = reasons("a", {path: text for path, text in FILES.items() if not path.startswith(f"{TRACING}/events")})
    assert "tracefs is not mounted" in unmounted.says and unmounted.allow.startswith("mount -t tracefs")
    old = reasons("b", FILES | {f"{TRACING}/events/skb/kfree_skb/format": 'print fmt: "%p", REC->skbaddr\n'})
    assert (old.state, old.allow) == ("missing", "Linux 5.17 or later") and "no reason" in old.says


@pytest.mark.parametrize(
    ("release", "state"), [("5.10.0-28-amd64", "missing"), ("5.12.0", "offered"), ("6.18.44", "offered")]
)
def test_rules_are_traced_where_tables_go_with_their_owner(tmp_path: Path, release: str, state: str) -> None:
    capability = found(tree_of(tmp_path, FILES | {"/proc/sys/kernel/osrelease": f"{release}\n"}))["nft trace"]
    assert capability.state == state and (state == "offered" or capability.allow == "Linux 5.12 or later")


@pytest.mark.parametrize(
    ("kernel", "changed"),
    [
        (KERNEL._replace(conntrack=answering(errno.EPERM)), {"conntrack": "forbidden"}),
        (KERNEL._replace(conntrack_events=answering(errno.ENOENT)), {"conntrack events": "missing"}),
        (KERNEL._replace(nft_trace=answering(errno.EINVAL)), {"nft trace": "missing"}),
        (KERNEL._replace(namespace_ids=answering(errno.EOPNOTSUPP)), {"namespace numbers": "missing"}),
        (KERNEL._replace(kvm=kvm(False, "open /dev/kvm: No such file or directory")), {"KVM": "missing"}),
        (KERNEL._replace(kvm=kvm(None, "open /dev/kvm: not permitted")), {"KVM": "forbidden"}),
    ],
)
def test_an_answer_of_the_kernel_that_is_hidden_changes_its_own_row(
    tmp_path: Path, kernel: Kernel, changed: dict[str, str]
) -> None:
    tree = tree_of(tmp_path, FILES)
    assert {name: state for name, state in states(tree, kernel).items() if state != "offered"} == changed


@pytest.mark.parametrize("path", ["netfilter/nf_conntrack_acct", "bridge/bridge-nf-call-iptables"])
def test_what_is_switched_off_is_dormant_and_not_missing(tmp_path: Path, path: str) -> None:
    tree = tree_of(tmp_path, {**FILES, f"/proc/sys/net/{path}": "0\n"})
    assert list(states(tree).values()).count("dormant") == 1


def test_hybrid_without_memory_in_v1_is_not_taken_for_v2(tmp_path: Path) -> None:
    """cgroup2 is mounted without controllers: it counts nothing."""
    mounts = "44 31 0:41 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
    tree = tree_of(tmp_path, {**FILES, "/proc/self/mountinfo": mounts, "/proc/self/cgroup": "0::/a\n"})
    assert states(tree)["cgroup memory"] == "missing"


def test_the_processes_that_may_not_be_read_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tree_of(tmp_path, {**FILES, "/proc/1/smaps_rollup": "", "/proc/7/smaps_rollup": "Pss: 1 kB\n"})

    real = os.open

    def refusing(path: str, flags: int) -> int:
        if path.endswith("/1/smaps_rollup"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", refusing)
    capability = found(tree)["smaps_rollup"]
    assert (capability.state, capability.says) == ("offered", "but not permitted for 1 processes")
    assert capability.evidence[1] == Evidence(source="/proc/1/smaps_rollup", value="(not permitted)")


def test_a_captured_machine_is_not_answered_for_by_this_one(tmp_path: Path) -> None:
    listed = {capability.name: capability for capability in check(tree_of(tmp_path, FILES))}
    assert listed["conntrack"].state == listed["KVM"].state == "missing"
    assert "captured" in listed["conntrack"].evidence[0].value
