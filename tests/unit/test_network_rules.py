"""Services as nftables rules: which endpoints take traffic, what is refused, and how one ruleset becomes another."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.network.config import NetworkConfig
from agent.network.endpoints import ServicePort, Target, service_ports
from agent.network.nft import DROP, Ruleset, goto, plan_transaction
from agent.network.protocol import HostPort, host_ports_of
from agent.network.rules import REJECT, PodPort, plan_base, plan_rules
from kubeapi.core_v1.types import Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice

CONFIG = NetworkConfig("7e57", "here", "10.244.0.0/24", "10.244.0.0/16", "10.96.0.0/16")
HERE, THERE = Target("10.244.0.5", 8080, True), Target("10.244.1.5", 8080, False)


def service(**spec: Any) -> Service:
    spec = {"clusterIP": "10.96.0.50", "ports": [{"port": 80, "protocol": "TCP"}]} | spec
    return Service.model_validate({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})


def slice_of(*endpoints: dict[str, Any], **more: Any) -> EndpointSlice:
    metadata = {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}}
    ports = [{"port": 8080, "protocol": "TCP"}]
    body = {"metadata": metadata, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports}
    return EndpointSlice.model_validate(body | more)


def endpoint(address: str, node: str = "here", **conditions: bool) -> dict[str, Any]:
    return {"addresses": [address], "nodeName": node, "conditions": conditions}


def port(**changes: Any) -> ServicePort:
    plain = ServicePort("shop", "web", "", "tcp", 80, 0, ("10.96.0.50",), (), 0, (HERE,), (HERE,), (HERE,))
    return plain._replace(**changes)


@pytest.mark.parametrize(
    ("endpoints", "taken"),
    [
        ([endpoint("10.244.0.5", ready=True), endpoint("10.244.0.6", ready=False)], ["10.244.0.5"]),
        ([endpoint("10.244.0.5")], ["10.244.0.5"]),  # no condition: ready
        ([endpoint("10.244.0.5", ready=False, serving=True, terminating=True)], ["10.244.0.5"]),
        (
            [endpoint("10.244.0.5", ready=False, serving=True, terminating=True), endpoint("10.244.0.6", ready=True)],
            ["10.244.0.6"],
        ),
        ([endpoint("10.244.0.5", ready=False, serving=False, terminating=True)], []),
        ([endpoint("10.244.0.5", ready=False, serving=True)], []),
    ],
)
def test_ready_endpoints_take_traffic_and_else_those_that_serve_to_the_end(
    endpoints: list[dict[str, Any]], taken: list[str]
) -> None:
    (found,) = service_ports([service()], [slice_of(*endpoints)], "here")
    assert [t.address for t in found.internal] == taken


def test_pods_about_to_end_take_traffic_only_where_no_other_can() -> None:
    both = [slice_of(endpoint("10.244.0.5"), endpoint("10.244.1.5", node="there"))]
    (found,) = service_ports([service()], both, "here", draining={"10.244.0.5"})
    assert (found.internal, found.external) == ((THERE,), (THERE,))
    (found,) = service_ports([service(internalTrafficPolicy="Local")], both, "here", draining={"10.244.0.5"})
    assert found.internal == (HERE,)


def test_a_service_that_publishes_pods_that_are_not_ready_leads_to_those_that_end_too() -> None:
    both = [slice_of(endpoint("10.244.0.5"), endpoint("10.244.1.5", node="there"))]
    (found,) = service_ports([service(publishNotReadyAddresses=True)], both, "here", draining={"10.244.0.5"})
    assert found.internal == (HERE, THERE)


def test_host_ports_are_those_that_containers_ask_for() -> None:
    ports = [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1"}, {"containerPort": 81}]
    spec = {"containers": [{"name": "web", "ports": ports}]}
    assert host_ports_of(Pod.model_validate({"spec": spec})) == (HostPort(8080, 80, "TCP", "127.0.0.1"),)
    assert host_ports_of(Pod.model_validate({"spec": spec | {"hostNetwork": True}})) == ()


def test_a_policy_of_local_looks_at_this_nodes_endpoints() -> None:
    both = slice_of(endpoint("10.244.0.5"), endpoint("10.244.1.5", node="there"))
    (found,) = service_ports([service(type="NodePort", externalTrafficPolicy="Local")], [both], "here")
    assert (found.internal, found.external) == ((HERE, THERE), (HERE,))
    (found,) = service_ports([service(internalTrafficPolicy="Local")], [both], "here")
    assert (found.internal, found.external) == ((HERE,), (HERE, THERE))


@pytest.mark.parametrize(
    "spec", [{"clusterIP": "None"}, {"type": "ExternalName"}, {"clusterIP": ""}, {"clusterIP": "fd00::1"}]
)
def test_services_without_an_ipv4_cluster_address_have_no_rules(spec: dict[str, Any]) -> None:
    assert service_ports([service(**spec)], [slice_of(endpoint("10.244.0.5"))], "here") == []


def test_slices_of_other_services_ports_and_families_do_not_count() -> None:
    slices = [
        slice_of(endpoint("10.244.0.5"), ports=[{"port": 1, "protocol": "UDP"}]),
        slice_of(endpoint("10.244.0.6"), ports=[{"port": 1, "protocol": "TCP", "name": "other"}]),
        slice_of(endpoint("fd00::7"), addressType="IPv6"),
        slice_of(endpoint("10.244.0.8"), metadata={"name": "x", "namespace": "shop"}),
    ]
    (found,) = service_ports([service()], slices, "here")
    assert found.internal == ()


def test_every_way_in_is_one_element_of_a_map() -> None:
    rules = plan_rules(CONFIG, [port(node_port=30080, external_ips=("198.51.100.7",))], [])
    assert set(rules.elements["services"]) == {("10.96.0.50", "tcp", 80), ("198.51.100.7", "tcp", 80)}
    assert set(rules.elements["node_ports"]) == {("tcp", 30080)}
    assert rules.elements["hairpins"] == {("10.244.0.5", "10.244.0.5"): None}


def test_without_endpoints_every_way_in_is_refused() -> None:
    nobody = port(node_port=30080, external_ips=("198.51.100.7",), internal=(), external=(), anywhere=())
    rules = plan_rules(CONFIG, [nobody], [])
    assert rules.elements["rejected"] == {("10.96.0.50", "tcp", 80): REJECT, ("198.51.100.7", "tcp", 80): REJECT}
    assert rules.elements["rejected_node_ports"] == {("tcp", 30080): REJECT}
    assert not rules.chains


def test_endpoints_on_other_nodes_alone_are_silence_from_outside_and_service_inside() -> None:
    rules = plan_rules(CONFIG, [port(node_port=30080, internal=(THERE,), external=(), anywhere=(THERE,))], [])
    assert rules.elements["rejected_node_ports"] == {("tcp", 30080): DROP}
    assert ("10.96.0.50", "tcp", 80) in rules.elements["services"]


def test_the_dns_address_is_left_to_the_nameserver() -> None:
    rules = plan_rules(CONFIG, [port(cluster_ips=(CONFIG.dns_address,))], [])
    assert not rules.elements["services"]


def test_the_first_claim_to_a_host_port_wins_and_nodes_addresses_are_told_apart() -> None:
    claims = [
        PodPort(HostPort(80, 8080), "10.244.0.5"),
        PodPort(HostPort(80, 8080), "10.244.0.6"),
        PodPort(HostPort(80, 8080, host_ip="192.0.2.1"), "10.244.0.7"),
    ]
    rules = plan_rules(CONFIG, [], claims)
    assert list(rules.elements["host_ports"]) == [("tcp", 80)]
    assert list(rules.elements["services"]) == [("192.0.2.1", "tcp", 80)]
    assert sorted(chain[0][-1]["dnat"]["addr"] for chain in rules.chains.values()) == ["10.244.0.5", "10.244.0.7"]


def test_affinity_remembers_a_client_per_endpoint_for_its_time() -> None:
    rules = plan_rules(CONFIG, [port(affinity=60, internal=(HERE, THERE), external=(HERE, THERE))], [])
    assert Counter(rules.memories.values()) == {60: 2}


TARGETS = st.sets(
    st.builds(lambda n: Target(f"10.244.{n % 3}.{2 + n}", 8080, n % 3 == 0), st.integers(0, 9)), max_size=4
).map(lambda found: tuple(sorted(found)))


@st.composite
def some_ports(draw: st.DrawFn) -> list[ServicePort]:
    names = draw(st.sets(st.sampled_from("abcdef")))
    found = []
    for name in sorted(names):
        anywhere = draw(TARGETS)
        local = tuple(t for t in anywhere if t.local)
        number = ord(name)
        found.append(
            ServicePort(
                "shop",
                name,
                draw(st.sampled_from(["", "http"])),
                draw(st.sampled_from(["tcp", "udp", "sctp"])),
                80,
                draw(st.sampled_from([0, 30000 + number])),
                (f"10.96.0.{number}",),
                draw(st.sampled_from([(), ("198.51.100.7",)])),
                draw(st.sampled_from([0, 60, 10800])),
                anywhere,
                draw(st.sampled_from([anywhere, local])),
                anywhere,
            )
        )
    return found


class Kernel:
    """What nftables does with a transaction, as far as ours go; asserts what the kernel would refuse."""

    def __init__(self) -> None:
        self.rules: dict[str, list[Any]] = {}
        self.elements: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, int] = {}

    def run(self, document: Any) -> None:
        for command in document["nftables"]:
            ((verb, what),) = command.items()
            ((kind, item),) = what.items()
            getattr(self, f"{verb}_{kind}")(item)
        text = str(self.rules) + str(self.elements)
        for name in self._referred(text):
            assert name in self.rules, f"jump to {name}, which is not there"

    def _referred(self, text: str) -> set[str]:
        return {part.split("'")[0] for part in text.split("'target': '")[1:]}

    def add_table(self, item: Any) -> None:
        pass

    def delete_table(self, item: Any) -> None:
        self.__init__()  # type: ignore[misc]

    def add_map(self, item: Any) -> None:
        self.elements.setdefault(item["name"], {})

    def add_set(self, item: Any) -> None:
        if "timeout" in item:
            assert item["name"] not in self.sets
            self.sets[item["name"]] = item["timeout"]
        else:
            self.elements.setdefault(item["name"], {})

    def delete_set(self, item: Any) -> None:
        del self.sets[item["name"]]
        assert f"@{item['name']}'" not in str(self.rules)

    def add_chain(self, item: Any) -> None:
        assert item["name"] not in self.rules
        self.rules[item["name"]] = []

    def flush_chain(self, item: Any) -> None:
        self.rules[item["name"]].clear()

    def delete_chain(self, item: Any) -> None:
        assert not self.rules.pop(item["name"])
        assert f"'target': '{item['name']}'" not in str(self.rules) + str(self.elements)

    def add_rule(self, item: Any) -> None:
        self.rules[item["chain"]].append(item["expr"])

    def add_element(self, item: Any) -> None:
        for entry in item["elem"]:
            key, value = entry if isinstance(entry, list) else (entry, None)
            assert str(key) not in self.elements[item["name"]]
            self.elements[item["name"]][str(key)] = value

    def delete_element(self, item: Any) -> None:
        for entry in item["elem"]:
            del self.elements[item["name"]][str(entry[0] if isinstance(entry, list) else entry)]


@given(before=some_ports(), after=some_ports())
def test_a_difference_leads_where_the_whole_ruleset_does(before: list[ServicePort], after: list[ServicePort]) -> None:
    old, new = plan_rules(CONFIG, before, []), plan_rules(CONFIG, after, [])
    stepwise, at_once = Kernel(), Kernel()
    stepwise.run(plan_transaction(CONFIG.table, plan_base(CONFIG), None, old))
    if document := plan_transaction(CONFIG.table, plan_base(CONFIG), old, new):
        stepwise.run(document)
    at_once.run(plan_transaction(CONFIG.table, plan_base(CONFIG), None, new))
    assert vars(stepwise) == vars(at_once)


@given(ports=some_ports())
def test_what_is_already_so_needs_no_transaction(ports: list[ServicePort]) -> None:
    assert plan_transaction(CONFIG.table, [], plan_rules(CONFIG, ports, []), plan_rules(CONFIG, ports, [])) is None


@given(ports=some_ports())
def test_every_address_is_either_led_or_refused(ports: list[ServicePort]) -> None:
    rules = plan_rules(CONFIG, ports, [])
    led, refused = rules.elements["services"].keys(), rules.elements["rejected"].keys()
    assert not led & refused
    assert led | refused >= {(a, p.protocol, p.port) for p in ports for a in p.cluster_ips}


def test_one_change_among_many_costs_one_change() -> None:
    many = [port(name=f"s{i}", cluster_ips=(f"10.96.{i // 250}.{i % 250 + 1}",)) for i in range(1000)]
    old = plan_rules(CONFIG, many, [])
    new = plan_rules(CONFIG, [*many[:-1], many[-1]._replace(internal=(THERE,))], [])
    document = plan_transaction(CONFIG.table, plan_base(CONFIG), old, new)
    assert len(document["nftables"]) == 2  # flush one chain, add its rule


def test_a_fresh_ruleset_replaces_the_table_in_its_transaction() -> None:
    commands = plan_transaction("t", [], None, Ruleset(chains={"c": ((goto("d"),),), "d": ()}))["nftables"]
    assert [next(iter(c)) for c in commands[:3]] == ["add", "delete", "add"]
