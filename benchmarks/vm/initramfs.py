"""The guest's first file system: busybox, the drivers, and a first process of a dozen lines that starts the server.

The server's files are a disk, made of the container image: what runs is the same, file by file.
"""

from __future__ import annotations

import json
import shlex
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.vm.kernel import KernelError, Module

UP, ANSWERED = "naru: network is up", "naru: end"
ROOM = 64 << 20  # bytes left free on the disk
DIRECTORY, PROGRAM = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs devtmpfs /dev
for module in {modules}; do $b insmod /modules/$module; done
$b ip link set lo up
$b ip address add $address dev eth0
$b ip link set eth0 up
$b mount -t ext4 /dev/vda /root
for one in proc sys dev; do $b mount -o bind /$one /root/$one; done
echo "127.0.0.1 localhost {names}" >>/root/etc/hosts
echo "{up}"
export {environment}
$b chroot /root {command} &
while read -r question; do
    $b cat /proc/meminfo
    programs=0 threads=0
    for process in /proc/[0-9]*; do
        if [ -e "$process/exe" ]; then programs=$((programs + 1)); else threads=$((threads + 1)); fi
    done
    echo "Programs: $programs"
    echo "Threads: $threads"
    echo "{answered}"
done
"""


class Server(NamedTuple):
    """What runs on both sides: an image, what it starts, where it answers, and the hosts that it looks up when it starts."""

    image: str
    command: Sequence[str]
    environment: Sequence[str]
    path: str
    port: int
    hosts: Sequence[str] = ()

    @classmethod
    def of(cls, image: str, path: str, port: int, hosts: Sequence[str] = ()) -> Server:
        """Command and environment as the engine tells them."""
        told = subprocess.run(["docker", "image", "inspect", image], check=True, capture_output=True).stdout
        config = json.loads(told)[0]["Config"]
        command = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
        return cls(image, command, config["Env"] or [], path, port, hosts)


def script(server: Server, modules: Sequence[Module]) -> str:
    """The guest's first process. The kernel hands it `address`, which it does not know itself, from its command line."""
    return INIT.format(
        modules=" ".join(module.name for module in modules), names=" ".join(server.hosts), up=UP,
        environment=" ".join(shlex.quote(pair) for pair in server.environment) or "HOME=/",
        command=shlex.join(server.command), answered=ANSWERED,
    )  # fmt: skip


def files(init: str, modules: Sequence[Module]) -> dict[str, bytes]:
    """What the archive holds, by path."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise KernelError("busybox is missing: install the package busybox-static")
    held = {"bin/busybox": Path(busybox).read_bytes(), "init": init.encode()}
    return held | {f"modules/{module.name}": module.data for module in modules}


def archive(held: Mapping[str, bytes]) -> bytes:
    """A cpio archive in the kernel's form (newc; Documentation/driver-api/early-userspace/buffer-format)."""
    folders = {path.partition("/")[0] for path in held if "/" in path} | {"proc", "sys", "dev", "root"}
    entries = [(folder, DIRECTORY, b"") for folder in sorted(folders)]
    entries += [(path, PROGRAM, data) for path, data in held.items()]
    return b"".join(_entry(number, *entry) for number, entry in enumerate([*entries, ("TRAILER!!!", 0, b"")], start=1))


def _entry(inode: int, path: str, mode: int, data: bytes) -> bytes:
    name = path.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4)


def make_disk(image: str, work: Path) -> Path:
    """A file system with an image's files, as a file. work is an empty directory; needs root, for the files' owners."""
    root, disk = work / "root", work / "disk.ext4"
    root.mkdir()
    made = subprocess.run(["docker", "create", image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        with subprocess.Popen(["docker", "export", made], stdout=subprocess.PIPE) as export:
            subprocess.run(["tar", "-x", "-C", str(root)], stdin=export.stdout, check=True)
    finally:
        subprocess.run(["docker", "rm", "-f", made], check=True, stdout=subprocess.DEVNULL)
    used = sum(path.lstat().st_blocks * 512 for path in root.rglob("*"))
    size = (used + used // 8 + ROOM) >> 20
    subprocess.run(
        ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", str(root), str(disk), f"{size}M"],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(root)
    return disk
