"""What a pod's /etc/hosts and /etc/resolv.conf say, for every DNS policy."""

from typing import Any

import pytest

from agent.hostfiles import hostname, hosts, resolv_conf
from kubeapi.core_v1.types import Pod

HOST = "# the node's\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch corp.example.\noptions edns0 ndots:1\n"


def pod(**spec: Any) -> Pod:
    return Pod.model_validate({"metadata": {"name": "web-1", "namespace": "shop", "uid": "u"}, "spec": spec})


def test_hosts_name_the_pod_by_its_address() -> None:
    lines = hosts(pod(), "10.1.0.5").splitlines()
    assert lines[0] == "# Kubernetes-managed hosts file."
    assert "127.0.0.1\tlocalhost" in lines
    assert lines[-1] == "10.1.0.5\tweb-1"


def test_a_subdomain_makes_a_full_name() -> None:
    text = hosts(pod(hostname="me", subdomain="sub"), "10.1.0.5")
    assert text.endswith("10.1.0.5\tme.sub.shop.svc.cluster.local\tme\n")


def test_aliases_stand_after_a_blank_line() -> None:
    text = hosts(pod(hostAliases=[{"ip": "192.0.2.9", "hostnames": ["one", "two"]}]), "10.1.0.5")
    assert text.endswith("10.1.0.5\tweb-1\n\n# Entries added by HostAliases.\n192.0.2.9\tone\ttwo\n")


def test_a_pod_of_the_hosts_network_has_the_hosts_file_and_its_aliases() -> None:
    text = hosts(
        pod(hostNetwork=True, hostAliases=[{"ip": "192.0.2.9", "hostnames": ["one"]}]), "", host="127.0.0.1 node\n"
    )
    assert text.startswith("# Kubernetes-managed hosts file (host network).\n127.0.0.1 node\n")
    assert text.endswith("192.0.2.9\tone\n")


def test_a_long_name_is_cut_to_what_linux_takes() -> None:
    long = pod()
    long.metadata.name = "a" * 62 + "-" + "b" * 20
    assert hosts(long, "10.1.0.5").endswith("\t" + "a" * 62 + "\n")


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ({}, "web-1"),
        ({"hostname": "me", "subdomain": "sub"}, "me"),
        ({"hostname": "me", "subdomain": "sub", "setHostnameAsFQDN": True}, "me.sub.shop.svc.cluster.local"),
        ({"setHostnameAsFQDN": True}, "web-1"),
        ({"hostnameOverride": "other.example", "subdomain": "sub"}, "other.example"),
    ],
)
def test_the_kernels_hostname(spec: dict[str, Any], name: str) -> None:
    assert hostname(pod(**spec)) == name


CLUSTER = """\
search shop.svc.cluster.local svc.cluster.local cluster.local corp.example
nameserver 10.96.0.10
options ndots:5
"""
NODES = "search corp.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions edns0 ndots:1\n"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, CLUSTER),
        ({"dnsPolicy": "ClusterFirst"}, CLUSTER),
        ({"dnsPolicy": "ClusterFirst", "hostNetwork": True}, NODES),
        ({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}, CLUSTER),
        ({"dnsPolicy": "Default"}, NODES),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.7"]}}, "nameserver 192.0.2.7\n"),
    ],
)
def test_policy(spec: dict[str, Any], text: str) -> None:
    assert resolv_conf(pod(**spec), "10.96.0.10", HOST) == text


def test_without_a_cluster_dns_the_nodes_resolvers_are_used() -> None:
    assert resolv_conf(pod(), "", HOST) == NODES


def test_config_adds_to_the_policy_and_its_options_win() -> None:
    config = {
        "nameservers": ["192.0.2.8", "10.96.0.10"],
        "searches": ["more.example", "cluster.local"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}],
    }
    lines = resolv_conf(pod(dnsConfig=config), "10.96.0.10", HOST).splitlines()
    assert lines == [
        "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example more.example",
        "nameserver 10.96.0.10",
        "nameserver 192.0.2.8",
        "options ndots:2 rotate",
    ]


def test_what_a_resolver_does_not_take_is_left_out() -> None:
    config = {"nameservers": [f"192.0.2.{n}" for n in range(5)], "searches": [f"{n:02}" + "x" * 98 for n in range(40)]}
    search, *rest = resolv_conf(pod(dnsPolicy="None", dnsConfig=config), "10.96.0.10", HOST).splitlines()
    assert len(rest) == 3
    assert len(search.removeprefix("search ")) <= 2048
    assert len(search.split()) == 1 + 20
