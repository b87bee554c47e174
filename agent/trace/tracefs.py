"""The first witness: the kernel's tracepoints, which tell by which device a packet went, when, and why it was freed.

The tracepoints are read through an instance of tracefs of our own, named after this process; nobody else's tracing is
touched. tracefs itself is opened by `fsmount`, which attaches it to no place: nothing is mounted. An instance, though, stays
in the kernel until it is removed, so a child, the sentinel, holds the end of a pipe: when the pipe closes, be it that the
trace is over or that this process was killed, it removes the instance and ends. Should both be killed at once, the next
trace sweeps what bears the name of a process that is no more.

Filters keep the buffer small: a packet is known by its length and then by the address of its skb, which stays the same from
the first device to the last, through other namespaces and translations.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import NamedTuple, Self

FSOPEN, FSCONFIG, FSMOUNT = 430, 431, 432  # system calls: the same numbers on every architecture
FSCONFIG_CMD_CREATE, CLOEXEC = 6, 1
INSTANCES, PREFIX = "instances", "naru-trace"
DEVICE_EVENTS = ("net/net_dev_queue", "net/net_dev_start_xmit", "net/netif_rx", "net/netif_receive_skb")
FREED = "skb/kfree_skb"
ETHERNET = 14  # what a frame's length has more than a packet's, on the way out
BUFFER_KB = "512"
MARK = "tracing_mark_write"
COUNT = itertools.count()

LINE = re.compile(
    r"^\s*.+-(?P<thread>\d+)\s+(?:\(.*?\)\s+)?\[\d+\]\s+\S+\s+(?P<time>\d+\.\d+): (?P<event>\w+): (?P<rest>.*)$"
)
FIELD = re.compile(r"(?:^|\s)(\w+)[=:] ?(\S+)")


class Crossing(NamedTuple):
    """One tracepoint met: seconds are CLOCK_MONOTONIC's; device is only a name, the same in many namespaces. For a freed
    packet, reason and location tell why and by which function."""

    seconds: float
    event: str
    skb: str
    thread: int
    device: str = ""
    length: int = 0
    reason: str = ""
    location: str = ""

    @property
    def direction(self) -> str:
        """in or out of the device; empty for a freed packet."""
        return {"netif_rx": "in", "netif_receive_skb": "in", "kfree_skb": ""}.get(self.event, "out")


def parse(line: str) -> Crossing | None:
    """A line of the trace, None for one that is no event of ours."""
    found = LINE.match(line)
    if found is None:
        return None
    fields = dict(FIELD.findall(found["rest"]))
    if "skbaddr" not in fields:
        return None
    return Crossing(
        float(found["time"]),
        found["event"],
        fields["skbaddr"],
        int(found["thread"]),
        fields.get("dev", ""),
        int(fields["len"]) if fields.get("len", "").isdigit() else 0,
        fields.get("reason", ""),
        fields.get("location", "").partition("+")[0],
    )


class Tracefs:
    """Records packets of the given lengths (of the IP packet) from `with` to its end. OSError where the kernel has no
    tracefs, or lets us have none."""

    def __init__(self, lengths: Iterable[int]) -> None:
        self._lengths = sorted(lengths)
        self._name = f"{PREFIX}-{_numbering()}-{os.getpid()}-{_birth(os.getpid())}-{next(COUNT)}"
        self._thread = 0
        self._stack = contextlib.ExitStack()
        self._instance = -1

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            root = open_tracefs()
            stack.callback(os.close, root)
            sweep(root)
            stack.enter_context(_sentinel(root, self._name))
            os.mkdir(f"{INSTANCES}/{self._name}", dir_fd=root)
            self._instance = os.open(f"{INSTANCES}/{self._name}", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
            stack.callback(os.close, self._instance)
            self._set("trace_clock", "mono")
            self._set("buffer_size_kb", BUFFER_KB)
            # The first that is recorded is ours: on a busy machine what follows would push it out.
            self._set("options/overwrite", "0")
            lengths = [n + more for n in self._lengths for more in (0, ETHERNET)]
            for event in DEVICE_EVENTS:
                self._set(f"events/{event}/filter", " || ".join(f"len == {n}" for n in lengths))
                self._set(f"events/{event}/enable", "1")
            self._set(f"events/{FREED}/filter", f"protocol == {0x0800}")
            self._set(f"events/{FREED}/enable", "1")
            self.begin()
            self._stack = stack.pop_all()
        return self

    def begin(self) -> None:
        """Forget what was recorded: the calling thread's next packet is the one that matters."""
        self._set("trace", "")
        self._thread = threading.get_native_id()
        self._set("trace_marker", "here")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def read(self) -> list[Crossing]:
        """Everything recorded since the beginning, by time. The thread that began it has the number it knows itself by: in a
        PID namespace the kernel's is another, learnt from the mark that it left, and who has ours there is somebody else."""
        descriptor = os.open("trace", os.O_RDONLY, dir_fd=self._instance)
        with open(descriptor, errors="replace") as file:
            text = file.read().splitlines()
        crossings = sorted((c for line in text if (c := parse(line))), key=lambda c: c.seconds)
        number = next(
            (int(m["thread"]) for line in text if (m := LINE.match(line)) and m["event"] == MARK), self._thread
        )
        ours = {number: self._thread, self._thread: number}
        return [c._replace(thread=ours.get(c.thread, c.thread)) for c in crossings]

    def _set(self, file: str, value: str) -> None:
        descriptor = os.open(file, os.O_WRONLY | os.O_TRUNC, dir_fd=self._instance)
        try:
            os.write(descriptor, value.encode())
        finally:
            os.close(descriptor)


def sweep(root: int) -> None:
    """Remove the instances of processes that are no more; of other PID namespaces' nothing can be told. root is a descriptor
    of tracefs."""
    holder = os.open(INSTANCES, os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
    try:
        for name in os.listdir(holder):
            words = name.removeprefix(f"{PREFIX}-").split("-")
            ours = name.startswith(f"{PREFIX}-") and len(words) == 4 and words[0] == _numbering()
            if ours and _birth(int(words[1])) != words[2]:
                with contextlib.suppress(OSError):  # its sentinel was faster
                    os.rmdir(name, dir_fd=holder)
    finally:
        os.close(holder)


def instances() -> list[str]:
    """The instances of ours that the kernel has now, for whoever wants to see that none is left."""
    root = open_tracefs()
    try:
        holder = os.open(INSTANCES, os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
        try:
            return [name for name in os.listdir(holder) if name.startswith(PREFIX)]
        finally:
            os.close(holder)
    finally:
        os.close(root)


@contextlib.contextmanager
def _sentinel(root: int, name: str) -> Iterator[None]:
    """A child that removes the instance when its input ends, whoever ends it."""
    program = f"read _; rmdir /proc/self/fd/{root}/{INSTANCES}/{name}"
    child = subprocess.Popen(
        ["sh", "-c", program],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[root],
        start_new_session=True,  # a Ctrl-C is for us, and must not end it before its work
    )
    try:
        yield
    finally:
        assert child.stdin
        child.stdin.close()
        child.wait()


def _numbering() -> str:
    """The PID namespace in which our process numbers count: its inode."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "0"


def _birth(pid: int) -> str:
    """When a process began, in the kernel's ticks: with its number it names a process for ever. Empty when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def open_tracefs() -> int:
    """A descriptor of tracefs' root, which is attached to no place."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        result = int(libc.syscall(number, *arguments))
        if result < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), "tracefs")
        return result

    context = call(FSOPEN, b"tracefs", CLOEXEC)
    try:
        call(FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
        mount = call(FSMOUNT, context, CLOEXEC, 0)
    finally:
        os.close(context)
    try:
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=mount)
    finally:
        os.close(mount)
