"""Keeps the kernel's rules as the API says: informers wake it, it plans the whole, and sends the difference.

Any number of changes while a transaction runs become one next transaction. A refused difference (someone flushed our table)
is answered with the whole ruleset; a refused whole is logged with the kernel's words and tried again with the next change
or after RETRY seconds, whichever comes first.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar

import orjson
import structlog

from agent.netlink.conntrack import observe_flows, remove_flow
from agent.netlink.sockets import NETFILTER, Netlink
from agent.network.config import NetworkConfig
from agent.network.endpoints import ServicePort, service_ports
from agent.network.nft import Json, Ruleset, plan_transaction
from agent.network.rules import PodPort, plan_base, plan_rules
from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import EndpointSlice

RETRY = 10.0

log = structlog.get_logger(__name__)
Item = TypeVar("Item")


class Cache(Protocol[Item]):
    """What rules and DNS need of an informer."""

    async def start(self) -> None:
        """Begin to follow the API."""
        ...

    async def synced(self) -> None:
        """Return when the first list is there."""
        ...

    async def stop(self) -> None:
        """Follow no longer."""
        ...

    def list(self, namespace: str | None = None) -> list[Item]:
        """What is known, shared: not to be changed."""
        ...

    def on_change(self, handler: Callable[[Any, Any], None]) -> None:
        """Call `handler(old, new)` after every change."""
        ...


class RulesetError(Exception):
    """The kernel refused a transaction; the text is nft's."""


async def send(document: Json) -> None:
    """Run one transaction. Raises RulesetError, after which nothing has changed."""
    done = await _nft("-j", "-f", "-", told=orjson.dumps(document))
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise RulesetError(said or f"nft said nothing and ended with {done.returncode} (negative: by that signal)")


async def table_exists(table: str) -> bool:
    """Whether the kernel has our table."""
    return (await _nft("list", "table", "ip", table)).returncode == 0


async def _nft(*arguments: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # In a thread, with a pipe: uvloop's subprocesses have a socket as standard input, and nft can't open that.
    return await asyncio.to_thread(subprocess.run, ["nft", *arguments], input=told, capture_output=True, check=False)


def forget_udp_flows(addresses: Collection[str]) -> int:
    """Delete the tracked UDP flows that were led to these addresses, and say how many.

    UDP has no end that the kernel could see: a client that goes on sending would be led to the lost endpoint for ever.
    """
    with Netlink(NETFILTER) as netlink:
        lost = [f for f in observe_flows(netlink) if f.protocol == "udp" and f.reply_source[0] in addresses]
        for flow in lost:
            remove_flow(netlink, flow)
    return len(lost)


class ServiceRules:
    """The rules of one node. `changed()` may be called at any time from the loop's thread."""

    def __init__(
        self,
        config: NetworkConfig,
        services: Cache[Service],
        slices: Cache[EndpointSlice],
        host_ports: Callable[[], Iterable[PodPort]],
    ) -> None:
        self._config, self._services, self._slices, self._host_ports = config, services, slices, host_ports
        self._wake, self._lock = asyncio.Event(), asyncio.Lock()
        self._held: Ruleset | None = None
        self._udp: set[str] = set()
        self.draining: set[str] = set()  # addresses of pods that end or are dead
        self.sent: Callable[[], None] = lambda: None  # hears of each transaction
        self._task: asyncio.Task[None] | None = None
        services.on_change(lambda old, new: self.changed())
        slices.on_change(lambda old, new: self.changed())

    def changed(self) -> None:
        """Something that the rules follow from is different."""
        self._wake.set()

    async def start(self) -> None:
        """Give a node without our table the rules that pods need to reach the outside; then follow Services."""
        if not await table_exists(self._config.table):
            await send(plan_transaction(self._config.table, plan_base(self._config), None, Ruleset()))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="service-rules")

    async def stop(self) -> None:
        """Follow no longer; the rules stay."""
        if self._task:
            async with self._lock:  # a transaction under way ends first
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = self._held = None

    async def sync(self) -> bool:
        """Make the kernel hold what the caches say now. False if it refused."""
        async with self._lock:
            return await self._sync()

    async def rebuild(self) -> bool:
        """Make the kernel hold all of it anew, whatever it holds. False if it refused."""
        async with self._lock:
            self._held = None
            return await self._sync()

    @property
    def busy(self) -> bool:
        """Whether a transaction of ours is under way."""
        return self._lock.locked()

    async def _sync(self) -> bool:
        slices = self._slices.list()
        # Longer than the pod is there: until its slices have heard of its end.
        self.draining &= {address for piece in slices for endpoint in piece.endpoints for address in endpoint.addresses}
        ports = service_ports(self._services.list(), slices, self._config.node, self.draining)
        host_ports = list(self._host_ports())
        wanted = plan_rules(self._config, ports, host_ports)
        for held in (self._held, None) if self._held else (None,):
            try:
                if document := plan_transaction(self._config.table, plan_base(self._config), held, wanted):
                    await send(document)
                    self.sent()
            except RulesetError as error:
                log.warning("rules refused", table=self._config.table, whole=held is None, error=str(error))
                continue
            self._held = wanted
            await self._forget(_udp_addresses(ports, host_ports))
            return True
        self._held = None
        return False

    async def _forget(self, udp: set[str]) -> None:
        lost, self._udp = self._udp - udp, udp
        if lost:
            log.info(
                "udp flows forgotten", flows=await asyncio.to_thread(forget_udp_flows, lost), addresses=sorted(lost)
            )

    async def _run(self) -> None:
        # The rules that an earlier agent left are right until it is known what is: an empty cache must not replace them.
        await asyncio.gather(self._services.synced(), self._slices.synced())
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if not await self.sync():
                asyncio.get_running_loop().call_later(RETRY, self._wake.set)


def _udp_addresses(ports: Iterable[ServicePort], host_ports: Iterable[PodPort]) -> set[str]:
    found = {t.address for p in ports if p.protocol == "udp" for t in (*p.internal, *p.external)}
    return found | {p.address for p in host_ports if p.port.protocol == "UDP"}
