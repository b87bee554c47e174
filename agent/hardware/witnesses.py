"""Which witnesses this kernel offers. Every command rests on some of them, and degrades by saying which one it lacks.

One row per witness: its name, who finds out, what is lost without it, how to get it. What is asked beyond files is handed
in (`Kernel`), so each can be hidden in a test.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from agent.hardware import asking
from agent.hardware.asking import Answer
from agent.hardware.charge import V1, Cgroups
from agent.hardware.evidence import Read, Tree
from agent.hardware.kvm import AskKvm, no_kvm, real_kvm
from kubeapi.hardware_v1.check import Capability, Check, Offer
from kubeapi.hardware_v1.layers import Evidence
from kubeapi.meta_v1.types import ObjectMeta

TRACING = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
TRACEPOINTS = (
    "net/net_dev_queue", "net/net_dev_start_xmit", "net/netif_rx", "net/netif_receive_skb", "skb/kfree_skb",
)  # fmt: skip
OWNED = (5, 12)  # the first Linux with tables that go with their owner
MOUNT = "mount -t tracefs nodev /sys/kernel/tracing (root; a kernel with CONFIG_EVENT_TRACING)"


class Kernel(NamedTuple):
    """What answers questions that no file does."""

    conntrack: Callable[[], Answer] = asking.conntrack
    conntrack_events: Callable[[], Answer] = asking.conntrack_events
    nft_trace: Callable[[], Answer] = asking.nft_trace
    namespace_ids: Callable[[], Answer] = asking.namespace_ids
    kvm: AskKvm = real_kvm

    @classmethod
    def of(cls, tree: Tree) -> Kernel:
        """This machine's, if the tree is its own: a captured one can't be asked."""
        return cls() if tree.root == Path("/") else cls(_unasked, _unasked, _unasked, _unasked, no_kvm)


def _unasked() -> Answer:
    return Answer(errno.EOPNOTSUPP, Evidence(source="netlink", value="(not asked: a captured machine)"))


class Found(NamedTuple):
    """What was found out about a witness. allow is how to get it from here, where that is not what its row says."""

    state: Offer
    says: str
    evidence: list[Evidence]
    allow: str = ""


class Witness(NamedTuple):
    """A row of the table."""

    name: str
    find: Callable[[Tree, Kernel], Found]
    lost: str
    allow: str


def check(tree: Tree, kernel: Kernel | None = None) -> list[Capability]:
    """All of them, in the order of `WITNESSES`."""
    answering = kernel or Kernel.of(tree)
    listed = []
    for witness in WITNESSES:
        state, says, evidence, allow = witness.find(tree, answering)
        told = Capability(name=witness.name, state=state, says=says, evidence=evidence)
        told.lost, told.allow = witness.lost, allow or witness.allow
        listed.append(told)
    return listed


def checked(tree: Tree, name: str, now: datetime) -> Check:
    """The document of a node."""
    return Check(metadata=ObjectMeta(name=name, creation_timestamp=now), capabilities=check(tree))


def _tracefs(tree: Tree, kernel: Kernel) -> Found:
    directory = _tracing(tree)
    if not directory:
        return _absent_tracefs(tree)
    missing = [point for point in TRACEPOINTS if not tree.exists(f"{directory}/events/{point}/enable")]
    evidence = [Evidence(source=f"{directory}/events", value=", ".join(p for p in TRACEPOINTS if p not in missing))]
    if missing:
        return Found("missing", f"without {', '.join(missing)}", evidence)
    return Found("offered", f"{len(TRACEPOINTS)} tracepoints", evidence)


def _reasons(tree: Tree, kernel: Kernel) -> Found:
    """They are a field of a tracepoint: without tracefs the kernel may well have them, and nobody can tell."""
    directory = _tracing(tree)
    if not directory:
        return _absent_tracefs(tree)._replace(says="tracefs is not mounted, and it is what tells them", allow=MOUNT)
    read = tree.read(f"{directory}/events/skb/kfree_skb/format")
    told = "REC->reason" in (read.text or "")
    evidence = [Evidence(source=read.path, value="reason" if told else f"({read.why or 'no field reason'})")]
    if told:
        return Found("offered", "a drop tells its reason", evidence)
    return Found("missing", "this kernel's drops name no reason", evidence) if read.text else _not_there(read, evidence)


def _tracing(tree: Tree) -> str:
    return next((path for path in TRACING if tree.exists(f"{path}/events")), "")


def _absent_tracefs(tree: Tree) -> Found:
    read = tree.read("/proc/filesystems")
    known = "tracefs" in (read.text or "").split()
    evidence = [
        Evidence(source=read.path, value="tracefs" if known else f"({read.why or 'no tracefs'})"),
        Evidence(source=TRACING[0], value="(not mounted)"),
    ]
    return Found("dormant", "not mounted", evidence) if known else _not_there(read, evidence)


def _asked(question: Callable[[Kernel], Answer], says: str) -> Callable[[Tree, Kernel], Found]:
    """A witness that the kernel itself is asked for."""

    def find(tree: Tree, kernel: Kernel) -> Found:
        answer = question(kernel)
        if not answer.error:
            return Found("offered", says, [answer.evidence])
        return Found("forbidden" if answer.forbidden else "missing", answer.evidence.value, [answer.evidence])

    return find


def _nft(tree: Tree, kernel: Kernel) -> Found:
    """A trace marks its packets in a table that goes with whoever made it, however that ends: a kernel without such tables
    would be left with ours."""
    found = _asked(lambda kernel: kernel.nft_trace(), "rules tell which packets they met")(tree, kernel)
    release = tree.read("/proc/sys/kernel/osrelease")
    version = re.match(r"(\d{1,3})\.(\d{1,3})", release.text or "")
    if found.state == "offered" and version and (int(version[1]), int(version[2])) < OWNED:
        evidence = [*found.evidence, release.evidence]
        return Found("missing", "this kernel has no tables that go with their owner", evidence, "Linux 5.12 or later")
    return found


def _switched(path: str, on: str, off: str) -> Callable[[Tree, Kernel], Found]:
    """A witness that a sysctl switches. Its file comes with its module, which may only not be loaded."""

    def find(tree: Tree, kernel: Kernel) -> Found:
        read = tree.read(path)
        if read.text is None:
            return Found("forbidden" if read.why == "not permitted" else "missing", read.why, [read.evidence])
        set_ = read.text.strip() not in ("", "0")
        return Found("offered", on, [read.evidence]) if set_ else Found("dormant", off, [read.evidence])

    return find


def _kvm(tree: Tree, kernel: Kernel) -> Found:
    answer = kernel.kvm()
    if answer.works:
        return Found("offered", "a virtual machine and its processor could be made", answer.evidence)
    return Found("forbidden" if "not permitted" in answer.why else "missing", answer.why, answer.evidence)


def _smaps(tree: Tree, kernel: Kernel) -> Found:
    """One's own can be read wherever the kernel has it; another's is what matters, and may be refused."""
    own = tree.read("/proc/self/smaps_rollup")
    if not (own.text or "").strip():
        return _not_there(own, [own.evidence])
    refused = [
        read for pid in tree.names("/proc") if pid.isdigit()
        and (read := tree.read(f"/proc/{pid}/smaps_rollup")).why == "not permitted"
    ]  # fmt: skip
    evidence = [Evidence(source=own.path, value="Pss"), *(read.evidence for read in refused[:3])]
    if refused:
        return Found("offered", f"but not permitted for {len(refused)} processes", evidence)
    return Found("offered", "for every process", evidence)


def _cgroups(tree: Tree, kernel: Kernel) -> Found:
    cgroups = Cgroups(tree)
    own = tree.read("/proc/self/cgroup")
    charged = cgroups.of("self")
    if charged is None:
        return Found("missing", f"{cgroups.mode}, and none that counts our memory", [own.evidence])
    counted = tree.read(f"{charged.directory}/memory.stat")
    version = "v1" if charged.files is V1 else "v2"
    line = next((line for line in (own.text or "").splitlines() if "memory" in line or line.startswith("0::")), "")
    evidence = [Evidence(source=own.path, value=line)]
    if counted.text is None:
        return _not_there(counted, [*evidence, counted.evidence])
    return Found("offered", f"{cgroups.mode}: memory is counted in {version} at {charged.top}", evidence)


def _not_there(read: Read, evidence: list[Evidence]) -> Found:
    return Found("forbidden" if read.why == "not permitted" else "missing", read.why, evidence)


WITNESSES = (
    Witness(
        "tracefs",
        _tracefs,
        "which device a probed packet was on, and when: a hop is seen by the rules and conntrack only",
        MOUNT,
    ),
    Witness("drop reasons", _reasons, "why the kernel dropped a packet, in its own word", "Linux 5.17 or later"),
    Witness(
        "nft trace",
        _nft,
        "which rule took a packet, and its verdict",
        "run as root (CAP_NET_ADMIN); modprobe nf_tables",
    ),
    Witness(
        "conntrack",
        _asked(lambda kernel: kernel.conntrack(), "connections and their translations can be listed"),
        "what an address was translated to: only the rules say what should have been",
        "run as root (CAP_NET_ADMIN); modprobe nf_conntrack_netlink",
    ),
    Witness(
        "conntrack events",
        _asked(lambda kernel: kernel.conntrack_events(), "new connections are told at once"),
        "connections that ended before they were listed",
        "run as root (CAP_NET_ADMIN); a kernel with CONFIG_NF_CONNTRACK_EVENTS",
    ),
    Witness(
        "conntrack accounting",
        _switched("/proc/sys/net/netfilter/nf_conntrack_acct", "connections count packets", "off: no packet counts"),
        "packets and bytes of one connection: only those of rules and devices are known",
        "sysctl -w net.netfilter.nf_conntrack_acct=1 (counts new connections only)",
    ),
    Witness(
        "bridge netfilter",
        _switched(
            "/proc/sys/net/bridge/bridge-nf-call-iptables",
            "packets between two ports of a bridge meet the ip rules too",
            "off: packets between two ports of a bridge never meet the ip rules",
        ),
        "rules of family ip for pods of one bridge: no policy by address between them, no rule seen by a trace",
        "modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1",
    ),
    Witness(
        "namespace numbers",
        _asked(lambda kernel: kernel.namespace_ids(), "a veth's other end is told by namespace"),
        "which pod a veth leads to: two may both be @if2",
        "Linux 4.9 or later",
    ),
    Witness(
        "KVM",
        _kvm,
        "virtual machines at full speed here: make bench-vm emulates its guest, and says so",
        "run as root or in group kvm; modprobe kvm_intel or kvm_amd; in a VM its host must allow nesting",
    ),
    Witness(
        "smaps_rollup",
        _smaps,
        "proportional and unique memory: only resident is known, which counts shared pages many times",
        "run as root (CAP_SYS_PTRACE); Linux 4.14 or later with CONFIG_PROC_PAGE_MONITOR",
    ),
    Witness(
        "cgroup memory",
        _cgroups,
        "what a container is charged and its limit",
        "a cgroup hierarchy with the memory controller (v2, or v1 without cgroup_disable=memory)",
    ),
)
