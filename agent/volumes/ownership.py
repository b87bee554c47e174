"""Whose a volume is: the kubelet's rules of fsGroup.

Everything in the volume belongs to the group, which may read it (and write it, unless the volume is read-only), and what is
made in its directories later belongs to the group too (set-group-ID).

Containers may write there meanwhile, and put a link where a directory was. So nothing is named by a path: directories are
held open, and what is changed is what is open.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

READ_WRITE, READ_ONLY, ENTER = 0o660, 0o440, 0o110


def give_to_group(root: Path, group: int, read_only: bool = False, policy: str = "Always") -> None:
    """Give a volume to a group, its root last, so that one that is right at the root is right below it.

    With the policy OnRootMismatch nothing is done if the root is right already.
    """
    if policy == "OnRootMismatch" and _is_of(root, group, read_only):
        return
    if root.is_dir():
        for _, folders, files, opened in os.fwalk(root, topdown=False):
            for name in (*files, *folders):
                with contextlib.suppress(FileNotFoundError):  # a container has deleted it
                    _give(name, opened, group, read_only)
    _give(str(root), None, group, read_only)


def _is_of(root: Path, group: int, read_only: bool) -> bool:
    seen = root.stat()
    wanted = (READ_ONLY if read_only else READ_WRITE) | ENTER | stat.S_ISGID
    return stat.S_ISDIR(seen.st_mode) and seen.st_gid == group and seen.st_mode & wanted == wanted


def _give(name: str, folder: int | None, group: int, read_only: bool) -> None:
    """Give what stands under a name of an open directory; a link is given itself, never what it leads to."""
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        seen, opened = os.fstat(descriptor), f"/proc/self/fd/{descriptor}"
        if stat.S_ISLNK(seen.st_mode):
            os.chown(name, -1, group, dir_fd=folder, follow_symlinks=False)
            return  # its mode is nothing
        os.chown(opened, -1, group)
        more = READ_ONLY if read_only else READ_WRITE
        if stat.S_ISDIR(seen.st_mode):
            more |= ENTER | stat.S_ISGID
        os.chmod(opened, stat.S_IMODE(seen.st_mode) | more)
    finally:
        os.close(descriptor)
