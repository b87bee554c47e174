"""Whose a volume is: the kubelet's rules of fsGroup.

Everything in the volume belongs to the group, which may read it (and write it, unless the volume is read-only), and what is
made in its directories later belongs to the group too (set-group-ID).
"""

from __future__ import annotations

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
    for folder, folders, files in os.walk(root, topdown=False):
        for name in [*files, *(f for f in folders if os.path.islink(os.path.join(folder, f)))]:
            _give(Path(folder, name), group, read_only)
        _give(Path(folder), group, read_only)
    if not root.is_dir():
        _give(root, group, read_only)


def _is_of(root: Path, group: int, read_only: bool) -> bool:
    seen = root.stat()
    wanted = (READ_ONLY if read_only else READ_WRITE) | ENTER | stat.S_ISGID
    return stat.S_ISDIR(seen.st_mode) and seen.st_gid == group and seen.st_mode & wanted == wanted


def _give(path: Path, group: int, read_only: bool) -> None:
    seen = path.lstat()
    os.lchown(path, -1, group)
    if stat.S_ISLNK(seen.st_mode):
        return  # chmod would follow it
    more = READ_ONLY if read_only else READ_WRITE
    if stat.S_ISDIR(seen.st_mode):
        more |= ENTER | stat.S_ISGID
    os.chmod(path, stat.S_IMODE(seen.st_mode) | more)
