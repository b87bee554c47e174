"""DELETE: an object goes at once, or is marked and goes when its grace period and its finalizers are over.

`plan_deletion` decides purely; `Deleter` carries it out with the compare-and-swap of every other write.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from controlplane.apiserver.options import BOOLEANS, integer
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import ATTEMPTS, MODIFIED, Writer, finished
from controlplane.store import Conflict
from kubeapi.errors import ApiError, Cause, bad_request, conflict, invalid_object
from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.registry import Kind

POLICIES = ("Foreground", "Background", "Orphan")
ANSWERED_WITH_OBJECT = {
    "pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "storageclasses",
}  # fmt: skip
FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}


class Deletion(NamedTuple):
    """The object as it is to be left, and whether it goes now."""

    obj: Any
    now: bool


def plan_deletion(kind: Kind, obj: Any, options: DeleteOptions, now: datetime) -> Deletion:
    """What a deletion makes of an object. `obj` is changed in place."""
    meta = obj.metadata
    wanted = FINALIZERS.get(options.propagation_policy or "")
    if options.orphan_dependents:
        wanted = "orphan"
    if wanted or options.propagation_policy or options.orphan_dependents is not None:
        meta.finalizers = [f for f in meta.finalizers if f not in FINALIZERS.values()] + ([wanted] if wanted else [])
    grace = _grace(kind, obj, options.grace_period_seconds)
    if meta.deletion_timestamp is None or grace < (meta.deletion_grace_period_seconds or 0):
        if kind.spec_fields:
            meta.generation += 1
        meta.deletion_timestamp = now + timedelta(seconds=grace)
        meta.deletion_grace_period_seconds = grace
    if kind.resource == "namespaces":
        meta.deletion_grace_period_seconds = None
        obj.status.phase = "Terminating"
    return Deletion(obj, finished(obj))


def _grace(kind: Kind, obj: Any, asked: int | None) -> int:
    """Seconds a graceful kind has left: none when it never ran, or has ended (pod strategy, CheckGracefulDelete)."""
    if not kind.graceful:
        return 0
    if not obj.spec.node_name or obj.status.phase in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(asked, 0)
    grace = obj.spec.termination_grace_period_seconds
    return 30 if grace is None else max(int(grace), 0)


def options_of(query: dict[str, str], body: bytes) -> DeleteOptions:
    """DeleteOptions from the body, else from the query; refused with Kubernetes' causes."""
    options = DeleteOptions.from_json(body) if body.strip() else DeleteOptions()
    if "gracePeriodSeconds" in query:
        options.grace_period_seconds = integer(query, "gracePeriodSeconds")
    if "propagationPolicy" in query:
        options.propagation_policy = query["propagationPolicy"]
    if "orphanDependents" in query:
        options.orphan_dependents = BOOLEANS.get(query["orphanDependents"].lower(), True)
    if query.get("dryRun"):
        options.dry_run = [query["dryRun"]]
    if options.propagation_policy not in (None, *POLICIES):
        listed = ", ".join(f'"{p}"' for p in (*POLICIES, "nil"))
        message = f'Unsupported value: "{options.propagation_policy}": supported values: {listed}'
        cause = Cause("FieldValueNotSupported", message, "propagationPolicy")
        error = invalid_object("DeleteOptions", "meta.k8s.io", "", [cause])
        raise ApiError(422, error.reason, error.message, details={k: v for k, v in (error.details or {}).items() if v})
    if any(d != "All" for d in options.dry_run):
        raise bad_request(f"invalid dryRun: {options.dry_run}")
    return options


class Deleter:
    """Deletes objects through the writer's store."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def delete(self, target: Target, options: DeleteOptions) -> tuple[Any, bool]:
        """Delete one object; returns it as it was left and whether it is gone. Raises 404, or 409 by preconditions."""
        store = self.writer.store
        for _ in range(ATTEMPTS):
            entry = store.get(target.key)
            if entry is None:
                raise target.not_found()
            obj: Any = target.kind.model.from_json(entry.value)
            _check(target, obj, options)
            before = obj.clone()
            obj, now = plan_deletion(target.kind, obj, options, self.writer.now())
            if options.dry_run or (obj == before and not now):
                return obj, now
            try:
                if now:
                    await store.commit(target.key, entry.revision, None)
                else:
                    await self.writer.commit(target, entry.revision, obj)
                return obj, now
            except Conflict:
                continue
        raise conflict(target.kind.plural, target.kind.group, target.name, MODIFIED)


def deletion_answer(kind: Kind, obj: Any, gone: bool) -> bytes | dict[str, Any]:
    """The body that answers a deletion: the object where it stays or its kind says so, else a Status."""
    if not gone or kind.plural in ANSWERED_WITH_OBJECT:
        return bytes(obj.to_json())
    details = {"name": obj.metadata.name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return status | {"details": details | {"uid": obj.metadata.uid}}


def _check(target: Target, obj: Any, options: DeleteOptions) -> None:
    wanted, meta, kind = options.preconditions, obj.metadata, target.kind
    if wanted is None:
        return
    for name, ask, have in (
        ("UID", wanted.uid, meta.uid),
        ("ResourceVersion", wanted.resource_version, meta.resource_version),
    ):
        if ask and ask != have:
            why = (
                f"the {name} in the precondition ({ask}) does not match the {name} in record ({have}). "
                "The object might have been " + ("deleted and then recreated" if name == "UID" else "modified")
            )
            raise conflict(kind.kind, kind.group, target.name, why)
