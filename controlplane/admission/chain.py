"""The chain: NamespaceLifecycle, ServiceAccount, DefaultTolerationSeconds, Priority, RuntimeClass,
TaintNodesByCondition, storage, Service allocation, and what Machines say of each other."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from random import Random
from typing import Any

from controlplane.admission import machines, namespaces, nodes, pods, services, storage
from controlplane.store import Store
from kubeapi.registry import Kind

TOGETHER = ("services", "machines.hardware.naru.dev")  # kinds whose objects are measured against all of their kind


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where Services' addresses and node ports come from."""

    addresses: IPv4Network = field(default_factory=lambda: IPv4Network("10.96.0.0/16"))
    node_ports: range = range(30000, 32768)


class Admission:
    """Admits objects of every kind. Raises ApiError to refuse."""

    def __init__(self, store: Store, rng: Random, ranges: Ranges | None = None) -> None:
        self.store, self.rng, self.ranges = store, rng, ranges or Ranges()
        self._turns = {resource: asyncio.Lock() for resource in TOGETHER}

    async def admit_create(self, kind: Kind, obj: Any) -> None:
        """Complete a new object in place."""
        await namespaces.admit(self.store, kind, obj)
        match kind.resource:
            case "pods":
                await pods.admit(self.store, obj, self.rng)
            case "persistentvolumeclaims" | "persistentvolumes":
                await storage.admit(self.store, kind, obj)
            case "namespaces":
                namespaces.label(obj)
            case "nodes":
                nodes.taint(obj)

    async def admit_update(self, kind: Kind, new: Any, old: Any) -> None:
        """Complete a changed object in place."""
        match kind.resource:
            case "pods":
                pods.keep_priority(new, old)
                pods.tolerate(new)
            case "namespaces":
                namespaces.label(new)

    def turn(self, kind: Kind) -> contextlib.AbstractAsyncContextManager[None]:
        """What a write holds from allocation to commit: what one Service is given is not free for the next, and two Machines
        can't each begin to run on the other."""
        return self._turns.get(kind.resource) or contextlib.nullcontext()

    def allocate(self, kind: Kind, new: Any, old: Any | None) -> None:
        """Give a Service the addresses and ports that it lacks, refuse a Machine that its host or guests contradict; the
        caller holds its `turn`."""
        match kind.resource:
            case "services":
                held = services.taken(self.store)
                services.allocate(
                    new, old, services.Pools(held, self.ranges.addresses, self.ranges.node_ports, self.rng)
                )
            case "machines.hardware.naru.dev":
                if old is None or new.spec != old.spec:
                    machines.admit(self.store, new, kind.validate(new))
