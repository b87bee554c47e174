"""Whether a kernel runs 32-bit programs: asked by running one, since one that could may have been started without."""

from __future__ import annotations

import os
import struct

INSTRUCTIONS = bytes.fromhex("31c04031dbcd80")  # xor eax, eax; inc eax (1: exit); xor ebx, ebx; int 0x80
BASE, HEADERS = 0x08048000, 52 + 32
_HEADER = struct.Struct("<16s HH I III I HHHHHH")  # Elf32_Ehdr (elf(5))
_SEGMENT = struct.Struct("<IIIIIIII")  # Elf32_Phdr


def program() -> bytes:
    """The smallest program for the i386 that ends well: 91 bytes, statically linked, one segment."""
    executable, i386, load, readable = 2, 3, 1, 5
    size = HEADERS + len(INSTRUCTIONS)
    header = _HEADER.pack(
        b"\x7fELF\x01\x01\x01", executable, i386, 1, BASE + HEADERS, _HEADER.size, 0, 0,
        _HEADER.size, _SEGMENT.size, 1, 0, 0, 0,
    )  # fmt: skip
    return header + _SEGMENT.pack(load, 0, BASE, BASE, size, size, readable, 4096) + INSTRUCTIONS


def runs_32_bit() -> bool | None:
    """Whether it ran. Only x86 can be tried so; None elsewhere."""
    if os.uname().machine != "x86_64":
        return None
    descriptor = os.memfd_create("naru-32", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, program())
        pid = os.posix_spawn(f"/proc/self/fd/{descriptor}", ["naru-32"], {})
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def sentence(runs: bool | None) -> str:
    """What a 32-bit process is promised, and whether there can be one here."""
    here = {
        True: "a 32-bit program was run here to see: it works",
        False: "a 32-bit program was tried here: this kernel runs none",
        None: "whether this kernel runs any could not be tried",
    }[runs]
    return f"a 32-bit process is promised 4 GiB under a 64-bit kernel, 3 under a 32-bit one, which keeps the fourth; {here}"
