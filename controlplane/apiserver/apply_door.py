"""`POST /apply` and `DELETE /apply`: the door beside the Kubernetes paths, for people with only curl.

The body is a YAML stream or a JSON list of any kinds. Each object goes through the server's own door (server-side apply, or
DELETE), those that others need first; deletions run the other way. The answer is a line per object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from controlplane.apiserver.options import flag, query_of
from kubeapi.client.transport import Request, Response, Transport
from kubeapi.codec import parse_stream
from kubeapi.errors import bad_request
from kubeapi.registry import Registry

MANAGER = "naru-apply"
FIRST = (
    "Namespace", "StorageClass", "ServiceAccount", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "Service",
)  # fmt: skip
YAML_APPLY = "application/apply-patch+yaml"


class Outcome(NamedTuple):
    """What became of one object: created, configured, unchanged, deleted, absent, or failed with a message."""

    kind: str
    namespace: str
    name: str
    outcome: str
    message: str = ""

    def line(self) -> str:
        """The outcome as a person reads it."""
        where = f" (namespace {self.namespace})" if self.namespace else ""
        return f"{self.kind}/{self.name}{where} {self.outcome}" + (f": {self.message}" if self.message else "")


def documents(body: bytes) -> list[dict[str, Any]]:
    """The objects in a YAML stream or JSON, Lists taken apart; 400 for what is none."""
    objects: list[dict[str, Any]] = []
    for document in parse_stream(body):
        for obj in _apart(document):
            if not (isinstance(obj, dict) and obj.get("kind") and obj.get("apiVersion")):
                raise bad_request("every object needs apiVersion and kind")
            if not isinstance(obj.get("metadata"), dict) or not obj["metadata"].get("name"):
                raise bad_request(f"{obj['kind']}: metadata.name: Required value")
            objects.append(obj)
    return objects


def _apart(document: Any) -> list[Any]:
    if document is None:
        return []
    if isinstance(document, list):
        return document
    if isinstance(document, dict) and document.get("kind", "").endswith("List"):
        return list(document.get("items") or [])
    return [document]


def in_order_of_need(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Namespaces and configuration before what uses them; otherwise as given."""
    rank = {kind: i for i, kind in enumerate(FIRST)}
    return sorted(objects, key=lambda obj: rank.get(obj["kind"], len(FIRST)))


async def answer_apply(server: Transport, registry: Registry, request: Request) -> Response:
    """Apply or delete all objects of the body: 200 when all went well, 422 when one failed. JSON by Accept, else text."""
    if request.method not in ("POST", "DELETE"):
        return Response(405, [("content-type", "text/plain"), ("allow", "POST, DELETE")], b"use POST or DELETE\n")
    objects = in_order_of_need(documents(request.body))
    if request.method == "DELETE":
        objects.reverse()
    outcomes = [await _one(server, registry, request, obj) for obj in objects]
    status = 422 if any(o.outcome == "failed" for o in outcomes) else 200
    if "application/json" in request.headers.get("accept", ""):
        body = orjson.dumps({"results": [o._asdict() for o in outcomes]})
        return Response(status, [("content-type", "application/json")], body)
    text = "".join(o.line() + "\n" for o in outcomes)
    return Response(status, [("content-type", "text/plain; charset=utf-8")], text.encode())


async def _one(server: Transport, registry: Registry, request: Request, obj: dict[str, Any]) -> Outcome:
    """Send one object through the server's door and say what became of it."""
    query = query_of(request)
    kind, meta = registry.kind(obj["apiVersion"], obj["kind"]), obj["metadata"]
    if kind is None:
        why = f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"'
        return Outcome(obj["kind"], meta.get("namespace", ""), meta["name"], "failed", why)
    namespace = (meta.get("namespace") or query.get("namespace") or "default") if kind.namespaced else ""
    path, asked = kind.path(namespace, meta["name"]), [("dryRun", "All")] if flag(query, "dryRun") else []
    named = Outcome(obj["kind"], namespace, meta["name"], "failed")

    async def send(method: str, body: bytes = b"", media: str = "application/json") -> Response:
        headers = {"content-type": media, "user-agent": MANAGER}
        options = [*asked, ("fieldManager", MANAGER)] if method == "PATCH" else asked
        if method == "PATCH" and flag(query, "force"):
            options = [*options, ("force", "true")]
        sent_query = () if method == "GET" else options
        return await server.send(Request(method, path, sent_query, headers, body, request.user, request.groups))

    if request.method == "DELETE":
        response = await send("DELETE")
        done = "absent" if response.status == 404 else "deleted"
        return named._replace(outcome=done) if response.status in (200, 404) else _failed(named, response)
    before = await send("GET")
    response = await send("PATCH", orjson.dumps(obj), YAML_APPLY)
    if response.status not in (200, 201):
        return _failed(named, response)
    if response.status == 201:
        return named._replace(outcome="created")
    return named._replace(outcome="unchanged" if before.body == response.body else "configured")


def _failed(named: Outcome, response: Response) -> Outcome:
    return named._replace(message=str(orjson.loads(response.body).get("message", "")))
