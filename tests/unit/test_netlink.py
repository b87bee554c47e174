"""netlink's messages: written as the kernel reads them, read as it writes them, and whatever else is said breaks nothing."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.netlink.changes import (
    Peer,
    make_bridge,
    make_veth,
    put_address,
    put_route,
    remove_link,
    remove_route,
    set_hairpin,
    set_up,
)
from agent.netlink.conntrack import Flow, flow_of
from agent.netlink.listeners import Listener, listener_of
from agent.netlink.messages import Message, attribute, attributes, messages, nested
from agent.netlink.route import (
    LINK,
    Address,
    Forwarding,
    Interface,
    Neighbour,
    Route,
    Rule,
    address_of,
    forwarding_of,
    interface_of,
    neighbour_of,
    route_of,
    rule_of,
)
from agent.netlink.sockets import Change

READERS = (interface_of, address_of, route_of, rule_of, neighbour_of, forwarding_of, flow_of)
# What rtnetlink(7) takes for these commands on a little-endian machine, behind the header.
SENT = {
    "ip link set dev IF3 up": (set_up(3), "00000000 03000000 01000000 01000000"),
    "ip link set dev IF3 up master IF2 alias 'u a'": (
        set_up(3, 2, "u a"),
        "00000000 03000000 01000000 01000000 08000a00 02000000 07001400 75206100",
    ),
    "bridge link set dev IF3 hairpin on": (
        set_hairpin(3),
        "07000000 03000000 00000000 00000000 0c000c80 05000400 01000000",
    ),
    "ip link del br0": (remove_link("br0"), "00000000 00000000 00000000 00000000 08000300 62723000"),
    "ip link add br0 address 02:… mtu 1400 type bridge": (
        make_bridge("br0", "02:00:00:00:00:01", 1400),
        "00000000 00000000 00000000 00000000 08000300 62723000 0a000100 02000000 00010000 08000400 78050000"
        "10001280 0a000100 62726964 67650000",
    ),
    "ip link add va mtu 1400 type veth peer name e0 address 02:… mtu 1400 netns 77": (
        make_veth("va", 1400, Peer("e0", "02:00:00:00:00:02", 77)),
        "00000000 00000000 00000000 00000000 07000300 76610000 08000400 78050000"
        "48001280 08000100 76657468 3c000280 38000180 00000000 00000000 00000000 00000000"
        "07000300 65300000 0a000100 02000000 00020000 08000400 78050000 08001300 4d000000",
    ),
    "ip address replace 10.0.0.5/32 dev IF3": (
        put_address(3, "10.0.0.5", 32),
        "02200000 03000000 08000100 0a000005 08000200 0a000005",
    ),
    "ip route replace 10.1.0.0/16 dev IF3 src 10.0.0.5": (
        put_route("10.1.0.0/16", 3, source="10.0.0.5"),
        "02100000 fe04fd01 00000000 08000100 0a010000 08000400 03000000 08000700 0a000005",
    ),
    "ip route replace default via 10.0.0.1 dev IF3": (
        put_route("default", 3, "10.0.0.1"),
        "02000000 fe040001 00000000 08000500 0a000001 08000400 03000000",
    ),
    "ip route replace unreachable 10.1.0.0/16 metric 9": (
        put_route("10.1.0.0/16", kind="unreachable", metric=9),
        "02100000 fe040007 00000000 08000100 0a010000 08000600 09000000",
    ),
    "ip route del unreachable 10.1.0.0/16 metric 9": (
        remove_route("10.1.0.0/16", 9, "unreachable"),
        "02100000 fe000007 00000000 08000100 0a010000 08000600 09000000",
    ),
}


@pytest.mark.parametrize(("change", "expected"), SENT.values(), ids=SENT)
def test_a_change_is_written_as_the_kernel_reads_it(change: Change, expected: str) -> None:
    assert change.body.hex(" ", 4) == bytes.fromhex(expected).hex(" ", 4)
    assert change.flags & 4  # NLM_F_ACK: nobody would hear of a refusal


def link(*told: bytes, flags: int = 0) -> bytes:
    return LINK.pack(0, 1, 7, flags, 0) + b"".join(told)


def test_a_device_is_read_with_what_it_is_plugged_into() -> None:
    number = struct.Struct("=I")
    said = link(
        attribute(3, b"va\0"), attribute(1, bytes.fromhex("020000000001")), attribute(4, number.pack(1400)),
        attribute(10, number.pack(2)), attribute(5, number.pack(9)), attribute(37, struct.pack("=i", 0)),
        attribute(16, b"\6"), nested(18, attribute(1, b"veth\0")), attribute(20, b"uid 10.0.0.5\0"), flags=1,
    )  # fmt: skip
    assert interface_of(said) == Interface(
        7, "va", kind="veth", mac="02:00:00:00:00:01", mtu=1400, state="up", master=2, link=9, netnsid=0,
        alias="uid 10.0.0.5", flags=1,
    )  # fmt: skip
    tun = interface_of(link(nested(18, attribute(1, b"tun\0"), nested(2, attribute(3, b"\2")))))
    assert tun and tun.kind == "tap"


def test_addresses_routes_and_rules_are_read() -> None:
    number = struct.Struct("=I").pack
    local, far = attribute(2, bytes([10, 0, 0, 5])), attribute(1, bytes([10, 0, 0, 9]))
    assert address_of(struct.pack("=BBBBI", 2, 32, 0, 253, 3) + far + local) == Address(3, "10.0.0.5/32", 253)
    head = struct.pack("=BBBBBBBBI", 2, 16, 0, 0, 254, 4, 0, 1, 0)
    via = attribute(1, bytes([10, 1, 0, 0])) + attribute(5, bytes([10, 0, 0, 1])) + attribute(4, number(3))
    assert route_of(head + via) == Route("10.1.0.0/16", "unicast", 3, "10.0.0.1")
    hop = attribute(5, bytes([10, 0, 0, 1]))
    several = attribute(9, struct.pack("=Hxxi", 8 + len(hop), 3) + hop + struct.pack("=Hxxi", 8, 4))
    assert route_of(struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0) + several) == Route(
        "default", "unicast", 3, "10.0.0.1"
    )
    own = route_of(struct.pack("=BBBBBBBBI", 2, 32, 0, 0, 255, 2, 254, 2, 0) + attribute(1, bytes([10, 0, 0, 5])))
    assert own and own == Route("10.0.0.5", "local", table=255) and not own.chosen
    rule = struct.pack("=BBBBBxxBI", 2, 0, 24, 0, 252, 1, 0)
    source, mark = attribute(2, bytes([10, 0, 0, 0])), attribute(10, number(7))
    said = rule + source + mark + attribute(6, number(100)) + attribute(15, number(1000)) + attribute(3, b"va\0")
    assert rule_of(said) == Rule(100, 1000, "10.0.0.0/24", "", 7, "va")


def test_neighbours_and_what_a_bridge_has_learned_are_read() -> None:
    mac, master = attribute(2, bytes.fromhex("020000000001")), attribute(9, struct.pack("=I", 2))
    near = struct.pack("=B3xiHBB", 2, 3, 2, 0, 1) + attribute(1, bytes([10, 0, 0, 1]))
    assert (neighbour_of(near + mac), neighbour_of(near)) == (Neighbour(3, "10.0.0.1", "02:00:00:00:00:01"), None)
    cases = ((2, 0, master, True), (0x80, 0, master, False), (2, 2, master, False), (2, 0, b"", False))
    for state, flags, told, learned in cases:
        entry = struct.pack("=B3xiHBB", 7, 3, state, flags, 0) + mac + told + attribute(5, struct.pack("<H", 12))
        assert forwarding_of(entry) == Forwarding(3, "02:00:00:00:00:01", 12, learned)


def ends(kind: int, source: tuple[str, int], destination: tuple[str, int], protocol: int = 17) -> bytes:
    addresses = [attribute(way, bytes(map(int, end[0].split(".")))) for way, end in ((1, source), (2, destination))]
    ports = [attribute(way, struct.pack(">H", end[1])) for way, end in ((2, source), (3, destination))]
    return nested(kind, nested(1, *addresses), nested(2, attribute(1, bytes([protocol])), *ports))


def test_a_flow_is_read_with_what_its_addresses_became() -> None:
    client, service, pod = ("10.0.0.5", 4000), ("10.96.0.1", 80), ("10.0.0.6", 8080)
    rest = attribute(3, struct.pack(">I", 0x1A)) + attribute(12, struct.pack(">I", 99))
    flow = flow_of(bytes(4) + ends(1, client, service) + ends(2, pod, client) + rest)
    assert flow == Flow("udp", client, service, pod, client, 99, True)
    assert flow.destination_translated and not flow.source_translated
    assert flow_of(bytes(4) + ends(1, client, service, protocol=1) + ends(2, pod, client, protocol=1)) is None


@pytest.mark.parametrize(
    ("family", "address", "expected"),
    [
        (2, "7f000001" + "00" * 12, "127.0.0.1"),
        (2, "00" * 16, "0.0.0.0"),
        (10, "00" * 16, "0.0.0.0"),
        (10, "00" * 10 + "ffff0a000005", "10.0.0.5"),
        (10, "00" * 15 + "01", None),
    ],
)
def test_who_listens_is_read_as_ipv4_meets_it(family: int, address: str, expected: str | None) -> None:
    said = bytes([family, 10, 0, 0]) + struct.pack(">HH", 8080, 0) + bytes.fromhex(address) + bytes(44)
    assert listener_of("tcp", said) == (Listener("tcp", expected, 8080) if expected else None)


def test_a_refusal_is_told_in_the_kernels_words() -> None:
    refused = Message(16, 5, 1, b"odd").packed()
    code = struct.pack("=i", -errno.EINVAL)
    plain = Message(2, 0, 1, code + refused).refusal
    told = Message(2, 0x200, 1, code + refused + attribute(1, b"no such thing\0")).refusal
    assert plain and (plain.errno, plain.strerror) == (errno.EINVAL, "Invalid argument")
    assert told and told.strerror == "Invalid argument: no such thing"
    assert Message(2, 0, 1, bytes(4) + refused).refusal is None  # an ACK
    assert isinstance(Message(3, 0, 1, struct.pack("=i", -errno.ENOENT)).refusal, FileNotFoundError)  # a dump's end


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 9), st.integers(0, 9), st.binary(max_size=40)), max_size=5)
)
def test_messages_are_read_as_they_were_written(said: list[tuple[int, int, int, bytes]]) -> None:
    written = [Message(*fields) for fields in said]
    assert [*messages(b"".join(message.packed() for message in written))] == written


@given(st.binary(max_size=200))
def test_garbage_never_crashes(data: bytes) -> None:
    for message in (*messages(data), Message(2, 0x200, 1, data), Message(3, 0, 1, data)):
        assert message.refusal is None or message.refusal.errno
    assert all(isinstance(value, bytes) for value in attributes(data).values())
    for reader in READERS:
        reader(data)
    listener_of("tcp", data)


@given(st.lists(st.tuples(st.integers(0, 70), st.binary(max_size=40)), max_size=12))
def test_attributes_of_any_length_never_crash(pairs: list[tuple[int, bytes]]) -> None:
    packed = b"".join(attribute(kind, value) for kind, value in pairs)
    assert attributes(packed) == dict(pairs)
    made = interface_of(link(packed))
    assert made and made.index == 7
    for reader in READERS:
        for head in (4, 8, 12, 16):
            reader(bytes(head) + packed)
