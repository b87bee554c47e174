"""The cluster's DNS: Kubernetes' names, the difference between nothing of that type and no such name, and bad packets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from dnslib import EDNS0, QTYPE, RCODE, RR, A, DNSHeader, DNSQuestion, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from agent.network.dns import DnsServer, host_resolvers
from agent.network.records import Records
from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import EndpointSlice


class Cache:
    """An informer whose objects the test sets."""

    def __init__(self, *items: Any) -> None:
        self.items = list(items)
        self.handlers: list[Callable[[Any, Any], None]] = []

    def list(self, namespace: str | None = None) -> list[Any]:
        return self.items

    def on_change(self, handler: Callable[[Any, Any], None]) -> None:
        self.handlers.append(handler)

    def set(self, *items: Any) -> None:
        self.items = list(items)
        for handler in self.handlers:
            handler(None, None)


def service(name: str, **spec: Any) -> Service:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return Service.model_validate({"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": ports} | spec})


def members(service_name: str, *endpoints: dict[str, Any]) -> EndpointSlice:
    metadata = {
        "name": f"{service_name}-1",
        "namespace": "shop",
        "labels": {"kubernetes.io/service-name": service_name},
    }
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    body = {"metadata": metadata, "addressType": "IPv4", "endpoints": list(endpoints), "ports": ports}
    return EndpointSlice.model_validate(body)


WORLD = Cache(
    service("web", clusterIP="10.96.0.50"),
    service("db", clusterIP="None"),
    service("empty", clusterIP="None"),
    service("eager", clusterIP="None", publishNotReadyAddresses=True),
    service("outside", type="ExternalName", externalName="www.example.com"),
    service("alias", type="ExternalName", externalName="web.shop.svc.cluster.local"),
)
SLICES = Cache(
    members("web", {"addresses": ["10.244.0.9"]}),
    members(
        "db",
        {"addresses": ["10.244.0.5"], "hostname": "db-0"},
        {"addresses": ["10.244.0.6"]},
        {"addresses": ["10.244.0.7"], "conditions": {"ready": False}},
    ),
    members("eager", {"addresses": ["10.244.0.8"], "conditions": {"ready": False}}),
)


def server(resolvers: Callable[[], Any] = list) -> DnsServer:
    records = Records("cluster.local", WORLD, SLICES)
    records.ready = True
    return DnsServer("127.0.0.1", records, port=0, resolvers=resolvers)


async def ask(name: str, type_: str = "A", stream: bool = False) -> DNSRecord:
    raw = await server().respond(DNSRecord.question(name, type_).pack(), stream)
    assert raw
    return DNSRecord.parse(raw)


def told(reply: DNSRecord) -> list[tuple[str, str]]:
    return sorted((QTYPE[r.rtype], str(r.rdata)) for r in reply.rr)


@pytest.mark.parametrize(
    ("name", "type_", "answers"),
    [
        ("web.shop.svc.cluster.local", "A", [("A", "10.96.0.50")]),
        ("WEB.Shop.svc.cluster.LOCAL", "A", [("A", "10.96.0.50")]),
        ("db.shop.svc.cluster.local", "A", [("A", "10.244.0.5"), ("A", "10.244.0.6")]),
        ("db-0.db.shop.svc.cluster.local", "A", [("A", "10.244.0.5")]),
        ("10-244-0-6.db.shop.svc.cluster.local", "A", [("A", "10.244.0.6")]),
        ("eager.shop.svc.cluster.local", "A", [("A", "10.244.0.8")]),
        ("_http._tcp.web.shop.svc.cluster.local", "SRV", [("SRV", "0 100 80 web.shop.svc.cluster.local.")]),
        (
            "_http._tcp.db.shop.svc.cluster.local",
            "SRV",
            [
                ("SRV", "0 100 8080 10-244-0-6.db.shop.svc.cluster.local."),
                ("SRV", "0 100 8080 db-0.db.shop.svc.cluster.local."),
            ],
        ),
        ("10-244-0-5.shop.pod.cluster.local", "A", [("A", "10.244.0.5")]),
        ("50.0.96.10.in-addr.arpa", "PTR", [("PTR", "web.shop.svc.cluster.local.")]),
        ("5.0.244.10.in-addr.arpa", "PTR", [("PTR", "db-0.db.shop.svc.cluster.local.")]),
        ("outside.shop.svc.cluster.local", "CNAME", [("CNAME", "www.example.com.")]),
        (
            "alias.shop.svc.cluster.local",
            "A",
            [("A", "10.96.0.50"), ("CNAME", "web.shop.svc.cluster.local.")],
        ),
    ],
)
async def test_names_of_the_cluster(name: str, type_: str, answers: list[tuple[str, str]]) -> None:
    reply = await ask(name, type_)
    assert told(reply) == sorted(answers)
    assert reply.header.rcode == RCODE.NOERROR
    assert reply.header.aa


@pytest.mark.parametrize(
    ("name", "type_", "code"),
    [
        ("web.shop.svc.cluster.local", "AAAA", RCODE.NOERROR),
        ("empty.shop.svc.cluster.local", "A", RCODE.NOERROR),
        ("_http._tcp.web.shop.svc.cluster.local", "A", RCODE.NOERROR),
        ("_tcp.web.shop.svc.cluster.local", "A", RCODE.NOERROR),
        ("shop.svc.cluster.local", "A", RCODE.NOERROR),
        ("svc.cluster.local", "A", RCODE.NOERROR),
        ("nosuch.shop.svc.cluster.local", "A", RCODE.NXDOMAIN),
        ("web.nosuch.svc.cluster.local", "A", RCODE.NXDOMAIN),
        ("x.web.shop.svc.cluster.local", "A", RCODE.NXDOMAIN),
        ("10-244-0-7.db.shop.svc.cluster.local", "A", RCODE.NXDOMAIN),
        ("_smtp._tcp.web.shop.svc.cluster.local", "SRV", RCODE.NXDOMAIN),
        ("_http._udp.web.shop.svc.cluster.local", "SRV", RCODE.NXDOMAIN),
        ("not-an-address.shop.pod.cluster.local", "A", RCODE.NXDOMAIN),
        ("www.example.com.svc.cluster.local", "A", RCODE.NXDOMAIN),
        ("cluster.local", "A", RCODE.NOERROR),
    ],
)
async def test_no_such_name_and_no_such_type_are_told_apart_and_may_be_remembered(
    name: str, type_: str, code: int
) -> None:
    reply = await ask(name, type_)
    assert (reply.header.rcode, reply.rr) == (code, [])
    assert QTYPE[reply.auth[0].rtype] == "SOA"


async def test_srv_answers_bring_the_addresses_along() -> None:
    reply = await ask("_http._tcp.db.shop.svc.cluster.local", "SRV")
    assert {str(r.rdata) for r in reply.ar} == {"10.244.0.5", "10.244.0.6"}


async def test_endpoints_take_turns_at_being_first() -> None:
    asked = server()
    query = DNSRecord.question("db.shop.svc.cluster.local").pack()
    replies = [DNSRecord.parse(await asked.respond(query) or b"") for _ in range(4)]
    assert {str(reply.rr[0].rdata) for reply in replies} == {"10.244.0.5", "10.244.0.6"}


async def test_a_change_is_answered_with_the_next_question() -> None:
    services = Cache()
    records = Records("cluster.local", services, Cache())
    assert records.answer("web.shop.svc.cluster.local", "A") == ((), False, ())
    services.set(service("web", clusterIP="10.96.0.50"))
    answer = records.answer("web.shop.svc.cluster.local", "A")
    assert answer
    assert answer.records


async def test_what_is_not_known_yet_is_not_called_missing() -> None:
    asked = DnsServer("127.0.0.1", Records("cluster.local", Cache(), Cache()), resolvers=list)
    raw = await asked.respond(DNSRecord.question("web.shop.svc.cluster.local").pack())
    assert raw
    assert DNSRecord.parse(raw).header.rcode == RCODE.SERVFAIL


@pytest.mark.parametrize(("size", "most"), [(None, 512), (1232, 1232), (65000, 1232)])
async def test_long_answers_are_cut_over_udp_and_whole_over_tcp(size: int | None, most: int) -> None:
    slices = Cache(members("db", *({"addresses": [f"10.244.{i // 200}.{i % 200 + 2}"]} for i in range(300))))
    records = Records("cluster.local", WORLD, slices)
    records.ready = True
    asked = DnsServer("127.0.0.1", records, resolvers=list)
    query = DNSRecord.question("db.shop.svc.cluster.local")
    if size:
        query.add_ar(EDNS0(udp_len=size))
    datagram = await asked.respond(query.pack())
    whole = await asked.respond(query.pack(), stream=True)
    assert datagram
    assert whole
    assert len(datagram) <= most
    assert DNSRecord.parse(datagram).header.tc == 1
    assert len(DNSRecord.parse(datagram).rr) > 10
    assert len(DNSRecord.parse(whole).rr) == 300


@pytest.fixture
async def resolver() -> AsyncIterator[tuple[str, int]]:
    """A nameserver of the world outside: every name has the address 203.0.113.1; `silent.` is never answered."""

    class Answers(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            query = DNSRecord.parse(data)
            if str(query.q.qname) != "silent.":
                reply = query.reply()
                reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A("203.0.113.1")))
                self.transport.sendto(reply.pack(), addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answers, ("127.0.0.1", 0))
    yield transport.get_extra_info("sockname")
    transport.close()


async def test_other_names_go_to_the_hosts_resolvers_past_one_that_is_dead(resolver: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dead:
        dead.bind(("127.0.0.1", 0))
        refusing = dead.getsockname()
    raw = await server(lambda: [refusing, resolver]).respond(DNSRecord.question("www.example.com").pack())
    assert raw
    assert told(DNSRecord.parse(raw)) == [("A", "203.0.113.1")]


async def test_an_external_name_is_followed_to_its_address(resolver: tuple[str, int]) -> None:
    raw = await server(lambda: [resolver]).respond(DNSRecord.question("outside.shop.svc.cluster.local").pack())
    assert raw
    assert told(DNSRecord.parse(raw)) == [("A", "203.0.113.1"), ("CNAME", "www.example.com.")]


async def test_a_resolver_that_keeps_silent_is_given_up(
    resolver: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.network.dns.FORWARD_TIMEOUT", 0.05)
    raw = await server(lambda: [resolver]).respond(DNSRecord.question("silent").pack())
    assert raw
    assert DNSRecord.parse(raw).header.rcode == RCODE.SERVFAIL


async def test_it_answers_over_udp_and_tcp_many_questions_on_one_connection() -> None:
    asked = server()
    await asked.start()
    query = DNSRecord.question("web.shop.svc.cluster.local").pack()
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(5):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.connect(("127.0.0.1", asked.port))
                await loop.sock_sendall(client, query)
                assert told(DNSRecord.parse(await loop.sock_recv(client, 512))) == [("A", "10.96.0.50")]
            reader, writer = await asyncio.open_connection("127.0.0.1", asked.port)
            for _ in range(3):
                writer.write(len(query).to_bytes(2, "big") + query)
                answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                assert told(DNSRecord.parse(answer)) == [("A", "10.96.0.50")]
            writer.close()
    finally:
        await asked.stop()


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        (DNSRecord(DNSHeader(opcode=4), q=DNSQuestion("x")).pack(), RCODE.NOTIMP),
        (DNSRecord(DNSHeader()).pack(), RCODE.FORMERR),
        (DNSRecord.question("x").pack()[:-3], RCODE.FORMERR),
    ],
)
async def test_broken_questions_are_told_so(packet: bytes, code: int) -> None:
    raw = await server().respond(packet)
    assert raw
    assert DNSRecord.parse(raw).header.rcode == code


GOOD = DNSRecord.question("web.shop.svc.cluster.local").pack()
BENT = st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)).map(
    lambda change: GOOD[: change[0]] + bytes([change[1]]) + GOOD[change[0] + 1 :]
)


@given(
    packet=st.binary(max_size=80) | BENT | st.binary(max_size=40).map(lambda tail: GOOD + tail), stream=st.booleans()
)
def test_no_packet_brings_it_down(packet: bytes, stream: bool) -> None:
    answer = asyncio.run(server().respond(packet, stream))
    if answer is not None:
        assert answer[:2] == packet[:2]
        DNSRecord.parse(answer)


def test_a_host_without_resolvers_has_none(tmp_path: Any) -> None:
    path = tmp_path / "resolv.conf"
    assert host_resolvers(path) == []
    path.write_text("search x\nnameserver 192.0.2.53\nnameserver\n")
    assert host_resolvers(path) == ["192.0.2.53"]
