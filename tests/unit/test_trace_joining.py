"""What witnesses saw is joined to what was predicted: recorded events, and properties over random sightings."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.netlink.conntrack import Flow
from agent.netlink.sockets import Netlink
from agent.trace import nfttrace, tracefs
from agent.trace.joining import Seen, follow, join
from agent.trace.nfttrace import RuleEvent
from agent.trace.packet import Packet
from agent.trace.path import Path, predict
from agent.trace.probe import UDP_LENGTH, Outcome
from agent.trace.ruleset import RuleRef
from agent.trace.tracefs import Crossing
from tests.unit.trace_scene import CLUSTER_IP, CONFIG, NODE, POD_A, POD_B, A, B, scene, target, web

RECORDED = """\
# tracer: nop
         python3-10639   [000] b.... 32212.080327: net_dev_queue: dev=eth0 skbaddr=000000006a940a47 len=74
         python3-10639   [000] b.... 32212.080337: netif_rx: dev=nvd6dcf46e0e5ec skbaddr=000000006a940a47 len=60
   kworker/0:1-e-3179    [000] ..s1. 32212.080395: netif_receive_skb: dev=naru-d6dc skbaddr=000000006a940a47 len=60
          <idle>-0       [000] ..s1. 32212.080431: kfree_skb: skbaddr=000000006a940a47 rx_sk=0000000000000000 \
protocol=2048 location=nft_do_chain+0x46f/0x690 reason: NETFILTER_DROP
CPU:1 [LOST 12 EVENTS]"""


def test_recorded_tracepoints_are_read() -> None:
    found = [crossing for line in RECORDED.splitlines() if (crossing := tracefs.parse(line))]
    assert [(c.event, c.device, c.direction, c.length, c.thread) for c in found] == [
        ("net_dev_queue", "eth0", "out", 74, 10639),
        ("netif_rx", "nvd6dcf46e0e5ec", "in", 60, 10639),
        ("netif_receive_skb", "naru-d6dc", "in", 60, 3179),
        ("kfree_skb", "", "", 0, 0),
    ]
    assert (found[3].reason, found[3].location) == ("NETFILTER_DROP", "nft_do_chain")
    assert found[3].seconds == 32212.080431


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


# As Linux 6.18 sent it: a rule of chain `o` that accepts a datagram from 127.0.0.1:40001 to port 9
MESSAGE = b"".join(
    attribute(kind, payload)
    for kind, payload in (
        (15, b"\0\0\0\2"),
        (4, b"\0\0\0\3"),
        (6, b"\xb4\xac@/"),
        (2, b"o\0"),
        (1, b"x\0"),
        (3, b"\0\0\0\0\0\0\0\2"),
        (5, b"\x08\0\x01\0\0\0\0\x01"),
        (12, b"\0\0\0\1"),
        (13, b"\3\4"),
        (8, b"E\0\0\x1d\xcc\xbb@\0@\x11p\x12\x7f\0\0\1\x7f\0\0\1"),
        (9, b"\x9cA\0\t\0\t\xfe\x1cx"),
        (18, b"\0\0\0\x2a"),
    )
)


def test_a_recorded_trace_message_is_read() -> None:
    event = nfttrace.parse(MESSAGE, NODE)
    assert event.rule == RuleRef("ip", "x", "o", 2)
    assert (event.kind, event.verdict, event.leaves_by, event.flow, event.ip_id) == ("rule", "accept", 1, 42, 0xCCBB)
    assert event.packet == Packet("udp", "127.0.0.1", 40001, "127.0.0.1", 9)


@given(st.binary(max_size=200))
def test_a_torn_message_is_no_accident(data: bytes) -> None:
    nfttrace.parse(MESSAGE[: len(data)], NODE)
    nfttrace.parse(data, NODE)
    nfttrace.parse(attribute(5, attribute(1, data)) + attribute(8, data) + attribute(9, data), NODE)


def test_a_kernel_without_owned_tables_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise OSError(errno.EINVAL, "nftables: Invalid argument")

    monkeypatch.setattr(Netlink, "change", refuses)
    with pytest.raises(OSError, match=r"need Linux 5\.12"), nfttrace.NftTrace("/proc/self/ns/net", NODE, []):
        pass


@given(st.text())
def test_a_line_that_is_none_is_no_crossing(line: str) -> None:
    assert tracefs.parse(line) is None


FLOW = Flow("tcp", (A, 40001), (CLUSTER_IP, 80), (B, 8080), (A, 40001), 7, True)
OUTCOME = Outcome(Packet("tcp", A, 40001, CLUSTER_IP, 80), 99, 10.0, 10.1, True, "answered")


def predicted() -> Path:
    return predict(scene(web(target(B))), POD_A, Packet("tcp", A, 40001, CLUSTER_IP, 80))


def crossings(path: Path, skb: str = "aa", thread: int = 99) -> list[Crossing]:
    """What tracefs would tell of the whole way."""
    devices = [step.expect for step in path.steps if step.expect.direction]
    events = {"out": ("net_dev_queue", 74), "in": ("netif_rx", 60)}
    return [
        Crossing(10.001 + i / 1e5, events[e.direction][0], skb, thread, e.device, events[e.direction][1])
        for i, e in enumerate(devices)
    ]


def rule_events(path: Path) -> dict[int, list[RuleEvent]]:
    """What nft would tell of the whole way."""
    spaces = scene(web(target(B))).spaces
    found: dict[int, list[RuleEvent]] = {netns: [] for netns in spaces}
    for step in path.steps:
        if not step.expect.hook:
            continue
        name = step.packet.leaves_by if step.kind == "route" else step.expect.device
        device = spaces[step.netns].device(name)
        index = device.index if device else 0
        rule = step.expect.rule or RuleRef("ip", "naru_trace_1_0", step.expect.hook, 0)
        kind = "rule" if step.expect.rule else "policy"
        found[step.netns].append(RuleEvent(step.netns, rule, kind, "accept", "", index, index, step.packet))
    return found


def everything(path: Path) -> Seen:
    return Seen(OUTCOME, crossings(path), rule_events(path), True, FLOW)


def test_what_all_saw_as_predicted_is_seen() -> None:
    path = predicted()
    verdict = join(path, everything(path), scene(web(target(B))).spaces)
    assert {joined.state for joined in verdict.steps} == {"seen"}
    assert verdict.failure is None
    assert [joined.step for joined in verdict.steps] == path.steps


def test_another_endpoint_than_predicted_differs() -> None:
    path = predicted()
    seen = everything(path)
    other = FLOW._replace(reply_source=("10.244.0.9", 8080))
    verdict = join(path, Seen(OUTCOME, seen.crossings, seen.rules, True, other), scene(web(target(B))).spaces)
    assert [j.step.kind for j in verdict.steps if j.state == "differs"] == ["bridge", "service"]


def test_a_device_that_nobody_predicted_is_a_hop_that_differs() -> None:
    path = predicted()
    way = crossings(path)
    stray = way[1]._replace(device="vpn0", seconds=way[1].seconds + 1e-6)
    verdict = join(path, Seen(OUTCOME, [*way[:2], stray, *way[2:]]), {})
    assert [(j.step.kind, j.step.name) for j in verdict.steps if j.state == "differs"] == [("device", "vpn0")]


def test_where_the_sightings_end_the_packet_ended_and_the_rule_is_known() -> None:
    path = predicted()
    guilty = RuleEvent(NODE, RuleRef("ip", "foreign", "late", 7), "rule", "drop")
    rules = rule_events(path)
    reached = [e for e in rules[NODE] if e.rule.chain in ("prerouting", "forward") or e.rule.table == CONFIG.table]
    seen = Seen(
        OUTCOME._replace(arrived=False, answer=""),
        crossings(path)[:3],
        {**rules, NODE: [*reached, guilty], POD_B: []},
        True,
    )
    verdict = join(path, seen, scene(web(target(B))).spaces)
    assert verdict.failure
    assert verdict.failure.rule == guilty.rule
    assert path.steps[verdict.failure.step].kind == "route"
    assert [j.state for j in verdict.steps[verdict.failure.step + 1 :]] == ["missed"] * 4


def test_of_several_packets_of_a_thread_ours_is_the_one_that_went_the_predicted_way() -> None:
    path = predicted()
    forwarded = [
        Crossing(10.0005, "net_dev_queue", "bb", 99, "docker0", 74),
        Crossing(10.0006, "netif_rx", "bb", 99, "eth0", 60),
    ]
    reused = [c._replace(seconds=c.seconds + 0.05, device="lo") for c in crossings(path)[:1]]
    ours = crossings(path)
    followed = follow(path.steps, [*forwarded, *ours, *reused], OUTCOME)
    assert followed[: len(ours)] == ours
    verdict = join(path, Seen(OUTCOME, [*forwarded, *ours, *reused]), {})
    assert [joined.step for joined in verdict.steps] == path.steps  # what comes after its arrival is another's


def test_another_clusters_probe_at_the_address_of_our_skb_is_not_ours() -> None:
    """It is as long as ours and sent at the same time; the kernel gave it our skb's address, which was free again."""
    path = predicted()
    ours = crossings(path)[:2]  # then it was lost, and nothing told of it
    theirs = [c._replace(thread=7, seconds=c.seconds + 0.01) for c in crossings(path)]
    also = [
        Crossing(10.02, "net_dev_queue", "aa", 7, "naru-ffff", 74),
        Crossing(10.021, "netif_rx", "aa", 7, "nvffff", 60),
    ]
    for others in (theirs, also):
        seen = Seen(OUTCOME._replace(arrived=False, answer=""), [*ours, *others])
        assert follow(path.steps, [*ours, *others], OUTCOME) == ours
        assert all(joined.step in path.steps for joined in join(path, seen, {}).steps)


def test_within_a_bridge_its_own_device_is_crossed_or_not() -> None:
    """By the neighbour's state, which changes by itself: br_netfilter hands the packet to the device if it is not fresh."""
    path = predict(scene(web(target(B)), bridge_filtering=True), POD_A, Packet("tcp", A, 40001, CLUSTER_IP, 80))
    way = crossings(path)
    also = Crossing(way[1].seconds + 1e-6, "net_dev_queue", "aa", 99, CONFIG.bridge, 74)
    for seen in (way, [*way[:2], also, *way[2:]]):
        assert [joined.step for joined in join(path, Seen(OUTCOME, seen), {}).steps] == path.steps


def test_another_thread_takes_our_packet_over_from_a_backlog_a_queue_or_a_poll() -> None:
    path = predicted()
    way = crossings(path)
    backlog = way[1]._replace(event="netif_receive_skb", thread=3, seconds=way[1].seconds + 1e-6)
    rest = [c._replace(thread=3) for c in way[2:]]
    assert follow(path.steps, [*way[:2], backlog, *rest], OUTCOME) == [*way[:2], backlog, *rest]
    queue = way[0]._replace(event="net_dev_start_xmit", thread=4, seconds=way[0].seconds + 1e-6)
    polled = way[1]._replace(event="netif_receive_skb", thread=5)
    assert follow(path.steps, [way[0], queue, polled], OUTCOME) == [way[0], queue, polled]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_hop_says_more_than_its_witnesses(data: st.DataObject) -> None:
    """Whatever is missing of what could be seen: a hop is seen only if a witness saw it, and no predicted hop is lost."""
    path = predicted()
    whole = everything(path)
    some = data.draw(st.lists(st.sampled_from(whole.crossings or []), unique=True))
    rules = {
        netns: data.draw(st.lists(st.sampled_from(events), unique=True)) if events else []
        for netns, events in whole.rules.items()
        if data.draw(st.booleans())
    }
    tracked, flow = data.draw(st.booleans()), data.draw(st.sampled_from([None, FLOW]))
    tracing = data.draw(st.booleans())
    outcome = OUTCOME._replace(arrived=data.draw(st.sampled_from([True, False, None])))
    ordered = sorted(some, key=lambda c: c.seconds) if tracing else None
    verdict = join(
        path, Seen(outcome, ordered, rules, tracked, flow if tracked else None), scene(web(target(B))).spaces
    )
    told = [joined for joined in verdict.steps if joined.step in path.steps]
    assert [joined.step for joined in told] == path.steps
    for joined in told:
        able = [sighting for sighting in joined.sightings if sighting.available]
        if joined.state == "seen":
            assert any(sighting.saw for sighting in able)
        elif joined.state == "missed":
            assert able
            assert not any(sighting.saw for sighting in able)
        elif joined.state == "predicted":
            assert not able
    times = [joined.microseconds for joined in told if joined.microseconds is not None]
    assert times == sorted(times)


def test_udp_is_known_by_its_odd_length() -> None:
    udp = Outcome(Packet("udp", A, 40001, B, 8080), 99, 10.0, 10.1, True)
    ours = Crossing(10.01, "net_dev_queue", "aa", 99, "eth0", UDP_LENGTH + 14)
    other = Crossing(10.001, "net_dev_queue", "bb", 99, "eth0", 74)
    assert follow(predicted().steps, [other, ours], udp) == [ours]
    assert UDP_LENGTH % 2
