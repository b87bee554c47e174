"""Volumes of a pod on this machine's own file system: what is in them, whose they are, and what is said without them."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.environment import ConfigError
from agent.objects import Ref
from agent.volumes import VolumeError, Volumes, kernel
from agent.volumes.atomic import File, write
from agent.volumes.emptydir import memory_size
from agent.volumes.subpath import EscapeError, open_within
from kubeapi.core_v1.types import (
    Container,
    EmptyDirVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Volume,
    VolumeMount,
)
from kubeapi.errors import ApiError
from naru.simulation.virtual import VirtualClock

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and groups need root")
GROUP = 4242


class FakeObjects:
    """What the API holds, as a pod's volumes ask for it."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], dict[str, bytes]] = {
            ("ConfigMap", "cm"): {"KEY": b"value", "OTHER": b"two"},
            ("Secret", "sec"): {"user": b"u", "password": b"p"},
        }
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}
        self.tokens: list[tuple[str, int]] = []
        self.followed: set[Ref] = set()
        self.changed: Callable[[], None] = lambda: None
        self.down = False

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        if self.down:
            raise ConnectionError("no API answers")
        return self.held.get((kind, name))

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self.claims.get(name)

    async def volume(self, name: str) -> PersistentVolume | None:
        return self.volumes.get(name)

    async def token(self, pod: Pod, audience: str, seconds: int) -> str:
        if pod.spec.service_account_name == "nobody":
            raise ApiError(404, "NotFound", 'serviceaccounts "nobody" not found')
        self.tokens.append((audience, seconds))
        return f"token-{len(self.tokens)}"

    async def follow(self, pod_uid: str, refs: Iterable[Ref], changed: Callable[[], None]) -> None:
        self.followed, self.changed = set(refs), changed

    async def release(self, pod_uid: str) -> None:
        self.followed = set()


class FakeEngine:
    """An engine whose named volumes are directories."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def ensure_volume(self, name: str) -> str:
        path = self._directory / name
        path.mkdir(exist_ok=True)
        return str(path)


class World:
    """A node with pods' volumes below a directory of the test's own."""

    def __init__(self, directory: Path) -> None:
        self.objects, self.seconds, self.clock = FakeObjects(), 0.0, VirtualClock()
        self.woken: list[str] = []
        self.pods, self.engine = directory / "pods", directory / "engine"
        self.engine.mkdir()
        self.volumes = self.restarted()

    def restarted(self) -> Volumes:
        runtime: Any = FakeEngine(self.engine)
        objects: Any = self.objects
        given: Any = {"now": lambda: self.seconds, "clock": self.clock, "wake": self.woken.append}
        return Volumes(objects, runtime, self.pods, {"cpu": "8"}, **given)

    async def prepare(self, spec: Pod) -> Path:
        """The place of the volume `v`."""
        await self.volumes.prepare(spec)
        return Path(self.volumes.mounts(spec, spec.spec.containers[0], {})[0].source)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    kernel.delete_directory(made.pods)


def pod(volume: dict[str, Any], mount: dict[str, Any] | None = None, **spec: Any) -> Pod:
    """A pod that mounts one volume, named v."""
    mounts = [{"name": "v", "mountPath": "/v", **(mount or {})}]
    container = {"name": "c", "volumeMounts": mounts, "resources": {"limits": {"memory": "64Mi"}}}
    body = {"volumes": [{"name": "v", **volume}], "containers": [container], **spec}
    meta = {"name": "p", "namespace": "ns", "uid": "uid-1", "labels": {"l": "x"}}
    return Pod.model_validate({"metadata": meta, "spec": body})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# Files


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


# Directories


async def test_an_empty_directory_is_open_to_all_and_outlives_the_agent(world: World) -> None:
    wanted = pod({"emptyDir": {}})
    path = await world.prepare(wanted)
    assert mode_of(path) == 0o777
    (path / "file").write_text("kept")
    world.volumes = world.restarted()
    assert (await world.prepare(wanted) / "file").read_text() == "kept"


@ROOT
async def test_memory_has_a_size_and_ends_with_its_pod(world: World) -> None:
    path = await world.prepare(pod({"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}))
    seen = os.statvfs(path)
    assert seen.f_blocks * seen.f_frsize == 1 << 20
    assert mode_of(path) == 0o1777
    await world.volumes.remove("uid-1")
    assert not kernel.mounted_below(world.pods)
    assert not (world.pods / "uid-1").exists()


@ROOT
async def test_a_pod_at_its_end_holds_no_memory_but_keeps_what_is_not_a_volume(world: World) -> None:
    path = await world.prepare(pod({"emptyDir": {"medium": "Memory"}}))
    (world.pods / "uid-1/message").touch()
    await world.volumes.release("uid-1")
    await world.volumes.release("uid-1")
    assert not kernel.mounted_below(world.pods)
    assert not path.exists()
    assert (world.pods / "uid-1/message").exists()


@pytest.mark.parametrize(("limit", "size"), [(None, 64 << 20), ("1Mi", 1 << 20), ("1Gi", 64 << 20)])
def test_memory_is_the_smallest_of_the_volumes_and_the_pods_limit(limit: str | None, size: int) -> None:
    wanted = pod({"emptyDir": {}})
    assert memory_size(wanted, EmptyDirVolumeSource(medium="Memory", size_limit=limit)) == size


@ROOT
async def test_an_empty_directory_is_its_groups(world: World) -> None:
    path = await world.prepare(pod({"emptyDir": {}}, securityContext={"fsGroup": GROUP}))
    assert path.stat().st_gid == GROUP
    assert mode_of(path) == 0o2777


def sock(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    return path


@pytest.mark.parametrize("kind", ["Directory", "File", "Socket", "CharDevice", "BlockDevice"])
async def test_a_host_path_is_checked(world: World, tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    right = {
        "Directory": tmp_path,
        "File": tmp_path / "file",
        "Socket": sock(tmp_path / "s"),
        "CharDevice": Path("/dev/null"),
    }
    for of, path in right.items():
        wanted = pod({"hostPath": {"path": str(path), "type": kind}})
        wanted.metadata.uid = f"{kind}-{of}"
        if of == kind:
            assert await world.prepare(wanted) == path
        else:
            with pytest.raises(VolumeError, match=f"hostPath type check failed: {path} is not a"):
                await world.prepare(wanted)


async def test_a_host_path_is_made_if_asked_for(world: World, tmp_path: Path) -> None:
    folder = await world.prepare(pod({"hostPath": {"path": str(tmp_path / "a/b"), "type": "DirectoryOrCreate"}}))
    assert mode_of(folder) == 0o755
    wanted = pod({"hostPath": {"path": str(folder / "f"), "type": "FileOrCreate"}})
    wanted.metadata.uid = "uid-2"
    assert (await world.prepare(wanted)).is_file()


async def test_a_host_path_that_can_not_be_made_is_told(world: World, tmp_path: Path) -> None:
    wanted = pod({"hostPath": {"path": str(tmp_path / "no/f"), "type": "FileOrCreate"}})
    with pytest.raises(VolumeError, match=f": open {tmp_path}/no/f: no such file or directory$"):
        await world.prepare(wanted)


async def test_what_unknown_pods_left_is_deleted(world: World) -> None:
    await world.prepare(pod({"emptyDir": {}}))
    for uid in ("known", "unknown"):
        (world.pods / uid / "volumes").mkdir(parents=True)
    await world.volumes.collect({"known"})
    assert sorted(os.listdir(world.pods)) == ["known", "uid-1"]


async def test_a_host_path_stays_when_its_pod_goes(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    await world.prepare(pod({"hostPath": {"path": str(tmp_path)}}))
    await world.volumes.remove("uid-1")
    assert (tmp_path / "file").exists()


# Parts of volumes


async def test_a_container_that_mounts_what_is_not_there_is_told(world: World) -> None:
    wanted = pod({"emptyDir": {}})
    with pytest.raises(ConfigError, match=r'^cannot find volume "v" to mount into container "c"$'):
        world.volumes.mounts(wanted, wanted.spec.containers[0], {})


@ROOT
async def test_a_sub_path_is_made_with_the_volumes_mode_and_unmounted_at_the_end(world: World) -> None:
    wanted = pod({"emptyDir": {}}, {"subPathExpr": "$(POD)/x"}, securityContext={"fsGroup": GROUP})
    await world.volumes.prepare(wanted)
    (mount,) = world.volumes.mounts(wanted, wanted.spec.containers[0], {"POD": "p"})
    made = world.pods / "uid-1/volumes/v/p/x"
    assert (mode_of(made), made.stat().st_gid) == (0o2777, GROUP)
    (made / "file").write_text("here")
    assert (Path(mount.source) / "file").read_text() == "here"
    world.volumes.mounts(wanted, wanted.spec.containers[0], {"POD": "p"})
    assert len(kernel.mounted_below(world.pods)) == 1
    await world.volumes.remove("uid-1")
    assert not kernel.mounted_below(world.pods)


@ROOT
async def test_a_file_of_a_config_map_is_mounted_by_itself(world: World) -> None:
    wanted = pod({"configMap": {"name": "cm"}}, {"subPath": "KEY"})
    assert (await world.prepare(wanted)).read_text() == "value"


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ({"subPathExpr": "$(NONE)/$(EMPTY)"}, "missing value for EMPTY, NONE"),
        ({"subPathExpr": "$(ROOT)"}, "error SubPath `/etc` must not be an absolute path"),
        ({"subPathExpr": "a/$(UP)"}, "unable to provision SubPath `a/..`: must not contain '..'"),
        ({"subPath": "link/x"}, 'failed to prepare subPath for volumeMount "v" of container "c"'),
        ({"subPath": "up"}, 'failed to prepare subPath for volumeMount "v" of container "c"'),
        (
            {"readOnly": True, "recursiveReadOnly": "Enabled"},
            'failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, '
            "but it is not supported by the runtime",
        ),
    ],
)
async def test_a_mount_that_can_not_be_had_is_told(world: World, mount: dict[str, Any], why: str) -> None:
    wanted = pod({"emptyDir": {}}, mount)
    await world.volumes.prepare(wanted)
    inside = world.pods / "uid-1/volumes/v"
    (inside / "link").symlink_to("/etc")
    (inside / "up").symlink_to("../../..")
    with pytest.raises(ConfigError) as told:
        world.volumes.mounts(wanted, wanted.spec.containers[0], {"EMPTY": "", "ROOT": "/etc", "UP": ".."})
    assert str(told.value) == why


def test_links_that_stay_in_the_volume_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real/deep").mkdir(parents=True)
    (tmp_path / "real/back").symlink_to("../real/./deep")
    (tmp_path / "loop").symlink_to("loop")
    found = open_within(tmp_path, "real/back")
    assert os.path.samestat(os.fstat(found), (tmp_path / "real/deep").stat())
    os.close(found)
    with pytest.raises(EscapeError):
        open_within(tmp_path, "loop")


async def test_the_way_of_a_mount_is_passed_on(world: World) -> None:
    wanted = pod({"emptyDir": {}}, {"readOnly": True, "mountPropagation": "HostToContainer", "mountPath": "data"})
    await world.volumes.prepare(wanted)
    (mount,) = world.volumes.mounts(wanted, wanted.spec.containers[0], {})
    assert (mount.target, mount.read_only, mount.propagation, mount.volume) == ("/data", True, "rslave", False)


async def test_files_can_not_be_written_by_containers(world: World) -> None:
    wanted = pod({"configMap": {"name": "cm"}})
    await world.volumes.prepare(wanted)
    assert world.volumes.mounts(wanted, wanted.spec.containers[0], {})[0].read_only


# Claims


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
