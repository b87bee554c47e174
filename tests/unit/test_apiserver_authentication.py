"""Standing for somebody else: who may, and whom one then is."""

import pytest

from controlplane.apiserver.authentication import (
    ADMIN,
    ANONYMOUS,
    Identity,
    account_identity,
    impersonated,
    node_identity,
)
from kubeapi.errors import ApiError


@pytest.mark.parametrize(
    ("user", "groups", "found"),
    [
        ("bo", [], Identity("bo", ("system:authenticated",))),
        ("bo", ["devs", "ops", "devs"], Identity("bo", ("devs", "ops", "system:authenticated"))),
        ("system:serviceaccount:ns:app", [], account_identity("ns", "app")),
        (
            "system:serviceaccount:ns:app",
            ["g"],
            Identity("system:serviceaccount:ns:app", ("g", "system:authenticated")),
        ),
        ("system:anonymous", [], ANONYMOUS),
    ],
)
def test_an_administrator_stands_for_anyone(user: str, groups: list[str], found: Identity) -> None:
    assert impersonated(ADMIN, user, groups) == found


@pytest.mark.parametrize("asking", [node_identity("n"), account_identity("ns", "app"), ANONYMOUS])
def test_nobody_else_stands_for_anybody(asking: Identity) -> None:
    with pytest.raises(ApiError) as refused:
        impersonated(asking, "bo", [])
    why = f'users "bo" is forbidden: User "{asking.user}" cannot impersonate resource "users" in API group ""'
    assert refused.value.code == 403 and refused.value.message.startswith(why)


def test_groups_need_a_user() -> None:
    with pytest.raises(ApiError, match="without impersonating a user"):
        impersonated(ADMIN, "", ["devs"])
