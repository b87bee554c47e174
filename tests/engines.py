"""Docker Engines of a test's own, to be broken: beside the machine's, in a folder and a network namespace of their own.

A cluster on such an engine lives in that namespace as well. So what a test does to devices, routes and rules is done to
nobody else, and taking the namespace away is what a reboot does to a network. An engine is started without a bridge and
without rules of Docker's, and gets its images from the machine's.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

ROOTED = str(pathlib.Path(__file__).parents[1] / "scripts" / "rooted.py")
ENDS_WITHIN = 60


class Engine:
    """One dockerd; its socket's path is short, as the kernel wants it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.host, self.network = folder, f"unix://{folder}/docker.sock", folder.name
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put before a command that is to run in the engine's network."""
        return ("nsenter", f"--net=/run/netns/{self.network}")

    @property
    def pid(self) -> int:
        """The number of dockerd's process."""
        assert self._process is not None
        return self._process.pid

    def make_network(self) -> None:
        """A network with nothing in it but loopback."""
        _run("ip", "netns", "add", self.network)
        _run("ip", "-netns", self.network, "link", "set", "lo", "up")

    def remove_network(self) -> None:
        """Take it away; its devices go once no process is in it."""
        _run("ip", "netns", "delete", self.network)

    def start(self, *more: str) -> None:
        """Start it with these options too, and return when it answers."""
        f = self.folder
        places = [f"--data-root={f}/data", f"--exec-root={f}/exec", f"--pidfile={f}/pid", f"--host={self.host}"]
        options = ["--bridge=none", "--iptables=false", "--ip6tables=false", *more]
        with (f / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.inside, sys.executable, ROOTED, "dockerd", *places, *options], stdout=log, stderr=log
            )
        deadline = time.monotonic() + ENDS_WITHIN
        while self.docker("version", check=False).returncode:
            assert self._process.poll() is None and time.monotonic() < deadline, (f / "log").read_text()[-2000:]

    def stop(self) -> None:
        """Ask it to end: with it goes every container that it runs, unless it was started with --live-restore."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(ENDS_WITHIN)

    def kill(self) -> None:
        """kill -9: its containers run on, until it is started again. Its containerd dies with it."""
        assert self._process is not None
        containerd = self.folder / "exec" / "containerd" / "containerd.pid"
        child = int(containerd.read_text())
        self._process.kill()
        self._process.wait(ENDS_WITHIN)
        _end(child)
        containerd.unlink()  # or the next dockerd may wait for it, while nobody has reaped it

    def reboot(self, *folders: pathlib.Path) -> None:
        """Leave what a reboot leaves, the files on disk, and start it as at boot. Its processes, what is mounted below its
        folder and these, its network and what it keeps in /run go."""
        self._end_all()
        for point in reversed([point for folder in (self.folder, *folders) for point in _mounts_below(folder)]):
            _run("umount", "--lazy", point)
        shutil.rmtree(self.folder / "exec")
        (self.folder / "pid").unlink()
        self.remove_network()
        self.make_network()
        self.start()

    def _end_all(self) -> None:
        while left := self.processes():
            for pid in left:
                _end(pid)
        assert self._process is not None
        self._process.wait(ENDS_WITHIN)

    def processes(self) -> list[int]:
        """dockerd, containerd, the shims, and all that runs in the containers."""
        found = [pid for pid in _pids() if str(self.folder) in _command(pid)]
        return [*found, *(pid for pid in _pids() if pid not in found and _parent(pid) in found)]

    def docker(
        self, *arguments: str, check: bool = True, told: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a docker command on it."""
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, input=told, capture_output=True, timeout=100, check=check)

    def load(self, *images: str) -> None:
        """Give it images of the machine's engine."""
        saved = subprocess.run(["docker", "save", *images], capture_output=True, check=True, timeout=100).stdout
        self.docker("load", told=saved)

    def remove(self) -> None:
        """End all of it, whatever state it is in, and remove its files."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        if self._process and self._process.poll() is None:
            self.stop()
        self._end_all()
        for point in reversed(_mounts_below(self.folder)):
            _run("umount", "--lazy", point)
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def own_engine(*images: str) -> Iterator[Engine]:
    """An engine that runs and has naru/base and these images; nothing of it is left after."""
    made = Engine(pathlib.Path(tempfile.mkdtemp(prefix="naru-engine-")))
    made.make_network()
    try:
        made.start()
        made.load("naru/base", *images)
        yield made
    finally:
        made.remove()
        made.remove_network()


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True, timeout=30)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _command(pid: int) -> str:
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _parent(pid: int) -> int:
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _end(pid: int) -> None:
    """kill -9, and wait until it is gone (or only to be reaped)."""
    try:
        ending = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(ending, signal.SIGKILL)
        select.select([ending], [], [], ENDS_WITHIN)
    finally:
        os.close(ending)


def _mounts_below(folder: pathlib.Path) -> list[str]:
    points = [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]
