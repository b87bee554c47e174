"""A part of a volume, mounted by itself: found or made without ever leaving the volume.

A container may write symlinks into its volume, and change them at any moment. So the path is walked by open directories, a
step at a time, links read from the link that is open; what is found is held by a bind mount, and the runtime is given that.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections import deque
from pathlib import Path

from agent.volumes import kernel

STEP = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_LINKS = 40


class EscapeError(OSError):
    """The path leads out of the volume."""


def hold(volume: Path, sub_path: str, target: Path) -> None:
    """Mount the volume's sub_path at target; what is missing of it is made as a directory with the volume's own mode."""
    descriptor = open_within(volume, sub_path)
    try:
        if target.exists() and os.path.samestat(target.stat(), os.fstat(descriptor)):
            return  # held already
        for mounted in kernel.mounted_below(target):
            kernel.detach(mounted)
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        if target.exists() and target.is_dir() != is_directory:
            target.rmdir() if target.is_dir() else target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(exist_ok=True) if is_directory else target.touch()
        kernel.bind(descriptor, target)
    finally:
        os.close(descriptor)


def open_within(volume: Path, sub_path: str) -> int:
    """A descriptor (O_PATH) of sub_path, made where it is missing. EscapeError if it would lead out of the volume."""
    with contextlib.ExitStack() as opened:

        def keep(descriptor: int) -> int:
            opened.callback(os.close, descriptor)
            return descriptor

        trail = [keep(os.open(volume, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))]
        mode = stat.S_IMODE(os.fstat(trail[0]).st_mode)
        steps, links = deque(sub_path.split("/")), 0
        while steps:
            match step := steps.popleft():
                case "" | ".":
                    continue
                case "..":
                    if len(trail) == 1:
                        raise EscapeError(f"{sub_path} leads out of the volume")
                    trail.pop()
                    continue
            found = keep(_open_or_make(step, trail[-1], mode))
            if not stat.S_ISLNK(os.fstat(found).st_mode):
                trail.append(found)
                continue
            links += 1
            led = os.readlink("", dir_fd=found)
            if led.startswith("/") or links > MOST_LINKS:
                raise EscapeError(f"{sub_path} leads out of the volume")
            steps.extendleft(reversed(led.split("/")))
        return os.dup(trail[-1])


def _open_or_make(step: str, parent: int, mode: int) -> int:
    try:
        return os.open(step, STEP, dir_fd=parent)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another container of the pod was quicker
            os.mkdir(step, 0o755, dir_fd=parent)
        made = os.open(step, STEP, dir_fd=parent)
        if stat.S_ISDIR(os.fstat(made).st_mode):
            os.chmod(f"/proc/self/fd/{made}", mode)
        return made
