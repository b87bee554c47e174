"""Volumes of files: what is in them and follows its objects, whose they are, and what is said without them."""

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from agent.objects import Ref
from agent.volumes import VolumeError
from agent.volumes.atomic import File, write
from tests.unit.volumes.world import GROUP, ROOT, World, mode_of, pod


async def test_a_config_map_is_a_file_for_each_key(world: World) -> None:
    path = await world.prepare(pod({"configMap": {"name": "cm"}}))
    assert {f.name: f.read_text() for f in path.iterdir() if not f.name.startswith("..")} == {
        "KEY": "value",
        "OTHER": "two",
    }
    assert mode_of(path / "KEY") == 0o644


async def test_items_choose_keys_paths_and_modes(world: World) -> None:
    items = [{"key": "KEY", "path": "a/b", "mode": 0o440}]
    path = await world.prepare(pod({"configMap": {"name": "cm", "items": items, "defaultMode": 0o600}}))
    assert os.listdir(path / "a") == ["b"]
    assert mode_of(path / "a" / "b") == 0o440
    assert not (path / "OTHER").exists()


@ROOT
async def test_a_secret_lies_in_memory_with_its_mode(world: World) -> None:
    path = await world.prepare(pod({"secret": {"secretName": "sec", "defaultMode": 0o400}}))
    assert path.is_mount()
    assert (path / "user").read_text() == "u"
    assert mode_of(path / "user") == 0o400


@ROOT
async def test_a_group_may_read_the_files_and_owns_the_volume(world: World) -> None:
    wanted = pod({"secret": {"secretName": "sec", "defaultMode": 0o400}}, securityContext={"fsGroup": GROUP})
    path = await world.prepare(wanted)
    assert (path / "user").stat().st_gid == path.stat().st_gid == GROUP
    assert mode_of(path / "user") == 0o440
    assert mode_of(path) & stat.S_ISGID


@ROOT
async def test_projected_sources_share_one_directory(world: World) -> None:
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "KEY", "path": "a/KEY"}]}},
        {"secret": {"name": "sec", "items": [{"key": "user", "path": "b"}]}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607, "audience": "them"}},
    ]
    path = await world.prepare(pod({"projected": {"sources": sources}}))
    told = {name: (path / name).read_text() for name in ("a/KEY", "b", "labels", "token")}
    assert told == {"a/KEY": "value", "b": "u", "labels": 'l="x"', "token": "token-1"}
    assert world.objects.tokens == [("them", 3607)]


@ROOT
@pytest.mark.parametrize(
    ("security", "users", "owner", "mode"),
    [
        ({}, (None, None), 0, 0o644),
        ({"runAsUser": 1000}, (None, None), 1000, 0o600),
        ({"runAsUser": 1000}, (None, 2000), 0, 0o644),
        ({}, (2000, 2000), 2000, 0o600),
        ({"fsGroup": GROUP}, (None, None), 0, 0o640),
    ],
)
async def test_a_token_is_its_users_alone(
    world: World, security: dict[str, int], users: tuple[int | None, int | None], owner: int, mode: int
) -> None:
    wanted = pod({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}, securityContext=security)
    wanted.spec.containers.append(wanted.spec.containers[0].clone())
    for container, user in zip(wanted.spec.containers, users, strict=True):
        context = {"securityContext": {"runAsUser": user}} if user else {}
        container.security_context = type(container).model_validate({"name": "c", **context}).security_context
    token = await world.prepare(wanted) / "token"
    assert (token.stat().st_uid, mode_of(token)) == (owner, mode)


@ROOT
async def test_a_resource_without_a_limit_is_told_as_what_the_node_has(world: World) -> None:
    item = {"path": "cpu", "resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}
    path = await world.prepare(pod({"downwardAPI": {"items": [item]}}))
    assert (path / "cpu").read_text() == "8"


@ROOT
@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"configMap": {"name": "absent"}}, 'configmap "absent" not found'),
        ({"secret": {"secretName": "absent"}}, 'secret "absent" not found'),
        (
            {"configMap": {"name": "cm", "items": [{"key": "NO", "path": "n"}]}},
            "configmap references non-existent config key: NO",
        ),
        (
            {"secret": {"secretName": "sec", "items": [{"key": "NO", "path": "n"}]}},
            "references non-existent secret key: NO",
        ),
        (
            {"projected": {"sources": [{"configMap": {"name": "one"}}, {"secret": {"name": "two"}}]}},
            '[configmap "one" not found, secret "two" not found]',
        ),
        ({"nfs": {"server": "s", "path": "/"}}, "volume source nfs is not supported by this node"),
        (
            {"projected": {"sources": [{"clusterTrustBundle": {"path": "x"}}]}},
            "projected source clusterTrustBundle is not supported by this node",
        ),
        (
            {"emptyDir": {"medium": "HugePages"}},
            'unknown storage medium "HugePages": this node has only its disk ("") and "Memory"',
        ),
    ],
)
async def test_what_can_not_be_had_is_told_in_the_kubelets_words(
    world: World, volume: dict[str, Any], why: str
) -> None:
    with pytest.raises(VolumeError) as told:
        await world.prepare(pod(volume))
    assert str(told.value) == f'MountVolume.SetUp failed for volume "v" : {why}'


@ROOT
async def test_a_token_that_is_refused_is_told(world: World) -> None:
    wanted = pod({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}, serviceAccountName="nobody")
    with pytest.raises(VolumeError, match=r'failed to fetch token: .*serviceaccounts "nobody" not found'):
        await world.prepare(wanted)


async def test_what_is_optional_may_be_absent(world: World) -> None:
    path = await world.prepare(pod({"configMap": {"name": "absent", "optional": True}}))
    assert [f for f in os.listdir(path) if not f.startswith("..")] == []
    assert path.is_dir()


async def test_a_volume_that_nothing_mounts_is_not_looked_at(world: World) -> None:
    wanted = pod({"configMap": {"name": "absent"}})
    wanted.spec.containers[0].volume_mounts = []
    await world.volumes.prepare(wanted)


async def test_a_failed_volume_is_had_once_its_object_is_there(world: World) -> None:
    wanted = pod({"configMap": {"name": "late"}})
    with pytest.raises(VolumeError):
        await world.prepare(wanted)
    world.objects.held["ConfigMap", "late"] = {"k": b"1"}
    world.objects.changed()
    assert world.woken == ["uid-1"]
    assert (await world.prepare(wanted) / "k").read_text() == "1"


# Following


async def settled() -> None:
    """All that was begun by a change is done."""
    async with asyncio.timeout(5):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("volumes of ")))


async def test_a_change_of_an_object_is_written_at_once(world: World) -> None:
    path = await world.prepare(pod({"configMap": {"name": "cm"}}))
    assert world.objects.followed == {Ref("ConfigMap", "ns", "cm")}
    world.objects.held["ConfigMap", "cm"] = {"KEY": b"new"}
    world.objects.changed()
    await settled()
    assert (path / "KEY").read_text() == "new"
    assert not (path / "OTHER").exists()


@ROOT
async def test_a_change_of_labels_is_written_at_once(world: World) -> None:
    item = {"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}
    wanted = pod({"downwardAPI": {"items": [item]}})
    path = await world.prepare(wanted)
    wanted = wanted.clone()
    wanted.metadata.labels = {"l": "y"}
    await world.volumes.prepare(wanted)
    await settled()
    assert (path / "labels").read_text() == 'l="y"'


async def test_an_object_that_went_away_leaves_the_files(world: World) -> None:
    wanted = pod({"configMap": {"name": "cm"}})
    path = await world.prepare(wanted)
    del world.objects.held["ConfigMap", "cm"]
    with pytest.raises(VolumeError, match="not found"):
        await world.volumes.refresh(wanted)
    assert (path / "KEY").read_text() == "value"


@ROOT
async def test_a_token_is_renewed_after_four_fifths_of_its_time(world: World) -> None:
    wanted = pod({"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 1000}}]}})
    path = await world.prepare(wanted)
    world.seconds = 799
    await world.volumes.refresh(wanted)
    assert (path / "t").read_text() == "token-1"
    world.seconds = 800
    await world.volumes.refresh(wanted)
    assert (path / "t").read_text() == "token-2"


@ROOT
@pytest.mark.parametrize("step", [-7200.0, 7200.0])
async def test_a_token_is_renewed_once_the_clock_was_set(world: World, step: float) -> None:
    wanted = pod({"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}})
    path = await world.prepare(wanted)
    world.clock.skew = step
    for _ in range(2):
        await world.volumes.refresh(wanted)
        assert (path / "t").read_text() == "token-2"


async def test_what_is_ready_needs_no_api(world: World) -> None:
    wanted = pod({"configMap": {"name": "cm"}})
    await world.prepare(wanted)
    world.objects.down = True
    await world.volumes.prepare(wanted)


def test_files_change_in_one_step(tmp_path: Path) -> None:
    assert write(tmp_path, {"a": File(b"1"), "d/b": File(b"1")})
    before = os.readlink(tmp_path / "..data")
    assert not write(tmp_path, {"a": File(b"1"), "d/b": File(b"1")})
    assert write(tmp_path, {"a": File(b"2"), "c": File(b"2")})
    assert os.readlink(tmp_path / "..data") != before
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert sorted(n for n in os.listdir(tmp_path) if not n.startswith("..")) == ["a", "c"]
    assert sum(n.startswith("..") for n in os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "..data"])
def test_a_file_never_leaves_its_volume(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="must be relative"):
        write(tmp_path, {path: File(b"1")})
