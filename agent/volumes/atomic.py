"""Files that change all at once: what ConfigMap, Secret, downward API and projected volumes look like in a container.

The files lie in a fresh directory; `..data` is a symlink to it, and the names that users see are symlinks through `..data`.
Renaming a new `..data` over the old one therefore changes every file in one step (the kubelet's AtomicWriter).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class File(NamedTuple):
    """Content and mode of one file."""

    data: bytes
    mode: int = 0o644


def write(root: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Make root hold exactly these files (relative paths); group may read them. False if it already did."""
    root.mkdir(parents=True, exist_ok=True)
    os.chmod(root, 0o755)
    data = root / "..data"
    old = data.resolve() if data.is_symlink() else None
    if old is not None and _read(old) == {path: f.data for path, f in files.items()}:
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=root))
    os.chmod(fresh, 0o755)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.data)
        if group is not None:
            os.chown(target, -1, group)
        os.chmod(target, file.mode | (0o040 if group is not None else 0))
    pointer = root / "..data_tmp"
    pointer.unlink(missing_ok=True)
    pointer.symlink_to(fresh.name)
    pointer.replace(data)
    shown = {path.split("/", 1)[0] for path in files}
    for name in shown:
        if not (root / name).is_symlink():
            (root / name).symlink_to(f"..data/{name}")
    for entry in root.iterdir():
        if not entry.name.startswith("..") and entry.name not in shown:
            entry.unlink()
    if old is not None:
        shutil.rmtree(old)
    return True


def _read(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in directory.rglob("*") if f.is_file()}
