"""What every namespace begins with.

The ServiceAccount `default`, and the cluster's CA in the ConfigMap kube-root-ca.crt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from controlplane.controllers.controller import Controller
from kubeapi.core_v1.types import ConfigMap, Namespace, ServiceAccount
from kubeapi.meta_v1.types import ObjectMeta

ROOT_CA = "kube-root-ca.crt"
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal "
    "service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)


class _PerNamespace(Controller):
    """Key: a namespace. Makes one object in each, and makes it again when it is deleted."""

    def setup(self) -> None:
        self._namespaces = self.watch(Namespace, lambda ns: [ns.metadata.name])

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get("", key)
        if namespace is None or namespace.metadata.deletion_timestamp is not None:
            return
        await self.ensure(key)

    async def ensure(self, namespace: str) -> None:
        """Make what is missing in the namespace."""
        raise NotImplementedError


class ServiceAccountController(_PerNamespace):
    """Keeps ServiceAccount `default`."""

    name: ClassVar[str] = "serviceaccount-controller"
    component: ClassVar[str] = "serviceaccount-controller"

    def setup(self) -> None:
        super().setup()
        self._accounts = self.watch(ServiceAccount, _when("default"))

    async def ensure(self, namespace: str) -> None:
        if self._accounts.get(namespace, "default") is None:
            await self.ensure_made(ServiceAccount(metadata=ObjectMeta(name="default", namespace=namespace)))


class RootCAController(_PerNamespace):
    """Keeps ConfigMap kube-root-ca.crt, also against changes."""

    name: ClassVar[str] = "root-ca-certificate-publisher-controller"
    component: ClassVar[str] = "root-ca-certificate-publisher"

    def setup(self) -> None:
        super().setup()
        self._maps = self.watch(ConfigMap, _when(ROOT_CA))

    async def ensure(self, namespace: str) -> None:
        data = {"ca.crt": self.context.root_ca}
        found = self._maps.get(namespace, ROOT_CA)
        if found is None:
            annotations = {"kubernetes.io/description": _DESCRIPTION}
            meta = ObjectMeta(name=ROOT_CA, namespace=namespace, annotations=annotations)
            await self.ensure_made(ConfigMap(metadata=meta, data=data))
        elif found.data != data:
            fixed = found.clone()
            fixed.data = data
            await self.client.update(fixed)


def _when(name: str) -> Any:
    def keys(obj: Any) -> Iterable[str]:
        return [obj.metadata.namespace] if obj.metadata.name == name else []

    return keys
