"""Server-side apply: a manager says all it wants of an object, and gets it where nobody else wants otherwise.

What it applies is merged into the live object by the types' list rules. What it applied before and does not now is removed,
unless someone else owns it too. A value that differs from what another manager owns is a conflict: refused, or with force
taken over. Source: KEP-555; the behaviour of structured-merge-diff.
"""

from __future__ import annotations

import copy
from datetime import datetime
from typing import Any

from kubeapi.errors import ApiError, Cause
from kubeapi.patch.fieldset import Fields, Path, children, compare, element_of, owned, shown
from kubeapi.patch.managed import Entry, Owner, entries_of, ownable, stamp, written
from kubeapi.schema import Schema


def apply(
    live: dict[str, Any] | None,
    applied: dict[str, Any],
    schema: Schema,
    manager: str,
    force: bool,
    subresource: str,
    now: datetime,
) -> dict[str, Any]:
    """The object after `manager` applied `applied`, with its managedFields. Raises ApiError 409 for conflicts."""
    me = Owner(manager, "Apply", applied["apiVersion"], subresource)
    entries = entries_of(live)
    before = next((e for e in entries if e.owner == me), None)
    others = [e for e in entries if e.owner != me]
    wanted = ownable(owned(applied, schema), subresource)

    base = live if live is not None else {"apiVersion": applied["apiVersion"], "kind": applied["kind"]}
    merged: dict[str, Any] = merge(base, applied, schema)
    changed = frozenset(path for what, path in compare(base, merged, schema) if what == "changed")
    conflicts = [(e.owner, path) for e in others for path in sorted(e.fields & wanted & changed)]
    if conflicts and not force:
        raise conflict(conflicts, applied["apiVersion"])
    taken = frozenset(path for _, path in conflicts)
    others = [Entry(e.owner, e.fields - taken, stamp(now) if e.fields & taken else e.time) for e in others]

    kept: Fields = frozenset().union(*(e.fields for e in others)) if others else frozenset()
    for path in sorted((before.fields if before else frozenset()) - wanted - kept, key=len, reverse=True):
        if not any(other[: len(path)] == path for other in wanted | kept):
            remove(merged, path, schema)

    same = before is not None and before.fields == wanted and live is not None and merged == live
    time = before.time if before is not None and same else stamp(now)
    merged.setdefault("metadata", {})["managedFields"] = written([Entry(me, wanted, time), *others])
    return merged


def merge(live: Any, applied: Any, schema: Schema | None) -> Any:
    """`applied` over `live`, by the types' rules: structs and maps by name, lists by key or as sets, the rest as a whole."""
    if schema is None or schema.atomic:
        return copy.deepcopy(applied)
    if isinstance(live, dict) and isinstance(applied, dict):
        result = dict(live)
        for name, value in applied.items():
            child = schema.fields.get(name) if schema.kind == "struct" else schema.element
            result[name] = merge(live.get(name), value, child)
        return result
    if isinstance(live, list) and isinstance(applied, list) and schema.list_type != "atomic":
        found = {element_of(item, schema): item for item in live}
        for item in applied:
            element = element_of(item, schema)
            found[element] = merge(found.get(element), item, schema.element)
        return [*found.values()]
    return copy.deepcopy(applied)


def remove(value: Any, path: Path, schema: Schema | None) -> None:
    """Take the value at a path out, in place; nothing happens where there is none."""
    *above, last = path
    for element in above:
        below = next(((item, child) for name, item, child in children(value, schema) if name == element), None)
        if below is None:
            return
        value, schema = below
    if isinstance(value, dict):
        value.pop(last.partition(":")[2], None)
    elif isinstance(value, list) and schema is not None:
        value[:] = [item for item in value if element_of(item, schema) != last]


def conflict(conflicts: list[tuple[Owner, Path]], api_version: str) -> ApiError:
    """409 with each field and whose it is."""
    by_owner: dict[str, list[str]] = {}
    causes = []
    for owner, path in conflicts:
        who = f'"{owner.manager}"' + (f' with subresource "{owner.subresource}"' if owner.subresource else "")
        if owner.operation == "Update":
            who += f" using {owner.api_version}"
        by_owner.setdefault(who, []).append(shown(path))
        causes.append(Cause("FieldManagerConflict", f"conflict with {who}", shown(path)))
    told = []
    for who, fields in by_owner.items():
        if len(fields) == 1:
            told.append(f"conflict with {who}: {fields[0]}")
        else:
            told.append(f"conflicts with {who}:\n" + "\n".join(f"- {f}" for f in fields))
    count = len(conflicts)
    message = f"Apply failed with {count} conflict{'s' if count > 1 else ''}: " + "\n".join(told)
    return ApiError(409, "Conflict", message, details={"causes": [c._asdict() for c in causes]})
