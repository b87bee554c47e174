"""Namespace deletion: empty the namespace, say what still holds it, and let it go when nothing is left.

A deleted namespace keeps the finalizer `kubernetes` in its spec until its content is gone. Watches namespaces, and
learns from the deletions of any object in a terminating one when to look again. Key: a namespace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from controlplane.controllers.controller import Controller
from kubeapi.client.client import meta_of
from kubeapi.core_v1.types import Event, Namespace, NamespaceCondition
from kubeapi.errors import ApiError
from kubeapi.registry import Kind

FINALIZER = "kubernetes"


class Remaining(NamedTuple):
    """Objects left of one kind: how many, and how often each finalizer holds one."""

    kind: Kind
    left: int
    finalizers: Counter[str]


def conditions(remaining: Sequence[Remaining], errors: Sequence[str], now: datetime) -> list[NamespaceCondition]:
    """The five conditions of a terminating namespace, in Kubernetes' words."""
    left = ", ".join(f"{r.kind.resource}. has {r.left} resource instances" for r in remaining if r.left)
    held: Counter[str] = Counter()
    for r in remaining:
        held.update(r.finalizers)
    holding = ", ".join(f"{name} in {n} resource instances" for name, n in sorted(held.items()))
    failed = "; ".join(errors)
    table = [
        ("NamespaceDeletionDiscoveryFailure", "", "ResourcesDiscovered", "", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "",
            "ParsedGroupVersions",
            "",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            failed and f"Failed to delete all resource types, {len(errors)} remaining: {failed}",
            "ContentDeleted",
            "ContentDeletionFailed",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            left and f"Some resources are remaining: {left}",
            "ContentRemoved",
            "SomeResourcesRemain",
            "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            holding and f"Some content in the namespace has finalizers remaining: {holding}",
            "ContentHasNoFinalizers",
            "SomeFinalizersRemain",
            "All content-preserving finalizers finished",
        ),
    ]
    return [
        NamespaceCondition(
            type=type_,
            status="True" if bad else "False",
            reason=bad_reason if bad else good_reason,
            message=bad or good,
            last_transition_time=now,
        )
        for type_, bad, good_reason, bad_reason, good in table
    ]


class NamespaceController(Controller):
    """Empties and finalizes deleted namespaces."""

    name: ClassVar[str] = "namespace-controller"
    component: ClassVar[str] = "namespace-controller"

    def setup(self) -> None:
        self._namespaces = self.watch(Namespace, lambda ns: [ns.metadata.name])
        for kind in self.context.registry:
            if kind.namespaced and kind.model is not Event:
                self.watch(kind.model, self._terminating)

    def _terminating(self, obj: Any) -> list[str]:
        namespace = self._namespaces.get("", obj.metadata.namespace)
        going = namespace is not None and namespace.metadata.deletion_timestamp is not None
        return [obj.metadata.namespace] if going else []

    async def reconcile(self, key: str) -> None:
        namespace = self._namespaces.get("", key)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return
        if FINALIZER not in namespace.spec.finalizers:
            return
        remaining, errors = [], []
        for kind in self.context.registry:
            if not kind.namespaced:
                continue
            try:
                if found := await self._empty(key, kind):
                    remaining.append(found)
            except ApiError as error:
                errors.append(error.message)
        if remaining or errors:
            await self._tell(namespace, conditions(remaining, errors, self.clock.now()))
            if errors:
                self.queue.add_after(key, 1)
            return
        gone = namespace.clone()
        gone.spec.finalizers = [f for f in gone.spec.finalizers if f != FINALIZER]
        await self.client.update(gone, subresource="finalize")

    async def _empty(self, namespace: str, kind: Kind) -> Remaining | None:
        page = await self.client.list(kind.model, namespace)
        for obj in page.items:
            meta = meta_of(obj)
            if meta.deletion_timestamp is None:
                try:
                    await self.client.delete(kind.model, meta.name, namespace, propagation="Background", uid=meta.uid)
                except ApiError as error:
                    if error.code not in (404, 409):
                        raise
        page = await self.client.list(kind.model, namespace)
        if not page.items:
            return None
        held = Counter(f for obj in page.items for f in meta_of(obj).finalizers)
        return Remaining(kind, len(page.items), held)

    async def _tell(self, namespace: Namespace, wanted: list[NamespaceCondition]) -> None:
        told = {c.type: c for c in namespace.status.conditions}
        for c in wanted:
            before = told.get(c.type)
            if before is not None and before.status == c.status:
                c.last_transition_time = before.last_transition_time
        if namespace.status.conditions != wanted:
            changed = namespace.clone()
            changed.status.conditions, changed.status.phase = wanted, "Terminating"
            await self.client.update_status(changed)
