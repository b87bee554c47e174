"""hostPath: a path of the node as it is, after the check that its type asks for."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from agent.volumes.prepared import SetUpError
from kubeapi.core_v1.types import HostPathVolumeSource

CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def ensure_path(source: HostPathVolumeSource) -> Path:
    """The path, made if its type says so. SetUpError if it is not of its type; an empty type asks for nothing."""
    path, kind = Path(source.path), source.type or ""
    if ".." in source.path.split("/"):
        raise SetUpError(f"invalid HostPath `{source.path}`: must not contain '..'")
    if not kind:
        return path
    if kind.endswith("OrCreate"):
        kind = kind.removesuffix("OrCreate")
        _make(path, kind)
    if kind not in CHECKS:
        raise SetUpError(f"{kind} is an invalid volume type")
    is_right, words = CHECKS[kind]
    if not (path.exists() and is_right(path.stat().st_mode)):
        raise SetUpError(f"hostPath type check failed: {source.path} is not {words}")
    return path


def _make(path: Path, kind: str) -> None:
    """A directory with all that lead to it, or a file in a directory that is there."""
    if path.exists():
        return
    call = "mkdir" if kind == "Directory" else "open"
    try:
        if kind == "Directory":
            path.mkdir(0o755, parents=True, exist_ok=True)
        else:
            os.close(os.open(path, os.O_CREAT | os.O_CLOEXEC, 0o644))
    except OSError as e:
        raise SetUpError(f"{call} {path}: {str(e.strerror).lower()}") from e
