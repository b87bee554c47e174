"""Which PersistentVolume a claim takes: the one reserved for it, else the smallest free one that fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from controlplane.scheduler.affinity import selector_matches
from controlplane.scheduler.snapshot import amount
from kubeapi.core_v1.types import Node, PersistentVolume, PersistentVolumeClaim
from kubeapi.selectors import matches


def choose(
    claim: PersistentVolumeClaim, volumes: Iterable[PersistentVolume], node: Node | None = None
) -> PersistentVolume | None:
    """The volume for the claim; with a node, only one that can be used there."""
    free = []
    for volume in volumes:
        if volume.metadata.deletion_timestamp is not None:
            continue
        if is_reserved(volume, claim):
            return volume
        if volume.spec.claim_ref is None and _fits(volume, claim) and (node is None or is_usable(volume, node)):
            size = amount("storage", volume.spec.capacity.get("storage", 0))
            free.append((size, volume.metadata.name, volume))
    return min(free, key=lambda found: found[:2])[2] if free else None


def is_reserved(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether the volume names this claim."""
    ref, meta = volume.spec.claim_ref, claim.metadata
    return ref is not None and (ref.namespace, ref.name) == (meta.namespace, meta.name) and ref.uid in ("", meta.uid)


def is_usable(volume: PersistentVolume, node: Node) -> bool:
    """Whether its node affinity lets it be used on the node."""
    place = volume.spec.node_affinity
    return place is None or place.required is None or selector_matches(place.required, node)


def _fits(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Class, modes, size and labels are as the claim asks."""
    wanted = amount("storage", claim.spec.resources.requests.get("storage", 0))
    return (
        set(claim.spec.access_modes) <= set(volume.spec.access_modes)
        and (claim.spec.storage_class_name or "") == volume.spec.storage_class_name
        and (claim.spec.volume_mode or "Filesystem") == (volume.spec.volume_mode or "Filesystem")
        and (claim.spec.selector is None or matches(claim.spec.selector, volume.metadata.labels))
        and (not claim.spec.volume_name or claim.spec.volume_name == volume.metadata.name)
        and volume.status.phase in ("Available", "Pending", "")
        and amount("storage", volume.spec.capacity.get("storage", 0)) >= wanted
    )
