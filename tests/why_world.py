"""Worlds for `why`: plain objects with little around them, and what is asked of the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from kubeapi.core_v1.types import Event, Node, Pod
from kubeapi.model import Model
from naru.why.finding import Finding, Report
from naru.why.why import why
from naru.why.world import World

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
READY = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T11:00:00Z"}
NODE: dict[str, Any] = {"metadata": {"name": "n"}, "status": {"conditions": [READY]}}


def at(seconds: int) -> str:
    """So many seconds before now, as the API writes a time."""
    return f"{NOW - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def made(model: type[Model], **fields: Any) -> Any:
    fields["metadata"] = {"name": "x", "namespace": "ns", "uid": f"u-{model.__name__}", **fields.get("metadata", {})}
    return model.from_json(json.dumps(fields))


def pod(status: dict[str, Any] | None = None, **fields: Any) -> Pod:
    """A pod of one container `app` on node `n`."""
    container = {"name": "app", "image": "i", **fields.pop("container", {})}
    spec = {"nodeName": "n", "restartPolicy": "Always", "containers": [container], **fields.pop("spec", {})}
    boxed = {"type": "PodReadyToStartContainers", "status": "True"}
    unready = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    seen: Pod = made(
        Pod, spec=spec, status={"conditions": [boxed, unready], "phase": "Running", **(status or {})}, **fields
    )
    return seen


def seen(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod's status with one container in that state."""
    return {"containerStatuses": [{"name": "app", "state": state, "image": "i", "imageID": "", **more}]}


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return seen({"waiting": {"reason": reason, "message": message}})


def ended(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": at(70), "finishedAt": at(60), **more}}


def looping(code: int, reason: str = "Error", **more: Any) -> dict[str, Any]:
    waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    return seen(waiting, lastState=ended(code, reason, **more), restartCount=3)


def event(reason: str, message: str, about: Any = None, before: int = 60, path: str = "spec.containers{app}") -> Event:
    kind = about.kind if about else "Pod"
    name = about.metadata.name if about else "x"
    ref = {"kind": kind, "name": name, "namespace": "ns", "fieldPath": path if kind == "Pod" else ""}
    told: Event = made(
        Event, reason=reason, message=message, involvedObject=ref, lastTimestamp=at(before), count=1, type="Warning"
    )
    return told


def world(*objects: Any, node: dict[str, Any] | None = NODE) -> World:
    there = [*objects, *([made(Node, **node)] if node else [])]
    return World(NOW, {model: [o for o in there if type(o) is model] for model in {type(o) for o in there}})


def asked(obj: Any, *others: Any, node: dict[str, Any] | None = NODE) -> Report:
    return why(world(obj, *others, node=node), type(obj), obj.metadata.namespace, obj.metadata.name)


def chain(report: Report) -> list[Finding]:
    """From the object along the first cause of each to the root."""
    found = [report.wrong[0]]
    while found[-1].because:
        found.append(found[-1].because[0])
    return found


def root(obj: Any, *others: Any, node: dict[str, Any] | None = NODE) -> Finding:
    return chain(asked(obj, *others, node=node))[-1]
