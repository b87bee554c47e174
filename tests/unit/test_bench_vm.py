"""How a guest is prepared and run, without one: drivers in order, the accelerator and why, the waiting."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import lzma
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.hardware.kvm import Kvm
from benchmarks.vm import guest
from benchmarks.vm.guest import Accelerator, Console, Files, Guest, accelerator, command, settle
from benchmarks.vm.initramfs import Server
from benchmarks.vm.kernel import Kernel
from benchmarks.vm.switch import Switch
from benchmarks.vm.waiting import until_answered

FILES = Files(Path("vmlinuz"), Path("initramfs"), Path("disk"), Server("web:1", [], [], "/", 80))
ON = Switch("br", "tap", 7)


def module(depends: str) -> bytes:
    """What of a module's file is looked at."""
    return b"\x7fELF...license=GPL\0depends=" + depends.encode() + b"\0retpoline=Y\0"


def test_drivers_come_after_what_they_need_however_they_are_packed(tmp_path: Path) -> None:
    """Debian 12 has them plain, Debian 13 packed by xz; a name's dashes are underscores to the kernel."""
    packed = {
        "virtio_net.ko.xz": lzma.compress(module("net_failover,virtio")),
        "net_failover.ko.gz": gzip.compress(module("failover")),
        "failover.ko": module(""),
        "virtio_blk.ko": module("virtio,virtio-ring,built_in"),
        "virtio.ko": module("virtio_ring"),
        "virtio-ring.ko": module(""),
        "unwanted.ko": module(""),
    }
    for name, data in packed.items():
        (tmp_path / name).write_bytes(data)
    drivers = Kernel(tmp_path / "vmlinuz", tmp_path, "6.1").drivers()
    names = [driver.name for driver in drivers]
    assert sorted(names) == ["failover", "net_failover", "virtio", "virtio_blk", "virtio_net", "virtio_ring"]
    for first, then in (("failover", "net_failover"), ("net_failover", "virtio_net"), ("virtio_ring", "virtio")):
        assert names.index(first) < names.index(then)
    assert all(driver.data.startswith(b"\x7fELF") for driver in drivers)


def test_without_kvm_it_is_emulated_and_says_why() -> None:
    assert accelerator(lambda: Kvm(True, [])) == Accelerator("kvm")
    assert accelerator(lambda: Kvm(False, [], "open /dev/kvm: absent")) == Accelerator("tcg", "open /dev/kvm: absent")


def test_kvm_that_answers_but_brings_no_kernel_up_is_given_up_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def hanging(*_: object) -> Iterator[Guest]:
        raise TimeoutError("nothing")
        yield

    monkeypatch.setattr(guest, "boot", hanging)
    found = settle(FILES, ON, Accelerator("kvm"), 1 << 28)
    assert found.name == "tcg" and "ioctls answer" in found.why


def test_the_guest_has_no_card_but_the_one_on_its_tap() -> None:
    words = command(FILES, ON, Accelerator("tcg"), 256 << 20)
    assert [word for word in words if word.startswith("tap,")] == ["tap,id=net,ifname=tap,script=no,downscript=no"]
    assert "-nodefaults" in words and "256M" in words
    assert any("address=198.18.7.2/30" in word for word in words)


def test_a_guest_that_dies_or_is_silent_is_not_waited_for_longer_than_its_deadline() -> None:
    dies = [sys.executable, "-c", "print('panic: no root', flush=True)"]
    silent = [sys.executable, "-c", "import signal; signal.pause()"]
    for program, patience in ((dies, 30.0), (silent, 0.2)):
        with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            with pytest.raises(TimeoutError, match="did not say 'up'"):
                Console(process).until("up", patience)
            process.kill()


def test_a_server_is_waited_for_until_it_answers_well() -> None:
    answers = iter([503, 200])

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(next(answers))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is said."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            until_answered("127.0.0.1", server.server_port, "/", 10.0)
        finally:
            server.shutdown()
            thread.join()
    assert next(answers, None) is None
    with pytest.raises(TimeoutError):
        until_answered("127.0.0.1", server.server_port, "/", 0.1)
