"""The one write path: decode → default → own → admit → prepare → validate → compare-and-swap into the store → answer.

`create` makes an object. Everything that changes one (update, the patches, status, scale, binding) is `modify`: it is given
a function from the current object to the wanted one, and tries again when another writer came between and the request
itself named no resourceVersion. What changes nothing commits nothing, so its resourceVersion stays. Who owns which field is
settled before the server adds its own: what admission and allocation give is nobody's.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from random import Random
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import orjson

from controlplane.admission.chain import Admission
from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.store import Conflict, Entry, Store
from kubeapi import codec, inert
from kubeapi.clock import Clock
from kubeapi.errors import ApiError, Cause, bad_request, conflict, invalid, invalid_object, required
from kubeapi.meta_v1.validation import validate_common_update
from kubeapi.names import random_suffix
from kubeapi.patch import managed
from kubeapi.registry import Kind
from kubeapi.schema import schema_of

NAME_ATTEMPTS = 8
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"
Owners = list[dict[str, Any]]


class Written(NamedTuple):
    """What a write left: the object's bytes, the warnings for the user, and whether it was made just now."""

    value: bytes
    warnings: list[str]
    created: bool = False


class Current:
    """The object that a change begins with; what it gives out is not to be changed, but for the copies."""

    def __init__(self, kind: Kind, entry: Entry) -> None:
        self.kind, self.entry = kind, entry

    @cached_property
    def json(self) -> dict[str, Any]:
        """The object as plain JSON."""
        found: dict[str, Any] = orjson.loads(self.entry.value)
        return found

    def copy(self) -> Any:
        """The object, the caller's own."""
        return self.kind.model.from_json(self.entry.value)


class Wanted(NamedTuple):
    """What a request makes of the current object; `owners` are its managedFields where the request itself settles them."""

    obj: Any
    warnings: list[str] = []
    owners: Owners | None = None


class Writer:
    """Commits objects. Knows the store, the admission chain, the clock and the random source; no HTTP."""

    def __init__(self, store: Store, admission: Admission, clock: Clock, rng: Random) -> None:
        self.store, self.admission, self.clock, self.rng = store, admission, clock, rng
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def decode(self, kind: Kind, body: bytes, options: Options) -> tuple[Any, list[str]]:
        """The object in a JSON body, and the warnings about it."""
        return codec.decode(kind, body, options.validation)

    async def create(self, target: Target, body: bytes, options: Options) -> Written:
        """Make the object in `body` in the target's namespace. Its name may be left to the server by generateName."""
        attempts = NAME_ATTEMPTS
        while True:
            obj, warnings = self.decode(target.kind, body, options)
            attempts = attempts - 1 if obj.metadata.generate_name and not obj.metadata.name else 0
            try:
                return await self.create_object(target, Wanted(obj, warnings), options)
            except ApiError as error:
                if error.reason != "AlreadyExists" or not attempts:
                    raise

    async def create_object(self, target: Target, wanted: Wanted, options: Options) -> Written:
        """Make an object."""
        kind, obj, meta = target.kind, wanted.obj, wanted.obj.metadata
        check_place(target, meta)
        if meta.resource_version:
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if meta.generate_name and not meta.name:
            meta.name = meta.generate_name[:58] + random_suffix(self.rng)
        target = target._replace(name=meta.name)
        kind.default(obj)
        given = obj.to_dict()
        owners = wanted.owners
        if owners is None:
            owners = self._owners(kind, None, given, options, "")
        meta.uid = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        meta.creation_timestamp = self.now()
        meta.deletion_timestamp = meta.deletion_grace_period_seconds = None
        meta.generation = 1 if kind.spec_fields else 0
        with _saying(wanted.warnings) as said:
            await self.admission.admit_create(kind, obj)
            async with self.admission.turn(kind):
                kind.prepare_create(obj)
                self.admission.allocate(kind, obj, None)
                _refuse(kind, meta.name, kind.validate(obj))
                said += kind.warn(obj, None)
                value = _owned(obj, owners)
                made = await self._make(target, value, dry_run=options.dry_run)
            return Written(made, said + inert.warnings_of(kind.inert, given), created=True)

    async def _make(self, target: Target, value: dict[str, Any], *, dry_run: bool) -> bytes:
        """Commit a new object, or only look if it could be; 409 when its name is taken."""
        if dry_run:
            if self.store.get(target.key) is not None:
                raise already_exists(target.kind, target.name)
            return orjson.dumps(value)
        try:
            return (await self.commit(target, 0, value)).value
        except Conflict:
            raise already_exists(target.kind, target.name) from None

    async def modify(
        self, target: Target, change: Callable[[Current], Wanted], options: Options, subresource: str = ""
    ) -> Written:
        """Replace the target's object by `change(current)`.

        Raises 404 when there is none, 409 when the wanted object names another resourceVersion. Changes of one object take
        turns: of a hundred at once ninety-nine would lose, and begin anew, and ninety-eight of them lose again.
        """
        turn = self._turns.setdefault(target.key, asyncio.Lock())
        async with turn:
            while True:  # each round more means that a create or delete, which take no turns, came between
                entry = self.store.get(target.key)
                if entry is None:
                    raise target.not_found()
                current = Current(target.kind, entry)
                wanted = change(current)
                with _saying(wanted.warnings) as said:
                    try:
                        return await self._replace(target, current, wanted, said, options, subresource)
                    except Conflict:
                        continue

    async def _replace(
        self,
        target: Target,
        current: Current,
        wanted: Wanted,
        said: list[str],
        options: Options,
        subresource: str,
    ) -> Written:
        """One try to replace the current object by the wanted one. Raises Conflict when another writer came between."""
        kind, old, new, owners = target.kind, current.copy(), wanted.obj, wanted.owners
        asked = new.metadata.resource_version
        if subresource == "binding":  # sets one thing, that the strategy of updates would take back; nobody owns it
            owners = managed.entries_of(current.json)
        else:
            kind.default(new)
            if owners is None:
                owners = self._owners(kind, current.json, new.to_dict(), options, subresource)
            if not subresource:
                await self.admission.admit_update(kind, new, old)
        if asked and asked != old.metadata.resource_version:
            raise self._conflict(target, MODIFIED)
        async with self.admission.turn(kind):
            _keep_server_metadata(new.metadata, old.metadata)
            if subresource not in ("binding", "finalize"):
                self._prepare(kind, new, old, subresource)
            value = _owned(new, owners)
            if subresource in ("", "scale"):
                if kind.spec_fields and _spec(kind, current.json) != _spec(kind, value):
                    value["metadata"]["generation"] = old.metadata.generation + 1
                said += kind.warn(new, old) + inert.warnings_of(kind.inert, value, current.json)
            if _same(current.json, value):
                return Written(current.entry.value, said)
            if options.dry_run:
                return Written(orjson.dumps(value), said)
            if old.metadata.deletion_timestamp and finished(new):
                gone = await self.store.commit(target.key, current.entry.revision, None)
                value["metadata"]["resourceVersion"] = str(gone.revision)
                return Written(orjson.dumps(value), said)
            return Written((await self.commit(target, current.entry.revision, value)).value, said)

    async def update(self, target: Target, body: bytes, options: Options, subresource: str = "") -> Written:
        """PUT: replace the object (or its status) by the one in `body`."""
        obj, warnings = self.decode(target.kind, body, options)
        check_name(target, target.kind, obj.metadata)
        check_place(target, obj.metadata)
        uid, version, decoded = obj.metadata.uid, obj.metadata.resource_version, [obj]

        def change(current: Current) -> Wanted:
            if not (version or target.kind.unconditional_update):
                cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
                raise invalid_object(target.kind.plural, target.kind.group, target.name, [cause])
            if uid and uid != (there := current.json["metadata"]["uid"]):
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {there}"
                raise self._conflict(target, why)
            if subresource != "finalize":  # another round begins anew: the last one has settled things in its object
                return Wanted(decoded.pop() if decoded else self.decode(target.kind, body, options)[0], warnings)
            kept = current.copy()
            kept.spec.finalizers = obj.spec.finalizers
            return Wanted(kept, warnings)

        return await self.modify(target, change, options, subresource)

    async def commit(self, target: Target, expected: int, value: dict[str, Any]) -> Entry:
        """Compare-and-swap an object into the store, its revision written into it."""

        def encoded(revision: int) -> bytes:
            value["metadata"]["resourceVersion"] = str(revision)
            # A copy, because orjson's own bytes take three times the room that they need.
            return bytes(memoryview(orjson.dumps(value)))

        return await self.store.commit(target.key, expected, encoded)

    def _prepare(self, kind: Kind, new: Any, old: Any, subresource: str) -> None:
        """Take back what the door does not write, and validate the rest."""
        if subresource == "status":
            kind.prepare_status(new, old)
            causes = validate_common_update(new.metadata, old.metadata, kind.namespaced)
            causes += kind.validate_status(new, old)
        else:
            kind.prepare_update(new, old)
            self.admission.allocate(kind, new, old)
            causes = validate_common_update(new.metadata, old.metadata, kind.namespaced)
            causes += kind.validate_update(new, old)
        _refuse(kind, new.metadata.name, causes)

    def _owners(
        self, kind: Kind, before: dict[str, Any] | None, after: dict[str, Any], options: Options, subresource: str
    ) -> Owners:
        """The managedFields of an object that the request made, or changed from `before`."""
        schema = schema_of(kind.model)
        return managed.update(
            before,
            after,
            schema,
            managed.Manager(options.manager, "Update", kind.api_version, subresource),
            now=self.stamp(),
            reset=closed_to(kind, subresource),
            empty=schema.empty,
        )

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


def _keep_server_metadata(meta: Any, was: Any) -> None:
    """What only the server sets stays as it was; a uid that the client names is compared later."""
    meta.uid = meta.uid or was.uid
    for name in ("creation_timestamp", "deletion_timestamp", "deletion_grace_period_seconds", "generation"):
        setattr(meta, name, getattr(was, name))
    meta.name, meta.namespace, meta.resource_version, meta.self_link = was.name, was.namespace, was.resource_version, ""


@contextlib.contextmanager
def _saying(warnings: list[str]) -> Iterator[list[str]]:
    """A list of warnings to be added to; a refusal tells those that there are by then."""
    said = [*warnings]
    try:
        yield said
    except ApiError as error:
        error.warnings = said
        raise


def _owned(obj: Any, owners: Owners) -> dict[str, Any]:
    """The object as JSON with these managedFields."""
    obj.metadata.managed_fields = []
    value: dict[str, Any] = obj.to_dict()
    if owners:
        value["metadata"]["managedFields"] = owners
    return value


def check_name(target: Target, kind: Kind, meta: Any) -> None:
    """Refuse a body of another name than its URL's."""
    if not meta.name:
        cause = required("metadata.name", "name must be provided")
        raise invalid_object(kind.kind, kind.group, "", [cause])
    if meta.name != target.name:
        raise bad_request(f"the name of the object ({meta.name}) does not match the name on the URL ({target.name})")


def check_place(target: Target, meta: Any) -> None:
    """Refuse an object of another namespace than its URL's; one that names none is given it."""
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
