"""The chain: NamespaceLifecycle, ServiceAccount, DefaultTolerationSeconds, Priority, RuntimeClass,
TaintNodesByCondition, storage and Service allocation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from random import Random
from typing import Any

from controlplane.admission import namespaces, nodes, pods, services, storage
from controlplane.store import Store
from kubeapi.registry import Kind


@dataclass(frozen=True, slots=True)
class Ranges:
    """Where Services' addresses and node ports come from."""

    addresses: IPv4Network = field(default_factory=lambda: IPv4Network("10.96.0.0/16"))
    node_ports: range = range(30000, 32768)


class Admission:
    """Admits objects of every kind. Raises ApiError to refuse."""

    def __init__(self, store: Store, rng: Random, ranges: Ranges | None = None) -> None:
        self.store, self.rng, self.ranges = store, rng, ranges or Ranges()
        self._allocating = asyncio.Lock()

    async def admit_create(self, kind: Kind, obj: Any, *, dry_run: bool) -> None:
        """Complete a new object in place."""
        await namespaces.admit(self.store, kind, obj)
        match kind.resource:
            case "pods":
                await pods.admit(self.store, obj, self.rng)
            case "services":
                await self._allocate(obj, None, dry_run)
            case "persistentvolumeclaims" | "persistentvolumes":
                await storage.admit(self.store, kind, obj)
            case "namespaces":
                namespaces.label(obj)
            case "nodes":
                nodes.taint(obj)

    async def admit_update(self, kind: Kind, new: Any, old: Any, *, dry_run: bool) -> None:
        """Complete a changed object in place."""
        match kind.resource:
            case "pods":
                pods.tolerate(new)
            case "services":
                await self._allocate(new, old, dry_run)
            case "namespaces":
                namespaces.label(new)

    async def _allocate(self, service: Any, old: Any | None, dry_run: bool) -> None:
        """Give a Service what it lacks.

        The choice is random among what is free, so that two Services made at the same moment do not take the same one.
        """
        async with self._allocating:
            taken = await services.taken(self.store)
            pools = services.Pools(taken, self.ranges.addresses, self.ranges.node_ports, self.rng)
            services.allocate(service, old, pools)
