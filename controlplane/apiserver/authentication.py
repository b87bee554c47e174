"""Who asks: a bearer token becomes a user and its groups, or nobody.

Three kinds of tokens are known: the administrator's and each agent's, which are files of the data directory, and the signed
ones of ServiceAccounts.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from kubeapi.errors import ApiError, internal_error


class Identity(NamedTuple):
    """A user and its groups, in Kubernetes' names."""

    user: str
    groups: tuple[str, ...]


AUTHENTICATED = "system:authenticated"
ADMIN = Identity("admin", ("system:masters", AUTHENTICATED))
ANONYMOUS = Identity("system:anonymous", ("system:unauthenticated",))


def node_identity(name: str) -> Identity:
    """The agent of a node."""
    return Identity(f"system:node:{name}", ("system:nodes", AUTHENTICATED))


def account_identity(namespace: str, name: str) -> Identity:
    """A ServiceAccount."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
    return Identity(f"system:serviceaccount:{namespace}:{name}", groups)


def impersonated(asking: Identity, user: str, groups: Sequence[str]) -> Identity:
    """Whom a request with Impersonate-User and Impersonate-Group stands for; only administrators may stand for others."""
    if not user:
        raise internal_error(f"requested [{' '.join(groups)}] without impersonating a user")
    if "system:masters" not in asking.groups:
        why = f'User "{asking.user}" cannot impersonate resource "users" in API group "" at the cluster scope'
        details = {"name": user, "kind": "users"}
        raise ApiError(403, "Forbidden", f'users "{user}" is forbidden: {why}', details=details)
    match user.split(":"):
        case ["system", "serviceaccount", namespace, name] if not groups:
            return account_identity(namespace, name)
        case ["system", "anonymous"]:
            return Identity(user, (*groups, "system:unauthenticated"))
    return Identity(user, tuple(dict.fromkeys([*groups, AUTHENTICATED])))


class Who(Protocol):
    """Says who asks."""

    def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """Who sent these headers (lower case); None for no token, or one that is not good."""
        ...


class Signed(Protocol):
    """What knows the tokens of ServiceAccounts."""

    def identity(self, token: str) -> Identity | None:
        """Whose token it is; None when it is not good, or no longer."""
        ...


class Authenticator:
    """Knows `fixed` tokens by heart and asks `signed` for all others."""

    def __init__(self, fixed: Mapping[str, Identity], signed: Signed) -> None:
        self._fixed, self._signed = [*fixed.items()], signed

    def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """Who sent these headers (lower case); None for no token, or one that is not good."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = given.strip()
        for known, identity in self._fixed:
            if hmac.compare_digest(token.encode(), known.encode()):
                return identity
        return self._signed.identity(token)


class Anyone:
    """Everyone is the administrator: behind the unix socket, which the file system guards."""

    def identity(self, headers: Mapping[str, str]) -> Identity | None:
        """The administrator."""
        return ADMIN
