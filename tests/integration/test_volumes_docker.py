"""Volumes as containers on a real Docker Engine see them: files that change at once, groups, memory, named volumes."""

import asyncio
import contextlib
import os
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import pytest

from agent.containers import container_spec, sandbox_spec
from agent.environment import ConfigError
from agent.objects import Ref
from agent.runtime.docker import DockerRuntime
from agent.volumes import Volumes, kernel
from kubeapi.core_v1.types import PersistentVolume, PersistentVolumeClaim, Pod

pytestmark = pytest.mark.docker
IMAGE = "naru/base"
FOREVER = ["sh", "-c", "trap 'exit 0' TERM; sleep 999 & wait"]


# Reads both files of one moment, over and over (none if just this moment's directory went away): never one new and one old.
UNTIL_NOT_OLD = "while cd /v/..data/; t=$(cat a b 2>/dev/null); [ -z $t ] || [ $t = oldold ]; do :; done; echo $t"


class FakeObjects:
    """What the API holds: a ConfigMap, a Secret, and a claim that is bound to a volume of the engine."""

    def __init__(self, handle: str) -> None:
        self.held = {("ConfigMap", "cm"): {"a": b"old", "b": b"old"}, ("Secret", "sec"): {"user": b"u"}}
        self.changed: Callable[[], None] = lambda: None
        csi = {"driver": "docker-volume.naru.dev", "volumeHandle": handle}
        spec = {"claimRef": {"uid": "claim"}, "csi": csi}
        self._volume = PersistentVolume.model_validate({"metadata": {"name": handle}, "spec": spec})

    async def data(self, kind: str, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return self.held.get((kind, name))

    async def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        body = {"spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}}
        return PersistentVolumeClaim.model_validate({"metadata": {"name": name, "uid": "claim"}, **body})

    async def volume(self, name: str) -> PersistentVolume | None:
        return self._volume

    async def token(self, pod: Pod, audience: str, seconds: int) -> str:
        return "token"

    async def follow(self, pod_uid: str, refs: Iterable[Ref], changed: Callable[[], None]) -> None:
        self.changed = changed

    async def release(self, pod_uid: str) -> None:
        pass


class World:
    """One node's volumes and its engine."""

    def __init__(self, runtime: DockerRuntime, directory: Path) -> None:
        self.runtime, self.directory = runtime, directory
        self.named = f"{runtime.cluster}-data"
        self.objects = FakeObjects(self.named)
        objects: Any = self.objects
        self.volumes = Volumes(objects, runtime, directory)

    async def run(self, volumes: dict[str, Any], mounts: list[dict[str, Any]], **spec: Any) -> "Running":
        """A pod of one container with these volumes."""
        container = {"name": "c", "image": IMAGE, "command": FOREVER, "volumeMounts": mounts}
        named = [{"name": name, **source} for name, source in volumes.items()]
        body = {"volumes": named, "containers": [container], **spec}
        meta = {"name": "p", "namespace": "ns", "uid": str(uuid.uuid4())}
        pod = Pod.model_validate({"metadata": meta, "spec": body})
        await self.volumes.prepare(pod)
        sandbox = await self.runtime.start_sandbox(await self.runtime.create_sandbox(sandbox_spec(pod, 0)))
        image = await self.runtime.image(IMAGE)
        assert image is not None
        template = pod.spec.containers[0]
        wanted = self.volumes.mounts(pod, template, {"POD": "p"})
        made = await self.runtime.create_container(
            container_spec(pod, template, image, sandbox.id, 0, 0, {}, wanted, "")
        )
        await self.runtime.start(made)
        return Running(self.runtime, pod, made)

    async def end(self, pod: Pod) -> None:
        """Nothing of the pod is left."""
        sandboxes, containers = await self.runtime.observe(pod.metadata.uid)
        for id_ in [*(c.id for c in containers), *(s.id for s in sandboxes)]:
            await self.runtime.remove(id_)
        await self.volumes.remove(pod.metadata.uid)


class Running:
    """A container that runs, and what is said in it."""

    def __init__(self, runtime: DockerRuntime, pod: Pod, id_: str) -> None:
        self.runtime, self.pod, self.id = runtime, pod, id_

    async def sh(self, script: str) -> str:
        return (await self.runtime.exec(self.id, ["sh", "-c", f"{{ {script}; }} 2>&1"], 20)).output.decode()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    runtime = DockerRuntime("test-" + uuid.uuid4().hex[:8])
    if await runtime.image(IMAGE) is None:
        pytest.skip(f"image {IMAGE} is not on this engine")
    made = World(runtime, tmp_path / "pods")
    try:
        yield made
    finally:
        sandboxes, containers = await runtime.observe()
        for id_ in [*(c.id for c in containers), *(s.id for s in sandboxes)]:
            await runtime.remove(id_)
        kernel.delete_directory(made.directory)
        await runtime.close()
        with contextlib.closing(docker.from_env()) as engine:
            for volume in engine.volumes.list(filters={"label": f"naru.dev/cluster={runtime.cluster}"}):
                volume.remove()


async def test_files_change_at_once_under_a_running_container(world: World) -> None:
    running = await world.run({"cm": {"configMap": {"name": "cm"}}}, [{"name": "cm", "mountPath": "/v"}])
    assert await running.sh("cat /v/a /v/b; touch /v/x") == "oldoldtouch: cannot touch '/v/x': Read-only file system\n"
    watching = asyncio.create_task(running.sh(UNTIL_NOT_OLD))
    world.objects.held["ConfigMap", "cm"] = {"a": b"new", "b": b"new"}
    world.objects.changed()
    assert await watching == "newnew\n"


async def test_a_group_reads_what_root_wrote(world: World) -> None:
    sources = [{"serviceAccountToken": {"path": "token"}}, {"secret": {"name": "sec"}}]
    volumes = {"t": {"projected": {"sources": sources, "defaultMode": 0o400}}, "e": {"emptyDir": {}}}
    mounts = [{"name": "t", "mountPath": "/t"}, {"name": "e", "mountPath": "/e"}]
    security = {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 4242}
    running = await world.run(volumes, mounts, securityContext=security)
    assert await running.sh("stat -Lc '%a %u %g' /t/token /t/user; cat /t/token /t/user") == (
        "640 1000 4242\n440 0 4242\ntokenu"
    )
    assert await running.sh("echo hi >/e/f; stat -c '%a %u %g' /e; stat -c '%u %g' /e/f") == "2777 0 4242\n1000 4242\n"


async def test_memory_is_full_at_its_limit_and_unmounted_at_the_end(world: World) -> None:
    volume = {"m": {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}}
    running = await world.run(volume, [{"name": "m", "mountPath": "/m"}])
    assert await running.sh("grep ' /m ' /proc/mounts | cut -d' ' -f1,3") == "tmpfs tmpfs\n"
    assert "No space left on device" in await running.sh("head -c 2M /dev/zero >/m/f")
    await world.end(running.pod)
    assert not kernel.mounted_below(world.directory)
    assert list(world.directory.iterdir()) == []


async def test_a_named_volume_starts_empty_and_keeps_its_data(world: World) -> None:
    volume = {"d": {"persistentVolumeClaim": {"claimName": "data"}}}
    # The image has files there, which an engine would copy into a new volume.
    mounts = [{"name": "d", "mountPath": "/etc/apt"}, {"name": "d", "mountPath": "/part", "subPathExpr": "$(POD)"}]
    first = await world.run(volume, mounts, securityContext={"runAsUser": 1000})
    assert await first.sh("ls /etc/apt; echo kept >/part/f; cat /etc/apt/p/f") == "p\nkept\n"
    await world.end(first.pod)
    second = await world.run(volume, mounts[:1])
    assert await second.sh("cat /etc/apt/p/f") == "kept\n"


async def test_a_link_out_of_the_volume_is_no_way_to_the_host(world: World) -> None:
    running = await world.run({"e": {"emptyDir": {}}}, [{"name": "e", "mountPath": "/e"}])
    await running.sh("ln -s / /e/host")
    template = running.pod.spec.containers[0].clone()
    template.volume_mounts[0].sub_path = "host/etc"
    with pytest.raises(ConfigError, match=r'failed to prepare subPath for volumeMount "e" of container "c"'):
        world.volumes.mounts(running.pod, template, {})


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A directory whose mounts are told to who asked for it."""
    path = tmp_path / "shared"
    path.mkdir()
    kernel.mount_tmpfs(path, "size=64k")
    subprocess.run(["mount", "--make-shared", path], check=True)
    yield path
    kernel.delete_directory(path)


async def test_what_is_mounted_on_the_host_later_shows_where_it_is_asked_for(world: World, shared: Path) -> None:
    mounts = [
        {"name": "h", "mountPath": "/follows", "mountPropagation": "HostToContainer"},
        {"name": "h", "mountPath": "/private"},
    ]
    running = await world.run({"h": {"hostPath": {"path": str(shared), "type": "Directory"}}}, mounts)
    (shared / "sub").mkdir()
    kernel.mount_tmpfs(shared / "sub", "size=64k")
    (shared / "sub" / "file").touch()
    assert await running.sh("ls /follows/sub; ls /private/sub") == "file\n"


def test_what_is_mounted_is_not_deleted_where_a_link_is_on_the_way_to_it(tmp_path: Path) -> None:
    """The kernel tells mounts by their real paths: a data directory behind a link had its volumes' data deleted."""
    theirs, pods = tmp_path / "theirs", tmp_path / "where" / "pods"
    (pods / "mounted").mkdir(parents=True)
    theirs.mkdir()
    (theirs / "data").touch()
    (tmp_path / "link").symlink_to(tmp_path / "where")
    descriptor = os.open(theirs, os.O_PATH)
    kernel.bind(descriptor, pods / "mounted")
    os.close(descriptor)
    kernel.delete_directory(tmp_path / "link" / "pods")
    assert not pods.exists()
    assert (theirs / "data").exists()
