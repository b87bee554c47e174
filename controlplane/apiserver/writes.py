"""The one write path: decode → default → admit → prepare → validate → compare-and-swap into the store → answer.

`create` makes an object. Everything that changes one (update, the patches, status, scale, binding) is `modify`: it is given
a function from the current object to the wanted one, and tries again when another writer came between and the request
itself named no resourceVersion. What changes nothing commits nothing, so its resourceVersion stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

import orjson

from controlplane.admission.chain import Admission
from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.store import Conflict, Entry, Store
from kubeapi import codec, inert
from kubeapi.clock import Clock
from kubeapi.errors import ApiError, Cause, bad_request, conflict, invalid, invalid_object, required
from kubeapi.meta_v1.types import ManagedFieldsEntry
from kubeapi.meta_v1.validation import validate_common_update
from kubeapi.names import random_suffix
from kubeapi.patch import managed
from kubeapi.registry import Kind
from kubeapi.schema import schema_of

ATTEMPTS = 5
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


class Written(NamedTuple):
    """What a write left: the object's bytes, the warnings for the user, and whether it was made just now."""

    value: bytes
    warnings: list[str]
    created: bool = False


class Writer:
    """Commits objects. Knows the store, the admission chain, the clock and the random source; no HTTP."""

    def __init__(self, store: Store, admission: Admission, clock: Clock, rng: Random) -> None:
        self.store, self.admission, self.clock, self.rng = store, admission, clock, rng

    def decode(self, kind: Kind, body: bytes, options: Options) -> tuple[Any, list[str]]:
        """The object in a JSON body, and the warnings about it."""
        return codec.decode(kind, body, options.validation)

    async def create(self, target: Target, body: bytes, options: Options) -> Written:
        """Make the object in `body` in the target's namespace."""
        obj, warnings = self.decode(target.kind, body, options)
        return await self.create_object(target, obj, options, warnings)

    async def create_object(
        self, target: Target, obj: Any, options: Options, warnings: list[str], *, track: bool = True
    ) -> Written:
        """Make an object. Its name may be left to the server by generateName."""
        kind, meta = target.kind, obj.metadata
        _place(target, meta)
        if meta.resource_version:
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if meta.generate_name and not meta.name:
            meta.name = meta.generate_name[:58] + random_suffix(self.rng)
        meta.uid = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        meta.creation_timestamp = self.now()
        meta.deletion_timestamp = meta.deletion_grace_period_seconds = None
        meta.generation = 1 if kind.spec_fields else 0
        kind.default(obj)
        kind.prepare_create(obj)
        await self.admission.admit_create(kind, obj, dry_run=options.dry_run)
        _refuse(kind, meta.name, kind.validate(obj))
        if track:  # what was applied says by itself whose it is
            self._track(kind, None, obj, options, "")
        warnings = warnings + kind.warn(obj, None) + inert.warnings_of(kind.inert, obj.to_dict())
        if options.dry_run:
            if self.store.get(target._replace(name=meta.name).key) is not None:
                raise already_exists(kind, meta.name)
            return Written(obj.to_json(), warnings, created=True)
        try:
            entry = await self.commit(target._replace(name=meta.name), 0, obj)
        except Conflict:
            raise already_exists(kind, meta.name) from None
        return Written(entry.value, warnings, created=True)

    async def modify(
        self,
        target: Target,
        change: Callable[[Any, bytes], tuple[Any, list[str]]],
        options: Options,
        subresource: str = "",
        track: bool = True,
    ) -> Written:
        """Replace the target's object by `change(current, its bytes)`, which must not change what it is given.

        Raises 404 when there is none, 409 when the wanted object names another resourceVersion or uid.
        """
        for _ in range(ATTEMPTS):
            entry = self.store.get(target.key)
            if entry is None:
                raise target.not_found()
            old: Any = target.kind.model.from_json(entry.value)
            new, warnings = change(old.clone(), entry.value)
            asked = new.metadata.resource_version
            if asked and asked != old.metadata.resource_version:
                raise self._conflict(target, MODIFIED)
            before = old.to_dict()
            await self._prepare(target, old, new, before, subresource, options.dry_run)
            if track:
                self._track(target.kind, before, new, options, subresource)
            if not subresource:
                warnings = (
                    warnings + target.kind.warn(new, old) + inert.warnings_of(target.kind.inert, new.to_dict(), before)
                )
            if _same(before, new.to_dict()):
                return Written(entry.value, warnings)
            if options.dry_run:
                return Written(new.to_json(), warnings)
            try:
                if old.metadata.deletion_timestamp and finished(new):
                    gone = await self.store.commit(target.key, entry.revision, None)
                    new.metadata.resource_version = str(gone.revision)
                    return Written(new.to_json(), warnings)
                return Written((await self.commit(target, entry.revision, new)).value, warnings)
            except Conflict:
                continue
        raise self._conflict(target, MODIFIED)

    async def update(self, target: Target, body: bytes, options: Options, subresource: str = "") -> Written:
        """PUT: replace the object (or its status) by the one in `body`."""
        obj, warnings = self.decode(target.kind, body, options)
        meta = obj.metadata
        if meta.name != target.name:
            if not meta.name:
                cause = required("metadata.name", "name must be provided")
                raise invalid_object(target.kind.kind, target.kind.group, "", [cause])
            raise bad_request(
                f"the name of the object ({meta.name}) does not match the name on the URL ({target.name})"
            )
        _place(target, meta)

        def change(old: Any, _bytes: bytes) -> tuple[Any, list[str]]:
            if not (meta.resource_version or target.kind.unconditional_update):
                cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid_object(target.kind.plural, target.kind.group, meta.name, [cause])
            if subresource != "finalize":
                return obj.clone(), warnings
            old.spec.finalizers = obj.spec.finalizers
            return old, warnings

        return await self.modify(target, change, options, subresource)

    async def commit(self, target: Target, expected: int, obj: Any) -> Entry:
        """Compare-and-swap an object into the store, its revision written into it."""

        def encoded(revision: int) -> bytes:
            obj.metadata.resource_version = str(revision)
            return bytes(obj.to_json())

        return await self.store.commit(target.key, expected, encoded)

    async def _prepare(
        self, target: Target, old: Any, new: Any, before: dict[str, Any], subresource: str, dry_run: bool
    ) -> None:
        """Default, admit and validate a change in place; keep what only the server sets. `before` is `old` as JSON."""
        kind, was, meta = target.kind, old.metadata, new.metadata
        if meta.uid and meta.uid != was.uid:
            why = f"Precondition failed: UID in precondition: {meta.uid}, UID in object meta: {was.uid}"
            raise self._conflict(target, why)
        for name in ("uid", "creation_timestamp", "deletion_timestamp", "deletion_grace_period_seconds"):
            setattr(meta, name, getattr(was, name))
        meta.name, meta.namespace, meta.generation = was.name, was.namespace, was.generation
        meta.generate_name, meta.resource_version, meta.self_link = was.generate_name, was.resource_version, ""
        if subresource in ("binding", "finalize"):
            return  # they set one thing that the strategies of updates would take back
        kind.default(new)
        if subresource == "status":
            kind.prepare_status(new, old)
            _refuse(
                kind, meta.name, validate_common_update(meta, was, kind.namespaced) + kind.validate_status(new, old)
            )
            return
        kind.prepare_update(new, old)
        await self.admission.admit_update(kind, new, old, dry_run=dry_run)
        _refuse(kind, meta.name, validate_common_update(meta, was, kind.namespaced) + kind.validate_update(new, old))
        if kind.spec_fields and _spec(kind, before) != _spec(kind, new.to_dict()):
            meta.generation += 1

    def _track(self, kind: Kind, before: dict[str, Any] | None, new: Any, options: Options, subresource: str) -> None:
        """Write who owns which field of `new` into its managedFields; `before` is the object as it was, as JSON."""
        schema = schema_of(kind.model)
        tracked = managed.update(
            before,
            new.to_dict(),
            schema,
            options.manager,
            api_version=kind.api_version,
            now=self.stamp(),
            subresource=subresource,
            reset=closed_to(kind, subresource),
            empty=schema.empty,
        )
        owners = tracked["metadata"].get("managedFields", [])
        new.metadata.managed_fields = [ManagedFieldsEntry.from_json(orjson.dumps(owner)) for owner in owners]

    def now(self) -> datetime:
        """The time, in whole seconds as objects carry it."""
        return self.clock.now().replace(microsecond=0)

    def stamp(self) -> str:
        """The time as RFC 3339 text."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _conflict(self, target: Target, why: str) -> ApiError:
        return conflict(target.kind.plural, target.kind.group, target.name, why)


def closed_to(kind: Kind, subresource: str) -> tuple[tuple[str, ...], ...]:
    """The wire paths that a door does not write, and so nobody comes to own through it."""
    if subresource == "status":
        return (("spec",),)
    return (("status",),) if kind.has_status and not subresource else ()


def already_exists(kind: Kind, name: str) -> ApiError:
    """409 for a name that is taken."""
    details = {"name": name, **({"group": kind.group} if kind.group else {}), "kind": kind.plural}
    return ApiError(409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=details)


def finished(obj: Any) -> bool:
    """Whether nothing holds an object that is being deleted any longer."""
    held = getattr(getattr(obj, "spec", None), "finalizers", None) or obj.metadata.finalizers
    return not held and not obj.metadata.deletion_grace_period_seconds


def _place(target: Target, meta: Any) -> None:
    if target.kind.namespaced and meta.namespace not in ("", target.namespace):
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    meta.namespace = target.namespace if target.kind.namespaced else ""


def _refuse(kind: Kind, name: str, causes: list[Cause]) -> None:
    if not causes:
        return
    error = invalid_object(kind.kind, kind.group, name, causes)
    if not name and error.details:
        del error.details["name"]  # Go's omitempty
    raise error


def _spec(kind: Kind, value: dict[str, Any]) -> list[Any]:
    return [_at(value, name) for name in kind.spec_fields]


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = (value or {}).get(name)
    return value


def _same(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether nothing but the times of managedFields differs."""
    return _timeless(old) == _timeless(new)


def _timeless(value: dict[str, Any]) -> dict[str, Any]:
    owners = value["metadata"].get("managedFields", ())
    told = [{k: v for k, v in entry.items() if k != "time"} for entry in owners]
    return value | {"metadata": value["metadata"] | {"managedFields": told}}


def scale_of(obj: Any) -> dict[str, Any]:
    """The autoscaling/v1 Scale of a workload."""
    meta = {
        k: v
        for k, v in obj.to_dict()["metadata"].items()
        if k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    selector = ",".join(f"{k}={v}" for k, v in sorted(obj.spec.selector.match_labels.items()))
    status = {"replicas": obj.status.replicas, "selector": selector}
    spec = {"replicas": obj.spec.replicas} if obj.spec.replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def scaled(obj: Any, scale: dict[str, Any]) -> Any:
    """The workload with a Scale's replicas; refuses a negative number as Kubernetes does."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        cause = invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid_object("Scale", "autoscaling", obj.metadata.name, [cause])
    obj.spec.replicas = replicas
    obj.metadata.resource_version = (scale.get("metadata") or {}).get("resourceVersion", "")
    return obj
