"""Run a command with `/` as the root of its mount namespace: `rooted.py COMMAND [ARGUMENT ...]`, as root, Linux only.

In a chroot, a process's root and that of its mount namespace are two. A container engine started there makes containers
whose first process is well, but whoever enters their namespace later (`docker exec`) arrives at the namespace's root: the
file system of the machine around the chroot. So the engine gets a namespace of its own, in which the chroot becomes the
root by pivot_root(2). Mounts that are made here later are seen there too. Where there is no chroot, nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys

CLONE_NEWNS, MNT_DETACH = 0x20000, 2
MS_BIND, MS_REC, MS_SLAVE, MS_SHARED = 0x1000, 0x4000, 1 << 19, 1 << 20
ELSEWHERE = 3  # the child's word
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *arguments: object) -> None:
    """A system call by the C library; OSError where it fails."""
    if getattr(libc, function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def in_chroot() -> bool:
    """Whether our root is not that of our mount namespace: a child looks, by entering the namespace anew."""
    here = os.stat("/")
    child = os.fork()
    if child == 0:
        with open("/proc/self/ns/mnt") as namespace:
            call("setns", namespace.fileno(), CLONE_NEWNS)
        there = os.stat("/")
        os._exit(ELSEWHERE if (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ELSEWHERE


def take_root() -> None:
    """Move into a mount namespace whose root is what is `/` now."""
    call("mount", None, b"/", None, MS_REC | MS_SHARED, None)
    call("unshare", CLONE_NEWNS)
    ours = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    with open("/proc/self/ns/mnt") as namespace:
        call("setns", namespace.fileno(), CLONE_NEWNS)
    call("mount", None, b"/", None, MS_REC | MS_SLAVE, None)
    os.fchdir(ours)
    path = os.getcwdb()
    call("mount", path, path, None, MS_BIND | MS_REC, None)
    os.chdir(path)
    call("syscall", PIVOT_ROOT[os.uname().machine], b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir("/")


if __name__ == "__main__":
    if in_chroot():
        take_root()
    os.execvp(sys.argv[1], sys.argv[1:])
