"""The node's network as one thing: devices, rules, host ports and DNS behind the `Network` protocol.

Netlink blocks, so it runs in one thread of its own, where calls also come one after another: two pods can't be given the
same address. All that is remembered is which pods are attached; after a restart that is read back from their devices.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

import structlog

from agent.netlink.sockets import Netlink
from agent.network import plumbing
from agent.network.addresses import NoAddressLeftError, next_address
from agent.network.config import NetworkConfig
from agent.network.dns import DnsServer
from agent.network.firewall import ensure_forwarding, remove_forwarding
from agent.network.guard import Guard, Ours
from agent.network.lifelines import Lifelines
from agent.network.protocol import HostPort, NetworkError
from agent.network.records import Records
from agent.network.rules import PodPort
from agent.network.services import Cache, RulesetError, ServiceRules, send
from agent.runtime.protocol import PodRef
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Service
from kubeapi.discovery_v1.types import EndpointSlice

RETRY = 1.0

log = structlog.get_logger(__name__)
Result = TypeVar("Result")


class NodeNetwork:
    """The network of one node of one cluster, in the kernel. The caches are informers of all namespaces.

    mended hears what somebody had removed and is there again, unplugged which pod's device is gone: attach it anew.
    """

    def __init__(
        self,
        config: NetworkConfig,
        services: Cache[Service],
        slices: Cache[EndpointSlice],
        mended: Callable[[str], None] = lambda what: None,
        unplugged: Callable[[str], None] = lambda pod_uid: None,
    ) -> None:
        self._config, self._caches = config, (services, slices)
        self._mended, self._unplugged = mended, unplugged
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="netlink")
        self._addresses: dict[str, str] = {}
        self._last: str | None = None
        self._host_ports: dict[str, tuple[PodPort, ...]] = {}
        self._rules = ServiceRules(config, services, slices, self._pod_ports)
        self._lifelines = Lifelines(self._ended)
        self._guard = Guard(config, self._disturb, lambda: self._rules.busy)
        self._rules.sent = self._guard.pass_over_rules
        self._disturbed, self._doubtful = asyncio.Event(), set[Ours]()
        self._mending: asyncio.Task[None] | None = None
        self._records = Records(config.domain, services, slices)
        self._dns = DnsServer(config.dns_address, self._records)
        self._knowing: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, client: Client, config: NetworkConfig) -> Self:
        """The network that follows the API which `client` reaches."""
        return cls(config, Informer(client, Service), Informer(client, EndpointSlice))

    @property
    def dns_address(self) -> str:
        """As `Network` says."""
        return self._config.dns_address

    async def start(self) -> None:
        """As `Network` says. Returns before the API has answered: pods can be attached at once. May be repeated, to make
        again what someone has removed."""
        await self._netlink(self._make_node)
        await self._rules.start()
        try:
            await self._dns.start()
        except OSError as error:
            raise NetworkError(f"no DNS on {self._config.dns_address}: {error}") from error
        for cache in self._caches:
            await cache.start()
        if self._knowing is None:
            self._knowing = asyncio.create_task(self._know(), name="dns-ready")
        if self._mending is None:
            self._guard.start()
            self._mending = asyncio.create_task(self._mend(), name="network-guard")

    async def stop(self) -> None:
        """As `Network` says."""
        if self._knowing:
            self._knowing.cancel()
            self._knowing = None
        if self._mending:
            self._guard.stop()
            self._mending.cancel()
            self._mending = None
        self._lifelines.release_all()
        await self._rules.stop()
        await self._dns.stop()
        for cache in self._caches:
            await cache.stop()

    async def remove(self) -> None:
        """As `Network` says."""
        await self.stop()
        await remove_network(self._config)
        self._addresses.clear()
        self._host_ports.clear()

    async def reserve(self, pod: PodRef) -> str:
        """As `Network` says."""
        return await self._netlink(lambda netlink: self._reserve(netlink, pod.uid))

    async def attach(self, pod: PodRef, sandbox_pid: int, ports: Sequence[HostPort] = ()) -> str:
        """As `Network` says."""
        address = await self._netlink(lambda netlink: self._attach(netlink, pod.uid, sandbox_pid))
        claims = tuple(PodPort(port, address) for port in ports)
        if self._host_ports.get(pod.uid, ()) != claims:
            self._host_ports[pod.uid] = claims
            self._rules.changed()
        return address

    async def drain(self, pod_uid: str) -> None:
        """As `Network` says."""
        self._lifelines.release(pod_uid)
        if address := self._addresses.get(pod_uid):
            self._rules.draining.add(address)
            await self._rules.sync()

    def serve(self, pod_uid: str, pids: Collection[int]) -> None:
        """As `Network` says."""
        address = self._addresses.get(pod_uid)
        if address is None:
            return
        if self._lifelines.follow(pod_uid, pids):
            self._rules.draining.discard(address)
            self._rules.changed()
        else:
            self._ended(pod_uid)

    def _ended(self, pod_uid: str) -> None:
        if address := self._addresses.get(pod_uid):
            self._rules.draining.add(address)
            self._rules.changed()

    async def detach(self, pod_uid: str) -> None:
        """As `Network` says."""
        self._lifelines.release(pod_uid)
        await self._netlink(lambda netlink: plumbing.detach(netlink, self._config, pod_uid))
        self._addresses.pop(pod_uid, None)
        if self._host_ports.pop(pod_uid, ()):
            self._rules.changed()

    async def sync(self) -> None:
        """Make the rules follow what is known now, and return when they do. Raises NetworkError."""
        if not await self._rules.sync():
            raise NetworkError("the kernel refused the Service rules: see the log")

    async def _know(self) -> None:
        await asyncio.gather(*(cache.synced() for cache in self._caches))
        self._records.ready = True

    def _disturb(self, what: Ours) -> None:
        self._doubtful.add(what)
        self._disturbed.set()

    async def _mend(self) -> None:
        """Make again what somebody has removed, whenever the guard doubts that it is there."""
        while True:
            await self._disturbed.wait()
            self._disturbed.clear()
            doubtful, self._doubtful = self._doubtful, set()
            mend = functools.partial(self._mend_devices, forwarding="forwarding" in doubtful)
            try:
                lost, plugged = await self._netlink(mend)
                if "rules" in doubtful and await self._rules.rebuild():
                    lost.append(f"rules of table {self._config.table}")
            except NetworkError as error:
                log.warning("network not mended", why=str(error))
                asyncio.get_running_loop().call_later(RETRY, self._disturb, "devices")
                continue
            if lost:
                log.warning("network mended", lost=lost)
                self._mended(", ".join(lost))
            for pod_uid in self._addresses.keys() - plugged:
                self._unplugged(pod_uid)

    def _mend_devices(self, netlink: Netlink, forwarding: bool) -> tuple[list[str], set[str]]:
        lost = plumbing.missing(netlink, self._config)
        if lost:
            plumbing.ensure_node(netlink, self._config)
            plumbing.ensure_plugged(netlink, self._config)
        if (lost or forwarding) and ensure_forwarding(self._config.bridge):
            lost.append(f"rules of iptables for {self._config.bridge}")
        return lost, {*plumbing.observe_attachments(netlink, self._config)}

    def _make_node(self, netlink: Netlink) -> None:
        plumbing.ensure_node(netlink, self._config)
        plumbing.ensure_plugged(netlink, self._config)
        ensure_forwarding(self._config.bridge)
        found = plumbing.observe_attachments(netlink, self._config)
        self._addresses = {uid: attachment.address for uid, attachment in found.items()} | self._addresses

    def _attach(self, netlink: Netlink, pod_uid: str, pid: int) -> str:
        address = self._addresses.get(pod_uid)
        if address and plumbing.plugged_into(netlink, self._config.veth(pod_uid), pid):
            return address
        address = self._reserve(netlink, pod_uid)
        plumbing.ensure_attached(netlink, self._config, pod_uid, pid, address)
        return address

    def _reserve(self, netlink: Netlink, pod_uid: str) -> str:
        if (address := self._addresses.get(pod_uid)) is None:
            devices = plumbing.observe_attachments(netlink, self._config).values()
            taken = {*self._addresses.values(), *(a.address for a in devices)}
            address = self._last = self._addresses[pod_uid] = next_address(self._config.pod_cidr, taken, self._last)
        return address

    def _pod_ports(self) -> list[PodPort]:
        return [claim for claims in self._host_ports.values() for claim in claims]

    async def _netlink(self, work: Callable[[Netlink], Result]) -> Result:
        def run() -> Result:
            with Netlink() as netlink:
                return work(netlink)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, run)
        except (NoAddressLeftError, OSError) as error:
            raise NetworkError(str(error)) from error


async def reserve_ranges(config: NetworkConfig) -> None:
    """Claim the cluster's ranges on this machine before anything uses them: nobody else chooses a range that has a route."""

    def run() -> None:
        with Netlink() as netlink:
            plumbing.ensure_fallbacks(netlink, config)

    await asyncio.to_thread(run)


async def observe_network(config: NetworkConfig) -> list[str]:
    """The names of the kernel's devices that were made for this cluster; needs no running network."""

    def run() -> list[str]:
        with Netlink() as netlink:
            return plumbing.observe_node(netlink, config)

    return await asyncio.to_thread(run)


async def remove_network(config: NetworkConfig) -> None:
    """Remove from the kernel all that was ever made for this cluster, found by name; needs no running network."""
    table = {"table": {"family": "ip", "name": config.table}}

    def run() -> None:
        with Netlink() as netlink:
            plumbing.remove_node(netlink, config)
        remove_forwarding(config.bridge)

    try:
        await asyncio.to_thread(run)
        await send({"nftables": [{"add": table}, {"delete": table}]})  # deleting alone fails where there is none
    except (OSError, RulesetError) as error:
        raise NetworkError(str(error)) from error
