"""What a user may ask about itself: who it is (`kubectl auth whoami`), and whether it may (`kubectl auth can-i`).

Nothing is stored: each is answered from the request and what authorization says of it.
"""

from __future__ import annotations

from typing import Any

from controlplane.apiserver.authentication import Identity
from controlplane.apiserver.authorization import Action, allowed
from controlplane.apiserver.bodies import decoded
from controlplane.apiserver.forms import answer, negotiate
from controlplane.apiserver.server import not_allowed
from kubeapi.authentication_v1.types import SelfSubjectReview, SelfSubjectReviewStatus, UserInfo
from kubeapi.authorization_v1.types import SelfSubjectAccessReview, SubjectAccessReviewStatus
from kubeapi.client.transport import Request, Response
from kubeapi.clock import Clock
from kubeapi.errors import invalid, invalid_object
from kubeapi.registry import Kind

WHO = Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", SelfSubjectReview)
MAY = Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", SelfSubjectAccessReview)


class Reviews:
    """Answers the reviews of the user who asks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def who(self, request: Request) -> Response:
        """POST .../selfsubjectreviews (KEP-3325)."""
        review = _asked(WHO, request)
        review.metadata.creation_timestamp = self._clock.now()
        review.status = SelfSubjectReviewStatus(user_info=UserInfo(username=request.user, groups=[*request.groups]))
        return _answered(review, request)

    async def may(self, request: Request) -> Response:
        """POST .../selfsubjectaccessreviews."""
        review = _asked(MAY, request)
        resource, path = review.spec.resource_attributes, review.spec.non_resource_attributes
        if (resource is None) == (path is None):
            why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
            raise invalid_object(MAY.kind, MAY.group, "", [invalid("spec.resourceAttributes", None, why)])
        if resource:
            parts = filter(None, (resource.resource, resource.subresource))
            action = Action(resource.verb, resource.group, "/".join(parts))
        else:
            action = Action(path.verb, path=path.path)
        review.status = SubjectAccessReviewStatus(allowed=allowed(Identity(request.user, request.groups), action))
        return _answered(review, request)


def _asked(kind: Kind, request: Request) -> Any:
    if request.method != "POST":
        raise not_allowed()
    return decoded(kind, request)


def _answered(review: Any, request: Request) -> Response:
    return answer(201, review.to_json(), negotiate(request.headers.get("accept", "")))
