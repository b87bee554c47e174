"""In which form an answer travels: the object itself, a Table for printing, or its metadata alone; JSON or YAML.

`negotiate` reads Accept. `rendered` writes one object and `listed` many. Plain JSON is the stored bytes as they are: in a
list without their first two members, which the list's own kind already says.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import yaml

from kubeapi.client.transport import Response
from kubeapi.errors import ApiError
from kubeapi.registry import Kind

AVAILABLE = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
WATCHED = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"


class _Dumper(yaml.CSafeDumper):
    """YAML as Go writes it: text of several lines as a block, text that would be read as something else in double quotes."""


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    plain = dumper.resolve(yaml.ScalarNode, value, (True, False)) == "tag:yaml.org,2002:str"  # type: ignore[no-untyped-call]
    style = "|" if "\n" in value else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


class Form(NamedTuple):
    """`what`: "" (the object), Table, PartialObjectMetadata or its List; `media`: JSON or YAML."""

    what: str = ""
    media: str = "application/json"


PLAIN = Form()


def negotiate(accept: str, *, watchable: bool = True) -> Form:
    """The first form of an Accept header that is served; 406 when there is none, also with what a watch takes."""
    for part in (accept or "*/*").split(","):
        media, *parameters = (p.strip() for p in part.split(";"))
        named = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media not in ("application/json", "application/yaml", "*/*", "application/*"):
            continue
        what = named.get("as", "")
        if what and (named.get("g") != "meta.k8s.io" or named.get("v") != "v1"):
            continue
        if what in ("", "Table", "PartialObjectMetadata", "PartialObjectMetadataList"):
            return Form(what, "application/yaml" if media == "application/yaml" else "application/json")
    raise not_acceptable(watchable=watchable)


def not_acceptable(*, watchable: bool = True) -> ApiError:
    """406 as Kubernetes says it."""
    message = f"406: Not Acceptable\n\nAvailable representations: {AVAILABLE}{WATCHED if watchable else ''}"
    return ApiError(406, "NotAcceptable", message, details={})


def answer(status: int, body: Any, form: Form = PLAIN) -> Response:
    """A response of JSON bytes or plain values in the form's media."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    if form.media == "application/yaml":
        data = yaml.dump(orjson.loads(data), Dumper=_Dumper, default_flow_style=False, width=2**31 - 1).encode()
    return Response(status, [("content-type", form.media)], data)


def metadata_only(value: bytes) -> dict[str, Any]:
    """The object as PartialObjectMetadata."""
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return head | {"metadata": orjson.loads(value).get("metadata", {})}


def columns_of(kind: Kind) -> list[dict[str, Any]]:
    """The definitions of a kind's columns."""
    named = [{**c._asdict()} for c in kind.columns]
    for column in named:
        del column["cell"]
    return named


def row(kind: Kind, value: bytes, include: str, now: datetime) -> dict[str, Any]:
    """One row of a Table; `include` is Object, Metadata (the default) or None."""
    obj = kind.model.from_json(value)
    cells = [c.cell(obj, now) for c in kind.columns]
    if include == "None":
        return {"cells": cells}
    return {"cells": cells, "object": orjson.loads(value) if include == "Object" else metadata_only(value)}


def table(kind: Kind, values: Iterable[bytes], meta: dict[str, Any], include: str, now: datetime) -> dict[str, Any]:
    """Objects as a Table."""
    rows = [row(kind, v, include or "Metadata", now) for v in values]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return head | {"columnDefinitions": columns_of(kind), "rows": rows}


def shaped(kind: Kind, value: bytes, form: Form, include: str, now: datetime, *, headed: bool = True) -> bytes:
    """One object's bytes in a form, for GET and for a watch's frames, of which only the first tells the columns."""
    match form.what:
        case "Table":
            meta = {"resourceVersion": orjson.loads(value)["metadata"].get("resourceVersion", "")}
            shown = table(kind, [value], meta, include, now)
            return orjson.dumps(shown if headed else shown | {"columnDefinitions": None})
        case "PartialObjectMetadata":
            return orjson.dumps(metadata_only(value))
        case "":
            return value
    raise not_acceptable()


def listed(kind: Kind, values: list[bytes], meta: dict[str, Any], form: Form, include: str, now: datetime) -> bytes:
    """A collection's bytes in a form."""
    match form.what:
        case "Table":
            return orjson.dumps(table(kind, values, meta, include, now))
        case "PartialObjectMetadata" | "PartialObjectMetadataList":
            partial = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
            return orjson.dumps(partial | {"items": [metadata_only(v) for v in values]})
    return enclosed(kind, items_of(kind, values), meta)


def items_of(kind: Kind, values: Iterable[bytes]) -> bytes:
    """Objects as they stand in a list, between its brackets."""
    named = f'{{"kind":"{kind.kind}","apiVersion":"{kind.api_version}",'.encode()
    return b",".join(b"{" + v[len(named) :] if v.startswith(named) else v for v in values)


def enclosed(kind: Kind, items: bytes, meta: dict[str, Any]) -> bytes:
    """A list around its items."""
    head = f'{{"kind":"{kind.kind}List","apiVersion":"{kind.api_version}","metadata":'.encode()
    return b"".join((head, orjson.dumps(meta), b',"items":[', items, b"]}"))  # which copies the items once
