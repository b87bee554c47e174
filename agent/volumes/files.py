"""What stands in the files of a volume: ConfigMap, Secret, downward API and projected (several of these, and tokens).

Each of the first three is a projection of one source, so there is one way to work out all four. What is missing is a
`SetUpError` in the kubelet's words; several are told together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agent.environment import ConfigError, Surroundings, field_value, resource_value
from agent.objects import Objects
from agent.volumes.atomic import File
from agent.volumes.prepared import SetUpError
from agent.volumes.tokens import Tokens
from kubeapi.core_v1.types import (
    ConfigMapProjection,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    ProjectedVolumeSource,
    SecretProjection,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from kubeapi.errors import ApiError

DEFAULT_MODE, TOKEN_MODE = 0o644, 0o600
NO_SUCH_KEY = {
    "ConfigMap": "configmap references non-existent config key: {}",
    "Secret": "references non-existent secret key: {}",
}


def projected(volume: Volume) -> ProjectedVolumeSource | None:
    """A volume of files as the projection that it is; None for any other volume."""
    if (config := volume.config_map) is not None:
        one = VolumeProjection(
            config_map=ConfigMapProjection(name=config.name, items=config.items, optional=config.optional)
        )
        return ProjectedVolumeSource(default_mode=config.default_mode, sources=[one])
    if (secret := volume.secret) is not None:
        one = VolumeProjection(
            secret=SecretProjection(name=secret.secret_name, items=secret.items, optional=secret.optional)
        )
        return ProjectedVolumeSource(default_mode=secret.default_mode, sources=[one])
    if (downward := volume.downward_api) is not None:
        one = VolumeProjection(downward_api=DownwardAPIProjection(items=downward.items))
        return ProjectedVolumeSource(default_mode=downward.default_mode, sources=[one])
    return volume.projected


def file_user(pod: Pod) -> int | None:
    """The user whose the tokens are: the one that all of the pod's containers run as, if there is one."""
    whole = pod.spec.security_context.run_as_user if pod.spec.security_context else None
    users = set()
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        own = container.security_context.run_as_user if container.security_context else None
        users.add(own if own is not None else whole)
    return users.pop() if len(users) == 1 else None


class Files:
    """Works out the files of volumes from the objects that they project."""

    def __init__(self, objects: Objects, tokens: Tokens, allocatable: Mapping[str, str | int | float]) -> None:
        self._objects, self._tokens, self._around = objects, tokens, Surroundings(allocatable=allocatable)

    async def of(self, pod: Pod, source: ProjectedVolumeSource) -> dict[str, File]:
        """The files by relative path; of two of one path the later source's."""
        mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
        found = await asyncio.gather(*(self._one(pod, s, mode) for s in source.sources), return_exceptions=True)
        files, errors = {}, []
        for result in found:
            match result:
                case SetUpError():
                    errors.append(str(result))
                case BaseException():
                    raise result
                case _:
                    files.update(result)
        if errors:
            told = list(dict.fromkeys(errors))
            raise SetUpError(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
        return files

    def forget(self, pod_uid: str) -> None:
        """The pod is gone, and its tokens with it."""
        self._tokens.forget(pod_uid)

    async def _one(self, pod: Pod, source: VolumeProjection, mode: int) -> dict[str, File]:
        try:
            if (config := source.config_map) is not None:
                return await self._data(pod, "ConfigMap", config.name, config.items, bool(config.optional), mode)
            if (secret := source.secret) is not None:
                return await self._data(pod, "Secret", secret.name, secret.items, bool(secret.optional), mode)
            if (downward := source.downward_api) is not None:
                return {item.path: self._downward(pod, item, mode) for item in downward.items}
            if (token := source.service_account_token) is not None:
                return await self._token(pod, token, mode)
        except (ApiError, OSError, ConfigError) as e:
            raise SetUpError(str(e)) from e
        kinds = ", ".join(sorted(source.model_dump(by_alias=True, exclude_unset=True))) or "empty"
        raise SetUpError(f"projected source {kinds} is not supported by this node")

    async def _data(
        self, pod: Pod, kind: str, name: str, items: list[KeyToPath], optional: bool, mode: int
    ) -> dict[str, File]:
        data = await self._objects.data(kind, pod.metadata.namespace, name)
        if data is None and not optional:
            raise SetUpError(f'{kind.lower()} "{name}" not found')
        data = data or {}
        if not items:
            return {key: File(value, mode) for key, value in data.items()}
        files = {}
        for item in items:
            if item.key in data:
                files[item.path] = File(data[item.key], mode if item.mode is None else item.mode)
            elif not optional:
                raise SetUpError(NO_SUCH_KEY[kind].format(item.key))
        return files

    def _downward(self, pod: Pod, item: DownwardAPIVolumeFile, mode: int) -> File:
        if item.field_ref is not None:
            text = field_value(pod, item.field_ref, self._around)
        elif (of := item.resource_field_ref) is not None:
            every = [*pod.spec.init_containers, *pod.spec.containers]
            container = next((c for c in every if c.name == of.container_name), None)
            if container is None:
                raise SetUpError(f"container {of.container_name} not found")
            text = resource_value(pod, container, of, self._around)
        else:
            text = ""
        return File(text.encode(), mode if item.mode is None else item.mode)

    async def _token(self, pod: Pod, source: ServiceAccountTokenProjection, mode: int) -> dict[str, File]:
        """The token is its user's alone if there is one; the volume's group gets to read it afterwards."""
        user = file_user(pod)
        grouped = pod.spec.security_context is not None and pod.spec.security_context.fs_group is not None
        try:
            token = await self._tokens.get(pod, source.audience, source.expiration_seconds)
        except (ApiError, OSError) as e:
            raise SetUpError(f"failed to fetch token: {e}") from e
        return {source.path: File(token.encode(), TOKEN_MODE if user is not None or grouped else mode, user)}
