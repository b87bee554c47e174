"""Volumes by claims: which are had, what the engine keeps, and what is said of those that are not there."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.volumes import VolumeError
from kubeapi.core_v1.types import (
    Container,
    PersistentVolume,
    PersistentVolumeClaim,
    Volume,
    VolumeMount,
)
from tests.unit.volumes.world import GROUP, ROOT, World, mode_of, pod


def claim(phase: str = "Bound", **meta: Any) -> PersistentVolumeClaim:
    body = {"spec": {"volumeName": "pv"}, "status": {"phase": phase}}
    return PersistentVolumeClaim.model_validate({"metadata": {"name": "data", "uid": "claim-1", **meta}, **body})


def persistent(claim_uid: str = "claim-1", **spec: Any) -> PersistentVolume:
    body = {"claimRef": {"uid": claim_uid}, **spec}
    return PersistentVolume.model_validate({"metadata": {"name": "pv"}, "spec": body})


CLAIMED: dict[str, Any] = {"persistentVolumeClaim": {"claimName": "data"}}
CSI: dict[str, Any] = {"csi": {"driver": "docker-volume.naru.dev", "volumeHandle": "pvc-1"}}


@pytest.mark.parametrize(
    ("held", "volume", "why"),
    [
        (None, None, 'failed to fetch PVC from API server: persistentvolumeclaims "data" not found'),
        (claim("Pending"), None, "PVC is not bound"),
        (claim(deletionTimestamp=datetime.now(UTC)), None, "PVC is being deleted"),
    ],
)
async def test_a_claim_that_leads_nowhere_waits(
    world: World, held: PersistentVolumeClaim | None, volume: PersistentVolume | None, why: str
) -> None:
    world.objects.claims = {"data": held} if held else {}
    with pytest.raises(VolumeError) as told:
        await world.prepare(pod(CLAIMED))
    assert str(told.value) == (
        "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], "
        f"failed to process volumes=[v]: error processing PVC ns/data: {why}"
    )


async def test_all_that_is_missing_is_told_at_once(world: World) -> None:
    wanted = pod({"configMap": {"name": "one"}})
    for name, source in {"w": {"configMap": {"name": "two"}}, "x": CLAIMED, "y": CLAIMED}.items():
        wanted.spec.volumes.append(Volume.model_validate({"name": name, **source}))
        wanted.spec.containers[0].volume_mounts.append(VolumeMount(name=name, mount_path=f"/{name}"))
    with pytest.raises(VolumeError) as told:
        await world.prepare(wanted)
    lost = 'error processing PVC ns/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found'
    assert told.value.args == (
        'MountVolume.SetUp failed for volume "v" : configmap "one" not found',
        'MountVolume.SetUp failed for volume "w" : configmap "two" not found',
        "Unable to attach or mount volumes: unmounted volumes=[v w x y], unattached volumes=[], "
        f"failed to process volumes=[x y]: {lost}; {lost}",
    )


async def test_a_volume_of_another_claim_is_not_taken(world: World) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent("claim-2", **CSI)}
    with pytest.raises(VolumeError, match=r"ClaimRef.UID claim-2 does not point to claim.UID claim-1"):
        await world.prepare(pod(CLAIMED))


async def test_a_claim_is_a_volume_of_the_engine_whose_data_stay(world: World) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**CSI)}
    wanted = pod(CLAIMED)
    await world.volumes.prepare(wanted)
    (mount,) = world.volumes.mounts(wanted, wanted.spec.containers[0], {})
    assert (mount.source, mount.volume, mount.read_only) == ("pvc-1", True, False)
    (world.engine / "pvc-1/file").touch()
    await world.volumes.remove("uid-1")
    assert (world.engine / "pvc-1/file").exists()


@ROOT
async def test_a_part_of_an_engines_volume_is_mounted_and_its_data_stay(world: World) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**CSI)}
    path = await world.prepare(pod(CLAIMED, {"subPath": "part"}))
    (path / "file").touch()
    await world.volumes.remove("uid-1")
    assert (world.engine / "pvc-1/part/file").exists()


async def test_a_new_volume_of_the_engine_is_open_to_all_users_and_a_used_one_is_left_alone(world: World) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**CSI)}
    await world.volumes.prepare(pod(CLAIMED))
    volume = world.engine / "pvc-1"
    assert mode_of(volume) == (0o777 if os.geteuid() == 0 else 0o755)
    (volume / "file").touch()
    volume.chmod(0o755)
    world.volumes = world.restarted()
    await world.volumes.prepare(pod(CLAIMED))
    assert mode_of(volume) == 0o755


@ROOT
async def test_a_claims_data_are_given_to_the_group_once_in_a_pods_life(world: World) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**CSI)}
    wanted = pod(CLAIMED, securityContext={"fsGroup": GROUP})
    await world.volumes.prepare(wanted)
    volume = world.engine / "pvc-1"
    assert (volume.stat().st_gid, mode_of(volume)) == (GROUP, 0o2777)
    (volume / "own").touch(0o600)
    world.volumes = world.restarted()
    await world.volumes.prepare(wanted)
    assert mode_of(volume / "own") == 0o600


@ROOT
@pytest.mark.parametrize(("policy", "mode"), [("Always", 0o660), ("OnRootMismatch", 0o600)])
async def test_the_change_policy_spares_what_is_right_at_its_root(world: World, policy: str, mode: int) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**CSI)}
    volume = world.engine / "pvc-1"
    volume.mkdir()
    (volume / "own").touch(0o600)
    os.chown(volume, 0, GROUP)
    volume.chmod(0o2770)
    security = {"fsGroup": GROUP, "fsGroupChangePolicy": policy}
    await world.volumes.prepare(pod(CLAIMED, securityContext=security))
    assert mode_of(volume / "own") == mode


@pytest.mark.parametrize(
    ("mode", "wanted", "why"),
    [
        ("Block", {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, r"Block, but is specified in volumeMounts$"),
        ("Filesystem", {"volumeDevices": [{"name": "v", "devicePath": "/d"}]}, r"Filesystem, but .* in volumeDevices$"),
        ("Block", {"volumeDevices": [{"name": "v", "devicePath": "/d"}]}, r"volumeMode Block is not supported"),
    ],
)
async def test_a_device_is_no_file_system(world: World, mode: str, wanted: dict[str, Any], why: str) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(volumeMode=mode, **CSI)}
    asked = pod(CLAIMED)
    asked.spec.containers = [Container.model_validate({"name": "c", **wanted})]
    with pytest.raises(VolumeError, match=why):
        await world.volumes.prepare(asked)


async def test_host_path_and_local_volumes(world: World, tmp_path: Path) -> None:
    world.objects.claims = {"data": claim()}
    sources: tuple[dict[str, Any], ...] = ({"hostPath": {"path": str(tmp_path)}}, {"local": {"path": str(tmp_path)}})
    for number, source in enumerate(sources):
        world.objects.volumes = {"pv": persistent(**source)}
        wanted = pod({"persistentVolumeClaim": {"claimName": "data", "readOnly": True}})
        wanted.metadata.uid = str(number)
        await world.volumes.prepare(wanted)
        (mount,) = world.volumes.mounts(wanted, wanted.spec.containers[0], {})
        assert (mount.source, mount.read_only) == (str(tmp_path), True)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"local": {"path": "/no/such"}},
            'NewMounter initialization failed for volume "pv" : path "/no/such" does not exist',
        ),
        (
            {"csi": {"driver": "other.example", "volumeHandle": "x"}},
            'MountDevice failed for volume "pv" : driver name other.example not found in the list of registered CSI drivers',
        ),
        (
            {"mountOptions": ["hard"], **CSI},
            'SetUp failed for volume "pv" : mount options (hard) are not supported by this node',
        ),
    ],
)
async def test_a_persistent_volume_that_can_not_be_had_is_told_by_its_name(
    world: World, spec: dict[str, Any], why: str
) -> None:
    world.objects.claims, world.objects.volumes = {"data": claim()}, {"pv": persistent(**spec)}
    with pytest.raises(VolumeError) as told:
        await world.prepare(pod(CLAIMED))
    assert str(told.value) == f"MountVolume.{why}"
