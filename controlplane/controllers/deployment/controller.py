"""The Deployment controller's shell.

Deployments, their ReplicaSets and pods in; `plan` decides; writes and Events out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import ClassVar

from controlplane.controllers.controller import Controller, itself, key_of, split
from controlplane.controllers.deployment.history import REVISION, same_template
from controlplane.controllers.deployment.plan import Plan, plan
from controlplane.controllers.deployment.status import deadline
from controlplane.controllers.inflight import InFlight
from controlplane.controllers.owners import (
    adoption_patch,
    controller_of,
    controller_uid,
    plan_claims,
    release_patch,
)
from controlplane.controllers.pods import is_finished
from kubeapi.apps_v1.types import Deployment, ReplicaSet
from kubeapi.core_v1.types import Pod
from kubeapi.errors import ApiError
from kubeapi.selectors import matches

PATIENCE = timedelta(seconds=30)  # with the informer


class DeploymentController(Controller):
    """Key: a Deployment. It goes by its own writes also where the informer is late: or it would count on what it took."""

    name: ClassVar[str] = "deployment-controller"
    component: ClassVar[str] = "deployment-controller"

    def setup(self) -> None:
        self._flying = InFlight[ReplicaSet](PATIENCE)
        self._deployments = self.watch(Deployment, itself)
        self._sets = self.watch(ReplicaSet, self._owners_of_set)
        self._sets.on_change(self._flying.shown)
        self._pods = self.watch(Pod, self._owners_of_pod, facts=lambda p: (p.metadata.owner_references, is_finished(p)))
        self._pods.add_index("controller", controller_uid)

    def _owners_of_set(self, rs: ReplicaSet) -> Iterable[str]:
        owner = controller_of(rs.metadata)
        if owner is not None:
            return [f"{rs.metadata.namespace}/{owner.name}"] if owner.kind == "Deployment" else []
        found = self._deployments.list(rs.metadata.namespace)
        return [key_of(d) for d in found if matches(d.spec.selector, rs.metadata.labels)]

    def _owners_of_pod(self, pod: Pod) -> Iterable[str]:
        # Only Recreate looks at pods: it waits until the last old one is gone.
        owner = controller_of(pod.metadata)
        rs = self._sets.get(pod.metadata.namespace, owner.name) if owner and owner.kind == "ReplicaSet" else None
        above = controller_of(rs.metadata) if rs else None
        deployment = self._deployments.get(pod.metadata.namespace, above.name) if above else None
        return [key_of(deployment)] if deployment and deployment.spec.strategy.type == "Recreate" else []

    async def reconcile(self, key: str) -> None:
        namespace, name = split(key)
        deployment = self._deployments.get(namespace, name)
        if deployment is None:
            self._flying.forget(key)
            return
        sets = await self._claim(deployment)
        pods = {
            rs.metadata.uid: sum(not is_finished(p) for p in self._pods.by("controller", rs.metadata.uid))
            for rs in sets
        }
        now = self.clock.now()
        step = plan(deployment, sets, pods, now)
        await self._carry_out(deployment, sets, step)
        after = deployment.clone()
        after.status = step.status
        if (due := deadline(after)) is not None and due > now:
            self.queue.add_after(key, (due - now).total_seconds() + 1)

    async def _claim(self, deployment: Deployment) -> list[ReplicaSet]:
        shown = self._sets.list(deployment.metadata.namespace)
        known = self._flying.overlay(key_of(deployment), shown, self.clock.now())
        mine = plan_claims(deployment, deployment.spec.selector, known)
        held = list(mine.held)
        for rs in mine.adopt if mine.adopt and await self.lives(deployment) else ():
            held.append(await self._patch(rs, adoption_patch(deployment, rs)))
        for rs in mine.release:
            await self._patch(rs, release_patch(deployment, rs))
        return held

    async def _patch(self, rs: ReplicaSet, patch: dict[str, object]) -> ReplicaSet:
        return await self.client.patch(
            ReplicaSet, rs.metadata.name, patch, namespace=rs.metadata.namespace, type="strategic"
        )

    async def _carry_out(self, deployment: Deployment, sets: list[ReplicaSet], step: Plan) -> None:
        if step.create is not None and not await self._create(deployment, step.create):
            return
        before = {rs.metadata.name: rs.spec.replicas or 0 for rs in sets}
        for rs in step.update:
            self._flying.wrote(await self.client.update(rs), self.clock.now())
            self._tell_scaled(deployment, rs, before[rs.metadata.name])
        for rs in step.delete:
            await self.client.delete(ReplicaSet, rs.metadata.name, rs.metadata.namespace, uid=rs.metadata.uid)
            self._flying.deleted(rs, self.clock.now())
        written = deployment.clone()
        written.status = step.status
        if step.revision:
            written.metadata.annotations[REVISION] = step.revision
        if written != deployment:  # through the status door, where an annotation makes no new generation
            await self.client.update_status(written)

    async def _create(self, deployment: Deployment, rs: ReplicaSet) -> bool:
        """Create the new ReplicaSet; False if its name belongs to another template, so that the next hash is tried."""
        try:
            self._flying.wrote(await self.client.create(rs), self.clock.now())
        except ApiError as error:
            if error.reason != "AlreadyExists":
                why = f'Failed to create new replica set "{rs.metadata.name}": {error.message}'
                self.recorder.event(deployment, "Warning", "ReplicaSetCreateError", why)
                raise
            found = await self.client.get(ReplicaSet, rs.metadata.name, rs.metadata.namespace)
            owner = controller_of(found.metadata)
            if owner and owner.uid == deployment.metadata.uid and same_template(found.spec.template, rs.spec.template):
                return True  # the informer has not shown our own yet
            collided = deployment.clone()
            collided.status.collision_count = (collided.status.collision_count or 0) + 1
            await self.client.update_status(collided)
            return False
        self._tell_scaled(deployment, rs, 0)
        return True

    def _tell_scaled(self, deployment: Deployment, rs: ReplicaSet, before: int) -> None:
        now = rs.spec.replicas or 0
        if now != before:
            way = "up" if now > before else "down"
            message = f"Scaled {way} replica set {rs.metadata.name} from {before} to {now}"
            self.recorder.event(deployment, "Normal", "ScalingReplicaSet", message)
