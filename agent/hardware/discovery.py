"""The layers of this machine as one document, made when somebody asks and kept until something has changed.

    files, netlink ──beneath──┐
    engine ───────────────────┼──▶ document
    nft's rules ──────────────┘

The three are asked at once. Reading files blocks, so it runs in one thread of its own, where readers also come one after
another. Who asks while it runs gets the same answer. A document lives until the kernel speaks of a device, an address, a
route, a neighbour or a rule, and FRESH seconds at most, because processes and counters change without a word. Between two
questions nothing is done at all: after its first word the kernel is not listened to until somebody asks again.
"""

from __future__ import annotations

import asyncio
import functools
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import structlog

from agent.hardware.beneath import observe_floors
from agent.hardware.claims import Claims, observe_claims
from agent.hardware.events import Changes
from agent.hardware.evidence import Tree
from agent.hardware.findings import Findings
from agent.hardware.nat import Read, observe_nat, read_rules
from agent.hardware.processes import Process, observe_processes
from agent.hardware.runtimes import Engine, observe_runtimes, pods_by_container
from agent.hardware.view import NodeView
from agent.runtime.protocol import EngineError, EngineInfo
from kubeapi.hardware_v1.layers import Layers
from kubeapi.meta_v1.types import ObjectMeta

log = structlog.get_logger(__name__)
FRESH = 2.0


class Beneath(NamedTuple):
    """What the kernel told by itself, before the engine and the rules are laid over it."""

    tree: Tree
    findings: Findings
    processes: dict[int, Process]


class Discovery:
    """Gives the newest layers of a node."""

    def __init__(self, view: NodeView) -> None:
        self._view = view
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="discovery")
        self._reading: asyncio.Task[Layers] | None = None
        self._kept: tuple[float, Layers] | None = None
        self._changes: Changes | None = None
        self._info: EngineInfo | None = None

    async def layers(self) -> Layers:
        """The document, shared: not to be changed."""
        if self._kept and time.monotonic() - self._kept[0] < FRESH and self._changes and not self._changes.seen:
            return self._kept[1]
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name="discovery")
            self._reading.add_done_callback(self._has_read)
        return await asyncio.shield(self._reading)  # who asked and left takes it from nobody else

    async def close(self) -> None:
        """Listen to the kernel no longer."""
        if self._reading:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._changes:
            self._changes.close()
            self._changes = None
        self._thread.shutdown(wait=False)

    def _has_read(self, _: asyncio.Task[Layers]) -> None:
        self._reading = None

    async def _read(self) -> Layers:
        began = time.monotonic()
        if self._changes:
            self._changes.close()
        self._changes = Changes(asyncio.get_running_loop())  # from before anything is read: no change is missed
        aside = functools.partial(asyncio.get_running_loop().run_in_executor, self._thread)
        beneath, engine, rules = await asyncio.gather(aside(self._beneath), self._ask(), self._rules())
        made = await aside(self._document, beneath, engine, rules, Claims.of(self._view))
        self._kept = began, made
        return made

    async def _ask(self) -> Engine | None:
        """What the engine says; None without one, or while it is down."""
        if self._view.runtime is None:
            return None
        try:
            if self._info is None:
                self._info = await self._view.runtime.info()
            listed, images = await asyncio.gather(self._view.runtime.listed(), self._view.runtime.images())
            sizes = {name: image.size for image in images for name in (image.id, *image.tags)}
            return Engine(self._info, listed, sizes)
        except EngineError as error:
            log.info("engine not asked", why=str(error))
            self._info = None  # it may be another when it is back
            return None

    async def _rules(self) -> Read | None:
        """What nft says; None for a captured machine, which is not this one."""
        return await read_rules() if self._view.root == Path("/") else None

    def _beneath(self) -> Beneath:
        tree, findings = Tree(self._view.root), Findings()
        processes = observe_processes(tree)
        observe_floors(tree, findings, processes, processes.values())
        return Beneath(tree, findings, processes)

    def _document(self, beneath: Beneath, engine: Engine | None, rules: Read | None, claims: Claims) -> Layers:
        tree, findings, processes = beneath
        listed = engine.listed if engine else ()
        pods = pods_by_container(listed)
        containers = observe_runtimes(tree, processes, engine, pods, findings)
        observe_claims(claims, containers, pods, listed, findings)
        if rules:
            network = self._view.network()
            observe_nat(tree, findings, rules, network.table if network else "")
        return findings.document(ObjectMeta(name=self._view.name, creation_timestamp=self._view.clock.now()))
