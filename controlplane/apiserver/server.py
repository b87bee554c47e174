"""The API server: a Transport that answers Kubernetes API requests from a store. No HTTP, no framework.

A request goes route → reader, watcher, writer, patcher or deleter; a refusal anywhere is an ApiError, which becomes its
Status body here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

import orjson

from controlplane.admission import node_restriction
from controlplane.admission.chain import Admission
from controlplane.apiserver import apply_door, pods, scale
from controlplane.apiserver.bodies import decoded, in_json, json_body, media_of
from controlplane.apiserver.deleting import Deleter, deletion_answer, options_of
from controlplane.apiserver.discovery import discover, subresources_of
from controlplane.apiserver.forms import Form, answer, negotiate, shaped
from controlplane.apiserver.options import asker_of, query_of, write_options
from controlplane.apiserver.patching import Patcher
from controlplane.apiserver.reads import Reader
from controlplane.apiserver.routing import Target, route
from controlplane.apiserver.watch import Watcher
from controlplane.apiserver.writes import Writer, Written
from controlplane.store import Compacted, Store, StoreError
from kubeapi import codec, openapi
from kubeapi.client.transport import Request, Response
from kubeapi.clock import Clock
from kubeapi.errors import ApiError, bad_request, internal_error
from kubeapi.registry import Registry

LARGEST_BODY = 3 * 1024 * 1024
HEALTH = ("/healthz", "/livez", "/readyz")


class Doors(NamedTuple):
    """What others answer: whole paths (`/apis/...`), and subresources by resource and name (`pods/log`)."""

    paths: Mapping[str, Callable[[Request], Awaitable[Response]]] = {}
    subresources: Mapping[str, Callable[[Target, Request], Awaitable[Response]]] = {}


class ApiServer:
    """Answers requests on the registry's kinds. `admission` decides defaults that need other objects."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        rng: Random,
        admission: Admission,
        doors: Doors = Doors(),  # noqa: B008 - immutable
    ) -> None:
        self.store, self.registry, self.clock, self.doors = store, registry, clock, doors
        self.writer = Writer(store, admission, clock, rng)
        self.reader, self.watcher = Reader(store, clock), Watcher(store, clock, rng)
        self.openapi = openapi.OpenApi(registry, subresources_of)
        self.patcher, self.deleter = Patcher(self.writer), Deleter(self.writer)

    async def send(self, request: Request) -> Response:
        """Answer one request; refusals are Responses too."""
        try:
            return await self._answer(request)
        except Compacted as gone:
            return refusal(ApiError(410, "Expired", f"The provided resource version is too old: {gone}"))
        except StoreError as error:
            return refusal(internal_error(str(error)))
        except ApiError as error:
            return refusal(error)
        except RecursionError:  # whoever walks a value that nests too deep finds out
            return refusal(bad_request("exceeded max depth"))

    async def close(self) -> None:
        """Nothing to release: the store belongs to who made it."""

    async def _answer(self, request: Request) -> Response:
        if len(request.body) > LARGEST_BODY:
            why = f"Request entity too large: limit is {LARGEST_BODY}"
            raise ApiError(413, "RequestEntityTooLarge", why, details={})
        if codec.too_deep(request.body):
            raise bad_request("exceeded max depth")
        if request.path.rstrip("/") in HEALTH:
            return health(request.path.rstrip("/"), self.store.fault)
        if request.path.rstrip("/") == "/apply":
            return await apply_door.answer_apply(self, self.registry, request)
        if door := self.doors.paths.get(request.path.rstrip("/")):
            return await door(in_json(request, self.registry))
        target = route(self.registry, request.path)
        if target is None:
            return self._described(request)
        request = in_json(request, self.registry)
        node_restriction.check(self.store, target, request)
        if way := self.doors.subresources.get(f"{target.kind.plural}/{target.subresource}"):
            return await way(target, request)
        form = negotiate(request.headers.get("accept", ""), watchable=request.method == "GET")
        try:
            answered = await (self._object if target.name else self._collection)(target, request, form)
        except ApiError as error:
            answered = refusal(error)
        if target.kind.deprecated and answered.status not in (405, 415):  # those come before the kind is asked
            answered.headers += warning_headers([target.kind.deprecated])
        return answered

    def _described(self, request: Request) -> Response:
        """Discovery and OpenAPI, or the 404 that fits: Kubernetes' own below a served version, Go's elsewhere."""
        if request.path.rstrip("/") == "/openapi/v3":
            return answer(200, self.openapi.index())
        if request.path.rstrip("/") == "/openapi/v2":
            if openapi.PROTOBUF in request.headers.get("accept", ""):
                return Response(200, [("content-type", openapi.PROTOBUF_ANSWER)], openapi.WITHOUT_DEFINITIONS)
            return Response(200, [("content-type", "application/json")], self.openapi.version_2())
        if request.path.startswith("/openapi/v3/"):
            document = self.openapi.document(request.path.removeprefix("/openapi/v3/"))
            if document is not None:
                return Response(200, [("content-type", "application/json")], document)
        found = discover(self.registry, request.path, "g=apidiscovery.k8s.io" in request.headers.get("accept", ""))
        if found is not None:
            response = answer(200, found)
            if found.get("kind") == "APIGroupDiscoveryList":
                media = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                response.headers = [("content-type", media)]
            return response
        parts = request.path.strip("/").split("/")
        group = parts[1] if parts[0] == "apis" and len(parts) > 1 else ""
        served = any(k.group == group for k in self.registry)
        if served and len(parts) > (3 if group else 2) and parts[0] in ("api", "apis"):
            raise ApiError(404, "NotFound", "the server could not find the requested resource", details={})
        return Response(404, [("content-type", "text/plain; charset=utf-8")], b"404 page not found\n")

    async def _collection(self, target: Target, request: Request, form: Form) -> Response:
        query = query_of(request)
        match request.method:
            case "GET" if query.get("watch", "") in ("1", "true"):
                return self._watch(target, form, query)
            case "GET":
                return answer(200, await self.reader.list(target, form, query), form)
            case "POST" if target.namespace or not target.kind.namespaced:
                options = write_options(request, "CreateOptions")
                return self._written(
                    target, await self.writer.create(target, json_body(request, target.kind), options), form, query
                )
            case "DELETE" if target.namespace or not (target.kind.namespaced or target.kind.resource == "namespaces"):
                return answer(200, await self._delete_collection(target, request, query), form)
        raise not_allowed()

    async def _object(self, target: Target, request: Request, form: Form) -> Response:
        query = query_of(request)
        match request.method, target.subresource:
            case "GET", "" if query.get("watch", "") in ("1", "true"):
                return self._watch(target, form, query)
            case "GET", "" | "status":
                return answer(200, await self.reader.get(target, form, query), form)
            case "GET", "scale":
                value = await self.reader.get(target, Form(), query)
                return answer(200, scale.scale_of(target.kind.model.from_json(value)), form)
            case "PUT", "" | "status" | "finalize":
                options = write_options(request, "UpdateOptions")
                written = await self.writer.update(target, json_body(request, target.kind), options, target.subresource)
                return self._written(target, written, form, query)
            case "PUT", "scale":
                options = write_options(request, "UpdateOptions")
                return self._scaled(
                    await scale.update(self.writer, target, json_body(request, scale.KIND), options), form
                )
            case "PATCH", "" | "status" | "scale":
                options, media = write_options(request, "PatchOptions"), media_of(request)
                written = await self.patcher.patch(target, request.body, media, options)
                if target.subresource == "scale":
                    return self._scaled(written, form)
                return self._written(target, written, form, query)
            case "DELETE", "":
                wanted = options_of(request)
                obj, gone = await self.deleter.delete(target, wanted, asker_of(request))
                code = 202 if not gone and wanted.orphan_dependents is False else 200
                return answer(code, deletion_answer(target.kind, obj, gone), form)
            case "POST", "binding":
                options = write_options(request, "CreateOptions")
                return answer(201, await pods.bind(self.writer, target, decoded(pods.BINDING, request), options), form)
            case "POST", "eviction":
                options, eviction = write_options(request, "CreateOptions"), decoded(pods.EVICTION, request)
                return answer(201, await pods.evict(self.deleter, target, eviction, options, asker_of(request)), form)
        raise not_allowed()

    def _watch(self, target: Target, form: Form, query: dict[str, str]) -> Response:
        self.watcher.check(target, query)
        return Response(200, [("content-type", "application/json")], stream=self.watcher.stream(target, form, query))

    def _written(self, target: Target, written: Written, form: Form, query: dict[str, str]) -> Response:
        value = shaped(target.kind, written.value, form, query.get("includeObject", ""), self.clock.now())
        response = answer(201 if written.created else 200, value, form)
        response.headers += warning_headers(written.warnings)
        return response

    def _scaled(self, written: Written, form: Form) -> Response:
        response = answer(200, written.value, form)
        response.headers += warning_headers(written.warnings)
        return response

    async def _delete_collection(self, target: Target, request: Request, query: dict[str, str]) -> bytes:
        """Delete all that a list would show; the answer is that list as it was."""
        wanted = options_of(request)
        shown = await self.reader.list(target, Form(), query)
        for item in orjson.loads(shown)["items"]:
            meta = item["metadata"]
            one = target._replace(namespace=meta.get("namespace", ""), name=meta["name"])
            try:
                await self.deleter.delete(one, wanted, asker_of(request))
            except ApiError as error:
                if error.code != 404:  # gone meanwhile is what was asked
                    raise
        return shown


def health(path: str, fault: str) -> Response:
    """The answer of a health check. Whoever restarts what is not alive would not mend a store: livez is of the process."""
    plain = [("content-type", "text/plain; charset=utf-8")]
    if not fault or path == "/livez":
        return Response(200, plain, b"ok")
    return Response(500, plain, f"[+]ping ok\n[-]store failed: {fault}\n{path[1:]} check failed\n".encode())


def not_allowed() -> ApiError:
    """405 as Kubernetes says it."""
    why = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", why, details={})


def warning_headers(warnings: Sequence[str]) -> list[tuple[str, str]]:
    """Each warning once, as RFC 7234 writes it."""
    quoted = (w.replace("\\", "\\\\").replace('"', '\\"') for w in dict.fromkeys(warnings))
    return [("warning", f'299 - "{w}"') for w in quoted]


def refusal(error: ApiError) -> Response:
    """An error as the response that carries its Status."""
    body: dict[str, Any] = error.status()
    if not body["reason"]:
        del body["reason"]
    response = answer(error.code, body)
    response.headers += warning_headers(error.warnings)
    if seconds := (error.details or {}).get("retryAfterSeconds"):
        response.headers.append(("retry-after", str(seconds)))
    return response
