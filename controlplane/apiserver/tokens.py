"""Tokens of ServiceAccounts: made on request (TokenRequest), signed, and good only while what they are bound to exists.

A token is a JWT (KEP-1205) that names its ServiceAccount, and perhaps the pod, node or Secret it was made for, each with its
uid. Nothing is stored: whoever shows it is looked up in the store by what the token says.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from datetime import datetime, timedelta
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controlplane.apiserver.authentication import Identity, account_identity
from controlplane.apiserver.bodies import decoded
from controlplane.apiserver.forms import answer, negotiate
from controlplane.apiserver.routing import Target, key_of
from controlplane.apiserver.server import not_allowed
from controlplane.store import Store
from kubeapi.authentication_v1.types import BoundObjectReference, TokenRequest, TokenRequestStatus
from kubeapi.client.transport import Request, Response
from kubeapi.clock import Clock
from kubeapi.errors import bad_request, conflict, invalid, invalid_object
from kubeapi.registry import Kind, Registry

ISSUER = "https://kubernetes.default.svc.cluster.local"
ALGORITHM = "ES256"
GROUP = "authentication.k8s.io"
SHORTEST, USUAL, LONGEST = 600, 3600, 1 << 32
LEEWAY = timedelta(seconds=60)  # how long after its deletion time an object still vouches for its tokens
BOUND = {"Pod": "pods", "Node": "nodes", "Secret": "secrets"}
TOKEN_REQUEST = Kind(GROUP, "v1", "TokenRequest", "tokenrequests", TokenRequest)


class Tokens:
    """Makes and recognizes tokens signed by `key`."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, key: EllipticCurvePrivateKey) -> None:
        self._store, self._registry, self._clock, self._key = store, registry, clock, key
        self._public = key.public_key()
        told = self._public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._key_id = base64.urlsafe_b64encode(hashlib.sha256(told).digest()).rstrip(b"=").decode()

    async def create(self, target: Target, request: Request) -> Response:
        """POST .../serviceaccounts/NAME/token: the TokenRequest with its status filled."""
        if request.method != "POST":
            raise not_allowed()
        asked: TokenRequest = decoded(TOKEN_REQUEST, request)
        now = self._clock.now()
        account = self._object(target.kind, target.namespace, target.name)
        if account is None:
            raise target.not_found()
        complete(asked, target, now)
        claims = claims_of(asked, account["metadata"], now)
        if asked.spec.bound_object_ref:
            claims["kubernetes.io"] |= self._bound(asked.spec.bound_object_ref, target)
        token = jwt.encode(claims, self._key, ALGORITHM, {"kid": self._key_id})
        expires = now + timedelta(seconds=asked.spec.expiration_seconds or 0)
        asked.status = TokenRequestStatus(token=token, expiration_timestamp=expires)
        return answer(201, asked.to_json(), negotiate(request.headers.get("accept", "")))

    def identity(self, token: str) -> Identity | None:
        """The ServiceAccount of a token that is for this API server, is in its time, and whose objects are there."""
        try:
            claims = jwt.decode(
                token,
                self._public,
                [ALGORITHM],
                audience=ISSUER,
                issuer=ISSUER,
                options={
                    "require": ["exp", "nbf", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return None
        now = self._clock.now().timestamp()
        if not claims["nbf"] <= now < claims["exp"]:
            return None
        told = claims["kubernetes.io"]
        namespace, name = told["namespace"], told["serviceaccount"]["name"]
        for kind, plural in (("serviceaccount", "serviceaccounts"), *((k.lower(), p) for k, p in BOUND.items())):
            if kind in told and not self._vouches(plural, namespace, told[kind]):
                return None
        return account_identity(namespace, name)

    def _vouches(self, plural: str, namespace: str, ref: dict[str, str]) -> bool:
        """Whether the object that a token names is there, is the same one, and is not long deleted."""
        found = self._object(self._kind(plural), namespace, ref["name"])
        if found is None or found["metadata"]["uid"] != ref["uid"]:
            return False
        deleted = found["metadata"].get("deletionTimestamp")
        return deleted is None or self._clock.now() < datetime.fromisoformat(deleted) + LEEWAY

    def _bound(self, ref: BoundObjectReference, target: Target) -> dict[str, Any]:
        """The claims of the object a token is bound to, and of the node that a pod runs on."""
        group, _, version = ref.api_version.rpartition("/")
        if group or ref.kind not in BOUND:
            raise bad_request(f"cannot bind token to object of type {group}/{version}, Kind={ref.kind}")
        kind = self._kind(BOUND[ref.kind])
        found = self._object(kind, target.namespace, ref.name)
        if found is None:
            raise Target(kind, target.namespace, ref.name).not_found()
        spec, uid = found.get("spec") or {}, found["metadata"]["uid"]
        if ref.kind == "Pod" and spec.get("serviceAccountName", "") != target.name:
            why = f'cannot bind token for serviceaccount "{target.name}" to pod running with different serviceaccount name.'
            raise bad_request(why)
        if ref.uid and ref.uid != uid:
            raise conflict(
                ref.kind,
                "",
                ref.name,
                f"the UID in the bound object reference ({ref.uid}) does not match the UID in record. "
                "The object might have been deleted and then recreated",
            )
        claims: dict[str, Any] = {ref.kind.lower(): {"name": ref.name, "uid": uid}}
        node = spec.get("nodeName") if ref.kind == "Pod" else ""
        if node and (there := self._object(self._kind("nodes"), "", node)):
            claims["node"] = {"name": node, "uid": there["metadata"]["uid"]}
        return claims

    def _kind(self, plural: str) -> Kind:
        kind = self._registry.resource("", "v1", plural)
        assert kind is not None
        return kind

    def _object(self, kind: Kind, namespace: str, name: str) -> dict[str, Any] | None:
        entry = self._store.get(key_of(kind, namespace if kind.namespaced else "", name))
        found: dict[str, Any] | None = orjson.loads(entry.value) if entry else None
        return found


def complete(asked: TokenRequest, target: Target, now: datetime) -> None:
    """Fill what was left out, in place; 422 for what can't be."""
    meta, spec = asked.metadata, asked.spec
    for field, given, own in (("name", meta.name, target.name), ("namespace", meta.namespace, target.namespace)):
        if given and given != own:
            cause = invalid(f"metadata.{field}", given, f"must match the service account {field} if specified")
            raise invalid_object("TokenRequest", GROUP, target.name, [cause])
    meta.name, meta.namespace, meta.creation_timestamp = target.name, target.namespace, now
    spec.audiences = spec.audiences or [ISSUER]
    if spec.expiration_seconds is None:
        spec.expiration_seconds = USUAL
    seconds, causes = spec.expiration_seconds, []
    if seconds < SHORTEST:
        causes.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
    if seconds > LONGEST:
        causes.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
    if causes:
        raise invalid_object("TokenRequest", GROUP, "", causes)


def claims_of(asked: TokenRequest, account: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What a token says, without what it is bound to; `account` is the ServiceAccount's metadata."""
    begin, namespace, name = int(now.timestamp()), account["namespace"], account["name"]
    return {
        "iss": ISSUER,
        "aud": asked.spec.audiences,
        "sub": f"system:serviceaccount:{namespace}:{name}",
        "jti": str(uuid.uuid4()),
        "iat": begin,
        "nbf": begin,
        "exp": begin + (asked.spec.expiration_seconds or 0),
        "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": account["uid"]}},
    }
