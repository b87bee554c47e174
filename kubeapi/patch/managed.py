"""Who owns which field: metadata.managedFields through creates and updates.

An update gives its manager every field whose value came or changed, and takes those from everyone else; fields that went
away are nobody's. A manager is a name with its operation, apiVersion and subresource. Its time moves only when it took a
field, so an update that changes nothing leaves the object as it was. Source: KEP-555, apimachinery's managedfields.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kubeapi.patch import fieldset, typed
from kubeapi.patch.fieldset import FieldSet
from kubeapi.patch.typed import Comparison

if TYPE_CHECKING:
    from kubeapi.schema import Schema

MAX_UPDATE_MANAGERS = 10
ANCIENT, BEFORE_FIRST_APPLY = "ancient-changes", "before-first-apply"
_UNTRACKED = frozenset(
    [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ]
)


class Manager(NamedTuple):
    """Who manages: entries that agree in all of this are one entry."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(slots=True)
class Managers:
    """The owners of one object's fields, and when each last took one (RFC 3339 text)."""

    fields: dict[Manager, FieldSet] = field(default_factory=dict)
    times: dict[Manager, str] = field(default_factory=dict)

    def lose(self, gone: Comparison, keep: Manager | None = None) -> None:
        """Take what changed from all but `keep`, and what was removed from everyone."""
        for manager, owned in list(self.fields.items()):
            left = owned if manager == keep else fieldset.difference(owned, gone.changed)
            left = fieldset.difference(left, gone.removed)
            if left:
                self.fields[manager] = left
            else:
                del self.fields[manager]

    def merge(self, manager: Manager, owned: FieldSet) -> None:
        """Add to what the manager owns."""
        self.fields[manager] = fieldset.union(self.fields.get(manager, {}), owned)


def decode(entries: list[dict[str, Any]]) -> Managers:
    """metadata.managedFields as owners."""
    managers = Managers()
    for entry in entries:
        who = Manager(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        managers.merge(who, entry.get("fieldsV1", {}))
        if entry.get("time"):
            managers.times[who] = entry["time"]
    return managers


def encode(managers: Managers) -> list[dict[str, Any]]:
    """Owners as metadata.managedFields: Apply first, then by time and name."""
    out = []
    order = sorted(managers.fields, key=lambda m: (m.operation, managers.times.get(m, ""), m.name, m.subresource))
    for who in order:
        entry: dict[str, Any] = {"manager": who.name, "operation": who.operation, "apiVersion": who.api_version}
        if who in managers.times:
            entry["time"] = managers.times[who]
        entry |= {"fieldsType": "FieldsV1", "fieldsV1": managers.fields[who]}
        if who.subresource:
            entry["subresource"] = who.subresource
        out.append(entry)
    return out


def entries_of(obj: dict[str, Any]) -> list[dict[str, Any]]:
    """The managedFields of an object."""
    found: list[dict[str, Any]] | None = obj.get("metadata", {}).get("managedFields")
    return found or []


def tracked(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without the fields that nobody owns (names, versions, the server's own metadata)."""
    rest = {k: v for k, v in obj.items() if k not in ("apiVersion", "kind")}
    rest["metadata"] = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _UNTRACKED}
    return rest


def applied_fields(applied: dict[str, Any], schema: Schema | None) -> FieldSet:
    """What a manager owns by applying a configuration; metadata itself is nobody's."""
    fields = typed.fields_of(tracked(applied), schema)
    if not fields.get("f:metadata"):
        fields.pop("f:metadata", None)
    return fields


def update(
    old: dict[str, Any] | None,
    new: dict[str, Any],
    schema: Schema | None,
    manager: Manager,
    *,
    now: str,
    reset: Iterable[tuple[str, ...]] = (),
    empty: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """The managedFields of `new` after this create (`old` is None) or update by `manager`.

    `new` is the object after decoding and defaults, before admission and the strategy: what the server adds is nobody's.
    `reset` are the paths that the strategy will put back (status through the main door). `empty` is a new object of the kind
    as Go writes it: what a create is compared with. An object whose managedFields were emptied stays untracked, as in
    Kubernetes; a subresource can't write managedFields.
    """
    given = [] if manager.subresource else entries_of(new)
    if old is not None and (not entries_of(old) or given == [{}]):
        return []
    managers = decode(given or entries_of(old or {}))
    delta = typed.compare(tracked(old if old is not None else empty or {}), tracked(new), schema)
    took = fieldset.without(delta.changed, reset)
    managers.lose(Comparison(took, fieldset.without(delta.removed, reset)))
    if took:
        managers.merge(manager, took)
        managers.times[manager] = now
        _cap(managers)
    return encode(managers)


def _cap(managers: Managers) -> None:
    """Fold the oldest Update managers of one version into `ancient-changes` until there are at most ten."""
    updaters = [m for m in managers.fields if m.operation == "Update"]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return
    count = len(updaters)
    first: dict[str, Manager] = {}
    for who in sorted(updaters, key=lambda m: (managers.times.get(m, ""), m)):
        if count <= MAX_UPDATE_MANAGERS:
            return
        bucket = Manager(ANCIENT, "Update", who.api_version)
        if who.api_version not in first:
            first[who.api_version] = who
            continue
        for source in (first[who.api_version], who):
            if source != bucket and source in managers.fields:
                managers.merge(bucket, managers.fields.pop(source))
                managers.times[bucket] = managers.times.pop(source, "")
        count -= 1
