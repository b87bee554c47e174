"""Server-side apply: one manager's opinion of an object, merged with everyone else's.

The applied configuration is merged into the live object by the types' list and map kinds; what this manager applied
before, no longer applies, and nobody else owns, is removed; a field that another manager owns and that would change is a
conflict unless forced. When nothing changes, times stay. Source: KEP-555, sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from kubeapi.errors import ApiError, bad_request
from kubeapi.patch import fieldset, managed, typed
from kubeapi.patch.fieldset import FieldSet
from kubeapi.patch.managed import Manager
from kubeapi.patch.typed import Comparison

if TYPE_CHECKING:
    from kubeapi.schema import Schema

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Applied(NamedTuple):
    """An object as an apply leaves it (its managedFields are still the old ones), and its managedFields."""

    value: dict[str, Any]
    owners: list[dict[str, Any]]


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    schema: Schema | None,
    manager: Manager,
    force: bool = False,
    *,
    now: str,
    reset: Iterable[tuple[str, ...]] = (),
    empty: dict[str, Any] | None = None,
) -> Applied:
    """The live object (None: to be created) with `applied` applied by `manager`, and its managedFields.

    `reset` and `empty` are as in `managed.update`. Raises ApiError 409 Conflict with a cause per field, 400 if the
    configuration carries managedFields, 500 if it does not fit the schema.
    """
    if "managedFields" in _metadata(applied):
        raise bad_request("metadata.managedFields must be nil")
    if wrong := [*typed.check(applied, schema)]:
        raise ApiError(500, "", f"failed to create typed patch object ({_named(applied)}): {_joined(wrong)}")
    reset = tuple(reset)
    current = live if live is not None else {k: applied[k] for k in ("apiVersion", "kind")} | (empty or {})
    managers = managed.decode(managed.entries_of(current))
    owned = fieldset.without(managed.applied_fields(applied, schema), reset)
    if live is not None and not managers.fields:
        before = typed.compare(managed.tracked(empty or {}), managed.tracked(live), schema).changed
        if before:
            first = Manager(managed.BEFORE_FIRST_APPLY, "Update", manager.api_version)
            managers.fields[first], managers.times[first] = before, now
    previous = managers.fields.get(manager, {})
    managers.fields[manager] = owned
    merged = typed.merge(current, applied, schema)
    if previous:
        everyone = reduce(fieldset.union, managers.fields.values(), typed.fields_of(applied, schema))
        merged = _pruned(merged, previous, everyone, schema)
    delta = typed.compare(managed.tracked(current), managed.tracked(merged), schema)
    delta = Comparison(fieldset.without(delta.changed, reset), fieldset.without(delta.removed, reset))

    conflicts = {
        other: clash
        for other, theirs in managers.fields.items()
        if other != manager and (clash := fieldset.intersection(theirs, delta.changed))
    }
    if manager.name == "kubectl" and conflicts and not force:
        allowed = _last_applied(current, schema)
        conflicts = {m: left for m, clash in conflicts.items() if (left := fieldset.difference(clash, allowed))}
    if conflicts and not force:
        raise _conflict(conflicts)
    managers.lose(delta, keep=manager)
    if not owned:
        managers.fields.pop(manager, None)
    if delta.changed or delta.removed or owned != previous:
        managers.times[manager] = now
    if manager.name == "kubectl" and LAST_APPLIED in _annotations(current):
        merged = _with_last_applied(merged, applied)
    return Applied(merged, managed.encode(managers))


def _named(applied: dict[str, Any]) -> str:
    """Which object, as Go prints it: `default/web; apps/v1, Kind=Deployment`."""
    meta, version = _metadata(applied), applied["apiVersion"]
    group_version = version if "/" in version else f"/{version}"
    return f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group_version}, Kind={applied['kind']}"


def _joined(wrong: list[str]) -> str:
    return wrong[0] if len(wrong) == 1 else "\n  ".join(["errors:", *wrong])


def _pruned(merged: Any, previous: FieldSet, owned: FieldSet, schema: Schema | None) -> Any:
    """`merged` without what was applied before and is owned by nobody now (merge.Updater.prune).

    First all that was applied before goes; then what anyone owns comes back, then what was never applied but went with it.
    """

    def members(value: Any) -> FieldSet:
        return fieldset.with_parents(typed.fields_of(value, schema), schema)

    last, everything = fieldset.with_parents(previous, schema), members(merged)
    pruned = typed.remove(merged, last, schema)
    kept = fieldset.union(members(pruned), fieldset.with_parents(owned, schema))
    pruned = typed.remove(merged, fieldset.difference(everything, kept), schema)
    gone = fieldset.difference(everything, members(pruned))
    return typed.remove(merged, fieldset.intersection(gone, last), schema)


def _metadata(obj: dict[str, Any]) -> dict[str, Any]:
    """The metadata, if it is such; what else stands there is for the schema to refuse."""
    found = obj.get("metadata")
    return found if isinstance(found, dict) else {}


def _annotations(obj: dict[str, Any]) -> dict[str, Any]:
    return _metadata(obj).get("annotations") or {}


def _with_last_applied(obj: dict[str, Any], applied: dict[str, Any]) -> dict[str, Any]:
    """What client-side apply recorded goes on with what kubectl applies by the server, so that it may come back to it."""
    recorded = orjson.dumps(applied, option=orjson.OPT_SORT_KEYS).decode() + "\n"
    return obj | {"metadata": obj["metadata"] | {"annotations": _annotations(obj) | {LAST_APPLIED: recorded}}}


def _last_applied(live: dict[str, Any], schema: Schema | None) -> FieldSet:
    """What client-side apply recorded: fields that kubectl may take over without force."""
    text = _annotations(live).get(LAST_APPLIED)
    try:
        recorded = orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return {}  # a broken annotation allows nothing; the conflicts say the rest
    return managed.applied_fields(recorded, schema) if isinstance(recorded, dict) else {}


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
