"""Volumes that are directories, of the pod's own or the machine's, and mounts of their parts."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from agent.environment import ConfigError
from agent.volumes import VolumeError, kernel
from agent.volumes.emptydir import memory_size
from agent.volumes.subpath import EscapeError, open_within
from kubeapi.core_v1.types import (
    EmptyDirVolumeSource,
)
from tests.unit.volumes.world import GROUP, ROOT, World, mode_of, pod


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
