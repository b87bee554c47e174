"""What a Service and a Pod are given, as a user sees it in the object."""

from ipaddress import IPv4Network
from random import Random

import pytest

from controlplane.admission.pods import TOKEN_PATH, mount_token, prioritize, tolerate
from controlplane.admission.services import Taken, allocate
from kubeapi.core_v1.types import Container, Pod, PodSpec, Service, ServicePort, ServiceSpec, Toleration, VolumeMount
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta

ADDRESSES, PORTS = IPv4Network("10.96.0.0/29"), range(30000, 30003)


def service(uid: str = "new", **spec: object) -> Service:
    return Service(metadata=ObjectMeta(name="s", uid=uid), spec=ServiceSpec(**spec))  # type: ignore[arg-type]


def give(new: Service, held: Taken | None = None, old: Service | None = None, seed: int = 1) -> Service:
    allocate(new, old, held or Taken({}, {}), ADDRESSES, PORTS, Random(seed))
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
        give(service(cluster_ip="10.96.0.2"), Taken({"10.96.0.2": "other"}, {}))


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
