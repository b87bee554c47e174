"""Volumes: claims find a PersistentVolume, or get one made; both stay while they are used, and are reclaimed after.

`matching.choose` is the static match; the StorageClass provisioner docker-volume.naru.dev makes a
PersistentVolume whose CSI handle is the name of a Docker volume on the claim's node. It carries the provisioner's finalizer,
which the agent of the node takes away once it has removed the Docker volume. Watches claims, volumes, classes
and pods. Key: a claim (NAMESPACE/NAME), or a volume (/NAME).
"""

from __future__ import annotations

from typing import Any, ClassVar

from controlplane.controllers.controller import Controller, itself, split
from controlplane.controllers.matching import choose, is_reserved
from controlplane.controllers.pods import is_finished
from controlplane.scheduler.scheduler import NO_PROVISIONER, SELECTED_NODE
from kubeapi.client.recorder import reference_of
from kubeapi.core_v1.types import (
    CSIPersistentVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    Pod,
    VolumeNodeAffinity,
)
from kubeapi.meta_v1.types import ObjectMeta
from kubeapi.names import DOCKER_VOLUME_FINALIZER, DOCKER_VOLUMES
from kubeapi.storage_v1.types import StorageClass

PVC_PROTECTION, PV_PROTECTION = "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection"
BIND_COMPLETED, BOUND_BY = "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"
DEFAULT_CLASS, IS_DEFAULT = "standard", "storageclass.kubernetes.io/is-default-class"
PROVISIONERS = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def make_volume(claim: PersistentVolumeClaim, class_: StorageClass, node: str) -> PersistentVolume:
    """The PersistentVolume that provisioning makes: a Docker volume, tied to the node if one was chosen."""
    name = f"pvc-{claim.metadata.uid}"
    rule = NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[node])
    place = VolumeNodeAffinity(required=NodeSelector(node_selector_terms=[NodeSelectorTerm(match_expressions=[rule])]))
    return PersistentVolume(
        metadata=ObjectMeta(
            name=name, annotations={PROVISIONED_BY: DOCKER_VOLUMES}, finalizers=[PV_PROTECTION, DOCKER_VOLUME_FINALIZER]
        ),
        spec=PersistentVolumeSpec(
            capacity={"storage": claim.spec.resources.requests["storage"]},
            access_modes=claim.spec.access_modes,
            claim_ref=reference_of(claim),
            csi=CSIPersistentVolumeSource(driver=DOCKER_VOLUMES, volume_handle=name),
            node_affinity=place if node else None,
            persistent_volume_reclaim_policy=class_.reclaim_policy or "Delete",
            storage_class_name=class_.metadata.name,
            volume_mode=claim.spec.volume_mode or "Filesystem",
        ),
    )


class VolumeController(Controller):
    """Binds, provisions, protects and reclaims."""

    name: ClassVar[str] = "persistentvolume-binder-controller"
    component: ClassVar[str] = "persistentvolume-controller"
    workers: ClassVar[int] = 1  # two claims must not take one volume

    def setup(self) -> None:
        self._claims = self.watch(PersistentVolumeClaim, itself)
        self._volumes = self.watch(PersistentVolume, self._of_volume)
        self._classes = self.watch(StorageClass, lambda _: self._unbound())
        self._nodes = self.context.informer(Node)
        self._pods = self.watch(Pod, _claims_of, facts=lambda p: (p.spec.volumes, p.spec.node_name, is_finished(p)))

    async def start(self) -> None:
        if self._classes.get("", DEFAULT_CLASS) is None:
            made = StorageClass(
                metadata=ObjectMeta(name=DEFAULT_CLASS, annotations={IS_DEFAULT: "true"}),
                provisioner=DOCKER_VOLUMES,
                reclaim_policy="Delete",
                volume_binding_mode="WaitForFirstConsumer",
            )
            await self.ensure_made(made)
        await super().start()

    def _unbound(self) -> list[str]:
        found = self._claims.list()
        return [f"{c.metadata.namespace}/{c.metadata.name}" for c in found if c.status.phase != "Bound"]

    def _of_volume(self, volume: PersistentVolume) -> list[str]:
        ref = volume.spec.claim_ref
        return [f"/{volume.metadata.name}", *([f"{ref.namespace}/{ref.name}"] if ref else self._unbound())]

    async def reconcile(self, key: str) -> None:
        namespace, name = split(key)
        if not namespace:
            volume = self._volumes.get("", name)
            if volume is not None:
                await self._reconcile_volume(volume)
            return
        claim = self._claims.get(namespace, name)
        if claim is None:  # its volume is released, also one of which the claim had not heard yet
            for volume in self._volumes.list():
                if (ref := volume.spec.claim_ref) and (ref.namespace, ref.name) == (namespace, name):
                    self.queue.add(f"/{volume.metadata.name}")
            return
        if claim.metadata.deletion_timestamp is not None:
            in_use = any(
                key in _claims_of(p) and not is_finished(p) and p.spec.node_name for p in self._pods.list(namespace)
            )
            if not in_use and PVC_PROTECTION in claim.metadata.finalizers:
                await self._unfinalize(claim, PVC_PROTECTION)
        elif claim.status.phase != "Bound":
            await self._bind_or_provision(claim)
        elif self._volumes.get("", claim.spec.volume_name) is None:
            await self._lost(claim)

    async def _bind_or_provision(self, claim: PersistentVolumeClaim) -> None:
        class_name = claim.spec.storage_class_name or ""
        class_ = self._classes.get("", class_name)
        waits = class_ is not None and class_.volume_binding_mode == "WaitForFirstConsumer"
        node = claim.metadata.annotations.get(SELECTED_NODE, "")
        volume = choose(claim, self._volumes.list(), self._nodes.get("", node))
        if volume is not None and (not waits or node or is_reserved(volume, claim)):
            await self._bind(claim, volume)
        elif claim.spec.volume_name:
            return  # it names a volume that is not there yet: its event brings the claim back
        elif not class_name:
            text = "no persistent volumes available for this claim and no storage class is set"
            self.recorder.event(claim, "Normal", "FailedBinding", text)
        elif class_ is None:
            text = f'storageclass.storage.k8s.io "{class_name}" not found'
            self.recorder.event(claim, "Warning", "ProvisioningFailed", text)
        elif waits and not node:
            text = "waiting for first consumer to be created before binding"
            self.recorder.event(claim, "Normal", "WaitForFirstConsumer", text)
        elif class_.provisioner != NO_PROVISIONER:
            await self._provision(claim, class_, node)

    async def _provision(self, claim: PersistentVolumeClaim, class_: StorageClass, node: str) -> None:
        """Say who provisions the claim, and do it if that is us."""
        if claim.metadata.annotations.get(PROVISIONERS[0]) != class_.provisioner:
            told = {"metadata": {"annotations": dict.fromkeys(PROVISIONERS, class_.provisioner)}}
            name, namespace = claim.metadata.name, claim.metadata.namespace
            claim = await self.client.patch(PersistentVolumeClaim, name, told, namespace)
        if class_.provisioner == DOCKER_VOLUMES:
            made = make_volume(claim, class_, node)
            await self.ensure_made(made)
            text = f"Successfully provisioned volume {made.metadata.name}"
            self.recorder.event(claim, "Normal", "ProvisioningSucceeded", text)
        else:
            text = (
                f"Waiting for a volume to be created either by the external provisioner '{class_.provisioner}' or "
                "manually by the system administrator. If volume creation is delayed, please verify that the "
                "provisioner is running and correctly registered."
            )
            self.recorder.event(claim, "Normal", "ExternalProvisioning", text)

    async def _bind(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        if volume.spec.claim_ref is None or not volume.spec.claim_ref.uid:
            volume = volume.clone()
            volume.spec.claim_ref = reference_of(claim)
            volume.metadata.annotations = volume.metadata.annotations | {BOUND_BY: "yes"}
            volume = await self.client.update(volume)
        await self._phase(volume, "Bound")
        bound = claim.clone()
        bound.spec.volume_name = volume.metadata.name
        bound.metadata.annotations = bound.metadata.annotations | {BIND_COMPLETED: "yes", BOUND_BY: "yes"}
        bound = await self.client.update(bound)
        bound.status.phase, bound.status.capacity = "Bound", volume.spec.capacity
        bound.status.access_modes = volume.spec.access_modes
        await self.client.update_status(bound)

    async def _lost(self, claim: PersistentVolumeClaim) -> None:
        lost = claim.clone()
        lost.status.phase = "Lost"
        await self.client.update_status(lost)
        text = "Bound claim has lost its PersistentVolume. Any data on this volume is lost!"
        self.recorder.event(claim, "Warning", "ClaimLost", text)

    async def _reconcile_volume(self, volume: PersistentVolume) -> None:
        ref = volume.spec.claim_ref
        claim = self._claims.get(ref.namespace, ref.name) if ref else None
        gone = ref is not None and bool(ref.uid) and (claim is None or claim.metadata.uid != ref.uid)
        if volume.metadata.deletion_timestamp is not None:
            if (gone or ref is None) and PV_PROTECTION in volume.metadata.finalizers:
                await self._unfinalize(volume, PV_PROTECTION)
        elif ref is None or not ref.uid:
            await self._phase(volume, "Available")
        elif gone:
            await self._phase(volume, "Released")
            provisioned = volume.metadata.annotations.get(PROVISIONED_BY) == DOCKER_VOLUMES
            if volume.spec.persistent_volume_reclaim_policy == "Delete" and provisioned:
                await self.client.delete(PersistentVolume, volume.metadata.name, uid=volume.metadata.uid)
        else:
            await self._phase(volume, "Bound")

    async def _phase(self, volume: PersistentVolume, phase: str) -> None:
        if volume.status.phase != phase:
            changed = volume.clone()
            changed.status.phase, changed.status.last_phase_transition_time = phase, self.clock.now()
            await self.client.update_status(changed)

    async def _unfinalize(self, obj: Any, finalizer: str) -> None:
        changed = obj.clone()
        changed.metadata.finalizers = [f for f in changed.metadata.finalizers if f != finalizer]
        await self.client.update(changed)


def _claims_of(pod: Pod) -> list[str]:
    used = [v.persistent_volume_claim.claim_name for v in pod.spec.volumes if v.persistent_volume_claim]
    return [f"{pod.metadata.namespace}/{name}" for name in used]
