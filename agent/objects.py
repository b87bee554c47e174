"""What pods refer to, read from the API: ConfigMaps, Secrets, claims and their volumes, Services, tokens.

The pod's worker asks here before a container or a volume is made. Something that is not there is None, and the caller says
so in the words of its field; any other refusal is the API's own `ApiError`, and no answer at all an `OSError`.

ConfigMaps and Secrets that pods on this node use are followed, each by a watch of its own, as the kubelet does: a node holds
no others, a change is told at once to who uses them, and a container that dies while no API answers is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

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
API_SERVICE = ("default", "kubernetes")
FIRST_LIST = 2.0


class Ref(NamedTuple):
    """A ConfigMap or Secret by name."""

    kind: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Followed:
    """An object's watch, and who (a pod's uid) is told of its changes."""

    informer: Informer[ConfigMap] | Informer[Secret]
    tell: dict[str, Callable[[], None]] = field(default_factory=dict)

    def changed(self, _old: Model | None, _new: Model | None) -> None:
        """Tell all."""
        for call in [*self.tell.values()]:
            call()


class Objects:
    """The agent's reader of the API. Services come from the informer that the network follows too."""

    def __init__(self, client: Client, services: Informer[Service]) -> None:
        self._client, self._services = client, services
        self._followed: dict[Ref, Followed] = {}

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        """What a ConfigMap (binaryData included) or Secret holds; None if there is none of that name."""
        held: ConfigMap | Secret | None = None
        if (followed := self._followed.get(Ref(kind, namespace, name))) is not None:
            with contextlib.suppress(TimeoutError):  # asked for directly then, and told what the matter is
                async with asyncio.timeout(FIRST_LIST):
                    await followed.informer.synced()
            held = followed.informer.get(namespace, name)
        if held is None and kind == "Secret":
            held = await self._get(Secret, namespace, name)
        elif held is None:
            held = await self._get(ConfigMap, namespace, name)
        if isinstance(held, ConfigMap):
            return {key: text.encode() for key, text in held.data.items()} | held.binary_data
        return held.data if held is not None else None

    async def follow(self, pod_uid: str, refs: Iterable[Ref], changed: Callable[[], None]) -> None:
        """Keep these objects at hand for a pod, and call changed at every change of theirs, until it is released."""
        for ref in refs:
            followed = self._followed.get(ref)
            if followed is None:
                followed = self._followed[ref] = Followed(self._watch(ref))
                followed.tell[pod_uid] = changed
                followed.informer.on_change(followed.changed)
                await followed.informer.start()
            followed.tell[pod_uid] = changed

    async def release(self, pod_uid: str) -> None:
        """A pod needs its objects no more; what no other uses is not followed any longer."""
        for followed in self._followed.values():
            followed.tell.pop(pod_uid, None)
        unused = {ref: followed for ref, followed in self._followed.items() if not followed.tell}
        for ref in unused:
            del self._followed[ref]
        for followed in unused.values():
            await followed.informer.stop()

    async def close(self) -> None:
        """Follow nothing any longer."""
        for followed in self._followed.values():
            await followed.informer.stop()
        self._followed.clear()

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        """A PersistentVolumeClaim, or None."""
        return await self._get(PersistentVolumeClaim, namespace, name)

    async def volume(self, name: str) -> PersistentVolume | None:
        """A PersistentVolume, or None."""
        return await self._get(PersistentVolume, "", name)

    def services(self, namespace: str) -> list[Service]:
        """The Services whose variables a pod gets: its namespace's, and the API's own unless one there has its name."""
        own = {s.metadata.name: s for s in self._services.list(namespace) if s.spec.cluster_ip not in ("", "None")}
        if (api := self._services.get(*API_SERVICE)) is not None:
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
        media = "application/json"
        headers = {"user-agent": self._client.user_agent, "accept": media, "content-type": media}
        response = await self._client.transport.send(Request("POST", path, (), headers, orjson.dumps(body)))
        if response.status >= 400:
            raise error_of(response.body, response.status)
        return str(orjson.loads(response.body)["status"]["token"])

    def _watch(self, ref: Ref) -> Informer[ConfigMap] | Informer[Secret]:
        fields = f"metadata.name={ref.name}"
        if ref.kind == "Secret":
            return Informer(self._client, Secret, fields, namespace=ref.namespace)
        return Informer(self._client, ConfigMap, fields, namespace=ref.namespace)

    async def _get(self, model: type[M], namespace: str, name: str) -> M | None:
        try:
            return await self._client.get(model, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
