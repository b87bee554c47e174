"""One virtual machine, from its start until its server answers.

KVM where it really works. That its ioctls answer is asked first, but proves only that machines can be made: where the kernel
then does not come up (a hypervisor that asks for kernels of its own kind), the guest is emulated, and it is said why.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agent.hardware.kvm import AskKvm, real_kvm
from benchmarks.vm.initramfs import ANSWERED, UP, Server
from benchmarks.vm.kernel import KernelError
from benchmarks.vm.switch import MAC, PREFIX, Switch
from benchmarks.vm.waiting import until_answered

QEMU = "qemu-system-x86_64"
KVM_PATIENCE, PATIENCE = 10.0, 120.0  # seconds until the network is up


class Accelerator(NamedTuple):
    """How guests run here; why tells why it is not KVM."""

    name: str
    why: str = ""


class Files(NamedTuple):
    """What a guest starts from; the disk is never written to. server is what it starts."""

    kernel: Path
    initramfs: Path
    disk: Path
    server: Server


class Guest:
    """A running guest. Its console is a pair of pipes."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process, self.seconds = process, seconds
        self._console = Console(process)

    @property
    def pid(self) -> int:
        """QEMU's process."""
        return self._process.pid

    def told(self) -> dict[str, int]:
        """The guest's own account: /proc/meminfo in bytes, with `Programs` and kernel `Threads`."""
        self._console.say("")
        lines = self._console.until(ANSWERED, PATIENCE)
        found = {}
        for line in lines:
            key, _, rest = line.partition(":")
            words = rest.split()
            if words and words[0].isdigit():
                found[key.strip()] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
        return found


class Console:
    """The guest's serial line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def say(self, line: str) -> None:
        """Type a line."""
        self._in.write(line.encode() + b"\n")
        self._in.flush()

    def until(self, word: str, patience: float) -> list[str]:
        """The lines before one that holds a word. TimeoutError with the last ones when it does not come."""
        text, ends = b"", time.monotonic() + patience
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while word.encode() not in text:
                left = ends - time.monotonic()
                piece = os.read(self._out.fileno(), 1 << 16) if left > 0 and selector.select(left) else b""
                if not piece:
                    raise TimeoutError(f"the guest did not say {word!r}, but: {text.decode(errors='replace')[-500:]}")
                text += piece
        return text.decode(errors="replace").splitlines()


def accelerator(ask: AskKvm = real_kvm) -> Accelerator:
    """What to try first."""
    answer = ask()
    return Accelerator("kvm") if answer.works else Accelerator("tcg", answer.why)


def version() -> str:
    """QEMU's name and version. KernelError where it is missing."""
    if shutil.which(QEMU) is None:
        raise KernelError(f"{QEMU} is missing: install the package qemu-system-x86")
    told = subprocess.run([QEMU, "--version"], check=True, capture_output=True, text=True).stdout
    return f"QEMU {told.split('version ', 1)[1].split()[0]}"


def command(files: Files, on: Switch, how: Accelerator, ram: int) -> list[str]:
    """A machine with virtio devices and a serial line, no graphics. It has the clocks (HPET) that a kernel measures its own
    by: without them (machine `microvm`) it does not come up where the host is busy. ram in bytes."""
    return [
        QEMU, "-machine", "q35", "-accel", how.name, "-smp", "1", "-m", f"{ram >> 20}M",
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio",
        "-kernel", str(files.kernel), "-initrd", str(files.initramfs),
        "-append", f"console=ttyS0 quiet panic=-1 reboot=t address={on.guest}/{PREFIX}",
        "-drive", f"id=root,file={files.disk},format=raw,if=none,snapshot=on", "-device", "virtio-blk-pci,drive=root",
        "-netdev", f"tap,id=net,ifname={on.tap},script=no,downscript=no",
        "-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile=",
    ]  # fmt: skip


@contextlib.contextmanager
def boot(files: Files, on: Switch, how: Accelerator, ram: int) -> Iterator[Guest]:
    """A guest whose server has answered at a path. It is ended with the block. TimeoutError where it does not come up."""
    begun = time.monotonic()
    with subprocess.Popen(
        command(files, on, how, ram), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            Console(process).until(UP, KVM_PATIENCE if how.name == "kvm" else PATIENCE)
            until_answered(on.guest, files.server.port, files.server.path, PATIENCE)
            yield Guest(process, time.monotonic() - begun)
        finally:
            process.kill()


def settle(files: Files, on: Switch, how: Accelerator, ram: int) -> Accelerator:
    """How guests really run here: KVM is tried, and given up where no guest comes up by it."""
    if how.name != "kvm":
        return how
    try:
        with boot(files, on, how, ram):
            return how
    except TimeoutError:
        why = f"KVM's ioctls answer, but Debian's kernel did not come up by it within {KVM_PATIENCE:.0f} s"
        return Accelerator("tcg", why)
