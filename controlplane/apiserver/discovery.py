"""What the server says of itself: /version, /api, /apis, each group's resources, and the aggregated form of both.

All of it is computed from the registry's rows.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from controlplane.apiserver.routing import subresources
from kubeapi.openapi import Subresource
from kubeapi.registry import Kind, Registry

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
VERSION = {
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36",
    "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.0", "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "", "compiler": "", "platform": "linux/amd64",
}  # fmt: skip
SUBRESOURCE_KINDS: dict[str, dict[str, Any]] = {
    "scale": {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"]},
    "binding": {"kind": "Binding", "verbs": ["create"]},
    "eviction": {"group": "policy", "version": "v1", "kind": "Eviction", "verbs": ["create"]},
    "finalize": {"verbs": ["update"]},
    "status": {"verbs": ["get", "patch", "update"]},
    "log": {"verbs": ["get"]},
    "exec": {"kind": "PodExecOptions", "verbs": ["create", "get"]},
    "attach": {"kind": "PodAttachOptions", "verbs": ["create", "get"]},
    "portforward": {"kind": "PodPortForwardOptions", "verbs": ["create", "get"]},
    "proxy": {"kind": "NodeProxyOptions", "verbs": ["create", "delete", "get", "patch", "update"]},
    "token": {"group": "authentication.k8s.io", "version": "v1", "kind": "TokenRequest", "verbs": ["create"]},
}


def discover(registry: Registry, path: str, aggregated: bool) -> dict[str, Any] | None:
    """The answer at a discovery path, or None when it is none."""
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api"] if aggregated:
            return _aggregated(registry, core=True)
        case ["apis"] if aggregated:
            return _aggregated(registry, core=False)
        case ["api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        case ["apis"]:
            groups = [_group(registry, name) for name in _names(registry) if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["apis", group] if group in _names(registry):
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(registry, group)
        case ["api", version]:
            return _resources(registry, "", version)
        case ["apis", group, version]:
            return _resources(registry, group, version)
    return None


def _names(registry: Registry) -> list[str]:
    return sorted({k.group for k in registry})


def _versions(registry: Registry, group: str) -> list[str]:
    return sorted({k.version for k in registry if k.group == group})


def _group(registry: Registry, group: str) -> dict[str, Any]:
    versions = [{"groupVersion": f"{group}/{v}", "version": v} for v in _versions(registry, group)]
    return {"name": group, "versions": versions, "preferredVersion": versions[0]}


def _resources(registry: Registry, group: str, version: str) -> dict[str, Any] | None:
    kinds = sorted((k for k in registry if (k.group, k.version) == (group, version)), key=lambda k: k.plural)
    if not kinds:
        return None
    head: dict[str, Any] = {"kind": "APIResourceList", **({"apiVersion": "v1"} if group else {})}
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        rows += _rows(kind)
    return head | {"groupVersion": kinds[0].api_version, "resources": rows}


def _rows(kind: Kind) -> list[dict[str, Any]]:
    first: dict[str, Any] = {"name": kind.plural, "singularName": kind.singular or kind.kind.lower()}
    first |= {"namespaced": kind.namespaced, "kind": kind.kind, "verbs": verbs_of(kind)}
    if kind.short_names:
        first["shortNames"] = list(kind.short_names)
    if kind.categories:
        first["categories"] = list(kind.categories)
    first["storageVersionHash"] = storage_hash(kind)
    rows = [first]
    for name in sorted(subresources(kind)):
        base = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced, "kind": kind.kind}
        rows.append(base | SUBRESOURCE_KINDS[name])
    return rows


def verbs_of(kind: Kind) -> list[str]:
    """The verbs of a kind; namespaces are deleted one by one only."""
    return [v for v in VERBS if v != "deletecollection" or kind.resource != "namespaces"]


def storage_hash(kind: Kind) -> str:
    """StorageVersionHash of apiserver's pkg/endpoints/discovery: of group/version/kind, eight bytes."""
    digest = hashlib.sha256(f"{kind.group}/{kind.version}/{kind.kind}".encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def subresources_of(kind: Kind) -> list[Subresource]:
    """What a kind serves beside itself, for OpenAPI."""
    found = []
    for name in subresources(kind):
        row = {"kind": kind.kind} | SUBRESOURCE_KINDS[name]
        of = _kind_of(kind, row)
        found.append(Subresource(name, tuple(row["verbs"]), (of["group"], of["version"], of["kind"])))
    return found


def _aggregated(registry: Registry, *, core: bool) -> dict[str, Any]:
    """apidiscovery.k8s.io/v2 APIGroupDiscoveryList (KEP-3352)."""
    items = []
    for group in _names(registry):
        if (group == "") is not core:
            continue
        versions = [
            {"version": v, "freshness": "Current", "resources": [_resource(k) for k in _of(registry, group, v)]}
            for v in _versions(registry, group)
        ]
        meta: dict[str, Any] = {"name": group, "creationTimestamp": None}
        items.append({"metadata": meta, "versions": versions})
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return head | {"items": items}


def _of(registry: Registry, group: str, version: str) -> list[Kind]:
    return sorted((k for k in registry if (k.group, k.version) == (group, version)), key=lambda k: k.plural)


def _resource(kind: Kind) -> dict[str, Any]:
    first, *others = _rows(kind)
    shown: dict[str, Any] = {"resource": kind.plural, "responseKind": _kind_of(kind, first)}
    shown |= {"scope": "Namespaced" if kind.namespaced else "Cluster", "singularResource": first["singularName"]}
    shown["verbs"] = first["verbs"]
    shown |= {k: first[k] for k in ("shortNames", "categories") if k in first}
    if others:
        shown["subresources"] = [
            {"subresource": o["name"].split("/")[1], "responseKind": _kind_of(kind, o), "verbs": o["verbs"]}
            for o in others
        ]
    return shown


def _kind_of(kind: Kind, row: dict[str, Any]) -> dict[str, str]:
    group, version = row.get("group", kind.group), row.get("version", kind.version)
    return {"group": group, "version": version, "kind": row["kind"]}
