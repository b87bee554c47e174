"""Types of authentication/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.model import Int64, Model, Time, always, empty, null


class BoundObjectReference(Model):
    kind: str = ""
    api_version: str = ""
    name: str = ""
    uid: str = ""


class SelfSubjectReview(Model):
    kind: str = always(lambda: "SelfSubjectReview")
    api_version: str = always(lambda: "authentication.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    status: SelfSubjectReviewStatus = always(lambda: SelfSubjectReviewStatus())


class SelfSubjectReviewStatus(Model):
    user_info: UserInfo = always(lambda: UserInfo())


class TokenRequest(Model):
    kind: str = always(lambda: "TokenRequest")
    api_version: str = always(lambda: "authentication.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: TokenRequestSpec = always(lambda: TokenRequestSpec())
    status: TokenRequestStatus = always(lambda: TokenRequestStatus())


class TokenRequestSpec(Model):
    audiences: list[str] = empty(list)
    bound_object_ref: BoundObjectReference | None = None
    expiration_seconds: Int64 | None = None


class TokenRequestStatus(Model):
    expiration_timestamp: Time | None = null()
    token: str = always(str)


class UserInfo(Model):
    extra: dict[str, list[str]] = empty(dict)
    groups: list[str] = empty(list)
    uid: str = ""
    username: str = ""
