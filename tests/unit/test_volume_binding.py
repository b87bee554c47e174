"""Claims and volumes: which volume a claim takes, where the pods that use it go, and who is protected how long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controlplane.controllers.matching import choose
from controlplane.controllers.nodes import NodeController
from controlplane.controllers.volumes import VolumeController
from controlplane.scheduler.scheduler import Scheduler
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaim, Pod
from kubeapi.names import DOCKER_VOLUMES
from kubeapi.storage_v1.types import StorageClass
from naru.simulation.virtual import virtually
from tests.plane import Plane

HOST = "kubernetes.io/hostname"


def claim(size: str = "1Gi", class_: str = "c", **spec: Any) -> PersistentVolumeClaim:
    wanted = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": class_,
        "resources": {"requests": {"storage": size}},
    }
    meta = {"name": "data", "namespace": "default", "uid": "u"}
    return PersistentVolumeClaim.model_validate({"metadata": meta, "spec": wanted | spec})


def on(node: str) -> dict[str, Any]:
    rule = {"key": HOST, "operator": "In", "values": [node]}
    return {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}}}


def capacity(size: str, class_: str = "c", **spec: Any) -> dict[str, Any]:
    base = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": class_}
    return base | {"hostPath": {"path": "/data"}} | spec


def volume(name: str, size: str = "1Gi", class_: str = "c", **spec: Any) -> PersistentVolume:
    meta = {"name": name, "labels": {"disk": name}}
    return PersistentVolume.model_validate({"metadata": meta, "spec": capacity(size, class_, **spec)})


def reserved(uid: str) -> dict[str, Any]:
    return {"claimRef": {"namespace": "default", "name": "data", "uid": uid}}


@pytest.mark.parametrize(
    ("wanted", "volumes", "chosen"),
    [
        (claim("2Gi"), [volume("a", "1Gi"), volume("b", "3Gi"), volume("c", "2Gi")], "c"),
        (claim("2Gi"), [volume("a", "1Gi")], None),
        (claim(), [volume("a", "1Gi"), volume("b", "9Gi", **reserved(""))], "b"),
        (claim(), [volume("a", **reserved("another"))], None),
        (claim(class_=""), [volume("a"), volume("b", class_="")], "b"),
        (claim(accessModes=["ReadWriteMany"]), [volume("a")], None),
        (claim(volumeMode="Block"), [volume("a"), volume("b", volumeMode="Block")], "b"),
        (claim(volumeName="b"), [volume("a"), volume("b", "5Gi")], "b"),
        (claim(selector={"matchLabels": {"disk": "b"}}), [volume("a"), volume("b")], "b"),
    ],
)
def test_a_claim_takes_what_is_reserved_for_it_else_the_smallest_that_fits(
    wanted: PersistentVolumeClaim, volumes: list[PersistentVolume], chosen: str | None
) -> None:
    found = choose(wanted, volumes)
    assert (found.metadata.name if found else None) == chosen


def using(name: str) -> dict[str, Any]:
    return {
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}],
    }


def asking(**spec: Any) -> dict[str, Any]:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}


def placed(pods: list[Pod]) -> bool:
    return bool(pods) and all(p.spec.node_name for p in pods)


PARTS = (VolumeController, Scheduler, NodeController)


def test_the_default_class_makes_a_docker_volume_where_the_first_pod_goes_and_the_next_follows() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            await plane.node("a")
            await plane.node("b")
            made = await plane.make(PersistentVolumeClaim, "data", spec=asking())
            assert made.spec.storage_class_name == "standard"
            await asyncio.sleep(30)  # virtual: nobody uses it, so nothing is made
            assert (await plane.client.list(PersistentVolume)).items == []
            assert [e.reason for e in await plane.events("WaitForFirstConsumer", "ProvisioningSucceeded")] == [
                "WaitForFirstConsumer"
            ]
            await plane.make(Pod, "first", spec=using("data"))
            (first,) = await plane.until(Pod, placed, 5)
            (bound,) = await plane.until(PersistentVolumeClaim, lambda cs: cs[0].status.phase == "Bound", 5)
            (disk,) = (await plane.client.list(PersistentVolume)).items
            assert disk.spec.csi is not None and disk.spec.csi.driver == DOCKER_VOLUMES
            assert bound.spec.volume_name == disk.metadata.name == disk.spec.csi.volume_handle
            place = disk.spec.node_affinity
            assert place is not None and place.required is not None
            (rule,) = place.required.node_selector_terms[0].match_expressions
            assert (rule.key, rule.values) == (HOST, [first.spec.node_name])
            for name in ("second", "third"):
                await plane.make(Pod, name, spec=using("data"))
            pods = await plane.until(Pod, lambda ps: len(ps) == 3 and placed(ps), 5)
            assert {p.spec.node_name for p in pods} == {first.spec.node_name}

    virtually(story)


def test_a_pod_goes_where_a_volume_for_its_claim_is() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            for name in ("a", "b", "c"):
                await plane.node(name)
            mode = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
            await plane.make(StorageClass, "local", **mode)
            await plane.make(PersistentVolume, "disk", spec=capacity("1Gi", "local", **on("b")))
            await plane.make(PersistentVolumeClaim, "data", spec=asking(storageClassName="local"))
            await plane.make(Pod, "p", spec=using("data"))
            (pod,) = await plane.until(Pod, placed, 5)
            assert pod.spec.node_name == "b"
            await plane.make(PersistentVolumeClaim, "more", spec=asking(storageClassName="local"))
            await plane.make(Pod, "q", spec=using("more"))
            pods = await plane.until(Pod, lambda ps: any(p.status.conditions for p in ps if p.metadata.name == "q"), 5)
            (told,) = [p.status.conditions[0].message for p in pods if p.metadata.name == "q"]
            assert told.startswith(
                "0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind."
            )
            await plane.make(PersistentVolume, "late", spec=capacity("1Gi", "local", **on("c")))
            await plane.until(Pod, lambda ps: placed(ps) and {p.spec.node_name for p in ps} == {"b", "c"}, 5)

    virtually(story)


def test_a_claim_of_a_strangers_class_says_whom_it_waits_for() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            await plane.make(StorageClass, "far", provisioner="example.com/disk")
            await plane.make(PersistentVolumeClaim, "data", spec=asking(storageClassName="far"))
            key = "volume.kubernetes.io/storage-provisioner"
            (told,) = await plane.until(PersistentVolumeClaim, lambda cs: key in cs[0].metadata.annotations, 5)
            assert told.metadata.annotations[key] == "example.com/disk" and told.status.phase == "Pending"
            await asyncio.sleep(1)  # virtual
            (event,) = await plane.events("ExternalProvisioning")
            assert "by the external provisioner 'example.com/disk'" in event.message

    virtually(story)


def test_a_claim_that_a_pod_uses_goes_only_after_the_pod() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            await plane.node("a")
            await plane.make(PersistentVolumeClaim, "data", spec=asking())
            await plane.make(Pod, "p", spec=using("data"))
            (pod,) = await plane.until(Pod, placed, 5)
            await plane.client.delete(PersistentVolumeClaim, "data", "default")
            await asyncio.sleep(30)  # virtual
            held = await plane.client.get(PersistentVolumeClaim, "data", "default")
            assert held.metadata.deletion_timestamp is not None
            await plane.client.delete(Pod, "p", "default", grace=0, uid=pod.metadata.uid)
            await plane.until_gone(PersistentVolumeClaim, "data", seconds=5)

    virtually(story)


def test_a_claim_whose_volume_is_gone_is_lost() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            await plane.make(PersistentVolume, "disk", spec=capacity("1Gi", ""))
            await plane.make(PersistentVolumeClaim, "data", spec=asking(storageClassName=""))
            await plane.until(PersistentVolumeClaim, lambda cs: cs[0].status.phase == "Bound", 5)
            await plane.client.delete(PersistentVolume, "disk")
            await asyncio.sleep(5)  # virtual: protected, it waits
            await plane.client.patch(PersistentVolume, "disk", {"metadata": {"finalizers": None}})
            await plane.until(PersistentVolumeClaim, lambda cs: cs[0].status.phase == "Lost", 5)
            assert [e.type for e in await plane.events("ClaimLost")] == ["Warning"]

    virtually(story)


def test_two_claims_never_get_one_volume() -> None:
    async def story() -> None:
        async with Plane.running(*PARTS) as plane:
            for name in ("one", "two"):
                await plane.make(PersistentVolumeClaim, name, spec=asking(storageClassName=""))
            await plane.make(PersistentVolume, "disk", spec=capacity("1Gi", ""))
            await plane.until(PersistentVolumeClaim, lambda cs: any(c.status.phase == "Bound" for c in cs), 5)
            await asyncio.sleep(30)  # virtual
            phases = sorted(c.status.phase for c in (await plane.client.list(PersistentVolumeClaim)).items)
            assert phases == ["Bound", "Pending"]

    virtually(story)
