"""Debian's own kernel for virtual machines, and the drivers that it needs there.

The package is fetched and unpacked into a cache, not installed: nothing of this machine's own boot is touched.
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGE = "linux-image-cloud-amd64"
DRIVERS = ("virtio_pci", "virtio_blk", "virtio_net")
_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_OPENERS: Mapping[str, Callable[[bytes], bytes]] = {".ko": bytes, ".xz": lzma.decompress, ".gz": gzip.decompress}


class KernelError(Exception):
    """No kernel can be had; the message is for a person."""


class Module(NamedTuple):
    """A driver as the kernel takes it: its name and the file's bytes, decompressed."""

    name: str
    data: bytes


class Kernel(NamedTuple):
    """An unpacked kernel package."""

    image: Path
    modules: Path
    release: str

    def drivers(self) -> list[Module]:
        """The drivers with all they need, each after what it needs. What has no file is built in."""
        files = {path.name.partition(".")[0].replace("-", "_"): path for path in self.modules.rglob("*.ko*")}
        ordered: dict[str, bytes] = {}

        def add(name: str) -> None:
            if name in ordered or name not in files:
                return
            data = _OPENERS[files[name].suffix](files[name].read_bytes())
            for needed in _needed(data):
                add(needed)
            ordered[name] = data

        for name in DRIVERS:
            add(name)
        return [Module(name, data) for name, data in ordered.items()]

    def disk(self) -> int:
        """Bytes that kernel and modules take."""
        return sum(path.stat().st_size for path in (self.image, *self.modules.rglob("*")) if path.is_file())


def cache() -> Path:
    """Where kernels are kept (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "naru" / "kernel"


def ensure_kernel(directory: Path) -> Kernel:
    """The kernel of this Debian, fetched once; another only when the package lists name a newer one."""
    architecture = _run("dpkg", "--print-architecture").strip()
    if architecture != "amd64":
        raise KernelError(f"the guest is made for amd64, and this machine is {architecture}")
    package = _package() or _package(update=True)
    if package is None:
        kept = sorted(directory.glob("linux-image-*"))
        if not kept:
            raise KernelError(f"no package source here has {PACKAGE}")
        package = kept[-1].name
    unpacked = directory / package
    if not unpacked.exists():
        directory.mkdir(parents=True, exist_ok=True)
        _run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package, cwd=directory)
        [archive] = directory.glob(f"{package}_*.deb")
        new = directory / f".{package}.{os.getpid()}"
        _run("dpkg-deb", "-x", str(archive), str(new))
        archive.unlink()
        new.rename(unpacked)
    release = package.removeprefix("linux-image-")
    image = unpacked / "boot" / f"vmlinuz-{release}"
    modules = next(path for path in (unpacked / "lib/modules", unpacked / "usr/lib/modules") if path.exists())
    return Kernel(image, modules, release)


def _package(update: bool = False) -> str | None:
    """The package with the kernel itself, which the one named PACKAGE only points to."""
    if update:
        _run("apt-get", "-qq", "update")
    shown = subprocess.run(["apt-cache", "depends", "--no-recommends", PACKAGE], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", shown.stdout)
    return found[1] if found else None


def _needed(data: bytes) -> Iterator[str]:
    """The modules that a module's .modinfo names."""
    found = _DEPENDS.search(data)
    for name in found[1].decode().split(",") if found else ():
        if name:
            yield name.replace("-", "_")


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        raise KernelError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")
    return done.stdout
