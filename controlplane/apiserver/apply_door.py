"""`POST /apply` and `DELETE /apply`: the door beside the Kubernetes paths, for people with only curl.

The body is a YAML stream or a JSON list of any kinds. First all of it is understood and tried without effect; a refusal then
is one Kubernetes Status, and nothing has changed. After that each object goes through the server's own door (server-side
apply, or DELETE), those that others need first; deletions run the other way. What becomes of each is told as it happens.

    POST    dryRun  force  namespace  fieldManager  fieldValidation  prune+selector  wait=ready    timeout=SECONDS
    DELETE  dryRun         namespace  propagationPolicy                              wait=deleted  timeout=SECONDS

Accept chooses the form: lines of text; `application/x-ndjson`, a JSON record a line; `application/json`, one document at the
end, whose status code tells whether all went well (as it does for lines when nothing is waited for).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import orjson

from controlplane.apiserver.apply_options import PARAMETERS, asked_of
from controlplane.apiserver.apply_outcome import End, Key, Outcome, Record, State, as_json
from controlplane.apiserver.apply_set import items_of
from controlplane.apiserver.apply_work import Work
from kubeapi import codec
from kubeapi.client.transport import Request, Response, Transport
from kubeapi.errors import ApiError
from kubeapi.registry import Registry


async def answer_apply(server: Transport, registry: Registry, request: Request) -> Response:
    """Apply or delete all objects of the body. Raises ApiError when nothing was changed for a refusal."""
    if request.method not in PARAMETERS:
        error = ApiError(405, "MethodNotAllowed", "/apply takes POST and DELETE", details={})
        return Response(
            405, [("content-type", "application/json"), ("allow", "POST, DELETE")], orjson.dumps(error.status())
        )
    asked = asked_of(request)
    applying = request.method == "POST"
    validation: codec.Validation = asked.validation if applying else "Ignore"
    items = items_of(registry, request.body, asked.namespace, validation)
    work = Work(server, registry, request, asked)
    records = work.apply(items, await work.tried(items)) if applying else work.delete(items)
    return await _answer(records, request.headers.get("accept", ""), streamed=asked.wait)


async def _answer(records: AsyncGenerator[Record, None], accept: str, *, streamed: bool) -> Response:
    if "application/json" in accept:
        told = [record async for record in records]
        end = told[-1]
        assert isinstance(end, End)
        body = orjson.dumps({"ok": end.ok, "message": end.message, "results": _results(told)})
        return Response(end.code, [("content-type", "application/json")], body)
    as_lines = "ndjson" in accept
    media = [("content-type", "application/x-ndjson" if as_lines else "text/plain; charset=utf-8")]

    def line(record: Record) -> bytes:
        return (orjson.dumps(as_json(record)) if as_lines else record.text.encode()) + b"\n"

    async def lines() -> AsyncGenerator[bytes, None]:
        async with aclosing(records):
            async for record in records:
                yield line(record)

    if streamed:
        return Response(200, media, stream=lines())
    told = [record async for record in records]
    return Response(_code(told), media, b"".join(map(line, told)))


def _code(told: list[Record]) -> int:
    """The status code that the last record gives."""
    end = told[-1]
    assert isinstance(end, End)
    return end.code


def _results(told: Iterable[Record]) -> list[dict[str, Any]]:
    """One entry per object: its outcome, and its last state where it was waited for."""
    results: dict[Key, dict[str, Any]] = {}
    for record in told:
        if isinstance(record, Outcome | State):
            results.setdefault(Key(*record[:4]), {}).update(as_json(record))
    return [*results.values()]
