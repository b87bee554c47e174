"""The typed client: models in, models out, over any Transport.

Controllers, scheduler and agents use nothing else to read or write. A refusal is raised as the ApiError that its Status body
says; a server out of reach is the transport's OSError.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import orjson

from kubeapi.client.transport import Request, Response, Transport
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Model
from kubeapi.registry import Kind, Registry

M = TypeVar("M", bound=Model)
PatchType = Literal["json", "merge", "strategic", "apply"]
PATCH_MEDIA: Mapping[PatchType, str] = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


_HEADS = tuple((t, f'{{"type":"{t}","object":'.encode()) for t in ("ADDED", "MODIFIED", "DELETED"))


class Page(NamedTuple, Generic[M]):
    """A list: its objects, and the revision that a watch goes on from."""

    items: list[M]
    revision: str


class Event(NamedTuple, Generic[M]):
    """One change of a watch: ADDED, MODIFIED or DELETED."""

    type: str
    object: M


class Bookmark(NamedTuple):
    """That a watch has told all up to a revision."""

    revision: str


def error_of(body: bytes, code: int) -> ApiError:
    """The error that a Status body tells; one of its own making for a body that is none."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = {}
    if not isinstance(status, dict) or status.get("kind") != "Status":
        status = {"message": body.decode(errors="replace")[:500]}
    told = status.get("code", code)
    return ApiError(told, status.get("reason", ""), status.get("message", ""), details=status.get("details"))


def meta_of(obj: Model) -> ObjectMeta:
    """The metadata of any object."""
    meta: ObjectMeta = obj.metadata  # type: ignore[attr-defined]
    return meta


TYPED = (("fieldValidation", "Ignore"),)  # a body made from a type has no field that there is not, nor one twice


class Client:
    """Reads and writes objects of the registry's kinds. `user` is who asks, where no credential says it (in process)."""

    def __init__(
        self,
        transport: Transport,
        registry: Registry,
        user_agent: str,
        *,
        user: str = "",
        groups: tuple[str, ...] = (),
    ) -> None:
        self.transport, self.registry, self.user_agent = transport, registry, user_agent
        self._user, self._groups = user, groups

    async def get(self, model: type[M], name: str, namespace: str = "") -> M:
        """One object; ApiError 404 when it does not exist."""
        return model.from_json(await self._send("GET", self._kind(model).path(namespace, name)))

    async def list(self, model: type[M], namespace: str = "", labels: str = "", fields: str = "") -> Page[M]:
        """All objects that the selectors let through, in one namespace or all."""
        query = selectors(labels, fields)
        answer = orjson.loads(await self._send("GET", self._kind(model).path(namespace), query))
        items = [model.from_json(orjson.dumps(item)) for item in answer["items"]]
        return Page(items, answer["metadata"]["resourceVersion"])

    async def create(self, obj: M) -> M:
        """Create; the object as the server keeps it."""
        path = self._kind(type(obj)).path(meta_of(obj).namespace)
        return type(obj).from_json(await self._send("POST", path, TYPED, obj.to_json()))

    async def update(self, obj: M, subresource: str = "") -> M:
        """Replace; ApiError 409 when it has changed since it was read."""
        meta = meta_of(obj)
        path = self._kind(type(obj)).path(meta.namespace, meta.name, subresource)
        return type(obj).from_json(await self._send("PUT", path, TYPED, obj.to_json()))

    async def update_status(self, obj: M) -> M:
        """Replace the status."""
        return await self.update(obj, "status")

    async def patch(
        self,
        model: type[M],
        name: str,
        patch: Any,
        namespace: str = "",
        type: PatchType = "merge",
        subresource: str = "",
        manager: str = "",
        force: bool = False,
    ) -> M:
        """Change a part of an object by plain JSON values."""
        query = [("fieldManager", manager)] if manager else []
        if force:
            query.append(("force", "true"))
        path = self._kind(model).path(namespace, name, subresource)
        return model.from_json(await self._send("PATCH", path, query, orjson.dumps(patch), PATCH_MEDIA[type]))

    async def delete(
        self,
        model: type[Model],
        name: str,
        namespace: str = "",
        grace: int | None = None,
        propagation: str = "",
        uid: str = "",
    ) -> None:
        """Ask for an object's end; with `uid` only of that very one."""
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if propagation:
            options["propagationPolicy"] = propagation
        if uid:
            options["preconditions"] = {"uid": uid}
        await self._send("DELETE", self._kind(model).path(namespace, name), body=orjson.dumps(options))

    async def watch(
        self, model: type[M], revision: str, namespace: str = "", labels: str = "", fields: str = ""
    ) -> AsyncGenerator[Event[M] | Bookmark, None]:
        """Changes after a revision, until the server ends the stream. ApiError 410 when the revision is too old."""
        query = [*selectors(labels, fields), ("watch", "1"), ("resourceVersion", revision)]
        query.append(("allowWatchBookmarks", "true"))
        response = await self._exchange("GET", self._kind(model).path(namespace), query)
        if response.stream is None:
            raise error_of(response.body, response.status)
        rest = b""
        try:
            async for chunk in response.stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield event_of(model, line)
        finally:
            await response.stream.aclose()

    def _kind(self, model: type[Model]) -> Kind:
        return self.registry.of(model)

    async def _exchange(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        media: str = "application/json",
    ) -> Response:
        headers = {"user-agent": self.user_agent, "accept": "application/json"}
        if body:
            headers["content-type"] = media
        return await self.transport.send(Request(method, path, query, headers, body, self._user, self._groups))

    async def _send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        media: str = "application/json",
    ) -> bytes:
        response = await self._exchange(method, path, query, body, media)
        if response.status >= 400:
            raise error_of(response.body, response.status)
        return response.body


def selectors(labels: str, fields: str) -> list[tuple[str, str]]:
    """The query of a list or watch."""
    return [(k, v) for k, v in (("labelSelector", labels), ("fieldSelector", fields)) if v]


def event_of(model: type[M], line: bytes) -> Event[M] | Bookmark:
    """One line of a watch; an ERROR line is raised."""
    for type_, head in _HEADS:  # as every server writes it: the object's own bytes need no second reading
        if line.startswith(head):
            return Event(type_, model.from_json(line[len(head) : line.rindex(b"}")]))
    frame = orjson.loads(line)
    if frame["type"] == "BOOKMARK":  # else an empty object of the kind, whose decoder an idle process need not make
        return Bookmark(frame["object"]["metadata"]["resourceVersion"])
    body = orjson.dumps(frame["object"])
    if frame["type"] == "ERROR":
        raise error_of(body, 500)
    return Event(frame["type"], model.from_json(body))
