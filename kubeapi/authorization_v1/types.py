"""Types of authorization/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import ClassVar

from kubeapi.meta_v1.types import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta
from kubeapi.model import Model, always, empty


class FieldSelectorAttributes(Model):
    raw_selector: str = ""
    requirements: list[FieldSelectorRequirement] = empty(list)


class LabelSelectorAttributes(Model):
    raw_selector: str = ""
    requirements: list[LabelSelectorRequirement] = empty(list)


class NonResourceAttributes(Model):
    path: str = ""
    verb: str = ""


class ResourceAttributes(Model):
    field_selector: FieldSelectorAttributes | None = None
    group: str = ""
    label_selector: LabelSelectorAttributes | None = None
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class SelfSubjectAccessReview(Model):
    needs: ClassVar[tuple[str, ...]] = ("spec",)
    kind: str = always(lambda: "SelfSubjectAccessReview")
    api_version: str = always(lambda: "authorization.k8s.io/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: SelfSubjectAccessReviewSpec = always(lambda: SelfSubjectAccessReviewSpec())
    status: SubjectAccessReviewStatus = always(lambda: SubjectAccessReviewStatus())


class SelfSubjectAccessReviewSpec(Model):
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SubjectAccessReviewStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("allowed",)
    allowed: bool = always(bool)
    denied: bool | None = None
    evaluation_error: str = ""
    reason: str = ""
