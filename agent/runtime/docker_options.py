"""What Docker's client is asked for: the options with which a sandbox or a container is created, by its spec."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.runtime import pause
from agent.runtime.inspections import LABEL
from agent.runtime.protocol import CPU_PERIOD, ContainerSpec, Mount, PodRef, SandboxSpec

CAP_SYS_RESOURCE = 24
HostConfig = Callable[..., Any]  # docker.APIClient.create_host_config: it knows the engine's version


def _lowest_oom_score() -> int:
    """The lowest oom_score_adj that may be asked for: below 0 the kernel wants CAP_SYS_RESOURCE, or no process starts."""
    held = re.search(r"^CapEff:\s*([0-9a-f]+)", Path("/proc/self/status").read_text(), re.M)
    return -1000 if held and int(held[1], 16) >> CAP_SYS_RESOURCE & 1 else 0


LOWEST_OOM_SCORE = _lowest_oom_score()


def sandbox_options(cluster: str, spec: SandboxSpec, host_config: HostConfig) -> dict[str, Any]:
    """Of a sandbox, all but its image."""
    return {
        "name": _name(cluster, spec.pod, spec.attempt),
        "hostname": spec.hostname if spec.network != "host" else None,
        # The kernel's loopback is all it gets; the engine's own network `none` would double the time of its start.
        "network_disabled": spec.network == "none",
        "labels": _labels(cluster, spec.pod, "sandbox", spec.attempt),
        "host_config": host_config(
            network_mode=spec.network,
            ipc_mode="host" if spec.host_ipc else "shareable",
            pid_mode="host" if spec.host_pid else None,
            sysctls=dict(spec.sysctls) or None,
            security_opt=["no-new-privileges", f"seccomp={pause.SECCOMP}"],
            cap_drop=["ALL"],
            oom_score_adj=max(-998, LOWEST_OOM_SCORE),
            shm_size="64m",
        ),
    }


def container_options(cluster: str, spec: ContainerSpec, host_config: HostConfig) -> dict[str, Any]:
    """Of a container, all but its image."""
    joined = f"container:{spec.sandbox_id}"
    told = {"container": spec.name, "sandbox": spec.sandbox_id, "crashes": str(spec.crashes)}
    told |= {"message": spec.message_path, "cpu-shares": str(spec.resources.cpu_shares)}
    r, s = spec.resources, spec.security
    return {
        "name": _name(cluster, spec.pod, spec.name, spec.attempt),
        "command": list(spec.args) or None,
        "entrypoint": list(spec.entrypoint) or None,
        "environment": list(spec.env),
        "working_dir": spec.working_dir or None,
        "user": s.user or None,
        "labels": _labels(cluster, spec.pod, "container", spec.attempt, told),
        "stdin_open": spec.stdin,
        "tty": spec.tty,
        "stop_signal": spec.stop_signal or None,
        "stop_timeout": spec.stop_seconds,
        "healthcheck": {"test": ["NONE"]},
        "host_config": host_config(
            network_mode=joined,
            ipc_mode=joined,
            pid_mode="host" if spec.host_pid else joined if spec.share_pids else None,
            binds=[_bind(m) for m in spec.mounts],
            cpu_quota=r.cpu_quota or None,
            cpu_period=CPU_PERIOD if r.cpu_quota else None,
            mem_limit=r.memory or None,
            memswap_limit=r.memory or None,
            oom_score_adj=max(r.oom_score_adj, LOWEST_OOM_SCORE),
            privileged=s.privileged,
            read_only=s.read_only_root,
            cap_add=list(s.add_capabilities) or None,
            cap_drop=list(s.drop_capabilities) or None,
            group_add=list(s.groups) or None,
            security_opt=["no-new-privileges"] if s.no_new_privileges else None,
            log_config={"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
        ),
    }


def _name(cluster: str, pod: PodRef, *more: str | int) -> str:
    return "_".join(("naru", cluster, pod.namespace, pod.name, pod.uid, *map(str, more)))


def _labels(
    cluster: str, pod: PodRef, kind: str, attempt: int, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    told = {"cluster": cluster, "kind": kind, "pod.namespace": pod.namespace, "pod.name": pod.name, "pod.uid": pod.uid}
    told |= {"attempt": str(attempt), **(more or {})}
    return {LABEL + key: value for key, value in told.items()}


def _bind(mount: Mount) -> str:
    """A mount as the engine takes it. A new volume stays empty: the engine would fill it with what the image has there."""
    options = ["ro" if mount.read_only else "rw", mount.propagation, "nocopy" if mount.volume else ""]
    return f"{mount.source}:{mount.target}:{','.join(filter(None, options))}"
