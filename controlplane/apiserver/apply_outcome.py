"""What /apply says: a record for what became of each object, one for each step on its way to ready, and the end.

Every record is a line, for people (`text`) or as JSON. No imports of the server: the command line reads them as well.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, TypeAlias


class Key(NamedTuple):
    """What tells one object from every other, as manifests say it; namespace "" for a cluster's object."""

    api_version: str
    kind: str
    namespace: str
    name: str

    @property
    def text(self) -> str:
        """`deployment.apps/web`, as kubectl prints it."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind.lower()}{'.' if group else ''}{group}/{self.name}"


class Outcome(NamedTuple):
    """What became of one object: created, configured, unchanged, pruned, deleted, absent, or failed with a message."""

    api_version: str
    kind: str
    namespace: str
    name: str
    outcome: str
    message: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As kubectl would say it, and where; a line more for each warning."""
        return "\n".join([_line(*self[:6]), *(f"  Warning: {w}" for w in self.warnings)])


class State(NamedTuple):
    """How far one object is: waiting (the message says for what), ready, gone, or failed."""

    api_version: str
    kind: str
    namespace: str
    name: str
    state: Literal["waiting", "ready", "gone", "failed"]
    message: str = ""

    @property
    def text(self) -> str:
        """The state as a person reads it."""
        return _line(*self)


class End(NamedTuple):
    """The last record: whether all was done, and the sum of it. `code` is the HTTP status of a whole answer."""

    ok: bool
    message: str
    code: int = 200

    @property
    def text(self) -> str:
        """The sum."""
        return self.message


Record: TypeAlias = Outcome | State | End


def _line(api_version: str, kind: str, namespace: str, name: str, what: str, message: str) -> str:
    where = f" in {namespace}" if namespace else ""
    key = Key(api_version, kind, namespace, name)
    return f"{key.text} {what}{where}" + (f": {message}" if message else "")


def as_json(record: Record) -> dict[str, Any]:
    """A record's fields by their wire names; those that are empty are left out."""
    named = {"apiVersion" if name == "api_version" else name: value for name, value in record._asdict().items()}
    return {name: value for name, value in named.items() if value not in ("", ())}


def from_json(line: str | bytes) -> Record:
    """The record in a line of JSON. ValueError for a line that is none."""
    value = json.loads(line)
    try:
        if "ok" in value:
            return End(**value)
        value = {"api_version": value.pop("apiVersion"), "namespace": "", **value}
        if "state" in value:
            return State(**value)
        return Outcome(**{**value, "warnings": tuple(value.get("warnings", ()))})
    except (TypeError, KeyError) as error:
        raise ValueError(f"no record of /apply: {value}") from error
