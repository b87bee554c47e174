"""The sandbox's only process, written byte by byte: wait for signals, reap orphans, leave at SIGTERM.

A sandbox needs a process that holds the pod's namespaces and does nothing; with a shared process namespace it is also the
init that must reap. That is some hundred bytes of machine code, so Naru brings it along instead of pulling an image. The
signals are blocked and taken one by one with rt_sigtimedwait: a blocked signal reaches PID 1 even without a handler.

    block {INT, TERM, CHLD}; forever: sig = sigwait(); if CHLD: while wait4(-1, WNOHANG) > 0; elif sig > 0: exit(0)

It holds no capability, and is denied what the engine's own seccomp profile denies to those without: a neighbour that took it
over, by ptrace in a shared process namespace, gained nothing. The engine's profile allows some three hundred calls, which
runc turns into a filter at each start: 15 ms. `SECCOMP` denies a few instead; it can't allow a few, because runc's last
steps go through it too, and differ from version to version.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
from typing import Any

REPOSITORY, TAG = "naru/pause", "1"
IMAGE = f"{REPOSITORY}:{TAG}"
SIGNALS = 1 << (2 - 1) | 1 << (15 - 1) | 1 << (17 - 1)  # INT, TERM, CHLD
LOAD_ADDRESS = 0x400000
CLONE_NEWUSER = 0x10000000
DENIED = """
    unshare clone3 personality socket ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd name_to_handle_at
    open_by_handle_at add_key keyctl request_key bpf perf_event_open userfaultfd lookup_dcookie move_pages mbind
    set_mempolicy io_uring_setup io_uring_enter io_uring_register
""".split()  # noqa: SIM905 - a list literal has one on each line
NEW_USER = {"index": 0, "value": CLONE_NEWUSER, "valueTwo": CLONE_NEWUSER, "op": "SCMP_CMP_MASKED_EQ"}
RULES: list[dict[str, Any]] = [
    {"names": DENIED, "action": "SCMP_ACT_ERRNO"},
    {"names": ["clone"], "args": [NEW_USER], "action": "SCMP_ACT_ERRNO"},
]
SECCOMP = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": RULES})
HEADERS = 64 + 56  # one ELF header, one program header


def _x86_64() -> bytes:
    start = bytes.fromhex("68") + struct.pack("<I", SIGNALS)  # push SIGNALS
    start += bytes.fromhex("31ff 4889e6 31d2 6a08415a 6a0e58 0f05")  # rt_sigprocmask(SIG_BLOCK, rsp, 0, 8)
    take = bytes.fromhex("4889e7 31f6 31d2 6a08415a b880000000 0f05")  # rt_sigtimedwait(rsp, 0, 0, 8)
    leave = bytes.fromhex("31ff 6a3c58 0f05")  # exit(0)
    reap = bytes.fromhex("6aff5f 31f6 6a015a 4531d2 6a3d58 0f05 85c0")  # wait4(-1, 0, WNOHANG, 0); test eax, eax
    branch_size = 3 + 2 + 2 + 2
    branch = bytes.fromhex("83f811 74") + bytes([2 + 2 + len(leave)])  # cmp eax, SIGCHLD; je reap
    branch += bytes.fromhex("85c0 78") + struct.pack("b", -(len(take) + branch_size))  # test eax, eax; js take (EINTR)
    again = bytes([0x7F]) + struct.pack("b", -(len(reap) + 2))  # jg reap
    whole = len(take) + branch_size + len(leave) + len(reap) + 2 + 2
    return start + take + branch + leave + reap + again + bytes([0xEB]) + struct.pack("b", -whole)  # jmp take


def _arm64() -> bytes:
    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    def stack_to(register: int) -> int:
        return 0x910003E0 | register

    def call(number: int) -> list[int]:
        return [movz(8, number), 0xD4000001]  # svc 0

    minus_one, cmp_w0 = 0x92800000, 0x7100001F
    start = [
        0x52800000 | (SIGNALS & 0xFFFF) << 5 | 9,
        0x72A00000 | (SIGNALS >> 16) << 5 | 9,
        0xF81F0FE9,
    ]  # push SIGNALS
    start += [movz(0, 0), stack_to(1), movz(2, 0), movz(3, 8), *call(135)]
    take = [stack_to(0), movz(1, 0), movz(2, 0), movz(3, 8), *call(137)]
    leave = [movz(0, 0), *call(93)]
    reap = [minus_one, movz(1, 0), movz(2, 1), movz(3, 0), *call(260), cmp_w0]
    branch = [cmp_w0 | 17 << 10, 0x54000000 | (2 + len(leave)) << 5]  # cmp w0, SIGCHLD; b.eq reap
    branch += [0x37F80000 | (-(len(take) + 2) & 0x3FFF) << 5]  # tbnz w0, #31, take
    again = [0x54000000 | (-len(reap) & 0x7FFFF) << 5 | 12]  # b.gt reap
    whole = len(take) + len(branch) + len(leave) + len(reap) + 1
    words = [*start, *take, *branch, *leave, *reap, *again, 0x14000000 | (-whole & 0x3FFFFFF)]
    return struct.pack(f"<{len(words)}I", *words)


MACHINES = {"x86_64": (62, _x86_64), "amd64": (62, _x86_64), "aarch64": (183, _arm64), "arm64": (183, _arm64)}


def program(machine: str) -> bytes:
    """The static ELF executable for a machine as `uname -m` names it. KeyError for others."""
    number, code = MACHINES[machine]
    body = code()
    size = HEADERS + len(body)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, number, 1, LOAD_ADDRESS + HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000)
    return header + segment + body


def root_filesystem(machine: str) -> bytes:
    """A tar of the image: one file, /pause. The same bytes every time, so the engine keeps one image."""
    data, out = program(machine), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()
