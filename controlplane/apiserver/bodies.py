"""Bodies in protobuf become JSON at the door, so that nothing behind it knows of a second encoding."""

from __future__ import annotations

from dataclasses import replace

from kubeapi import protobuf
from kubeapi.authentication_v1.types import SelfSubjectReview, TokenRequest
from kubeapi.autoscaling_v1.types import Scale
from kubeapi.client.transport import Request
from kubeapi.core_v1.types import Binding
from kubeapi.meta_v1.types import DeleteOptions
from kubeapi.model import Model
from kubeapi.policy_v1.types import Eviction
from kubeapi.registry import Registry

# What is sent but not kept: no row of the registry names them. DeleteOptions are of every version.
SENT: dict[tuple[str, str], type[Model]] = {
    ("authentication.k8s.io/v1", "SelfSubjectReview"): SelfSubjectReview,
    ("authentication.k8s.io/v1", "TokenRequest"): TokenRequest,
    ("autoscaling/v1", "Scale"): Scale,
    ("policy/v1", "Eviction"): Eviction,
    ("v1", "Binding"): Binding,
}


def in_json(request: Request, registry: Registry) -> Request:
    """The request with its protobuf body as JSON; any other request as it is."""
    media = request.headers.get("content-type", "").split(";")[0].strip()
    if media != protobuf.MEDIA or not request.body:
        return request

    def model_of(api_version: str, kind: str) -> type[Model] | None:
        if kind == "DeleteOptions":
            return DeleteOptions
        row = registry.kind(api_version, kind)
        return row.model if row else SENT.get((api_version, kind))

    body = protobuf.to_json(request.body, model_of)
    return replace(request, body=body, headers={**request.headers, "content-type": "application/json"})
