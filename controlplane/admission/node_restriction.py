"""NodeRestriction: the agent of a node speaks of its own Machine, and of the virtual machines it found, and of no other.

What a Machine stands on decides where replicas go, so a node may not even say that of itself: it makes a Machine without
spec, and writes the status of the one that is its node. As Kubernetes' plugin of that name does for Nodes and their labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from controlplane.admission.machines import PREFIX
from controlplane.admission.refusal import forbidden
from kubeapi.client.transport import Request
from kubeapi.hardware_v1.chain import GUEST_MARK, declared, node_of
from kubeapi.hardware_v1.types import Machine
from kubeapi.meta_v1.types import ObjectMeta

if TYPE_CHECKING:
    from controlplane.apiserver.routing import Target
    from controlplane.store import Store

NODES, MASTERS = "system:nodes", "system:masters"
USER = "system:node:"


def check(store: Store, target: Target, request: Request) -> None:
    """Raises 403 for a Machine that is not the asking node's to write."""
    if request.method == "GET" or target.kind.resource != "machines.hardware.naru.dev":
        return
    if NODES not in request.groups or MASTERS in request.groups:
        return
    node = request.user.removeprefix(USER)
    if not _may(store, node, target, request):
        what = f"{request.method} {target.subresource or 'Machine'}".lower()
        why = f'node "{node}" may write the status of its own Machine and of guests that it found, not {what}'
        raise forbidden(ObjectMeta(name=target.name), why, "machines", "hardware.naru.dev")


def _may(store: Store, node: str, target: Target, request: Request) -> bool:
    match request.method, target.name, target.subresource:
        case "POST", "", "":
            return _may_make(store, node, request.body)
        case "PUT" | "PATCH", name, "status":
            machine = _machine(store, name)
            return name == node if machine is None else node_of(machine) == node or _is_guest(store, node, machine)
        case "DELETE", name, "" if name:
            machine = _machine(store, name)
            return machine is None or _is_guest(store, node, machine) or (name == node and not declared(machine))
    return False


def _may_make(store: Store, node: str, body: bytes) -> bool:
    """Its own without spec, or a guest that runs on it and of which nothing else is said."""
    try:
        told: Any = orjson.loads(body)
        name, spec = told["metadata"]["name"], told.get("spec") or {}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return False
    if not isinstance(name, str) or not isinstance(spec, dict):
        return False
    if not spec:
        return name == node
    host = _machine(store, str(spec.get("runsOn", "")))
    guest = name.startswith(node + GUEST_MARK) and spec.keys() == {"runsOn"}
    return guest and host is not None and node_of(host) == node


def _is_guest(store: Store, node: str, machine: Machine) -> bool:
    host = _machine(store, machine.spec.runs_on)
    return machine.metadata.name.startswith(node + GUEST_MARK) and host is not None and node_of(host) == node


def _machine(store: Store, name: str) -> Machine | None:
    entry = store.get(f"{PREFIX}/{name}")
    return Machine.from_json(entry.value) if entry else None
