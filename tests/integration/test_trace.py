"""Traces are proven: the hops seen are the hops taken, counters rise by what was sent, drops name who is guilty, and
nothing stays in the kernel."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent.trace.ends import EndError
from agent.trace.probe import PAYLOAD, UDP_LENGTH
from agent.trace.tracefs import Tracefs, instances, open_tracefs
from kubeapi.hardware_v1.trace import Trace
from tests.integration.node_world import CONFIG, NODE_PORT, OUTSIDE_IP, needs_root, set_bridge_filtering, started_node
from tests.integration.trace_world import COUNTING, TraceWorld, counted, foreign_rules, route_of, saw

pytestmark = [needs_root, pytest.mark.asyncio(loop_scope="module")]

BRIDGE = ("bridge", CONFIG.bridge)
PODS_ROUTE = ("route", CONFIG.pod_cidr)
SERVICE = ("service", "shop/web")
MASQUERADE = ("masquerade", CONFIG.table)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[TraceWorld]:
    """One node for all tests: what a test changes it puts back."""
    async with started_node(bridge_filtering=False) as node:
        made = TraceWorld(node)
        await made.add_pod("a")
        await made.add_pod("b")
        await made.add_pod("silent", listens=False)
        made.listen(node.outside)
        await made.serve_by("b")
        yield made


@pytest.fixture(params=["bridge-nf on", "bridge-nf off"])
def bridge_filtering(request: pytest.FixtureRequest, world: TraceWorld) -> bool:
    on: bool = request.param == "bridge-nf on"
    set_bridge_filtering(on)
    return on


def leaving(world: TraceWorld, pod: str) -> list[tuple[str, str]]:
    return [("process", pod), ("route", "default"), ("veth", "eth0"), ("veth", world.veth(pod)), BRIDGE]


def entering(world: TraceWorld, pod: str) -> list[tuple[str, str]]:
    return [BRIDGE, ("veth", world.veth(pod)), ("veth", "eth0"), ("process", pod)]


def assert_proven(found: Trace) -> None:
    """Every hop was seen by each of its witnesses, in the order of time, and both ends agree."""
    assert [hop.state for hop in found.hops] == ["seen"] * len(found.hops), found.to_dict()
    assert all(all(saw(hop).values()) for hop in found.hops)
    times = [hop.microseconds for hop in found.hops if hop.microseconds is not None]
    assert times == sorted(times)
    assert times[0] == 0
    assert found.drop is None


async def assert_predicted_and_proven(world: TraceWorld, source: str, to: str, way: list[tuple[str, str]]) -> Trace:
    predicted = await world.trace(source, to, probe=False)
    assert {hop.state for hop in predicted.hops} == {"predicted"}
    found = await world.trace(source, to)
    assert route_of(predicted) == route_of(found) == way
    assert_proven(found)
    return found


async def test_from_pod_to_pod(world: TraceWorld, bridge_filtering: bool) -> None:
    way = [*leaving(world, "a"), PODS_ROUTE, *entering(world, "b")]
    found = await assert_predicted_and_proven(world, "shop/a", "b", way)
    assert {*saw(found.hops[4])} == {"tracefs", "nft", "conntrack"}
    assert [(p.protocol, p.arrived) for p in found.probes] == [("UDP", True), ("TCP", True)]


async def test_from_pod_by_service_to_another(world: TraceWorld, bridge_filtering: bool) -> None:
    way = [*leaving(world, "a"), SERVICE, PODS_ROUTE, *entering(world, "b")]
    found = await assert_predicted_and_proven(world, "shop/a", "web", way)
    translation = found.hops[5]
    assert translation.object
    assert (translation.object.kind, translation.object.name) == ("Service", "web")
    assert translation.part == "service/shop/web"
    assert f"answered by {world.addresses['b']}:8080" in saw(translation)["conntrack"]
    assert CONFIG.table in saw(translation)["nft"]


async def test_from_pod_by_service_to_itself(world: TraceWorld, bridge_filtering: bool) -> None:
    way = [*leaving(world, "b"), SERVICE, PODS_ROUTE, MASQUERADE, *entering(world, "b")]
    found = await assert_predicted_and_proven(world, "shop/b", "service/web:80", way)
    assert f"answers at {CONFIG.gateway}" in saw(found.hops[7])["conntrack"]


async def test_from_host_by_node_port_to_pod(world: TraceWorld, bridge_filtering: bool) -> None:
    way = [("process", "host"), SERVICE, PODS_ROUTE, MASQUERADE, *entering(world, "b")]
    await assert_predicted_and_proven(world, "host", f"127.0.0.1:{NODE_PORT}", way)


async def test_from_pod_to_the_outside(world: TraceWorld, bridge_filtering: bool) -> None:
    way = [*leaving(world, "a"), ("route", "192.0.2.0/24"), MASQUERADE, ("veth", "up0")]
    found = await assert_predicted_and_proven(world, "shop/a", f"{OUTSIDE_IP}:8080", way)
    assert [(p.protocol, p.arrived) for p in found.probes] == [("UDP", None), ("TCP", True)]


async def test_without_a_named_end_the_way_out_is_predicted_and_nothing_is_sent(world: TraceWorld) -> None:
    found = await world.trace("shop/a", "", probe=False)
    assert route_of(found)[-1] == ("veth", "up0")
    with pytest.raises(EndError, match="--to"):
        await world.trace("shop/a", "")


@pytest.mark.parametrize(
    ("source", "to"), [("shop/a", "b"), ("shop/a", f"{OUTSIDE_IP}:8080"), ("shop/b", "web"), ("host", "shop/b")]
)
async def test_counters_rise_by_exactly_what_was_sent(world: TraceWorld, source: str, to: str) -> None:
    """One datagram; and of TCP what opens the connection, acknowledges it and gives it up, in one flow. A UDP packet to a
    Service that has no such port is refused before it leaves."""
    udp = 0 if to == "web" else 1
    set_bridge_filtering(False)
    with foreign_rules(COUNTING):
        before = received(world, "b")
        found = await world.trace(source, to)
        counts = counted()
        entered = received(world, "b") - before
    assert_proven(found)
    answers = 1 if source == "host" else 0  # the kernel's own answers pass postrouting too, as do those of a pod
    flows = counts["entered"] if source != "host" else counts["opened"]
    assert flows == [2]
    out_udp, out_tcp = counts["gone"]
    assert out_udp == udp
    assert out_tcp == 3 + (1 - answers)  # SYN, ACK, RST, and the SYN-ACK that comes back through this node
    if to != f"{OUTSIDE_IP}:8080":
        assert entered == udp + 3 + (1 if source == "shop/b" else 0)  # who meets itself gets the SYN-ACK too


def received(world: TraceWorld, pod: str) -> int:
    """What a pod's IP layer has received; ICMP, whose number the kernel limits, is not counted."""
    command = ["nsenter", f"--net={world.path(pod)}", "cat", "/proc/net/snmp"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split() for line in lines]
    values = {
        (a[0], name): int(b[i]) for a, b in zip(rows[::2], rows[1::2], strict=True) for i, name in enumerate(a) if i
    }
    return values["Ip:", "InReceives"] - values["Icmp:", "InMsgs"]


def mend(found: Trace) -> None:
    """Do what a drop says."""
    assert found.drop
    subprocess.run(found.drop.mend.split(), check=True)


async def test_a_rule_that_drops_on_the_way_is_named(world: TraceWorld) -> None:
    with foreign_rules("chain late { type filter hook forward priority 5; tcp dport 8080 drop; }"):
        predicted = await world.trace("shop/a", "b", probe=False)
        found = await world.trace("shop/a", "b")
        for told in (predicted, found):
            assert told.drop
            assert "tcp dport 8080 drop" in told.drop.rule
            assert told.drop.mend.startswith("nft delete rule ip foreign late handle ")
        assert found.drop
        assert found.drop.reason.endswith("(kernel: NETFILTER_DROP in nft_do_chain)")
        assert route_of(found)[found.drop.hop] == ("bridge", CONFIG.bridge)
        assert [hop.state for hop in found.hops] == ["seen"] * len(found.hops)
        assert {p.protocol: p.arrived for p in found.probes} == {"UDP": True, "TCP": False}
        mend(found)
        assert_proven(await world.trace("shop/a", "b"))


async def test_a_rule_in_the_pod_itself_is_named(world: TraceWorld) -> None:
    rules = "chain in { type filter hook input priority 0; ip protocol tcp reject; }"
    with foreign_rules(rules, world.path("b")):
        found = await world.trace("shop/a", "web")
        assert found.drop
        assert found.drop.object
        assert (found.drop.object.kind, found.drop.object.name) == ("Pod", "b")
        assert "ip foreign in handle" in found.drop.rule
        assert route_of(found)[found.drop.hop] == ("veth", "eth0")
        mend(found)
        assert_proven(await world.trace("shop/a", "web"))


async def test_a_policy_that_drops_is_named(world: TraceWorld) -> None:
    with foreign_rules("chain forward { type filter hook forward priority 5; policy drop; }"):
        found = await world.trace("shop/a", "b")
    assert found.drop
    assert found.drop.rule.startswith("ip foreign forward policy")
    assert found.drop.mend == "nft chain ip foreign forward '{ policy accept; }'"


async def test_a_service_without_endpoints_is_named_and_so_is_what_gives_it_one(world: TraceWorld) -> None:
    await world.serve_by()
    try:
        for probe in (False, True):
            found = await world.trace("shop/a", "web", probe)
            assert found.drop
            assert found.drop.reason.startswith("Service shop/web has no endpoint: no pod has app=web")
            assert found.drop.object
            assert found.drop.object.kind == "Service"
            assert "reject" in found.drop.rule
    finally:
        await world.serve_by("b")


async def test_a_wrong_target_port_is_named_and_mended(world: TraceWorld) -> None:
    await world.serve_by("b", port=9999)
    try:
        for probe in (False, True):
            found = await world.trace("shop/a", "web", probe)
            assert found.drop
            assert found.drop.reason.startswith("connection refused: nothing in b listens on 9999/TCP; it does on 8080")
            assert '"path":"/spec/ports/0/targetPort","value":8080' in found.drop.mend
            assert route_of(found)[found.drop.hop] == ("process", "b")
    finally:
        await world.serve_by("b")


async def test_an_address_that_nobody_has_ends_at_its_route(world: TraceWorld) -> None:
    found = await world.trace("shop/a", "10.244.9.9:80", probe=False)
    assert found.drop
    assert found.drop.reason == "no pod of this cluster has 10.244.9.9 here: unreachable 10.244.0.0/16"


async def test_where_chance_decides_the_endpoint_that_was_taken_is_told(world: TraceWorld) -> None:
    await world.serve_by("a", "b")
    try:
        ends = set()
        for _ in range(40):
            found = await world.trace("shop/silent", "web", witnesses=("conntrack", "nft"))
            assert found.drop is None
            assert "one of 2 endpoints by chance" in found.hops[5].says
            assert {hop.state for hop in found.hops} <= {"seen", "predicted"}
            ends.add(found.hops[-1].name)
            if ends == {"a", "b"}:
                break
        assert ends == {"a", "b"}
    finally:
        await world.serve_by("b")


@pytest.mark.parametrize("hidden", ["tracefs", "nft", "conntrack"])
async def test_without_a_witness_less_is_seen_and_it_is_said(world: TraceWorld, hidden: str) -> None:
    others = [word for word in ("tracefs", "nft", "conntrack") if word != hidden]
    found = await world.trace("shop/a", "web", witnesses=others)
    assert found.drop is None
    assert [note for note in found.notes if note.startswith(f"{hidden} is not offered here")]
    for hop in found.hops:
        assert hidden not in saw(hop)
        assert hop.state == ("seen" if saw(hop) else "predicted")
    assert [hop.name for hop in found.hops if hop.state == "predicted"] == {
        "tracefs": [world.veth("a"), world.veth("b")],
        "nft": ["a", "default", CONFIG.pod_cidr, "b"],
        "conntrack": [],
    }[hidden]


async def test_with_no_witness_at_all_the_ends_still_tell_whether_it_arrived(world: TraceWorld) -> None:
    found = await world.trace("shop/a", "b", witnesses=())
    assert {hop.state for hop in found.hops} == {"predicted"}
    assert [p.arrived for p in found.probes] == [True, True]
    assert len(found.notes) == 3


def tables(path: str) -> str:
    command = ["nsenter", f"--net={path}", "nft", "list", "tables"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def test_nothing_stays_in_the_kernel(world: TraceWorld) -> None:
    places = ["/proc/self/ns/net", world.path("a"), world.path("b")]
    before = [tables(path) for path in places]
    await world.trace("shop/a", "web")
    assert [tables(path) for path in places] == before
    assert [name for name in instances() if f"-{os.getpid()}-" in name] == []


HOLDING = """
import sys
from agent.trace.nfttrace import Mark, NftTrace
from agent.trace.tracefs import Tracefs
with Tracefs([641]), NftTrace(sys.argv[1], 0, [Mark("udp", 40001)]):
    print("held", flush=True)
    sys.stdin.read()
"""


async def test_nothing_stays_in_the_kernel_also_after_kill_9(world: TraceWorld) -> None:
    await asyncio.to_thread(kill_while_tracing, world.path("a"))


def kill_while_tracing(path: str) -> None:
    command = [sys.executable, "-c", HOLDING, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout
        assert killed.stdout.readline() == b"held\n"
        assert f"naru_trace_{killed.pid}_" in tables(path)
        assert [name for name in instances() if f"-{killed.pid}-" in name]
        killed.send_signal(signal.SIGKILL)
        # The sentinel holds the other end of the pipe as well: it closes when that has done its work.
        assert killed.stdout.read() == b""
    assert f"naru_trace_{killed.pid}_" not in tables(path)
    assert [name for name in instances() if f"-{killed.pid}-" in name] == []


async def test_what_a_process_and_its_sentinel_left_is_swept_by_the_next_trace(world: TraceWorld) -> None:
    numbering = os.stat("/proc/self/ns/pid").st_ino
    left = f"naru-trace-{numbering}-{2**22 + 1}-1-0"  # no process has a number beyond the kernel's largest
    root = open_tracefs()
    try:
        os.mkdir(f"instances/{left}", dir_fd=root)
    finally:
        os.close(root)
    assert left in instances()
    with Tracefs([641]):
        assert left not in instances()


async def test_a_listener_on_loopback_only_is_told(world: TraceWorld) -> None:
    shy = world.holders["silent"].socket(socket.SOCK_STREAM)
    with shy:
        shy.bind(("127.0.0.1", 8080))
        shy.listen()
        found = await world.trace("shop/a", "silent")
    assert found.drop
    assert "for 127.0.0.1 only" in found.drop.reason


async def test_a_busy_machine_does_not_push_our_packet_out_of_what_was_recorded() -> None:
    """What is recorded after the first is as long as ours, and more than there is room for."""
    with Tracefs([UDP_LENGTH]) as recording, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taking:
        taking.bind(("127.0.0.1", 0))
        with taking.dup() as sending:
            recording.begin()
            sending.sendto(PAYLOAD, taking.getsockname())
            sent = time.monotonic()
            for _ in range(20_000):
                sending.sendto(PAYLOAD, taking.getsockname())
        assert recording.read()[0].seconds < sent


async def test_policy_routing_is_said_as_ip_rule_tells_it(world: TraceWorld) -> None:
    inside = ["nsenter", f"--net={world.path('a')}", "ip", "rule"]
    rule = ["from", "198.51.100.0/24", "fwmark", "0x7", "lookup", "77"]

    def ip_rule(*arguments: str) -> str:
        return subprocess.run([*inside, *arguments], capture_output=True, text=True, check=True).stdout

    assert (await world.trace("shop/a", "b", probe=False)).notes == []
    await asyncio.to_thread(ip_rule, "add", *rule, "priority", "100")
    try:
        listed = await asyncio.to_thread(ip_rule)
        (note,) = (await world.trace("shop/a", "b", probe=False)).notes
    finally:
        await asyncio.to_thread(ip_rule, "del", "priority", "100")
    assert f"pod a has policy routing (100: {' '.join(rule)})" in note
    assert " ".join(listed.replace("\t", " ").split()).count(f"100: {' '.join(rule)}") == 1
