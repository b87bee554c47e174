"""Who may what, until there are roles: as in a Kubernetes where nobody was given one.

Administrators and agents may do all. Everybody else, which is every ServiceAccount, may ask who they are, what they may and
what is served, and is told 403 in Kubernetes' words otherwise. So a pod's token, mounted whether the pod wants it or not,
opens nothing.
"""

from __future__ import annotations

from typing import NamedTuple

from controlplane.apiserver.authentication import Identity
from controlplane.apiserver.routing import Target, route
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError
from kubeapi.registry import Registry

TRUSTED = {"system:masters", "system:nodes"}
OPEN_ROOTS = ("/version", "/healthz", "/livez", "/readyz", "/api", "/apis", "/openapi")
REVIEWS = {"authentication.k8s.io": "selfsubjectreviews", "authorization.k8s.io": "selfsubjectaccessreviews"}
WHO_AM_I, WHAT_MAY_I = (f"/apis/{group}/v1/{resource}" for group, resource in REVIEWS.items())
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "HEAD": "get", "OPTIONS": "get"}


class Action(NamedTuple):
    """A verb on a resource (`pods/log`) of a group, or on a path."""

    verb: str
    group: str = ""
    resource: str = ""
    path: str = ""


def allowed(identity: Identity, action: Action) -> bool:
    """Whether the user may do it."""
    if TRUSTED & set(identity.groups):
        return True
    if action.path:
        return action.verb in ("get", "head") and action.path.startswith(OPEN_ROOTS)
    return action.verb == "create" and REVIEWS.get(action.group) == action.resource


def check(identity: Identity, registry: Registry, request: Request) -> None:
    """Raises 403 for what the user may not do."""
    if request.path.rstrip("/") in (WHO_AM_I, WHAT_MAY_I):
        return
    target = route(registry, request.path)
    if target is None:
        verb = request.method.lower()
        if not allowed(identity, Action(verb, path=request.path)):
            why = f'User "{identity.user}" cannot {verb} path "{request.path}"'
            raise ApiError(403, "Forbidden", f"forbidden: {why}", details={})
        return
    kind = target.kind
    resource = kind.plural + (f"/{target.subresource}" if target.subresource else "")
    verb = verb_of(target, request)
    if allowed(identity, Action(verb, kind.group, resource)):
        return
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = f'User "{identity.user}" cannot {verb} resource "{resource}" in API group "{kind.group}" {where}'
    named = f' "{target.name}"' if target.name else ""
    details = {**({"name": target.name} if target.name else {}), "kind": kind.plural}
    raise ApiError(403, "Forbidden", f"{kind.resource}{named} is forbidden: {why}", details=details)


def verb_of(target: Target, request: Request) -> str:
    """The verb of a request, as roles name it."""
    if request.method == "GET":
        watches = any(key == "watch" and value in ("1", "true") for key, value in request.query)
        return "watch" if watches else "get" if target.name else "list"
    if request.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return VERBS.get(request.method, request.method.lower())
