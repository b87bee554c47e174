"""The cluster's nameserver on this node: UDP and TCP on an address that only this machine has.

Names of the cluster are answered from the informers' caches; all other names go, as they came, to the resolvers of the host.
Whatever arrives, the server lives on: what is no question is dropped, what is a broken one is told so (RFC 1035, 4.1.1).
"""

from __future__ import annotations

import asyncio
import itertools
import pathlib
import struct
from collections.abc import Callable, Sequence

import structlog
from dnslib import CNAME, OPCODE, PTR, QTYPE, RCODE, RR, SOA, SRV, A, DNSError, DNSHeader, DNSQuestion, DNSRecord
from dnslib.label import DNSBuffer

from agent.network.records import Record, Records

TTL = 5  # seconds, as CoreDNS: endpoints come and go
PLAIN_UDP_SIZE, LARGEST_UDP_SIZE = 512, 1232  # RFC 1035; what passes every link unfragmented (DNS flag day 2020)
FORWARD_TIMEOUT = 2.0
IDLE_TIMEOUT = 10.0
LONGEST_CHAIN = 8
MOST_FORWARDED, MOST_STREAMS = 256, 256  # at once: each costs a descriptor, and any pod may ask

log = structlog.get_logger(__name__)
Address = tuple[str, int]


def host_resolvers(path: pathlib.Path = pathlib.Path("/etc/resolv.conf")) -> list[str]:
    """The host's nameservers. Read anew each time: a laptop's change with the network that it is in."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return []
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"]


class DnsServer:
    """Answers on `address`. `resolvers` gives the nameservers for names that are not the cluster's."""

    def __init__(
        self,
        address: str,
        records: Records,
        port: int = 53,
        resolvers: Callable[[], Sequence[str | Address]] = host_resolvers,
    ) -> None:
        self.address, self.port = address, port
        self._records, self._resolvers = records, resolvers
        self._turn = itertools.count()
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._forwarded = self._streams = 0

    async def start(self) -> None:
        """Listen. Port 0 takes a free one, the same for UDP and TCP; `port` tells which. Raises OSError."""
        if self._tcp:
            return
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve_stream, self.address, self.port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._serve_datagram), (self.address, self.port)
        )

    async def stop(self) -> None:
        """Listen no longer, and leave what is unanswered."""
        if self._udp:
            self._udp.close()
        if self._tcp:
            self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._udp = self._tcp = None

    async def respond(self, query: bytes, stream: bool = False) -> bytes | None:
        """The answer to one message; None if it deserves none."""
        try:
            header = DNSHeader.parse(DNSBuffer(query))
        except DNSError:
            return None
        if header.get_qr():
            return None
        if header.get_opcode() != OPCODE.QUERY:
            return _refusal(header, RCODE.NOTIMP)
        try:
            request = DNSRecord.parse(query)
            (question,) = request.questions
        except (DNSError, ValueError, IndexError, struct.error):  # dnslib lets some broken bodies out as they fail
            return _refusal(header, RCODE.FORMERR)
        reply = self._cluster_reply(request, question)
        if reply is None:
            return await self._forward(query, stream) or _refusal(header, RCODE.SERVFAIL)
        await self._follow_alias(reply, question, stream)
        return reply.pack() if stream else _fit(reply, _udp_size(request))

    def _cluster_reply(self, request: DNSRecord, question: DNSQuestion) -> DNSRecord | None:
        type_, name = QTYPE.forward.get(question.qtype, ""), str(question.qname).rstrip(".")
        answer = self._records.answer(name, type_)
        if answer is None:
            return None
        reply = request.reply(ra=1, aa=1)
        if not self._records.ready and not answer.records:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        turn = next(self._turn) % max(len(answer.records), 1)  # clients take the first: let each be first in turn
        for record in answer.records[turn:] + answer.records[:turn]:
            reply.add_answer(_resource(record))
        for record in answer.extra:
            reply.add_ar(_resource(record))
        if not answer.records:
            domain = self._records.domain
            soa = SOA(f"ns.dns.{domain}", f"hostmaster.{domain}", (1, 7200, 1800, 86400, TTL))
            reply.add_auth(RR(domain, QTYPE.SOA, ttl=TTL, rdata=soa))
        if not answer.exists:
            reply.header.rcode = RCODE.NXDOMAIN
        return reply

    async def _follow_alias(self, reply: DNSRecord, question: DNSQuestion, stream: bool) -> None:
        """Add what an ExternalName leads to: resolvers in pods take an alias without addresses for an empty answer."""
        for _ in range(LONGEST_CHAIN):
            if not reply.rr or reply.rr[-1].rtype != QTYPE.CNAME or question.qtype == QTYPE.CNAME:
                return
            target = reply.rr[-1].rdata.label
            step = DNSRecord(DNSHeader(id=reply.header.id, rd=1), q=DNSQuestion(target, question.qtype))
            known = self._cluster_reply(step, step.q)
            if known is None:
                raw = await self._forward(step.pack(), stream)
                try:
                    known = DNSRecord.parse(raw) if raw else None
                except DNSError:
                    known = None
            if known is None:
                reply.header.rcode = RCODE.SERVFAIL
                return
            reply.add_answer(*known.rr)
            reply.header.rcode = known.header.rcode
            if not known.rr:
                return

    async def _forward(self, query: bytes, stream: bool) -> bytes | None:
        """The first answer of the host's resolvers, asked in their order; None if none has one in time, or too many ask."""
        if self._forwarded >= MOST_FORWARDED:
            return None
        self._forwarded += 1
        try:
            for resolver in self._resolvers():
                host, port = resolver if isinstance(resolver, tuple) else (resolver, 53)
                if host == self.address and port == self.port:
                    continue
                try:
                    async with asyncio.timeout(FORWARD_TIMEOUT):
                        return await (_ask_stream if stream else _ask_datagram)(query, (host, port))
                except (OSError, EOFError) as error:  # TimeoutError is an OSError
                    log.info("resolver failed", resolver=host, error=str(error) or type(error).__name__)
        finally:
            self._forwarded -= 1
        return None

    def _serve_datagram(self, query: bytes, sender: Address) -> None:
        task = asyncio.create_task(self._answer_datagram(query, sender))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(self, query: bytes, sender: Address) -> None:
        answer = await self.respond(query)
        if answer is not None and self._udp and not self._udp.is_closing():
            self._udp.sendto(answer, sender)

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._streams >= MOST_STREAMS:
            return writer.close()
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._streams += 1
        try:
            while True:
                async with asyncio.timeout(IDLE_TIMEOUT):
                    query = await _read_message(reader)
                answer = await self.respond(query, stream=True)
                if answer is None:
                    return
                writer.write(struct.pack("!H", len(answer)) + answer)
                async with asyncio.timeout(IDLE_TIMEOUT):
                    await writer.drain()
        except (OSError, EOFError):
            return  # the client left or fell silent
        finally:
            self._streams -= 1
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(
        self, received: Callable[[bytes, Address], None], lost: Callable[[Exception], None] | None = None
    ) -> None:
        self._received, self._lost = received, lost

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._received(data, addr)

    def error_received(self, exc: Exception) -> None:
        if self._lost:  # as a server: a client that has gone does not concern the others
            self._lost(exc)


async def _ask_datagram(query: bytes, resolver: Address) -> bytes:
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()

    def received(data: bytes, _: Address) -> None:
        if data[:2] == query[:2] and not answered.done():
            answered.set_result(data)

    def lost(error: Exception) -> None:
        if not answered.done():
            answered.set_exception(error)

    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(received, lost), remote_addr=resolver)
    try:
        transport.sendto(query)
        return await answered
    finally:
        transport.close()


async def _ask_stream(query: bytes, resolver: Address) -> bytes:
    reader, writer = await asyncio.open_connection(*resolver)
    try:
        writer.write(struct.pack("!H", len(query)) + query)
        return await _read_message(reader)
    finally:
        writer.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


def _resource(record: Record) -> RR:
    match record.type, record.data:
        case "A", str(address):
            data = A(address)
        case "CNAME", str(name):
            data = CNAME(name)
        case "PTR", str(name):
            data = PTR(name)
        case "SRV", (port, target):
            data = SRV(0, 100, port, target)
    return RR(record.name, getattr(QTYPE, record.type), ttl=TTL, rdata=data)


def _refusal(header: DNSHeader, code: int) -> bytes:
    answer: bytes = DNSRecord(
        DNSHeader(id=header.id, bitmap=header.bitmap, qr=1, rcode=code, q=0, a=0, auth=0, ar=0)
    ).pack()
    return answer


def _udp_size(request: DNSRecord) -> int:
    offered = [extra.rclass for extra in request.ar if extra.rtype == QTYPE.OPT]
    return max(PLAIN_UDP_SIZE, min(offered[0], LARGEST_UDP_SIZE)) if offered else PLAIN_UDP_SIZE


def _fit(reply: DNSRecord, size: int) -> bytes:
    """The answer in `size` bytes: as many records as fit, and the sign that there are more over TCP."""
    packed: bytes = reply.pack()
    while len(packed) > size:
        if reply.ar:
            reply.ar = []  # help only: leaving it out is no truncation (RFC 2181, 9)
        else:
            reply.header.tc = 1
            reply.rr = reply.rr[: len(reply.rr) * size // len(packed)] if reply.rr else []
            if not reply.rr:
                reply.auth = []
        packed = reply.pack()
    return packed
