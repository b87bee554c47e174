"""A packet's way is predicted from plain data: tables of ways, of drops, and of what rules say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.packet import Packet
from agent.trace.path import Path, predict
from agent.trace.ruleset import Ruleset, judge
from agent.trace.scene import Scene
from tests.unit.trace_scene import (
    CLUSTER_IP,
    CONFIG,
    NODE,
    NODE_PORT,
    POD_A,
    POD_B,
    PORT_B,
    UPLINK,
    A,
    B,
    foreign,
    scene,
    target,
    web,
)

OUT = ["process a", "route default", "veth eth0", "veth va", f"bridge {CONFIG.bridge}"]
IN = [f"bridge {CONFIG.bridge}", "veth vb", "veth eth0", "process b"]
SERVICE, PODS, MASQUERADE = "service shop/web", "route 10.244.0.0/24", f"masquerade {CONFIG.table}"
DROP: dict[str, Any] = {"drop": None}


def packet(destination: str, dport: int, source: str = A, protocol: str = "tcp") -> Packet:
    return Packet(protocol, source, 40001, destination, dport)


def way(path: Path) -> list[str]:
    return [f"{step.kind} {step.name}" for step in path.steps]


@pytest.mark.parametrize(
    ("start", "sent", "expected"),
    [
        (POD_A, packet(B, 8080), [*OUT, PODS, *IN]),
        (POD_A, packet(CLUSTER_IP, 80), [*OUT, SERVICE, PODS, *IN]),
        (
            POD_B,
            packet(CLUSTER_IP, 80, B),
            ["process b", "route default", "veth eth0", "veth vb", OUT[-1], SERVICE, PODS, MASQUERADE, *IN],
        ),
        (NODE, packet("127.0.0.1", NODE_PORT, ""), ["process host", SERVICE, PODS, MASQUERADE, *IN]),
        (NODE, packet(UPLINK, NODE_PORT, ""), ["process host", SERVICE, PODS, *IN]),
        (NODE, packet(CLUSTER_IP, 80, ""), ["process host", SERVICE, PODS, *IN]),
        (POD_A, packet("203.0.113.9", 443), [*OUT, "route default", MASQUERADE, "nic eth0"]),
    ],
)
@pytest.mark.parametrize("bridge_filtering", [True, False])
def test_the_way_of_a_packet(start: int, sent: Packet, expected: list[str], bridge_filtering: bool) -> None:
    path = predict(scene(web(target(B)), bridge_filtering=bridge_filtering), start, sent)
    assert way(path) == expected
    assert path.failure is None
    assert path.arrived != path.outside


def test_what_the_packet_is_at_the_end_tells_its_translations() -> None:
    path = predict(scene(web(target(B))), POD_B, packet(CLUSTER_IP, 80, B))
    assert path.destination
    assert (path.destination.source, path.destination.destination) == (CONFIG.gateway, B)
    assert path.destination.dport == 8080


def test_a_translated_packet_stays_in_a_bridge_that_filters() -> None:
    """Measured: with bridge-nf-call-iptables the bridge's own device does not see it."""
    for filtering, directions in ((True, ["", ""]), (False, ["in", "out"])):
        path = predict(scene(web(target(B)), bridge_filtering=filtering), POD_A, packet(CLUSTER_IP, 80))
        assert [s.expect.direction for s in path.steps if s.kind == "bridge"] == directions


@pytest.mark.parametrize(
    ("start", "sent", "ports", "cause", "last"),
    [
        (POD_A, packet(CLUSTER_IP, 80), (web(),), "rule", OUT[-1]),
        (POD_A, packet(CLUSTER_IP, 81), (web(target(B)),), "rule", OUT[-1]),
        (POD_A, packet(CLUSTER_IP, 80, protocol="udp"), (web(target(B)),), "rule", OUT[-1]),
        (NODE, packet("127.0.0.1", NODE_PORT, ""), (web(),), "rule", "process host"),
        (POD_A, packet("10.244.9.9", 80), (), "unreachable", OUT[-1]),
        (POD_A, packet("10.244.0.77", 80), (), "unanswered", f"bridge {CONFIG.bridge}"),
        (POD_A, packet(CLUSTER_IP, 80), (web(target(B, 9999)),), "refused", "process b"),
        (POD_A, packet(B, 8080, protocol="udp"), (), "refused", "process b"),
    ],
)
def test_where_and_why_a_packet_ends(start: int, sent: Packet, ports: Any, cause: str, last: str) -> None:
    path = predict(scene(*ports), start, sent)
    assert path.failure
    assert path.failure.cause == cause
    assert way(path)[path.failure.step] == last == way(path)[-1]


def test_a_device_that_is_down_ends_it() -> None:
    made = scene()
    node = made.spaces[NODE]
    node.devices[PORT_B] = dataclasses.replace(node.devices[PORT_B], up=False)
    path = predict(made, POD_A, packet(B, 8080))
    assert path.failure
    assert (path.failure.cause, path.failure.detail) == ("device down", "vb")


@pytest.mark.parametrize("hook", ["prerouting", "forward", "postrouting"])
def test_a_rule_of_somebody_else_is_named(hook: str) -> None:
    match = {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8080}}
    path = predict(scene(more=foreign(hook, match, {"counter": {}}, DROP)), POD_A, packet(B, 8080))
    assert path.failure
    assert path.failure.rule == ("ip", "foreign", "guard", 7)
    other = predict(scene(more=foreign(hook, match, DROP)), POD_A, packet(B, 9090))
    assert other.failure
    assert other.failure.cause == "refused"


def test_a_rule_that_cannot_be_judged_is_told_and_taken_as_not_matching() -> None:
    path = predict(scene(more=foreign("forward", {"xt": None}, DROP)), POD_A, packet(B, 8080))
    assert path.arrived
    assert [rule.table for rule in path.undecided] == ["foreign"]


def test_chance_takes_the_endpoint_that_is_said_to_be_chosen() -> None:
    made = scene(web(target(A), target(B)))
    for address in (A, B):
        path = predict(made, POD_A, packet(CLUSTER_IP, 80), (address, 8080))
        assert path.destination
        assert path.destination.destination == address
        assert path.choices == ((A, 8080), (B, 8080))


def test_affinity_is_chance_for_who_has_not_met_one() -> None:
    made = scene(web(target(A), target(B))._replace(affinity=60))
    path = predict(made, POD_B, packet(CLUSTER_IP, 80, B), (A, 8080))
    assert path.destination
    assert path.destination.destination == A


def test_a_namespace_that_was_not_looked_into_is_asked_for() -> None:
    made = scene()
    whole = predict(made, POD_A, packet(B, 8080))
    there = made.spaces.pop(POD_B)
    path = predict(made, POD_A, packet(B, 8080))
    assert path.wanted == POD_B
    assert path.steps == whole.steps[: len(path.steps)]
    made.spaces[POD_B] = there
    assert predict(made, POD_A, packet(B, 8080)).steps == whole.steps


def test_two_tables_of_one_priority_are_asked_the_latest_first() -> None:
    """As the kernel puts hooks in: two clusters on a machine may claim one nodePort."""
    place = {"family": "ip", "type": "nat", "hook": "output", "prio": -100, "name": "departing"}
    entries = []
    for table, address in (("old", A), ("new", B)):
        rule = {"family": "ip", "table": table, "chain": "departing", "handle": 1}
        entries += [
            {"chain": place | {"table": table}},
            {"rule": rule | {"expr": [{"dnat": {"addr": address, "port": 8080}}]}},
        ]
    judged = judge(Ruleset.of({"nftables": entries}), "output", packet(UPLINK, 80), lambda _: False)
    assert judged.packet.destination == B


def test_what_is_not_judged_is_said_policy_routing_and_ipv6() -> None:
    made = scene()
    plain = predict(made, POD_A, packet(UPLINK, 53, A))
    assert plain.notes == []
    policy = "100: from 10.244.0.0/16 lookup 77"
    made.spaces[NODE] = dataclasses.replace(made.spaces[NODE], policies=(policy,))
    made.spaces[POD_A] = dataclasses.replace(made.spaces[POD_A], ipv6=True)
    told = predict(made, POD_A, packet(UPLINK, 53, A)).notes
    assert told == [
        "this way is IPv4's: pod a has IPv6 too, which is not followed",
        f"this host has policy routing ({policy}), which is not judged: the way may differ",
    ]


addresses = st.ip_addresses(v=4).map(str)
anywhere = st.one_of(st.sampled_from([A, B, CLUSTER_IP, UPLINK, CONFIG.gateway, "127.0.0.1", "10.244.9.9"]), addresses)


@settings(max_examples=40, deadline=None)
@given(
    start=st.sampled_from([NODE, POD_A, POD_B]),
    destination=anywhere,
    dport=st.sampled_from([80, 8080, NODE_PORT, 53]),
    protocol=st.sampled_from(["tcp", "udp"]),
    targets=st.lists(st.sampled_from([A, B]), unique=True),
    filtering=st.booleans(),
)
def test_every_packet_comes_to_one_end(
    start: int, destination: str, dport: int, protocol: str, targets: list[str], filtering: bool
) -> None:
    made: Scene = scene(web(*map(target, targets)), bridge_filtering=filtering)
    source = {NODE: "", POD_A: A, POD_B: B}[start]
    path = predict(made, start, packet(destination, dport, source, protocol))
    assert path.steps[0].kind == "process"
    assert sum((path.arrived, path.outside, path.failure is not None)) == 1
    assert all(step.netns in made.spaces for step in path.steps)


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=2)),
    max_leaves=8,
)
words = st.sampled_from(["match", "xt", "limit", "counter", "queue", "fwd", "synproxy", "tproxy", "flow"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(words, values), max_size=5))
def test_rules_of_words_that_nobody_knows_are_no_accident(statements: list[tuple[str, Any]]) -> None:
    known = [{word: {"op": "==", "left": v, "right": v} if word == "match" else v} for word, v in statements]
    path = predict(scene(more=foreign("forward", *known)), POD_A, packet(B, 8080))
    assert path.arrived
