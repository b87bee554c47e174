"""What pods refer to, read from the API: ConfigMaps, Secrets, claims and their volumes, Services, tokens.

The pod's worker asks here before a container or a volume is made. Something that is not there is None, and the caller says
so in the words of its field; any other refusal is the API's own `ApiError`, and no answer at all an `OSError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import orjson

from kubeapi.client.client import Client, error_of
from kubeapi.client.informer import Informer
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import (
    ConfigMap,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Secret,
    Service,
    ServiceAccount,
)
from kubeapi.errors import ApiError
from kubeapi.model import Model

M = TypeVar("M", bound=Model)
EVERYWHERE = ("default", "kubernetes")


class Objects:
    """The agent's reader of the API. Services come from the informer that the network follows too."""

    def __init__(self, client: Client, services: Informer[Service]) -> None:
        self._client, self._services = client, services

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """What a ConfigMap (binaryData included) or Secret holds; None if there is none of that name."""
        if kind == "Secret":
            secret = await self._get(Secret, namespace, name)
            return None if secret is None else secret.data
        config = await self._get(ConfigMap, namespace, name)
        return None if config is None else {k: v.encode() for k, v in config.data.items()} | config.binary_data

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """A PersistentVolumeClaim, or None."""
        return await self._get(PersistentVolumeClaim, namespace, name)

    async def volume(self, name: str) -> PersistentVolume | None:
        """A PersistentVolume, or None."""
        return await self._get(PersistentVolume, "", name)

    def services(self, namespace: str) -> list[Service]:
        """The Services whose variables a pod gets: its namespace's, and the API's own unless one there has its name."""
        own = {s.metadata.name: s for s in self._services.list(namespace)}
        if (api := self._services.get(*EVERYWHERE)) is not None:
            own.setdefault(api.metadata.name, api)
        return [own[name] for name in sorted(own)]

    async def token(self, pod: Pod, audience: str, seconds: int) -> str:
        """A token of the pod's ServiceAccount (TokenRequest): good while the pod is there, and for so many seconds."""
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid}
        spec: dict[str, object] = {"expirationSeconds": seconds, "boundObjectRef": bound}
        if audience:
            spec["audiences"] = [audience]
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        account = self._client.registry.of(ServiceAccount)
        path = account.path(pod.metadata.namespace, pod.spec.service_account_name or "default", "token")
        headers = {
            "user-agent": self._client.user_agent,
            "accept": "application/json",
            "content-type": "application/json",
        }
        response = await self._client.transport.send(Request("POST", path, (), headers, orjson.dumps(body)))
        if response.status >= 400:
            raise error_of(response.body, response.status)
        return str(orjson.loads(response.body)["status"]["token"])

    async def _get(self, model: type[M], namespace: str, name: str) -> M | None:
        try:
            return await self._client.get(model, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
