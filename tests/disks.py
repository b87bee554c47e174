"""A small file system of a test's own, in a file, with a ballast that takes its room away and gives it back. Needs root."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path


class Disk:
    """The file system at `path`."""

    def __init__(self, path: Path) -> None:
        self.path, self._ballast = path, path / "ballast"

    def fill(self) -> None:
        """Take all the room that is left, to the last byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (1 << 20, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))
        try:
            (self.path / "probe").write_bytes(b"x")
        except OSError as error:
            assert error.errno == errno.ENOSPC
        else:
            raise AssertionError("there is room left")

    def give_room(self) -> None:
        """Give it back."""
        self._ballast.unlink()
        (self.path / "probe").unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(image: Path, point: Path, megabytes: int) -> Iterator[Disk]:
    """Mounted at `point`, a directory made for it; its content is in the file `image`, which is left."""
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes << 20)
    path = os.environ | {"PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"}
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True, env=path)
    subprocess.run(["mount", "-o", "loop", image, point], check=True)
    try:
        yield Disk(point)
    finally:
        subprocess.run(["umount", point], check=True)
