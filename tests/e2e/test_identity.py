"""Who asks: the administrator, an account by its token, nobody; and kubectl's commands that send protobuf."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests.e2e.conftest import Cluster


@pytest.fixture
def as_account(api_only: Cluster, tmp_path: pathlib.Path) -> str:
    """The option that makes kubectl ask as the ServiceAccount `app`."""
    api_only.kubectl("create", "serviceaccount", "app")
    token = api_only.kubectl("create", "token", "app", "--duration=20m").stdout.strip()
    theirs = (api_only.data_dir / "kubeconfig").read_text().replace(api_only.token.strip(), token)
    (tmp_path / "kubeconfig").write_text(theirs)
    return f"--kubeconfig={tmp_path / 'kubeconfig'}"


def test_the_administrator_is_known(api_only: Cluster) -> None:
    told = json.loads(api_only.kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert told == {"username": "admin", "groups": ["system:masters", "system:authenticated"]}


def test_an_account_may_nothing_and_is_nobody_once_it_is_gone(api_only: Cluster, as_account: str) -> None:
    told = json.loads(api_only.kubectl(as_account, "auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert told["username"] == "system:serviceaccount:default:app"
    refused = api_only.kubectl(as_account, "get", "pods", check=False)
    assert refused.stderr == (
        'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:default:app" cannot list '
        'resource "pods" in API group "" in the namespace "default"\n'
    )
    api_only.kubectl("delete", "serviceaccount", "app")
    gone = api_only.kubectl(as_account, "auth", "whoami", check=False)
    assert gone.returncode == 1 and "Unauthorized" in gone.stderr


def test_who_may_what_is_told(api_only: Cluster) -> None:
    for asked, told in (
        (["create", "deployments.apps"], "yes"),
        (["--as=bo", "create", "deployments.apps"], "no"),
        (["--as=bo", "get", "/version"], "yes"),
        (["--as=bo", "get", "pods", "--subresource=log"], "no"),
    ):
        answer = api_only.kubectl("auth", "can-i", *asked, check=False)
        assert (answer.stdout.strip(), answer.returncode) == (told, 0 if told == "yes" else 1), asked


def test_the_administrator_may_stand_for_another(api_only: Cluster) -> None:
    told = api_only.kubectl("--as=bo", "--as-group=devs", "auth", "whoami", "-o", "json").stdout
    assert json.loads(told)["status"]["userInfo"] == {"username": "bo", "groups": ["devs", "system:authenticated"]}
    refused = api_only.kubectl("--as=bo", "get", "pods", check=False)
    assert 'pods is forbidden: User "bo" cannot list resource "pods"' in refused.stderr


def test_a_token_is_refused_its_wrong_wishes(api_only: Cluster) -> None:
    short = api_only.kubectl("create", "token", "default", "--duration=1m", check=False)
    assert "may not specify a duration less than 10 minutes" in short.stderr
    nobody = api_only.kubectl("create", "token", "nobody", check=False)
    assert 'serviceaccounts "nobody" not found' in nobody.stderr


def test_kubectl_creates_what_it_makes_up_itself(api_only: Cluster) -> None:
    api_only.kubectl("create", "namespace", "made")
    for command in (
        ["deployment", "web", "--image=naru/web:1", "--replicas=2", "--port=80"],
        ["configmap", "settings", "--from-literal=key=value"],
        ["secret", "generic", "hidden", "--from-literal=key=value"],
        ["service", "clusterip", "web", "--tcp=80:8080"],
        ["serviceaccount", "app"],
    ):
        api_only.kubectl("-n", "made", "create", *command)
    template = "{.spec.replicas} {.spec.template.spec.containers[0].ports[0].containerPort} {.spec.strategy.type}"
    made = api_only.kubectl("-n", "made", "get", "deployment", "web", "-o", f"jsonpath={template}").stdout
    assert made == "2 80 RollingUpdate"
    assert api_only.kubectl("-n", "made", "get", "secret", "hidden", "-o", "jsonpath={.data.key}").stdout == "dmFsdWU="
    port = "{.spec.ports[0].port}:{.spec.ports[0].targetPort}"
    assert api_only.kubectl("-n", "made", "get", "service", "web", "-o", f"jsonpath={port}").stdout == "80:8080"
