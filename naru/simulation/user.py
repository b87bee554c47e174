"""Who uses a cluster: asks for one thing after the other, each until it is answered, so that it is known what was asked."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from kubeapi.apps_v1.types import Deployment
from kubeapi.client.client import Client
from kubeapi.core_v1.types import ConfigMap, Pod, Service
from kubeapi.errors import ApiError
from naru.simulation.deeds import Deed
from naru.simulation.invariants.base import Scene
from naru.simulation.node import STUBBORN

AGAIN = 0.5
GRACE = 3  # seconds that a pod has to end by itself
HOLD = "naru.dev/held-by-its-user"
NAMESPACE = "default"
Wishes = dict[str, dict[str, Any] | None]


class User:
    """Carries out deeds in their order; `wanted` is what it has asked for, by Deployment (None: that it be gone). The
    scene hears of what else it counts on."""

    def __init__(self, client: Client, scene: Scene) -> None:
        self._client, self._scene = client, scene
        self.wanted: Wishes = {}
        self.doing = ""
        self._asked: asyncio.Queue[Deed | None] = asyncio.Queue()

    def ask(self, deed: Deed | None) -> None:
        """Do this next; None: and then stop."""
        self._asked.put_nowait(deed)

    async def run(self) -> None:
        """Until there is nothing more to ask for."""
        while deed := await self._asked.get():
            self.doing = str(deed).strip()
            match deed.name:
                case "run":
                    name, grace = deed.arguments["pod"], 0 if deed.arguments.get("force") else None
                    self._scene.forced |= {name} if grace == 0 else set()
                    await self._until_answered(functools.partial(self._delete, Pod, name, grace=grace))
                    await self._until_answered(functools.partial(self._run, name))
                case "hold":
                    await self._hold(deed.arguments["name"], deed.arguments["seconds"])
                case _:
                    await self._wish(deed)

    async def _wish(self, deed: Deed) -> None:
        name, told = deed.arguments["deployment"], deed.arguments
        wanted = self.wanted.get(name)
        if deed.name == "apply":
            wanted = told
        elif wanted is None:
            return
        elif deed.name == "delete":
            policy = "Foreground" if told.get("foreground") else ""
            await self._until_answered(functools.partial(self._delete, Service, name))
            await self._until_answered(functools.partial(self._delete, Deployment, name, policy))
            await self._until_answered(functools.partial(self._gone, name))
            self.wanted[name] = None
            return
        else:
            wanted = wanted | {key: value for key, value in told.items() if key != "deployment"}
        for model, asked in ((Deployment, deployment(name, wanted)), (Service, service(name))):
            await self._until_answered(functools.partial(self._apply, model, asked))
        self.wanted[name] = wanted

    async def _until_answered(self, ask: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await ask()
            except (OSError, ApiError):
                await asyncio.sleep(AGAIN)

    async def _apply(self, model: type[Any], asked: dict[str, Any]) -> None:
        name = asked["metadata"]["name"]
        await self._client.patch(model, name, asked, NAMESPACE, type="apply", manager="user", force=True)

    async def _delete(self, model: type[Any], name: str, policy: str = "", grace: int | None = None) -> None:
        try:
            await self._client.delete(model, name, NAMESPACE, grace=grace, propagation=policy)
        except ApiError as error:
            if error.code != 404:
                raise

    async def _gone(self, name: str) -> None:
        """A Deployment that goes with its pods takes its time; another of its name can't be had before."""
        try:
            await self._client.get(Deployment, name, NAMESPACE)
        except ApiError as error:
            if error.code == 404:
                return
            raise
        raise ConnectionError("it is still there")

    async def _run(self, name: str) -> None:
        """Another pod of that name. Where the answer was lost, it is there already."""
        spec = {"terminationGracePeriodSeconds": GRACE, "containers": [_container("app:1", {})]}
        labels = {"app": name}
        pod = {"metadata": {"name": name, "namespace": NAMESPACE, "labels": labels}, "spec": spec}
        try:
            await self._client.create(Pod.model_validate(pod))
        except ApiError as error:
            if error.code != 409 or (await self._client.get(Pod, name, NAMESPACE)).metadata.deletion_timestamp:
                raise

    async def _hold(self, name: str, seconds: float) -> None:
        """Make an object that a finalizer holds, delete it, and let it go a while later."""
        meta = {"name": name, "namespace": NAMESPACE, "finalizers": [HOLD]}
        asked = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        await self._until_answered(functools.partial(self._apply, ConfigMap, asked))
        self._scene.held.add(f"//configmaps/{NAMESPACE}/{name}")
        await self._until_answered(functools.partial(self._delete, ConfigMap, name))
        await asyncio.sleep(seconds)
        self._scene.held.clear()
        await self._until_answered(functools.partial(self._release, name))

    async def _release(self, name: str) -> None:
        try:
            await self._client.patch(ConfigMap, name, {"metadata": {"finalizers": None}}, NAMESPACE)
        except ApiError as error:
            if error.code != 404:
                raise


def deployment(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """The Deployment that a user's wish stands for."""
    labels = {"app": name}
    rolling = {"maxSurge": wanted["surge"], "maxUnavailable": wanted["unavailable"]}
    strategy: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": rolling}
    if wanted["recreate"]:
        strategy = {"type": "Recreate"}
    template = {"terminationGracePeriodSeconds": GRACE, "containers": [_container(wanted["image"], wanted)]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": wanted["replicas"],
            "selector": {"matchLabels": labels},
            "strategy": strategy,
            "template": {"metadata": {"labels": labels}, "spec": template},
        },
    }


def _container(image: str, wanted: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"name": "app", "image": image, "resources": {"requests": {"cpu": "1"}}}
    if wanted.get("stubborn"):
        made["args"] = [STUBBORN]
    for asked, kind in (("probe", "readinessProbe"), ("liveness", "livenessProbe")):
        if wanted.get(asked):
            made[kind] = {"exec": {"command": ["well"]}, "periodSeconds": 2, "failureThreshold": 2}
    return made


def service(name: str) -> dict[str, Any]:
    """The Service of a Deployment."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": spec}
