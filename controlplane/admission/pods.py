"""Pods: ServiceAccount (its name and the projected token volume), DefaultTolerationSeconds, Priority and RuntimeClass."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from controlplane.admission.refusal import forbidden
from kubeapi.core_v1.types import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    LocalObjectReference,
    ObjectFieldSelector,
    ProjectedVolumeSource,
    ServiceAccount,
    ServiceAccountTokenProjection,
    Toleration,
    Volume,
    VolumeMount,
    VolumeProjection,
)
from kubeapi.names import random_suffix

if TYPE_CHECKING:
    from controlplane.store import Store

TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
MIRROR = "kubernetes.io/config.mirror"
TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
SYSTEM_PRIORITIES = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}


async def admit(store: Store, pod: Any, rng: Random) -> None:
    """Run the pods' plugins on a new pod."""
    if MIRROR not in pod.metadata.annotations:
        await _give_account(store, pod, rng)
    tolerate(pod)
    prioritize(pod)
    refuse_runtime_class(pod)


async def _give_account(store: Store, pod: Any, rng: Random) -> None:
    spec = pod.spec
    name = spec.service_account_name = spec.service_account_name or "default"
    spec.service_account = name
    entry = store.get(f"//serviceaccounts/{pod.metadata.namespace}/{name}")
    if entry is None:
        why = f'error looking up service account {pod.metadata.namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden(pod.metadata, why)
    account = ServiceAccount.from_json(entry.value)
    if not spec.image_pull_secrets:
        spec.image_pull_secrets = [LocalObjectReference(name=s.name) for s in account.image_pull_secrets]
    wanted = spec.automount_service_account_token
    if wanted is None:
        wanted = account.automount_service_account_token
    if wanted is not False:
        mount_token(pod, rng)


def mount_token(pod: Any, rng: Random) -> None:
    """Mount the account's token into each container that has nothing at its path."""
    spec = pod.spec
    present = [v.name for v in spec.volumes if v.name.startswith("kube-api-access-")]
    name = present[0] if present else "kube-api-access-" + random_suffix(rng)
    mounted = False
    for container in [*spec.init_containers, *spec.containers]:
        if all(m.mount_path != TOKEN_PATH for m in container.volume_mounts):
            mount = VolumeMount(name=name, mount_path=TOKEN_PATH, read_only=True)
            container.volume_mounts = [*container.volume_mounts, mount]
            mounted = True
    if mounted and not present:
        spec.volumes = [*spec.volumes, token_volume(name)]


def token_volume(name: str) -> Volume:
    """The volume a container finds its token, the cluster's CA and its namespace in."""
    token = ServiceAccountTokenProjection(expiration_seconds=TOKEN_SECONDS, path="token")
    authority = ConfigMapProjection(name="kube-root-ca.crt", items=[KeyToPath(key="ca.crt", path="ca.crt")])
    namespace = ObjectFieldSelector(api_version="v1", field_path="metadata.namespace")
    downward = DownwardAPIProjection(items=[DownwardAPIVolumeFile(path="namespace", field_ref=namespace)])
    sources = [
        VolumeProjection(service_account_token=token),
        VolumeProjection(config_map=authority),
        VolumeProjection(downward_api=downward),
    ]
    return Volume(name=name, projected=ProjectedVolumeSource(default_mode=0o644, sources=sources))


def keep_priority(new: Any, old: Any) -> None:
    """What a pod was given when it was made holds for an update that says nothing of it."""
    if new.spec.priority is None:
        new.spec.priority = old.spec.priority
    if new.spec.preemption_policy is None:
        new.spec.preemption_policy = old.spec.preemption_policy


def tolerate(pod: Any) -> None:
    """Stay five minutes on a node that fails, unless the pod says otherwise."""
    for key in TOLERATED:
        if not any(t.key in (key, "") and t.effect in ("NoExecute", "") for t in pod.spec.tolerations):
            added = Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=300)
            pod.spec.tolerations = [*pod.spec.tolerations, added]


def refuse_runtime_class(pod: Any) -> None:
    """RuntimeClass: there is none, so none can be asked for, nor the overhead that comes from one."""
    name = pod.spec.runtime_class_name
    why = f'RuntimeClass "{name}" not found' if name else ""
    if pod.spec.overhead and not name:
        why = "Pod Overhead set without corresponding RuntimeClass defined Overhead"
    if why:
        raise forbidden(pod.metadata, f"pod rejected: {why}")


def prioritize(pod: Any) -> None:
    """The priority of the pod's class; without one, zero."""
    spec, name = pod.spec, pod.spec.priority_class_name
    if name and name not in SYSTEM_PRIORITIES:
        raise forbidden(pod.metadata, f"no PriorityClass with name {name} was found")
    priority = SYSTEM_PRIORITIES.get(name, 0)
    if spec.priority is not None and spec.priority != priority:
        why = f"the integer value of priority ({spec.priority}) must not be provided in pod spec; "
        why += f"priority admission controller computed {priority} from the given PriorityClass name"
        raise forbidden(pod.metadata, why)
    spec.priority = priority
    spec.preemption_policy = spec.preemption_policy or "PreemptLowerPriority"
