"""emptyDir: a directory of the pod's own, on disk or in memory. Files of Secrets and tokens lie in memory too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agent.environment import amount
from agent.volumes import kernel
from agent.volumes.ownership import give_to_group
from agent.volumes.prepared import SetUpError
from kubeapi.core_v1.types import EmptyDirVolumeSource, Pod


def ensure_directory(path: Path, pod: Pod, source: EmptyDirVolumeSource) -> None:
    """The empty directory, the pod's group's if it has one. What containers have put there already stays as it is."""
    match source.medium:
        case "":
            ensure_on_disk(path)
        case "Memory":
            ensure_in_memory(path, memory_size(pod, source))
        case medium:
            raise SetUpError(f'unknown storage medium "{medium}": this node has only its disk ("") and "Memory"')
    security = pod.spec.security_context
    if security and security.fs_group is not None:
        give_to_group(path, security.fs_group, policy="OnRootMismatch")


def ensure_on_disk(path: Path) -> None:
    """A directory that everybody may write to; it appears with its mode, or not at all."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    os.chmod(fresh, 0o777)
    os.rename(fresh, path)


def ensure_in_memory(path: Path, size: int = 0) -> None:
    """A tmpfs of so many bytes at most; 0 leaves it to the machine's memory."""
    path.mkdir(parents=True, exist_ok=True)
    if not path.is_mount():
        kernel.mount_tmpfs(path, f"size={size or _machine_memory()},mode=1777")


def memory_size(pod: Pod, source: EmptyDirVolumeSource) -> int:
    """The smallest of the volume's own limit and its pod's (only a pod whose containers all have a limit has one)."""
    limits = [container.resources.limits.get("memory") for container in pod.spec.containers]
    whole = sum(int(amount(limit)) for limit in limits if limit is not None) if all(limits) else 0
    own = int(amount(source.size_limit)) if source.size_limit is not None else 0
    return min((size for size in (whole, own) if size > 0), default=0)


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
