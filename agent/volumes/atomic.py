"""Files that change all at once: what ConfigMap, Secret, downward API and projected volumes look like in a container.

The files lie in a fresh directory; `..data` is a symlink to it, and the names that users see are symlinks through `..data`.
Renaming a new `..data` over the old one therefore changes every file in one step (the kubelet's AtomicWriter).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from agent.volumes.ownership import give_to_group


class File(NamedTuple):
    """Content and mode of one file, and the user whose it is (None: root's)."""

    data: bytes
    mode: int = 0o644
    user: int | None = None


def write(root: Path, files: Mapping[str, File], group: int | None = None) -> bool:
    """Make root (a directory) hold exactly these files, by relative path; group may read them. False if it already did.

    ValueError for a path that would leave the volume.
    """
    for path in files:
        _refuse_escape(path)
    data = root / "..data"
    old = root / os.readlink(data) if data.is_symlink() else None
    if old is not None and old.is_dir() and _read(old) == {path: f.data for path, f in files.items()}:
        return False
    fresh = Path(tempfile.mkdtemp(prefix=datetime.now(UTC).strftime("..%Y_%m_%d_%H_%M_%S."), dir=root))
    os.chmod(fresh, 0o755)
    for path, file in files.items():
        target = fresh / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(0o600)
        target.write_bytes(file.data)
        if file.user is not None:
            os.chown(target, file.user, -1)
        os.chmod(target, file.mode)
    if group is not None:
        give_to_group(fresh, group, read_only=True)
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
    if old is not None and old.is_dir():
        shutil.rmtree(old)
    if group is not None:
        give_to_group(root, group, read_only=True)
    return True


def _refuse_escape(path: str) -> None:
    if not path or PurePosixPath(path).is_absolute() or ".." in path.split("/") or path.startswith(".."):
        raise ValueError(f"invalid path: {path!r} must be relative and stay in the volume")


def _read(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in directory.rglob("*") if f.is_file()}
