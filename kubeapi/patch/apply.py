"""Server-side apply: one manager's opinion of an object, merged with everyone else's.

The applied configuration is merged into the live object by the types' list and map kinds; what this manager applied
before, no longer applies, and nobody else owns, is removed; a field that another manager owns and that would change is a
conflict unless forced. When nothing changes, times stay. Source: KEP-555, sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any

import orjson

from kubeapi.errors import ApiError, bad_request
from kubeapi.patch import fieldset, managed
from kubeapi.patch.fieldset import Comparison, FieldSet
from kubeapi.patch.managed import Manager

if TYPE_CHECKING:
    from kubeapi.schema import Schema

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    schema: Schema | None,
    manager: str,
    force: bool = False,
    *,
    api_version: str,
    now: str,
    subresource: str = "",
    reset: Iterable[tuple[str, ...]] = (),
    empty: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The live object (None: to be created) with `applied` applied by `manager`, managedFields included.

    `reset` and `empty` are as in `managed.update`. Raises ApiError 409 Conflict with a cause per field, 400 if the
    configuration carries managedFields.
    """
    if managed.entries_of(applied):
        raise bad_request("metadata.managedFields must be nil")
    reset = tuple(reset)
    who = Manager(manager, "Apply", api_version, subresource)
    current = live if live is not None else _named(applied, empty or {})
    managers = managed.decode(managed.entries_of(current))
    if live is not None and not managers.fields:
        before = fieldset.compare(managed.tracked(empty or {}), managed.tracked(live), schema).changed
        if before:
            first = Manager(managed.BEFORE_FIRST_APPLY, "Update", api_version)
            managers.fields[first], managers.times[first] = before, now

    previous = managers.fields.get(who, {})
    owned = fieldset.without(fieldset.of(managed.tracked(applied), schema), reset)
    managers.fields[who] = owned
    merged = _merge(current, applied, schema)
    if previous:
        everyone = reduce(fieldset.union, managers.fields.values())
        merged = _prune(merged, previous, everyone, schema)
    delta = fieldset.compare(managed.tracked(current), managed.tracked(merged), schema)
    delta = Comparison(fieldset.without(delta.changed, reset), fieldset.without(delta.removed, reset))

    conflicts = {
        other: clash
        for other, theirs in managers.fields.items()
        if other != who and (clash := fieldset.intersection(theirs, delta.changed))
    }
    if manager == "kubectl" and conflicts and not force:
        allowed = _last_applied(current, schema)
        conflicts = {m: left for m, clash in conflicts.items() if (left := fieldset.difference(clash, allowed))}
    if conflicts and not force:
        raise _conflict(conflicts)
    managers.lose(delta, keep=who)
    if delta.changed or delta.removed:
        managers.times[who] = now
    return managed.with_entries(merged, managers)


def _named(applied: dict[str, Any], empty: dict[str, Any]) -> dict[str, Any]:
    """The empty object that a create starts from."""
    return {k: applied[k] for k in ("apiVersion", "kind") if k in applied} | empty


def _merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    if type(live) is not type(applied) or fieldset.is_leaf(applied, schema):
        return applied
    if isinstance(applied, dict):
        out = dict(live)
        for key, value in applied.items():
            out[key] = _merge(out.get(key), value, fieldset.child_schema(schema, key))
        return out
    assert schema is not None
    return _merge_elements(fieldset.elements(live, schema), fieldset.elements(applied, schema), schema)


def _merge_elements(live: dict[str, Any], applied: dict[str, Any], schema: Schema) -> list[Any]:
    """Both lists in one: shared elements in the applied order, the live ones' own between them where they stood."""
    out: list[Any] = []
    mine, done = list(applied), set[str]()
    at = 0
    for key, value in live.items():
        if key not in applied:
            out.append(value)
            continue
        while at < len(mine) and key not in done:
            name = mine[at]
            at += 1
            done.add(name)
            out.append(_merge(live.get(name), applied[name], schema.element))
            if name == key:
                break
    return out + [_merge(live.get(name), applied[name], schema.element) for name in mine[at:]]


def _prune(value: Any, previous: FieldSet, owned: FieldSet, schema: Schema | None) -> Any:
    """`value` without what was applied before and is owned by nobody now."""
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            path = f"f:{key}"
            if path not in previous:
                out[key] = item
            elif path in owned:
                below = fieldset.child_schema(schema, key)
                out[key] = _prune(item, previous[path], owned[path], below)
        return out
    if isinstance(value, list) and schema is not None and not fieldset.is_leaf(value, schema):
        kept = []
        for path, item in fieldset.elements(value, schema).items():
            was, now = previous.get(path), owned.get(path)
            if was is None:
                kept.append(item)
            elif now is not None and (fieldset.is_member(now) or not fieldset.is_member(was)):
                kept.append(_prune(item, was, now, schema.element))
        return kept
    return value


def _last_applied(live: dict[str, Any], schema: Schema | None) -> FieldSet:
    """What client-side apply recorded: fields that kubectl may take over without force."""
    text = live.get("metadata", {}).get("annotations", {}).get(LAST_APPLIED)
    try:
        recorded = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return {}  # a broken annotation allows nothing; the conflicts say the rest
    return fieldset.of(managed.tracked(recorded), schema) if isinstance(recorded, dict) else {}


def _conflict(conflicts: dict[Manager, FieldSet]) -> ApiError:
    told: list[tuple[str, str]] = []
    for who in sorted(conflicts):
        told += [(_shown(who), path) for path in fieldset.paths(conflicts[who])]
    if len(told) == 1:
        text = f"conflict with {told[0][0]}: {told[0][1]}"
    else:
        groups: dict[str, list[str]] = {}
        for name, path in told:
            groups.setdefault(name, []).append(path)
        text = "\n".join(f"conflicts with {n}:\n" + "\n".join(f"- {p}" for p in ps) for n, ps in sorted(groups.items()))
    causes = [{"reason": "FieldManagerConflict", "message": f"conflict with {n}", "field": p} for n, p in told]
    count = f"{len(told)} conflict" + ("s" if len(told) > 1 else "")
    return ApiError(409, "Conflict", f"Apply failed with {count}: {text}", details={"causes": causes})


def _shown(who: Manager) -> str:
    name = orjson.dumps(who.name).decode()
    if who.operation == "Apply":
        return name
    door = f" with subresource {orjson.dumps(who.subresource).decode()}" if who.subresource else ""
    return f"{name}{door} using {who.api_version}"
