"""Owner references: who controls an object, and which objects a controller may take or must let go.

An owner claims what its selector matches and nobody controls (adoption), and releases what it controls but no longer
matches. Source: Kubernetes' ControllerRefManager.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, NamedTuple, TypeVar

from kubeapi.meta_v1.types import LabelSelector, ObjectMeta, OwnerReference
from kubeapi.selectors import selector_of

T = TypeVar("T", bound=Any)


class Claims(NamedTuple, Generic[T]):
    """What an owner holds already, what it adopts, and what it releases."""

    held: list[T]
    adopt: list[T]
    release: list[T]


def controller_of(meta: ObjectMeta) -> OwnerReference | None:
    """The reference to the object's one controller, or None."""
    for reference in meta.owner_references:
        if reference.controller:
            return reference
    return None


def controller_uid(obj: Any) -> str:
    """The index by which an owner finds its own, and those of a namespace that have none: the uid, or `/NAMESPACE`."""
    controller = controller_of(obj.metadata)
    return controller.uid if controller is not None else f"/{obj.metadata.namespace}"


def reference_to(owner: Any) -> OwnerReference:
    """The reference that a controlled object carries to its owner."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def plan_claims(owner: Any, selector: LabelSelector, objects: Iterable[T]) -> Claims[T]:
    """Sort the objects of the owner's namespace into held, adopted and released; the rest are none of its business."""
    claims: Claims[T] = Claims([], [], [])
    chosen = selector_of(selector)
    for obj in objects:
        controller = controller_of(obj.metadata)
        fits = chosen is not None and chosen.matches(obj.metadata.labels)
        match (controller is not None, fits):
            case (True, True) if controller and controller.uid == owner.metadata.uid:
                claims.held.append(obj)
            case (True, False) if controller and controller.uid == owner.metadata.uid:
                if owner.metadata.deletion_timestamp is None:
                    claims.release.append(obj)
            case (False, True) if not owner.metadata.deletion_timestamp and not obj.metadata.deletion_timestamp:
                claims.adopt.append(obj)
    return claims


def adoption_patch(owner: Any, obj: Any) -> dict[str, Any]:
    """The strategic merge patch that makes the owner the object's controller (the uid guards against a namesake)."""
    return {"metadata": {"uid": obj.metadata.uid, "ownerReferences": [reference_to(owner).to_dict()]}}


def release_patch(owner: Any, obj: Any) -> dict[str, Any]:
    """The strategic merge patch that takes the owner's reference away."""
    gone = [{"$patch": "delete", "uid": owner.metadata.uid}]
    return {"metadata": {"uid": obj.metadata.uid, "ownerReferences": gone}}
