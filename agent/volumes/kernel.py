"""The kernel's mounts, as volumes need them: tmpfs, a bind mount of an open file, what is mounted below a directory."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
from pathlib import Path

MS_BIND, MNT_DETACH = 4096, 2
_libc = ctypes.CDLL(None, use_errno=True)


def mount_tmpfs(target: Path, options: str) -> None:
    """An empty file system in memory; options as mount(8) takes them (`size=1048576,mode=1777`)."""
    _mount("tmpfs", target, "tmpfs", 0, options)


def bind(descriptor: int, target: Path) -> None:
    """Show at target the file or directory that is open; its name may change or be replaced meanwhile."""
    _mount(f"/proc/self/fd/{descriptor}", target, None, MS_BIND, None)


def detach(target: Path) -> None:
    """Unmount; who still uses it keeps it until they are done."""
    if _libc.umount2(os.fsencode(target), MNT_DETACH) != 0:
        raise _error(target)


def mounted_below(directory: Path) -> list[Path]:
    """What is mounted at or below a directory, the deepest first; the kernel knows it without the links on the way to it."""
    directory = directory.resolve()
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), line.split(" ", 5)[4])) for line in lines)
    return sorted((p for p in points if p.is_relative_to(directory)), key=lambda p: len(p.parts), reverse=True)


def delete_directory(directory: Path) -> None:
    """Unmount what is mounted below, then delete. Nothing goes while a mount is left: it may be somebody's data."""
    for point in mounted_below(directory):
        detach(point)
    if left := mounted_below(directory):
        raise OSError(f"still mounted: {', '.join(map(str, left))}")
    if directory.exists():
        shutil.rmtree(directory)


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str | None) -> None:
    texts = [text.encode() if text is not None else None for text in (source, kind, options)]
    if _libc.mount(texts[0], os.fsencode(target), texts[1], ctypes.c_ulong(flags), texts[2]) != 0:
        raise _error(target)


def _error(target: Path) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, os.strerror(code), str(target))
