"""From a pod's container template to what the runtime is asked for: resources, security, command. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from agent.environment import ConfigError, amount, expand
from agent.hostfiles import hostname
from agent.plan import stop_seconds
from agent.runtime.protocol import CPU_PERIOD, ContainerSpec, Image, Mount, PodRef, Resources, SandboxSpec, Security
from agent.status import full_name
from kubeapi.core_v1.types import Container, Pod

MINIMUM_SHARES, MINIMUM_QUOTA = 2, 1000


def ref_of(pod: Pod) -> PodRef:
    """Whose containers these are."""
    return PodRef(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def sandbox_spec(pod: Pod, attempt: int) -> SandboxSpec:
    """The pod's sandbox."""
    security = pod.spec.security_context
    return SandboxSpec(
        pod=ref_of(pod),
        attempt=attempt,
        hostname=hostname(pod),
        network="host" if pod.spec.host_network else "none",
        host_pid=pod.spec.host_pid,
        host_ipc=pod.spec.host_ipc,
        sysctls={s.name: s.value for s in security.sysctls} if security else {},
    )


def resources_of(pod: Pod, container: Container) -> Resources:
    """Shares from the CPU request, quota from its limit, memory from its limit, and who dies first when memory is short."""
    limits = container.resources.limits
    requests = {**limits, **container.resources.requests}
    shares = max(int(amount(requests.get("cpu", 0)) * 1024), MINIMUM_SHARES)
    cpu = amount(limits.get("cpu", 0))
    quota = max(int(cpu * CPU_PERIOD), MINIMUM_QUOTA) if cpu else 0
    score = {"Guaranteed": -997, "BestEffort": 1000}.get(pod.status.qos_class, 999)
    return Resources(shares, quota, int(amount(limits.get("memory", 0))), score)


def security_of(pod: Pod, container: Container, image: Image) -> Security:
    """The container's security context over the pod's. ConfigError if it must not be root and would be."""
    whole, own = pod.spec.security_context, container.security_context
    user, group = (_first(own, whole, name) for name in ("run_as_user", "run_as_group"))
    if _first(own, whole, "run_as_non_root"):
        _refuse_root(pod, container, user, image.user)
    groups = list(whole.supplemental_groups) if whole else []
    if whole and whole.fs_group is not None:
        groups.append(whole.fs_group)
    told = "" if user is None and group is None else f"{image.user.partition(':')[0] or 0 if user is None else user}"
    if group is not None:
        told += f":{group}"
    capabilities = own.capabilities if own else None
    return Security(
        user=told,
        groups=tuple(str(g) for g in groups),
        privileged=bool(own and own.privileged),
        read_only_root=bool(own and own.read_only_root_filesystem),
        no_new_privileges=bool(own and own.allow_privilege_escalation is False),
        add_capabilities=tuple(capabilities.add) if capabilities else (),
        drop_capabilities=tuple(capabilities.drop) if capabilities else (),
    )


def _first(own: object, whole: object, name: str) -> int | bool | None:
    value: int | bool | None = getattr(own, name, None)
    return value if value is not None else getattr(whole, name, None)


def _refuse_root(pod: Pod, container: Container, user: int | None, image_user: str) -> None:
    where = f'(pod: "{full_name(pod)}", container: {container.name})'
    if user == 0:
        raise ConfigError(f"container's runAsUser breaks non-root policy {where}")
    if user is not None:
        return
    name = image_user.partition(":")[0]
    if name in ("", "0"):
        raise ConfigError(f"container has runAsNonRoot and image will run as root {where}")
    if not name.isdigit():
        raise ConfigError(
            f"container has runAsNonRoot and image has non-numeric user ({name}), cannot verify user is non-root {where}"
        )


def container_spec(
    pod: Pod,
    container: Container,
    image: Image,
    sandbox_id: str,
    attempt: int,
    crashes: int,
    variables: Mapping[str, str],
    mounts: tuple[Mount, ...],
    message_path: str,
) -> ContainerSpec:
    """All that the runtime needs to know of one container."""
    return ContainerSpec(
        pod=ref_of(pod),
        name=container.name,
        sandbox_id=sandbox_id,
        image=container.image,
        attempt=attempt,
        crashes=crashes,
        entrypoint=tuple(expand(c, variables) for c in container.command),
        args=tuple(expand(a, variables) for a in container.args),
        env=tuple(f"{k}={v}" for k, v in variables.items()),
        working_dir=container.working_dir,
        mounts=mounts,
        resources=resources_of(pod, container),
        security=security_of(pod, container, image),
        share_pids=bool(pod.spec.share_process_namespace),
        host_pid=pod.spec.host_pid,
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
        stop_signal=(container.lifecycle.stop_signal or "") if container.lifecycle else "",
        stop_seconds=stop_seconds(pod),
        message_path=message_path,
    )
