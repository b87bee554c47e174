"""`naru layers --memory --promise`: ten processes are promised 4 GiB each, and take almost nothing. Run, not told.

A 32-bit address reaches 4 GiB, so that is what every process of such a machine is promised, however little RAM there is.
Here ten children map as much each, private and writable, which is what the kernel has to vouch for, and touch nothing; then
each touches a little, and that alone is taken.

It is safe: the sum is fixed, nothing but a few pages per child is ever touched, children die with their parent, and it is
not begun where the kernel keeps promises strictly (overcommit mode 2) or a limit of this session would be met.
"""

from __future__ import annotations

import argparse
import mmap
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import NamedTuple

import orjson

from kubeapi.hardware_v1.terms import Term
from naru.cli import CommandError
from naru.layers import memory_words as words
from naru.layers.bits import runs_32_bit, sentence
from naru.layers.labels import Labels, shown
from naru.layers.terminal import padded, width
from naru.processes import end_with_parent

GIB, MIB = 1 << 30, 1 << 20
PROCESSES, EACH = 10, 4 * GIB
TOUCHED = 4 * MIB  # what each child touches in the end
ROOM = 256 * MIB  # must be free everywhere: the children themselves, ten times TOUCHED, page tables
MOMENTS = {
    "before": Term("before", "전"),
    "promised": Term("promised", "약속"),
    "touched": Term("touched", "건드림"),
    "after": Term("after", "후"),
}
AVAILABLE = Term("AVAILABLE", "쓸 수 있음")
BITS = Term("32 bits", "32비트")


class Limits(NamedTuple):
    """What could stand in the way; None where there is no such limit."""

    mode: int
    ram_and_swap: int
    available: int
    address_space: int | None = None
    data: int | None = None
    charge_left: int | None = None
    processes_left: int | None = None
    bits: int = 64


class Plan(NamedTuple):
    """How a child maps its share: so many mappings of that size."""

    mappings: int
    size: int


class Refusal(NamedTuple):
    """Why it is not begun."""

    why: str


class Moment(NamedTuple):
    """What is promised and taken. promised, resident and proportional are the children's sums."""

    when: str
    committed: int
    available: int
    promised: int = 0
    resident: int = 0
    proportional: int | None = 0


def plan(limits: Limits) -> Plan | Refusal:
    """Whether it may be begun here, and how. In mode 0 a request larger than all RAM and swap is refused by itself, so on a
    small machine a child maps its share in pieces."""
    if limits.bits < 64:
        return Refusal("this Python is a 32-bit program: its own address space is all that it can be promised")
    if limits.mode == 2:
        return Refusal("overcommit mode is 2: this kernel promises only what it could give (vm.overcommit_memory)")
    for limit, name in ((limits.address_space, "-v (address space)"), (limits.data, "-d (data)")):
        if limit is not None and limit < EACH + ROOM:
            return Refusal(f"ulimit {name} of this session is {shown(limit, 'B')}: a child could not be promised 4 GiB")
    if limits.charge_left is not None and limits.charge_left < ROOM:
        return Refusal(f"only {shown(limits.charge_left, 'B')} are left below the limit of this session's cgroup")
    if limits.processes_left is not None and limits.processes_left < PROCESSES + 2:
        return Refusal(f"this session may start only {limits.processes_left} more processes")
    if limits.available < ROOM:
        return Refusal(f"only {shown(limits.available, 'B')} of memory are available")
    pieces = 1
    while EACH // pieces > limits.ram_and_swap // 2:
        pieces *= 2
    return Plan(pieces, EACH // pieces)


def run(options: argparse.Namespace) -> int:
    """Plan, run, print."""
    if options.node or options.kubeconfig:
        raise CommandError("--promise runs on the machine it is started on: name no node")
    planned = plan(observe_limits())
    if isinstance(planned, Refusal):
        raise CommandError(f"not begun: {planned.why}")
    moments = demonstrate(planned)
    if options.output == "json":
        print(orjson.dumps([moment._asdict() for moment in moments], option=orjson.OPT_INDENT_2).decode())
    else:
        from naru.cli.layers import labels

        print(text(moments, sentence(runs_32_bit()), labels(options)))
    return 0


def demonstrate(planned: Plan) -> list[Moment]:
    """Before, with ten promises, with a little of them touched, and after. All children are gone when it returns."""
    moments = [observe("before", [])]
    with ExitStack() as stack:
        children = []
        for _ in range(PROCESSES):
            children.append(Child(planned))
            stack.callback(children[-1].end)
        for child in children:
            child.wait()
        moments.append(observe("promised", [child.pid for child in children]))
        for child in children:
            child.touch()
        moments.append(observe("touched", [child.pid for child in children]))
    return [*moments, observe("after", [])]


class Child:
    """A process that maps its share and waits. It is forked, so that ten of them share this program's pages."""

    def __init__(self, planned: Plan) -> None:
        orders, self._tell = os.pipe()
        self._hear, answers = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(self._tell)
                os.close(self._hear)
                _live(parent, planned, orders, answers)
            finally:
                os._exit(1)
        os.close(orders)
        os.close(answers)

    def wait(self) -> None:
        """Until it has done what it was told. CommandError where the kernel refused it."""
        if os.read(self._hear, 1) != b"+":
            raise CommandError("the kernel refused a child its 4 GiB")

    def touch(self) -> None:
        """Have it touch TOUCHED bytes."""
        os.write(self._tell, b"t")
        self.wait()

    def end(self) -> None:
        """Kill it, if it has not died."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._tell)
        os.close(self._hear)


def _live(parent: int, planned: Plan, orders: int, answers: int) -> None:
    """A child's whole life. It ends with its parent, even one that was killed."""
    end_with_parent()
    if os.getppid() != parent:  # it died before we asked
        return
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    promised = [mmap.mmap(-1, planned.size, flags, mmap.PROT_READ | mmap.PROT_WRITE) for _ in range(planned.mappings)]
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        for mapping in promised:  # else a touched page may cost 2 MiB
            mapping.madvise(mmap.MADV_NOHUGEPAGE)
    os.write(answers, b"+")
    while os.read(orders, 1):
        for offset in range(0, TOUCHED, mmap.PAGESIZE):
            promised[0][offset] = 1
        os.write(answers, b"+")


def observe(when: str, pids: list[int]) -> Moment:
    """The machine's numbers and these processes' sums."""
    machine = _kilobytes("/proc/meminfo")
    status = [_kilobytes(f"/proc/{pid}/status") for pid in pids]
    shares = [_kilobytes(f"/proc/{pid}/smaps_rollup").get("Pss") for pid in pids]
    known = [share for share in shares if share is not None]
    return Moment(
        when,
        machine["Committed_AS"],
        machine["MemAvailable"],
        sum(fields["VmSize"] for fields in status),
        sum(fields["VmRSS"] for fields in status),
        sum(known) if len(known) == len(shares) else None,
    )


def observe_limits() -> Limits:
    """What holds for this session."""
    from agent.hardware.charge import Cgroups
    from agent.hardware.evidence import Tree

    tree = Tree()
    machine, own = _kilobytes("/proc/meminfo"), Cgroups(tree).of("self")
    left = None
    if own is not None:
        facts = {fact.name: fact.value for fact in Cgroups(tree).facts(own)}
        limit, charged = facts["limit"], facts["workingSet"]
        left = limit - charged if isinstance(limit, int) and isinstance(charged, int) else None
    return Limits(
        int(tree.read("/proc/sys/vm/overcommit_memory").text or "0"),
        machine["MemTotal"] + machine["SwapTotal"],
        machine["MemAvailable"],
        _ulimit(resource.RLIMIT_AS),
        _ulimit(resource.RLIMIT_DATA),
        left,
        None if os.geteuid() == 0 else _ulimit(resource.RLIMIT_NPROC),
        64 if sys.maxsize > 1 << 32 else 32,
    )


def _ulimit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft


def _kilobytes(path: str) -> Mapping[str, int]:
    from agent.hardware.evidence import Tree
    from agent.hardware.memory import kilobytes

    return kilobytes(Tree().read(path).text or "")


def text(moments: list[Moment], about_32_bits: str, labels: Labels) -> str:
    """The table of the moments, and what it says."""
    before, promised, touched, after = moments
    heads = [words.COLUMNS[name] for name in ("promised", "committed", "resident", "proportional")]
    rows = [["", *map(labels.term, heads), labels.term(AVAILABLE)]]
    for moment in moments:
        share = labels.said("not permitted") if moment.proportional is None else shown(moment.proportional, "B")
        sums = [shown(number, "B") for number in (moment.promised, moment.committed, moment.resident)]
        rows.append([labels.term(MOMENTS[moment.when]), *sums, share, shown(moment.available, "B")])
    widths = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    more = shown(promised.committed - before.committed, "B")
    taken = shown(max(0, before.available - promised.available), "B")
    grown = shown(touched.resident - promised.resident, "B")
    told = {
        "promised": f"{more} more are committed, and {taken} of memory are taken",
        "touched": f"each wrote to {shown(TOUCHED, 'B')}, and {grown} more are resident: taken is what was touched",
        "after": f"the processes have ended, and {shown(after.committed, 'B')} are committed",
    }
    said = [(labels.term(MOMENTS[when]), labels.said(sentence)) for when, sentence in told.items()]
    said.append((labels.term(BITS), labels.said(about_32_bits)))
    first = max(width(name) for name, _ in said)
    title = f"{PROCESSES} processes, each promised {EACH // GIB} GiB (private, writable), on this machine:"
    return "\n".join(
        [
            labels.said(title),
            "",
            *("  ".join([padded(row[0], widths[0]), *_right(row[1:], widths[1:])]) for row in rows),
            "",
            *(f"{padded(name, first)}  {sentence}" for name, sentence in said),
        ]
    )


def _right(cells: list[str], widths: list[int]) -> list[str]:
    return [" " * (wide - width(cell)) + cell for cell, wide in zip(cells, widths, strict=True)]
