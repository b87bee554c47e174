"""What a Service and a Pod are given, as a user sees it in the object."""

from ipaddress import IPv4Network
from random import Random
from typing import Any

import pytest

from controlplane.admission.nodes import taint
from controlplane.admission.pods import TOKEN_PATH, keep_priority, mount_token, prioritize, tolerate
from controlplane.admission.services import Pools, Taken, allocate
from kubeapi.core_v1.types import (
    Container,
    Node,
    Pod,
    PodSpec,
    Service,
    ServicePort,
    ServiceSpec,
    Toleration,
    VolumeMount,
)
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta

ADDRESSES, PORTS = IPv4Network("10.96.0.0/29"), range(30000, 30003)


def service(uid: str = "new", **spec: object) -> Service:
    return Service(metadata=ObjectMeta(name="s", uid=uid), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


def give(new: Service, held: Taken | None = None, old: Service | None = None, seed: int = 1) -> Service:
    allocate(new, old, Pools(held or Taken({}, {}), ADDRESSES, PORTS, Random(seed)))
    return new


@pytest.mark.parametrize("seed", range(8))
def test_the_last_free_address_is_found(seed: int) -> None:
    held = Taken({f"10.96.0.{i}": "other" for i in (1, 2, 4, 5, 6)}, {})
    assert give(service(type="ClusterIP"), held, seed=seed).spec.cluster_ips == ["10.96.0.3"]


def test_a_full_range_is_an_error() -> None:
    held = Taken({f"10.96.0.{i}": "other" for i in range(1, 7)}, {})
    with pytest.raises(ApiError, match="range is full"):
        give(service(type="ClusterIP"), held)


def test_a_headless_service_has_no_address() -> None:
    assert give(service(type="ClusterIP", cluster_ip="None")).spec.cluster_ips == ["None"]


def test_an_address_of_another_service_is_refused() -> None:
    with pytest.raises(ApiError, match="already allocated"):
        give(service(type="ClusterIP", cluster_ip="10.96.0.2"), Taken({"10.96.0.2": "other"}, {}))


def test_a_node_port_is_given_once_for_each_port() -> None:
    ports = [ServicePort(port=p, protocol="TCP") for p in (80, 81, 82)]
    made = give(service(type="NodePort", ports=ports))
    assert sorted(p.node_port for p in made.spec.ports) == list(PORTS)


def test_a_node_port_out_of_range_is_refused() -> None:
    with pytest.raises(ApiError, match="not in the valid range"):
        give(service(type="NodePort", ports=[ServicePort(port=80, protocol="TCP", node_port=80)]))


def test_an_update_keeps_what_was_given() -> None:
    old = give(service(type="NodePort", ports=[ServicePort(port=80, protocol="TCP")]))
    new = give(service(type="NodePort", ports=[ServicePort(port=80, protocol="TCP")]), old=old, seed=9)
    assert new.spec == old.spec


def families(made: Service) -> tuple[str | None, list[str]]:
    return made.spec.ip_family_policy, made.spec.ip_families


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "ClusterIP"}, ("SingleStack", ["IPv4"])),
        ({"type": "ClusterIP", "ip_family_policy": "PreferDualStack"}, ("PreferDualStack", ["IPv4"])),
        ({"type": "ClusterIP", "cluster_ip": "None", "selector": {"a": "b"}}, ("SingleStack", ["IPv4"])),
        ({"type": "ClusterIP", "cluster_ip": "None"}, ("RequireDualStack", ["IPv4", "IPv6"])),
        ({"type": "ExternalName", "external_name": "example.com"}, (None, [])),
    ],
)
def test_families_of_a_service_on_a_cluster_with_ipv4(spec: dict[str, Any], expected: tuple[str, list[str]]) -> None:
    assert families(give(service(**spec))) == expected


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ip_families": ["IPv6"]}, "spec.ipFamilies[0]"),
        ({"ip_family_policy": "RequireDualStack"}, "spec.ipFamilyPolicy"),
        ({"cluster_ip": "fd00::1"}, "spec.clusterIPs[0]"),
        ({"cluster_ip": "10.97.0.1"}, "spec.clusterIPs"),
        ({"cluster_ip": "10.96.0.2", "cluster_ips": ["10.96.0.3"]}, "spec.clusterIPs"),
    ],
)
def test_addresses_that_the_cluster_does_not_have(spec: dict[str, Any], field: str) -> None:
    with pytest.raises(ApiError) as refused:
        give(service(type="ClusterIP", **spec))
    assert [c["field"] for c in (refused.value.details or {})["causes"]] == [field]


def test_one_number_over_two_protocols_shares_a_node_port() -> None:
    ports = [ServicePort(name=p, port=53, protocol=p) for p in ("TCP", "UDP")]
    made = give(service(type="NodePort", ports=ports))
    assert made.spec.ports[0].node_port == made.spec.ports[1].node_port != 0


def test_a_new_node_takes_no_pods_yet() -> None:
    node = Node()
    taint(node)
    taint(node)
    assert [(t.key, t.effect) for t in node.spec.taints] == [("node.kubernetes.io/not-ready", "NoSchedule")]


def pod(**spec: object) -> Pod:
    return Pod(metadata=ObjectMeta(name="p"), spec=PodSpec(containers=[Container(name="c")], **spec))  # type: ignore[arg-type]


def test_the_token_is_mounted_where_nothing_is_yet() -> None:
    made = pod()
    own = Container(name="d", volume_mounts=[VolumeMount(name="mine", mount_path=TOKEN_PATH)])
    made.spec.containers = [*made.spec.containers, own]
    mount_token(made, Random(1))
    (volume,) = made.spec.volumes
    assert volume.name.startswith("kube-api-access-")
    assert [[m.name for m in c.volume_mounts] for c in made.spec.containers] == [[volume.name], ["mine"]]


def test_a_pod_stays_five_minutes_on_a_failed_node_unless_it_says_otherwise() -> None:
    made = pod(tolerations=[Toleration(key="node.kubernetes.io/not-ready", operator="Exists", effect="NoExecute")])
    tolerate(made)
    assert [t.toleration_seconds for t in made.spec.tolerations] == [None, 300]


def test_priority_comes_from_the_class() -> None:
    made = pod(priority_class_name="system-node-critical")
    prioritize(made)
    assert made.spec.priority == 2000001000
    with pytest.raises(ApiError, match="no PriorityClass with name nope"):
        prioritize(pod(priority_class_name="nope"))


@pytest.mark.parametrize(("said", "kept"), [(None, 7), (3, 3)])
def test_an_update_that_says_nothing_of_the_priority_keeps_it(said: int | None, kept: int) -> None:
    old = Pod(spec=PodSpec(containers=[], priority=7, preemption_policy="Never"))
    new = Pod(spec=PodSpec(containers=[], priority=said))
    keep_priority(new, old)
    assert (new.spec.priority, new.spec.preemption_policy) == (kept, "Never")
