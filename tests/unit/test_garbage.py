"""Owners and what they own: in the background, in the foreground, orphaned, and held by finalizers."""

from __future__ import annotations

import asyncio
from typing import Any

from controlplane.controllers.garbage import GarbageCollector
from kubeapi.apps_v1.types import ReplicaSet
from kubeapi.core_v1.types import ConfigMap, Node, Pod, Secret
from naru.simulation.virtual import virtually
from tests.plane import Plane, by_name


def owned(*owners: Any, blocks: bool = False) -> dict[str, Any]:
    """Metadata that names owners."""
    return {
        "ownerReferences": [
            {
                "apiVersion": o.api_version,
                "kind": o.kind,
                "name": o.metadata.name,
                "uid": o.metadata.uid,
                "blockOwnerDeletion": blocks,
            }
            for o in owners
        ]
    }


def test_a_gone_owner_takes_its_dependents_and_theirs_along() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            owner = await plane.make(ConfigMap, "owner")
            child = await plane.make(Secret, "child", metadata=owned(owner))
            await plane.make(Secret, "grandchild", metadata=owned(child))
            await plane.make(Secret, "stranger")
            await plane.client.delete(ConfigMap, "owner", "default", propagation="Background")
            left = await plane.until(Secret, lambda found: len(found) == 1, seconds=5)
            assert by_name(left).keys() == {"stranger"}

    virtually(story)


def test_a_dependent_stays_with_its_living_owner_and_forgets_the_dead_one() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            first, second = await plane.make(ConfigMap, "first"), await plane.make(ConfigMap, "second")
            await plane.make(Secret, "child", metadata=owned(first, second))
            await plane.client.delete(ConfigMap, "first", "default")
            (child,) = await plane.until(Secret, lambda f: len(f[0].metadata.owner_references) == 1, seconds=5)
            assert child.metadata.owner_references[0].name == "second"
            await plane.client.delete(ConfigMap, "second", "default")
            await plane.until_gone(Secret, "child", seconds=5)

    virtually(story)


def test_in_the_foreground_the_owner_waits_for_those_that_block_it() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            owner = await plane.make(ConfigMap, "owner")
            held = owned(owner, blocks=True) | {"finalizers": ["example.com/hold"]}
            await plane.make(Secret, "held", metadata=held)
            await plane.make(Secret, "free", metadata=owned(owner, blocks=True))
            await plane.client.delete(ConfigMap, "owner", "default", propagation="Foreground")
            await plane.until_gone(Secret, "free", seconds=5)
            (left,) = await plane.until(Secret, lambda f: f[0].metadata.deletion_timestamp is not None, seconds=5)
            await asyncio.sleep(60)  # virtual
            waiting = await plane.client.get(ConfigMap, "owner", "default")
            assert waiting.metadata.finalizers == ["foregroundDeletion"]
            await plane.client.patch(Secret, left.metadata.name, {"metadata": {"finalizers": None}}, "default")
            await plane.until_gone(ConfigMap, "owner", seconds=5)

    virtually(story)


def test_orphans_are_freed_and_stay() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            owner = await plane.make(ConfigMap, "owner")
            await plane.make(Secret, "child", metadata=owned(owner))
            await plane.client.delete(ConfigMap, "owner", "default", propagation="Orphan")
            await plane.until_gone(ConfigMap, "owner", seconds=5)
            await asyncio.sleep(60)  # virtual
            assert (await plane.client.get(Secret, "child", "default")).metadata.owner_references == []

    virtually(story)


def test_an_owner_that_never_was_or_is_another_by_that_name_means_garbage() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            owner = await plane.make(ConfigMap, "owner")
            other = owned(owner)
            other["ownerReferences"][0]["uid"] = "another"
            await plane.make(Secret, "child", metadata=other)
            await plane.until_gone(Secret, "child", seconds=5)

    virtually(story)


def test_who_is_owned_by_a_kind_that_nobody_serves_is_left_alone() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            reference = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "t", "uid": "t"}
            await plane.make(Secret, "child", metadata={"ownerReferences": [reference]})
            await asyncio.sleep(60)  # virtual
            assert (await plane.client.get(Secret, "child", "default")).metadata.deletion_timestamp is None

    virtually(story)


def test_the_pods_of_a_deleted_replicaset_end_with_their_grace() -> None:
    async def story() -> None:
        async with Plane.running(GarbageCollector) as plane:
            await plane.make(Node, "n")
            spec = {"containers": [{"name": "c", "image": "i"}]}
            template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
            selector = {"matchLabels": {"a": "b"}}
            rs = await plane.make(ReplicaSet, "rs", spec={"selector": selector, "template": template})
            await plane.make(Pod, "p", metadata=owned(rs), spec=spec | {"nodeName": "n"})
            await plane.client.delete(ReplicaSet, "rs", "default", propagation="Background")
            (pod,) = await plane.until(Pod, lambda f: f[0].metadata.deletion_timestamp is not None, seconds=5)
            assert pod.metadata.deletion_grace_period_seconds == 30

    virtually(story)
