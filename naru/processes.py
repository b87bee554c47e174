"""The long-running processes of a cluster on this machine: started, found again, ended.

A process is known by DATA_DIR/run/NAME.json: its number, the kernel's start time for it, and the boot that this counts from:
so a number given to somebody else since is never taken for ours. Readiness is told by a pipe (--ready-fd), not polled for.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NO_AUTHORITIES = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
"""For what trusts nobody but its own cluster: aiohttp reads all of the system's authorities at import, 50 ms and 2 MB."""


class StartError(RuntimeError):
    """A process ended, or said nothing, before it was ready; the message has the end of its log."""


BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Identity(NamedTuple):
    """pid, the start time of that process in clock ticks since boot (/proc/PID/stat, field 22), and the boot's own id."""

    pid: int
    started: int
    boot: str = BOOT


def _identity(pid: int) -> Identity | None:
    """Who a number is that runs, None for one that is gone or only waits to be reaped."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state == "Z" else Identity(pid, int(rest[18]))


class Process:
    """One of a cluster's processes (`server` or `agent`)."""

    def __init__(self, data_dir: pathlib.Path, name: str) -> None:
        self.data_dir, self.name = data_dir, name
        self.log = data_dir / "logs" / f"{name}.log"
        self._record = data_dir / "run" / f"{name}.json"

    def identity(self) -> Identity | None:
        """The running process, or None."""
        try:
            found = Identity(**json.loads(self._record.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return found if _identity(found.pid) == found else None

    def start(self, arguments: list[str], deadline: float = 30.0) -> Identity:
        """Start `naru NAME ARGUMENTS` in a session of its own and return when it is ready.

        Raises StartError after `deadline` seconds or when it ends first.
        """
        for folder in (self.log.parent, self._record.parent):
            folder.mkdir(parents=True, exist_ok=True)
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "naru", self.name, "--data-dir", str(self.data_dir), "--ready-fd", str(writer)]
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command + arguments,
                env={**os.environ, **NO_AUTHORITIES},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(writer,),
                start_new_session=True,
            )
        os.close(writer)
        try:
            started = _identity(child.pid)
            if started is not None:
                self._record.write_text(json.dumps(started._asdict()))
            ready, _, _ = select.select([reader], [], [], deadline)
            if not ready or started is None or os.read(reader, 16) == b"":
                said = self.log.read_text(errors="replace").splitlines()[-12:]
                why = "ended" if ready else f"was not ready after {deadline:.0f} s"
                raise StartError(f"the {self.name} {why}; the end of {self.log}:\n" + "\n".join(said))
        finally:
            os.close(reader)
        return started

    def stop(self, deadline: float = 20.0) -> bool:
        """End the process (SIGTERM, after `deadline` seconds SIGKILL); whether one ran."""
        found = self.identity()
        if found is None:
            return False
        with contextlib.suppress(ProcessLookupError), _opened(found) as pidfd:  # it may end by itself meanwhile
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
            if not select.select([pidfd], [], [], deadline)[0]:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                select.select([pidfd], [], [], deadline)
        self._record.unlink(missing_ok=True)
        return True


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that made it dies, in whatever way."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def tell_ready(descriptor: int | None) -> None:
    """Say that this process is ready, to whoever started it with --ready-fd."""
    if descriptor is not None:
        os.write(descriptor, b"ready\n")
        os.close(descriptor)


@contextlib.contextmanager
def restarting(data_dir: pathlib.Path) -> Iterator[None]:
    """While processes of a cluster are ended only to be started again: who waits for an end waits on."""
    lock = os.open(data_dir, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def wait_for_end(*processes: Process) -> Process:
    """Block until one of these running processes ends and is not being started again; returns it."""
    while True:
        ended = _next_end(processes)
        with contextlib.suppress(FileNotFoundError), restarting(ended.data_dir):  # naru down --delete-data was here
            if ended.identity() is not None:
                continue
        return ended


def _next_end(processes: Sequence[Process]) -> Process:
    poll = select.poll()
    by_descriptor = {}
    with contextlib.ExitStack() as open_ones:
        for process in processes:
            found = process.identity()
            if found is None:
                return process
            try:
                descriptor = open_ones.enter_context(_opened(found))
            except ProcessLookupError:
                return process
            by_descriptor[descriptor] = process
            poll.register(descriptor, select.POLLIN)
        return by_descriptor[poll.poll()[0][0]]


@contextlib.contextmanager
def _opened(identity: Identity) -> Iterator[int]:
    """A file descriptor of a process, readable when it has ended. Raises ProcessLookupError where it has already."""
    pidfd = os.pidfd_open(identity.pid)
    try:
        if _identity(identity.pid) != identity:
            raise ProcessLookupError(identity.pid)  # the number is somebody else's by now
        yield pidfd
    finally:
        os.close(pidfd)
