"""NamespaceLifecycle: nothing is made in a namespace that is missing or going; every namespace carries its own name."""

from __future__ import annotations

from typing import Any

import orjson

from controlplane.admission.refusal import forbidden
from controlplane.store import Store
from kubeapi.errors import not_found
from kubeapi.registry import Kind

NAME_LABEL = "kubernetes.io/metadata.name"


def label(namespace: Any) -> None:
    """The label by which selectors find a namespace by name."""
    namespace.metadata.labels = {**namespace.metadata.labels, NAME_LABEL: namespace.metadata.name}


async def admit(store: Store, kind: Kind, obj: Any) -> None:
    """404 when the object's namespace does not exist, 403 when it is being deleted."""
    if not kind.namespaced:
        return
    meta = obj.metadata
    entry = store.get(f"//namespaces//{meta.namespace}")
    if entry is None:
        raise not_found("namespaces", "", meta.namespace)
    if "deletionTimestamp" not in orjson.loads(entry.value)["metadata"]:
        return
    why = f"unable to create new content in namespace {meta.namespace} because it is being terminated"
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {meta.namespace} is being terminated"}
    raise forbidden(meta, why, kind.plural, kind.group, [cause | {"field": "metadata.namespace"}])
