"""Keeps the Machine that this node is, and those of the virtual machines on it, as they were found.

    kernel ──hotplug──▶ look at the layers ──▶ statuses ─┐
    API ──Machines──────────────────────────────────────┴─▶ write what differs

A Machine that a person declared for the node is taken; where there is none, one without spec is made. So with a guest that
runs here: one that was declared, and may be a node of its own, is the same by a NIC's address, and no other is made for it.
Nobody needs any of them to run pods: what fails is logged and tried again after a pause that doubles. At rest nothing is
read and nothing written.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import structlog

from agent.hardware.hotplug import Hotplug
from agent.hardware.machine import Guest, status_of
from agent.hardware.machine import guests_of as guests_in
from kubeapi.client.client import Client
from kubeapi.client.informer import Informer
from kubeapi.errors import ApiError
from kubeapi.hardware_v1.agreement import with_conditions
from kubeapi.hardware_v1.chain import GUEST_MARK, addresses_of, declared, guests_of, node_of
from kubeapi.hardware_v1.layers import Layers
from kubeapi.hardware_v1.types import Machine, MachineSpec, MachineStatus
from kubeapi.meta_v1.types import Condition, ObjectMeta

if TYPE_CHECKING:
    from kubeapi.clock import Clock

log = structlog.get_logger()
DISCOVERED = "Discovered"
SETTLE = 0.5  # seconds: what is plugged in is told in several messages
REST = 10.0  # seconds between two looks, however much is plugged
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
OTHERS = ("host", "observed_generation", "conditions")  # of status: the control plane's


class Found(NamedTuple):
    """What the last look at the layers gave."""

    machine: MachineStatus
    guests: list[Guest]


def merged(old: MachineStatus, found: MachineStatus, condition: Condition | None) -> MachineStatus:
    """What was found in the place of what was found before; what others say of the Machine stays. Pure."""
    status = found.clone()
    for name in OTHERS:
        setattr(status, name, getattr(old, name))
    if condition is not None:
        was = next((c for c in old.conditions if c.type == condition.type), None)
        if was is not None and was.status == condition.status:
            condition = condition.model_copy(update={"last_transition_time": was.last_transition_time})
        status.conditions = with_conditions(old.conditions, [condition])
    return status


def chosen(machines: list[Machine], node: str) -> Machine | None:
    """The node's Machine: the one that a person declared to be it, before the one that only bears its name."""
    own = [machine for machine in machines if node_of(machine) == node]
    return min(own, key=lambda machine: not declared(machine), default=None)


def unclaimed(guests: list[Guest], machines: list[Machine]) -> list[Guest]:
    """The guests that nobody declared: one is known by the address that its tap's switch has learned, which is also that of
    a NIC of the Machine. Pure."""
    known = set[str]().union(*map(addresses_of, machines))
    return [guest for guest in guests if known.isdisjoint(nic.mac.lower() for nic in guest.status.nics)]


class MachineKeeper:
    """Runs until it is cancelled. layers() looks at the machine, however long that takes."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        node: str,
        layers: Callable[[], Awaitable[Layers]],
        listen: Callable[[AbstractEventLoop, Callable[[], None]], Hotplug] = Hotplug,
    ) -> None:
        self._client, self._clock, self._node, self._layers, self._listen = client, clock, node, layers, listen
        self._machines = Informer(client, Machine)
        self._wake = asyncio.Event()
        self._stale = True  # the kernel has told of a change since the last look
        self._found: Found | None = None
        self._looked = 0.0  # when, by the loop's clock

    async def run(self) -> None:
        """Keep the Machines true."""
        hotplug = self._listen(asyncio.get_running_loop(), self._plugged)
        await self._machines.start()
        try:
            await self._machines.synced()
            self._machines.on_change(lambda *_: self._wake.set())
            self._wake.set()
            await self._keep()
        finally:
            hotplug.close()
            await self._machines.stop()

    def _plugged(self) -> None:
        self._stale = True
        self._wake.set()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                if self._stale:
                    await self._look()
                await self._write()
                pause = FIRST_PAUSE
            except Exception as error:  # pods run without it: whatever went wrong, the agent goes on
                log.warning("machine not told", node=self._node, error=f"{type(error).__name__}: {error}", again=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                self._wake.set()

    async def _look(self) -> None:
        """Read the layers, once what was plugged has settled and the last look is REST ago; news that come meanwhile are for
        the next look."""
        loop = asyncio.get_running_loop()
        if self._found is not None:
            await asyncio.sleep(max(SETTLE, self._looked + REST - loop.time()))
        self._stale = False
        try:
            layers = await self._layers()
        except BaseException:
            self._stale = True
            raise
        self._found, self._looked = Found(status_of(layers), guests_in(layers)), loop.time()

    async def _write(self) -> None:
        assert self._found is not None
        machine = chosen(self._machines.list(), self._node)
        if machine is None:
            machine = await self._ensure(Machine(metadata=ObjectMeta(name=self._node)))
        name = machine.metadata.name
        now = self._clock.now().replace(microsecond=0)
        told = Condition(type=DISCOVERED, status="True", reason="Looked", message="The agent has read its layers.")
        told.last_transition_time = now
        await self._tell(machine, self._found.machine, told)
        twin = self._machines.get("", self._node)
        if twin is not None and name != self._node and not declared(twin):
            await self._forget(twin)  # made before somebody declared which Machine this node is
        await self._write_guests(name)

    async def _write_guests(self, host: str) -> None:
        assert self._found is not None
        ours = self._node + GUEST_MARK
        others = [m for m in guests_of(host, self._machines.list()) if not m.metadata.name.startswith(ours)]
        found = unclaimed(self._found.guests, others)
        wanted = {f"{ours}{guest.name}": guest.status for guest in found}
        for name, status in wanted.items():
            known = self._machines.get("", name)
            if known is None:
                made = Machine(metadata=ObjectMeta(name=name), spec=MachineSpec(runs_on=host))
                known = await self._ensure(made)
            await self._tell(known, status, None)
        for machine in self._machines.list():
            if machine.metadata.name.startswith(ours) and machine.metadata.name not in wanted:
                await self._forget(machine)

    async def _ensure(self, machine: Machine) -> Machine:
        try:
            return await self._client.create(machine)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            return await self._client.get(Machine, machine.metadata.name)

    async def _tell(self, machine: Machine, found: MachineStatus, condition: Condition | None) -> None:
        """Write the status if it is another; who else wrote meanwhile keeps what is theirs."""
        while merged(machine.status, found, condition) != machine.status:
            changed = machine.clone()
            changed.status = merged(machine.status, found, condition)
            try:
                machine = await self._client.update_status(changed)
            except ApiError as error:
                if error.code != 409:
                    raise
                machine = await self._client.get(Machine, machine.metadata.name)

    async def _forget(self, machine: Machine) -> None:
        with contextlib.suppress(ApiError):  # gone meanwhile is what is wanted; else the next change finds it again
            await self._client.delete(Machine, machine.metadata.name, uid=machine.metadata.uid)
