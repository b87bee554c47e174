"""Who may what while there are no roles."""

import pytest

from controlplane.apiserver import authorization
from controlplane.apiserver.authentication import ADMIN, Identity, node_identity
from kubeapi import registry
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError

KINDS = registry.load()
APPS = "/apis/apps/v1/namespaces/ns/deployments"
IN_CORE, IN_APPS = (f'in API group "{group}" in the namespace "ns"' for group in ("", "apps"))
EVERYWHERE = 'in API group "" at the cluster scope'
ACCOUNT = Identity("system:serviceaccount:ns:app", ("system:serviceaccounts", "system:authenticated"))


@pytest.mark.parametrize("identity", [ADMIN, node_identity("n")])
def test_administrators_and_agents_may_do_all(identity: Identity) -> None:
    authorization.check(identity, KINDS, Request("DELETE", "/api/v1/namespaces/ns/pods"))


@pytest.mark.parametrize(
    "path", ["/version", "/api", "/apis/apps/v1", "/openapi/v3", authorization.WHO_AM_I, authorization.WHAT_MAY_I]
)
def test_everybody_may_ask_what_is_served_and_who_they_are(path: str) -> None:
    authorization.check(ACCOUNT, KINDS, Request("GET", path))


@pytest.mark.parametrize(
    ("request_", "about", "what", "where"),
    [
        (Request("GET", "/api/v1/namespaces/ns/pods"), "pods", 'list resource "pods"', IN_CORE),
        (Request("GET", "/api/v1/namespaces/ns/pods/p/log"), 'pods "p"', 'get resource "pods/log"', IN_CORE),
        (Request("DELETE", "/api/v1/namespaces/ns/pods"), "pods", 'deletecollection resource "pods"', IN_CORE),
        (Request("GET", "/api/v1/pods", [("watch", "1")]), "pods", 'watch resource "pods"', EVERYWHERE),
        (Request("PATCH", f"{APPS}/d"), 'deployments.apps "d"', 'patch resource "deployments"', IN_APPS),
    ],
)
def test_an_account_is_refused_in_kubernetes_words(request_: Request, about: str, what: str, where: str) -> None:
    with pytest.raises(ApiError) as refused:
        authorization.check(ACCOUNT, KINDS, request_)
    assert refused.value.code == 403
    assert refused.value.message == f'{about} is forbidden: User "{ACCOUNT.user}" cannot {what} {where}'


def test_a_path_that_is_no_resource_is_refused_by_its_name() -> None:
    with pytest.raises(ApiError, match=r'forbidden: User ".*" cannot post path "/apply"'):
        authorization.check(ACCOUNT, KINDS, Request("POST", "/apply"))
