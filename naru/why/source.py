"""The shell around `why`: reads a World through the API, and the last log lines of those that a report asks for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

import orjson

from kubeapi.model import Model
from kubeapi.registry import Kind, Registry
from naru.connection import Connection, RefusedError
from naru.why.finding import LogRef
from naru.why.world import READ, World

TAIL = 5


class NoKindError(Exception):
    """Nothing is called so, or `why` has no rule for it."""


def kind_called(registry: Registry, word: str) -> Kind:
    """The kind that a person names as kubectl takes it: pod, pods, po, deployment.apps."""
    for kind in registry:
        names = {kind.plural, kind.singular or kind.kind.lower(), *kind.short_names}
        if word.lower() in names | {f"{name}.{kind.group}" for name in names if kind.group}:
            return kind
    raise NoKindError(f"there is no kind called {word!r}: kubectl api-resources lists them")


def read_world(connection: Connection, registry: Registry, namespace: str, now: datetime) -> World:
    """All that the rules look at. RefusedError where the API refuses a list."""
    objects: dict[type[Model], list[object]] = {}
    by_model = {kind.model: kind for kind in registry}
    for model in READ:
        kind = by_model[model]
        items = connection.get(kind.path(namespace if kind.namespaced else ""))["items"]
        objects[model] = [model.from_json(orjson.dumps(item)) for item in items]
    return World(now, objects)


def read_logs(connection: Connection, asked: Iterable[LogRef]) -> dict[LogRef, tuple[str, ...]]:
    """The last lines of each; those whose log can't be had tell why."""
    found = {}
    for ref in asked:
        path = f"/api/v1/namespaces/{quote(ref.namespace)}/pods/{quote(ref.pod)}/log"
        query = {"container": ref.container, "tailLines": str(TAIL), "previous": "true" if ref.previous else "false"}
        try:
            with connection.send("GET", path, query) as response:
                said = response.read().decode(errors="replace").splitlines()
            found[ref] = tuple(said[-TAIL:]) or ("(its log is empty)",)
        except RefusedError as error:
            found[ref] = (f"(its log can't be had: {error})",)
    return found
