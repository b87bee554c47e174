"""Owners and what they own.

Children of an owner that is gone go as well; foreground deletion waits for them, orphaning frees them.

The graph is the informers' indexes by owner uid. Watches every kind but Events. Key:
APIVERSION|KIND|NAMESPACE|NAME|UID of an object that may be garbage, or an owner that is being deleted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from controlplane.controllers.controller import Controller
from kubeapi.core_v1.types import Event
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import OwnerReference

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"
OWNER_INDEX = "owner-uid"


class GarbageCollector(Controller):
    """Deletes dependents by the owner's wish."""

    name: ClassVar[str] = "garbage-collector-controller"
    component: ClassVar[str] = "garbage-collector-controller"
    workers: ClassVar[int] = 20

    def setup(self) -> None:
        self._kinds = [k for k in self.context.registry if k.model is not Event]
        for kind in self._kinds:
            informer = self.context.informer(kind.model)
            informer.add_index(OWNER_INDEX, _owner_uids)
            self.watch(kind.model, _keys, facts=_bonds)
            informer.on_change(self._gone)

    def _gone(self, old: Any, new: Any) -> None:
        if new is not None:
            return
        for child in self._dependents(old.metadata.uid):
            self.queue.add(_key(child))
        for reference in old.metadata.owner_references:  # a foreground deletion may wait for this one
            self._wake_owner(old.metadata.namespace, reference)

    def _wake_owner(self, namespace: str, reference: OwnerReference) -> None:
        owner = self._cached(namespace, reference)
        if owner is not None and FOREGROUND in owner.metadata.finalizers:
            self.queue.add(_key(owner))

    def _dependents(self, uid: str) -> Iterator[Any]:
        for kind in self._kinds:
            yield from self.context.informer(kind.model).by(OWNER_INDEX, uid)

    def _cached(self, namespace: str, reference: OwnerReference) -> Any:
        kind = self.context.registry.kind(reference.api_version, reference.kind)
        if kind is None:
            return None
        found: Any = self.context.informer(kind.model).get(namespace if kind.namespaced else "", reference.name)
        return found if found is not None and found.metadata.uid == reference.uid else None

    async def reconcile(self, key: str) -> None:
        api_version, kind_name, namespace, name, uid = key.split("|")
        kind = self.context.registry.kind(api_version, kind_name)
        obj: Any = self.context.informer(kind.model).get(namespace, name) if kind else None
        if obj is None or obj.metadata.uid != uid:
            return
        if obj.metadata.deletion_timestamp is not None:
            if ORPHAN in obj.metadata.finalizers:
                await self._orphan(obj)
            elif FOREGROUND in obj.metadata.finalizers:
                await self._foreground(obj)
        elif obj.metadata.owner_references:
            await self._collect(obj)

    async def _orphan(self, owner: Any) -> None:
        for child in list(self._dependents(owner.metadata.uid)):
            await self._drop_references(child, {owner.metadata.uid})
        await self._unfinalize(owner, ORPHAN)

    async def _foreground(self, owner: Any) -> None:
        waiting = False
        for child in list(self._dependents(owner.metadata.uid)):
            reference = next(r for r in child.metadata.owner_references if r.uid == owner.metadata.uid)
            waiting = waiting or bool(reference.block_owner_deletion)
            if child.metadata.deletion_timestamp is None:
                self.queue.add(_key(child))
        if not waiting:
            await self._unfinalize(owner, FOREGROUND)

    async def _collect(self, obj: Any) -> None:
        """Delete an object without a living owner; take dead references off one that still has another."""
        living, dead, going = [], set(), []
        for reference in obj.metadata.owner_references:
            if self.context.registry.kind(reference.api_version, reference.kind) is None:
                living.append(reference)  # of a kind that nobody serves: not known to be gone
                continue
            owner = self._cached(obj.metadata.namespace, reference) or await self._asked(
                obj.metadata.namespace, reference
            )
            if owner is None:
                dead.add(reference.uid)
            elif owner.metadata.deletion_timestamp is not None and FOREGROUND in owner.metadata.finalizers:
                going.append(reference)
            else:
                living.append(reference)
        if living:
            if gone := dead | {r.uid for r in going}:
                await self._drop_references(obj, gone)
            return
        if going:
            blocked = any(
                r.block_owner_deletion for c in self._dependents(obj.metadata.uid) for r in c.metadata.owner_references
            )
            await self._delete(obj, "Foreground" if blocked else "Background")
        else:
            await self._delete(obj, _policy(obj))

    async def _asked(self, namespace: str, reference: OwnerReference) -> Any:
        """The owner as the API server knows it: the informer may be behind, and deletion can't be taken back."""
        kind = self.context.registry.kind(reference.api_version, reference.kind)
        if kind is None:
            return None
        try:
            found: Any = await self.client.get(kind.model, reference.name, namespace if kind.namespaced else "")
        except ApiError as error:
            if error.code != 404:
                raise
            return None
        return found if found.metadata.uid == reference.uid else None

    async def _delete(self, obj: Any, propagation: str) -> None:
        meta = obj.metadata
        await self.client.delete(type(obj), meta.name, meta.namespace, propagation=propagation, uid=meta.uid)

    async def _drop_references(self, obj: Any, uids: set[str]) -> None:
        kept = [r.to_dict() for r in obj.metadata.owner_references if r.uid not in uids]
        await self._patch(obj, {"ownerReferences": kept or None})

    async def _unfinalize(self, obj: Any, finalizer: str) -> None:
        kept = [f for f in obj.metadata.finalizers if f != finalizer]
        await self._patch(obj, {"finalizers": kept or None})

    async def _patch(self, obj: Any, change: dict[str, Any]) -> None:
        meta = obj.metadata
        patch = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, **change}}
        try:
            await self.client.patch(type(obj), meta.name, patch, namespace=meta.namespace)
        except ApiError as error:
            if error.code != 404:
                raise


def _policy(obj: Any) -> str:
    held = obj.metadata.finalizers
    return "Orphan" if ORPHAN in held else "Foreground" if FOREGROUND in held else "Background"


def _bonds(obj: Any) -> object:
    meta = obj.metadata
    return meta.uid, meta.owner_references, meta.finalizers, meta.deletion_timestamp


def _owner_uids(obj: Any) -> list[str]:
    return [r.uid for r in obj.metadata.owner_references]


def _keys(obj: Any) -> list[str]:
    return [_key(obj)] if obj.metadata.owner_references or obj.metadata.deletion_timestamp is not None else []


def _key(obj: Any) -> str:
    return "|".join((obj.api_version, obj.kind, obj.metadata.namespace, obj.metadata.name, obj.metadata.uid))
