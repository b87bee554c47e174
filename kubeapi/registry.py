"""One row per kind: everything the generic parts need to serve it.

Routes, discovery, OpenAPI, printing, storage and the typed client come from these rows; there is no handler per kind. A row
stands in its group's `kinds.py`; `load()` imports the built-in groups. CustomResourceDefinitions add rows at run time.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kubeapi.errors import Cause
from kubeapi.inert import Inert
from kubeapi.model import Model


class Column(NamedTuple):
    """A column of `kubectl get`: cell(object, now) gives its value; priority 1 shows with -o wide only."""

    name: str
    cell: Callable[[Any, Any], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def _nothing(*_: Any) -> None:
    return None


def _no_causes(*_: Any) -> list[Cause]:
    return []


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of object and its strategy.

    default(obj) fills what the user left out, in place. validate(obj) and validate_update(new, old) give causes.
    prepare_create(obj) and prepare_update(new, old) drop what a user may not set (status through the main door);
    prepare_status(new, old) keeps all but status. `spec_fields` are the wire fields (paths) whose change makes a new
    metadata.generation (none: the kind has no generation). `inert` are fields that are accepted, but nothing acts on
    them yet: answered with a Warning, listed in docs/support.md. `warn(obj, old)` gives warnings as Kubernetes has them;
    `deprecated` is one that comes with every answer. Without `unconditional_update` a PUT has to say which version it saw.
    """

    group: str
    version: str
    kind: str
    plural: str
    model: type[Model]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    has_status: bool = False
    has_scale: bool = False
    spec_fields: tuple[str, ...] = ()
    default: Callable[[Any], None] = _nothing
    validate: Callable[[Any], list[Cause]] = _no_causes
    validate_update: Callable[[Any, Any], list[Cause]] = _no_causes
    validate_status: Callable[[Any, Any], list[Cause]] = _no_causes
    prepare_create: Callable[[Any], None] = _nothing
    prepare_update: Callable[[Any, Any], None] = _nothing
    prepare_status: Callable[[Any, Any], None] = _nothing
    warn: Callable[[Any, Any], list[str]] = _no_causes  # type: ignore[assignment]
    columns: tuple[Column, ...] = ()
    fields: dict[str, Callable[[Any], str]] = field(
        default_factory=dict
    )  # field selectors beyond metadata.name, .namespace
    inert: tuple[Inert, ...] = ()
    deprecated: str = ""
    unconditional_update: bool = True
    graceful: bool = False  # deletion waits for the grace period (Pod)

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`deployments.apps`, or `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def prefix(self) -> str:
        """The URL path of the group and version: `/api/v1`, `/apis/apps/v1`."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, an object or its subresource."""
        parts = [self.prefix]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join(p for p in [*parts, name, subresource] if p)


class Registry:
    """The rows, found by resource, by kind or by model."""

    def __init__(self) -> None:
        self._by_resource: dict[tuple[str, str, str], Kind] = {}
        self._by_kind: dict[tuple[str, str, str], Kind] = {}
        self._by_model: dict[type[Model], Kind] = {}

    def add(self, *kinds: Kind) -> None:
        """Add or replace rows."""
        for k in kinds:
            self._by_resource[k.group, k.version, k.plural] = k
            self._by_kind[k.group, k.version, k.kind] = k
            self._by_model[k.model] = k

    def resource(self, group: str, version: str, plural: str) -> Kind | None:
        """The row served at /apis/GROUP/VERSION/PLURAL, or None."""
        return self._by_resource.get((group, version, plural))

    def kind(self, api_version: str, kind: str) -> Kind | None:
        """The row of an object's apiVersion and kind, or None."""
        group, _, version = api_version.rpartition("/")
        return self._by_kind.get((group, version, kind))

    def of(self, model: type[Model]) -> Kind:
        """The row of a model class; KeyError if it has none."""
        return self._by_model[model]

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._by_resource.values())


GROUPS = ("core_v1", "apps_v1", "discovery_v1", "coordination_v1", "storage_v1", "hardware_v1")


def load() -> Registry:
    """A registry of the built-in kinds (each group's `kinds.KINDS`)."""
    registry = Registry()
    for group in GROUPS:
        registry.add(*importlib.import_module(f"kubeapi.{group}.kinds").KINDS)
    return registry
