"""A URL path becomes what it names: a kind, perhaps a namespace, a name, a subresource. No route is written per kind.

`/api/v1/namespaces/NS/pods/NAME/log` and `/apis/GROUP/VERSION/...` are all there is; what stands behind `proxy` is a path of
whom it leads to. A path that no row of the registry serves is None, which the server answers with 404.
"""

from __future__ import annotations

from typing import NamedTuple

from kubeapi.errors import ApiError
from kubeapi.registry import Kind, Registry

EXTRA_SUBRESOURCES = {
    "pods": ("attach", "binding", "eviction", "exec", "log", "portforward"),
    "namespaces": ("finalize",),
    "nodes": ("proxy",),
    "serviceaccounts": ("token",),
}


class Target(NamedTuple):
    """What a request is about; an empty name is the collection, an empty namespace all of them, rest the path behind a
    `proxy` (`/layers`)."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""

    @property
    def key(self) -> str:
        """The store's key of the object."""
        return key_of(self.kind, self.namespace, self.name)

    @property
    def prefix(self) -> str:
        """The store's prefix of the collection."""
        return key_of(self.kind, self.namespace, "") if self.namespace else f"/{self.kind.group}/{self.kind.plural}/"

    def not_found(self) -> ApiError:
        """404 for the object itself."""
        k = self.kind
        details = {"name": self.name, **({"group": k.group} if k.group else {}), "kind": k.plural}
        return ApiError(404, "NotFound", f'{k.resource} "{self.name}" not found', details=details)


def key_of(kind: Kind, namespace: str, name: str) -> str:
    """`/GROUP/PLURAL/NAMESPACE/NAME`; the group of the core and the namespace of a cluster's object are empty."""
    return f"/{kind.group}/{kind.plural}/{namespace}/{name}"


def subresources(kind: Kind) -> tuple[str, ...]:
    """The subresources a kind serves."""
    own = (("status",) if kind.has_status else ()) + (("scale",) if kind.has_scale else ())
    return own + (() if kind.group else EXTRA_SUBRESOURCES.get(kind.plural, ()))


def route(registry: Registry, path: str) -> Target | None:
    """The target of a path, or None when nothing is served there."""
    match path.strip("/").split("/"):
        case ["api", version, *rest]:
            group = ""
        case ["apis", group, version, *rest]:
            pass
        case _:
            return None
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not rest or (kind := registry.resource(group, version, rest[0])) is None:
        return None
    name, subresource, further = "".join(rest[1:2]), "".join(rest[2:3]), rest[3:]
    if (namespace and not kind.namespaced) or (name and kind.namespaced and not namespace):
        return None
    if subresource and subresource not in subresources(kind):
        return None
    if subresource == "proxy":
        slash = "/" if path.endswith("/") else ""
        return Target(kind, namespace, name, subresource, "".join(f"/{part}" for part in further) + slash)
    return None if further else Target(kind, namespace, name, subresource)
