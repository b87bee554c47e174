"""Who may what, until there are roles: as in a Kubernetes where nobody was given one.

Administrators and agents may do all. Everybody else, which is every ServiceAccount, may ask who they are and what is served,
and is told 403 in Kubernetes' words otherwise. So a pod's token, mounted whether the pod wants it or not, opens nothing.
"""

from __future__ import annotations

from controlplane.apiserver.authentication import Identity
from controlplane.apiserver.routing import Target, route
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError
from kubeapi.registry import Registry

TRUSTED = {"system:masters", "system:nodes"}
OPEN_ROOTS = ("/version", "/healthz", "/livez", "/readyz", "/api", "/apis", "/openapi")
SELF_REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "HEAD": "get", "OPTIONS": "get"}


def check(identity: Identity, registry: Registry, request: Request) -> None:
    """Raises 403 for what the user may not do."""
    path = request.path.rstrip("/")
    if TRUSTED & set(identity.groups) or path == SELF_REVIEW:
        return
    target = route(registry, path)
    if target is None:
        if path.startswith(OPEN_ROOTS):
            return
        why = f'User "{identity.user}" cannot {request.method.lower()} path "{request.path}"'
        raise ApiError(403, "Forbidden", f"forbidden: {why}", details={})
    kind = target.kind
    resource = kind.plural + (f"/{target.subresource}" if target.subresource else "")
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = f'User "{identity.user}" cannot {verb(target, request)} resource "{resource}" in API group "{kind.group}" {where}'
    named = f' "{target.name}"' if target.name else ""
    details = {**({"name": target.name} if target.name else {}), "kind": kind.plural}
    raise ApiError(403, "Forbidden", f"{kind.resource}{named} is forbidden: {why}", details=details)


def verb(target: Target, request: Request) -> str:
    """The verb of a request, as roles name it."""
    if request.method == "GET":
        watches = any(key == "watch" and value in ("1", "true") for key, value in request.query)
        return "watch" if watches else "get" if target.name else "list"
    if request.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    return VERBS.get(request.method, request.method.lower())
