"""metadata.managedFields: kept up by every write, so that server-side apply knows whose each field is.

An Update owns what it changes, and takes it from whoever had it; what it removes nobody owns. Source: KEP-555.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from kubeapi.patch.fieldset import Fields, compare, from_fields_v1, to_fields_v1
from kubeapi.schema import Schema

# What no one can own: the server's own, and what names the object.
NOT_OWNED = {("f:apiVersion",), ("f:kind",), ("f:metadata",)} | {
    ("f:metadata", f"f:{name}")
    for name in (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "generation", "managedFields", "resourceVersion",
    )
}  # fmt: skip
LARGEST_UPDATERS = 10  # older Update entries are put together as `ancient-changes`


class Owner(NamedTuple):
    """An entry's identity: who, how (Apply or Update), in which version, through which subresource."""

    manager: str
    operation: str
    api_version: str
    subresource: str


class Entry(NamedTuple):
    """What an owner owns, and since when (RFC 3339 text)."""

    owner: Owner
    fields: Fields
    time: str


def entries_of(value: dict[str, Any] | None) -> list[Entry]:
    """The entries in an object's managedFields."""
    found = []
    for raw in ((value or {}).get("metadata") or {}).get("managedFields") or ():
        owner = Owner(
            raw.get("manager", ""), raw.get("operation", ""), raw.get("apiVersion", ""), raw.get("subresource", "")
        )
        found.append(Entry(owner, frozenset(from_fields_v1(raw.get("fieldsV1") or {})), raw.get("time", "")))
    return found


def written(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Entries as managedFields writes them; one that owns nothing is left out."""
    found = []
    for (manager, operation, version, subresource), fields, time in entries:
        if not fields:
            continue
        raw: dict[str, Any] = {"manager": manager, "operation": operation, "apiVersion": version, "time": time}
        raw |= {"fieldsType": "FieldsV1", "fieldsV1": to_fields_v1(fields)}
        found.append(raw | ({"subresource": subresource} if subresource else {}))
    return found


def ownable(fields: Iterable[tuple[str, ...]], subresource: str) -> Fields:
    """Without what can't be owned: the server's own, and what this door does not set."""
    closed = "f:spec" if subresource == "status" else "f:status" if not subresource else ""
    return frozenset(path for path in fields if path and path[0] != closed and path not in NOT_OWNED)


def stamp(now: datetime) -> str:
    """A time as managedFields writes it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def update(
    old: dict[str, Any] | None,
    new: dict[str, Any],
    schema: Schema,
    manager: str,
    subresource: str,
    api_version: str,
    now: datetime,
) -> list[dict[str, Any]]:
    """The managedFields of `new` after a create or update by `manager`; `old` is None for a create."""
    start = old if old is not None else (schema.model().to_dict() if schema.model else {})
    changed: set[tuple[str, ...]] = set()
    removed: set[tuple[str, ...]] = set()
    for what, path in compare(start, new, schema):
        (changed if what == "changed" else removed).add(path)
    mine, gone = ownable(changed, subresource), frozenset(removed)
    me = Owner(manager, "Update", api_version, subresource)
    entries, found = [], False
    for entry in entries_of(old):
        if entry.owner == me:
            found = True
            fields = (entry.fields | mine) - gone
        else:
            fields = entry.fields - mine - gone
        time = stamp(now) if fields != entry.fields else entry.time
        entries.append(Entry(entry.owner, fields, time))
    if mine and not found:
        entries.append(Entry(me, mine, stamp(now)))
    return written(capped(entries))


def capped(entries: list[Entry]) -> list[Entry]:
    """At most ten Update entries of the main door: the oldest become one, `ancient-changes`, per version."""
    updates = [e for e in entries if e.owner.operation == "Update" and not e.owner.subresource and e.fields]
    if len(updates) <= LARGEST_UPDATERS:
        return entries
    updates.sort(key=lambda e: e.time)
    merged = {e.owner for e in updates[: len(updates) - LARGEST_UPDATERS + 1]}
    ancient: dict[str, Entry] = {}
    kept = []
    for entry in entries:
        if entry.owner not in merged:
            kept.append(entry)
            continue
        version = entry.owner.api_version
        before = ancient.get(version)
        owner = Owner("ancient-changes", "Update", version, "")
        fields = entry.fields | (before.fields if before else frozenset())
        ancient[version] = Entry(owner, fields, max(entry.time, before.time if before else ""))
    return [*ancient.values(), *kept]
