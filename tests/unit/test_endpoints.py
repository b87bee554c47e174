"""Endpoints: which pods are behind a Service, on which ports, and in which state."""

from __future__ import annotations

from typing import Any

from controlplane.controllers.endpoints import endpoints_of, to_slices, to_subsets
from kubeapi.core_v1.types import Pod, Service


def service(**spec: Any) -> Service:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    full = {"selector": {"app": "web"}, "ports": ports, **spec}
    return Service.model_validate({"metadata": {"name": "web", "namespace": "n"}, "spec": full})


def pod(
    name: str, ready: bool = True, ip: str = "10.244.0.2", port: int = 8080, phase: str = "Running", **spec: Any
) -> Pod:
    container = {"name": "c", "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}]}
    status = {"phase": phase, "podIP": ip, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    meta = {"name": name, "namespace": "n", "labels": {"app": "web"}}
    return Pod.model_validate({"metadata": meta, "spec": {"containers": [container], **spec}, "status": status})


def test_a_named_port_is_found_in_the_pod_and_states_are_kept_apart() -> None:
    targets = endpoints_of(service(), [pod("b", ready=False), pod("a")])
    [subset] = to_subsets(targets)
    assert [a.target_ref.name for a in subset.addresses if a.target_ref] == ["a"]
    assert [a.target_ref.name for a in subset.not_ready_addresses if a.target_ref] == ["b"]
    [(ports, endpoints)] = to_slices(targets)
    assert [(p.name, p.port) for p in ports] == [("http", 8080)]
    assert [e.conditions.ready for e in endpoints] == [True, False]


def test_publish_not_ready_makes_ready_but_not_serving() -> None:
    [target] = endpoints_of(service(publishNotReadyAddresses=True), [pod("a", ready=False)])
    assert (target.endpoint.conditions.ready, target.endpoint.conditions.serving) == (True, False)


def test_pods_that_ended_or_have_no_address_are_left_out() -> None:
    assert endpoints_of(service(), [pod("done", phase="Succeeded"), pod("new", ip="")]) == []


def test_a_pod_without_the_named_port_is_an_endpoint_without_ports() -> None:
    bare = pod("a")
    bare.spec.containers[0].ports = []
    [(ports, [endpoint])] = to_slices(endpoints_of(service(), [bare]))
    assert (ports, endpoint.addresses) == ([], ["10.244.0.2"])


def test_an_endpoint_tells_its_nodes_zone() -> None:
    [(there, _), (nowhere, _)] = endpoints_of(service(), [pod("a", nodeName="n"), pod("b", nodeName="m")], {"n": "z"})
    assert (there.zone, nowhere.zone) == ("z", None)


def test_a_service_without_endpoints_has_one_empty_slice() -> None:
    assert to_slices([]) == [([], [])]


def test_different_numbers_of_one_named_port_make_slices_of_their_own() -> None:
    assert len(to_slices(endpoints_of(service(), [pod("a"), pod("b", port=9090)]))) == 2


def test_a_hostname_counts_in_the_service_that_is_its_subdomain() -> None:
    [mine] = endpoints_of(service(), [pod("a", hostname="one", subdomain="web")])
    [other] = endpoints_of(service(), [pod("a", hostname="one", subdomain="else")])
    assert (mine.endpoint.hostname, other.endpoint.hostname) == ("one", None)
