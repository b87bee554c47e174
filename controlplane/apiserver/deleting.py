"""DELETE: an object goes at once, or is marked and goes when its grace period and its finalizers are over.

`plan_deletion` decides purely; `Deleter` carries it out with the compare-and-swap of every other write.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from controlplane.apiserver.bodies import decoded
from controlplane.apiserver.options import dry_run_causes, flag, integer, query_of, refused_options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Writer, finished
from controlplane.store import Conflict
from kubeapi.client.transport import Request
from kubeapi.errors import Cause, conflict, invalid
from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.names import DELETED_BY
from kubeapi.registry import Kind

POLICIES = ("Foreground", "Background", "Orphan")
ANSWERED_WITH_OBJECT = {
    "pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "storageclasses",
}  # fmt: skip
OPTIONS = Kind("", "v1", "DeleteOptions", "deleteoptions", DeleteOptions)
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
    if not (kind.graceful or meta.deletion_timestamp or meta.finalizers) and finished(obj):
        return Deletion(obj, True)  # it goes without ever having been seen to go
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


def options_of(request: Request) -> DeleteOptions:
    """DeleteOptions from the body or, where there is none, from the query; refused with Kubernetes' causes.

    A dry run that only the query asks for is one as well: Kubernetes would delete.
    """
    dry_run = [v for k, v in request.query if k == "dryRun"]
    if request.body.strip():
        options: DeleteOptions = decoded(OPTIONS, request)
        options.dry_run = [*options.dry_run, *dry_run]
    else:
        query = query_of(request)
        options = DeleteOptions(
            grace_period_seconds=integer(query, "gracePeriodSeconds"),
            propagation_policy=query.get("propagationPolicy") or None,
            orphan_dependents=flag(query, "orphanDependents") if "orphanDependents" in query else None,
            dry_run=dry_run,
        )
    return checked(options)


def checked(options: DeleteOptions) -> DeleteOptions:
    """The options, if they are such; 422 otherwise."""
    causes: list[Cause] = []
    if options.propagation_policy is not None and options.orphan_dependents is not None:
        why = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(invalid("propagationPolicy", options.propagation_policy, why))
    elif options.propagation_policy not in (None, *POLICIES):
        listed = ", ".join(f'"{p}"' for p in (*POLICIES, "nil"))
        message = f'Unsupported value: "{options.propagation_policy}": supported values: {listed}'
        causes.append(Cause("FieldValueNotSupported", message, "propagationPolicy"))
    causes += dry_run_causes(options.dry_run)
    if causes:
        raise refused_options("DeleteOptions", causes)
    return options


class Deleter:
    """Deletes objects through the writer's store."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def delete(self, target: Target, options: DeleteOptions, by: str) -> tuple[Any, bool]:
        """Delete one object; returns it as it was left and whether it is gone. Raises 404, or 409 by preconditions.

        by: who asks; a pod that has time to end keeps it, so that its node can tell.
        """
        store = self.writer.store
        while True:  # each turn more means that somebody else got on
            entry = store.get(target.key)
            if entry is None:
                raise target.not_found()
            obj: Any = target.kind.model.from_json(entry.value)
            _check(target, obj, options)
            before = obj.clone()
            obj, now = plan_deletion(target.kind, obj, options, self.writer.now())
            if by and target.kind.graceful and not now and before.metadata.deletion_timestamp is None:
                obj.metadata.annotations[DELETED_BY] = by
            if options.dry_run or (obj == before and not now):
                return obj, now
            try:
                if obj != before and (not now or target.kind.graceful):  # who watches pods sees each one's last seconds
                    entry = await self.writer.commit(target, entry.revision, obj.to_dict())
                if now:
                    entry = await store.commit(target.key, entry.revision, None)
                obj.metadata.resource_version = str(entry.revision)
                return obj, now
            except Conflict:
                continue


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
