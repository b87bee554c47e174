"""Bodies of requests: JSON, YAML or protobuf by media type, read as what a door expects.

Protobuf becomes JSON before anything else, so that nothing behind the door knows of a second encoding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from kubeapi import codec, protobuf
from kubeapi.authentication_v1.types import SelfSubjectReview, TokenRequest
from kubeapi.authorization_v1.types import SelfSubjectAccessReview
from kubeapi.autoscaling_v1.types import Scale
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import Binding
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.model import Model
from kubeapi.policy_v1.types import Eviction
from kubeapi.registry import Kind, Registry

# What is sent but not kept: no row of the registry names them. DeleteOptions are of every version.
SENT: dict[tuple[str, str], type[Model]] = {
    ("authentication.k8s.io/v1", "SelfSubjectReview"): SelfSubjectReview,
    ("authentication.k8s.io/v1", "TokenRequest"): TokenRequest,
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): SelfSubjectAccessReview,
    ("autoscaling/v1", "Scale"): Scale,
    ("policy/v1", "Eviction"): Eviction,
    ("v1", "Binding"): Binding,
}


def in_json(request: Request, registry: Registry) -> Request:
    """The request with its protobuf body as JSON; any other request as it is."""
    if media_of(request) != protobuf.MEDIA or not request.body:
        return request

    def model_of(api_version: str, kind: str) -> type[Model] | None:
        if kind == "DeleteOptions":
            return DeleteOptions
        row = registry.kind(api_version, kind)
        return row.model if row else SENT.get((api_version, kind))

    body = protobuf.to_json(request.body, model_of)
    return replace(request, body=body, headers={**request.headers, "content-type": "application/json"})


def media_of(request: Request) -> str:
    """The body's media type without parameters."""
    return request.headers.get("content-type", "").split(";")[0].strip()


def json_body(request: Request, kind: Kind) -> bytes:
    """The body, which is to be of a kind, as JSON bytes; YAML is turned into JSON, other media types are refused."""
    match media_of(request):
        case "" | "application/json" | "*/*":
            return request.body
        case "application/yaml" | "text/yaml" | "application/x-yaml":
            try:
                return orjson.dumps(codec.parse(request.body, "application/yaml"))
            except ApiError as error:
                raise codec.unrecognized(kind, request.body, error.message.removeprefix(codec.NOT_YAML)) from None
    known = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    why = f"the body of the request was in an unknown format - accepted media types include: {known}"
    raise ApiError(415, "UnsupportedMediaType", why)


def decoded(kind: Kind, request: Request) -> Any:
    """The body as a small object that is acted on and not kept, whatever version it says to be of; unknown fields pass."""
    body = json_body(request, kind)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if isinstance(value, dict) and value.get("kind", kind.kind) == kind.kind:
        body = orjson.dumps({k: v for k, v in value.items() if k != "apiVersion"})
    return codec.decode(kind, body, "Ignore")[0]


def unsupported_media_type() -> ApiError:
    """415 for a patch of no kind, as Kubernetes says it."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
