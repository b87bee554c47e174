"""What the processor says of itself: a leaf of CPUID, the one answer that a hypervisor gives and no file can fake.

Linux offers the instruction as /dev/cpu/0/cpuid where the module is there and the asker is root; else 26 bytes of machine
code, in a page of our own, ask it directly. CPUID is not privileged and changes nothing. Other processors than x86-64 have
no such instruction, and where pages may not be made executable (SELinux's execmem) there is no answer, which is one too.
"""

from __future__ import annotations

import mmap
import os
import platform
import struct
from collections.abc import Callable
from typing import NamedTuple

from kubeapi.hardware_v1.layers import Evidence

# void f(uint32_t leaf, uint32_t out[4]), System V: endbr64; push rbx; mov eax, edi; xor ecx, ecx; cpuid;
# mov [rsi], eax; mov [rsi+4], ebx; mov [rsi+8], ecx; mov [rsi+12], edx; pop rbx; ret
CODE = bytes.fromhex("f30f1efa 53 89f8 31c9 0fa2 8906 895e04 894e08 89560c 5b c3")
DEVICE = "/dev/cpu/0/cpuid"


class Leaf(NamedTuple):
    """The four registers of an answer, and where it was had from (`CPUID` or the device)."""

    eax: int
    ebx: int
    ecx: int
    edx: int
    source: str = "CPUID"

    @property
    def signature(self) -> str:
        """The twelve letters of a hypervisor's base leaf, without what fills them up."""
        return struct.pack("<3I", self.ebx, self.ecx, self.edx).decode("latin-1").rstrip("\0 ")

    def evidence(self, leaf: int, value: str) -> Evidence:
        """An answer as evidence."""
        return Evidence(source=f"{self.source} {leaf:#010x}", value=value)


Cpuid = Callable[[int], Leaf | None]


def no_cpuid(leaf: int) -> Leaf | None:
    """The processor of a captured machine, which is not here to be asked."""
    return None


def real_cpuid() -> Cpuid:
    """A way to ask this processor, or `no_cpuid`."""
    if platform.machine() != "x86_64":
        return no_cpuid
    if os.access(DEVICE, os.R_OK):
        return _by_device
    try:
        return by_instruction()
    except (ImportError, OSError, ValueError):  # no ctypes in this Python, or no executable page
        return no_cpuid


def _by_device(leaf: int) -> Leaf | None:
    try:
        device = os.open(DEVICE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            eax, ebx, ecx, edx = struct.unpack("<4I", os.pread(device, 16, leaf))
            return Leaf(eax, ebx, ecx, edx, DEVICE)
        finally:
            os.close(device)
    except (OSError, struct.error):
        return None


def by_instruction() -> Cpuid:
    import ctypes  # 3 ms and 2 MB: only where no device answers

    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    registers = ctypes.c_uint32 * 4
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    instruction = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))(address)

    def ask(leaf: int, _page: mmap.mmap = page) -> Leaf:
        out = registers()
        instruction(leaf, out)
        return Leaf(*out)

    return ask
