"""The scale subresource: a workload seen as an autoscaling/v1 Scale, and a Scale written back into its workload."""

from __future__ import annotations

from typing import Any

import orjson

from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Current, Wanted, Writer, Written, check_name, check_place
from kubeapi.autoscaling_v1.types import Scale
from kubeapi.errors import conflict, invalid, invalid_object
from kubeapi.meta_v1.validation import validate_meta
from kubeapi.registry import Kind

KIND = Kind("autoscaling", "v1", "Scale", "scales", Scale)
SHARED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


async def update(writer: Writer, target: Target, body: bytes, options: Options) -> Written:
    """PUT: give the workload the Scale's replicas."""
    scale, warnings = writer.decode(KIND, body, options)
    check_name(target, KIND, scale.metadata)
    check_place(target, scale.metadata)

    def change(current: Current) -> Wanted:
        return Wanted(scaled(current.copy(), scale), warnings)

    return shown(target.kind, await writer.modify(target, change, options, "scale"))


def shown(kind: Kind, written: Written) -> Written:
    """What was written, as its Scale."""
    return written._replace(value=orjson.dumps(scale_of(kind.model.from_json(written.value))))


def scale_of(obj: Any) -> dict[str, Any]:
    """The Scale of a workload."""
    meta = {k: v for k, v in obj.metadata.to_dict().items() if k in SHARED}
    selector = ",".join(f"{k}={v}" for k, v in sorted(obj.spec.selector.match_labels.items()))
    status = {"replicas": obj.status.replicas, "selector": selector}
    spec = {"replicas": obj.spec.replicas} if obj.spec.replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def scaled(obj: Any, scale: Scale) -> Any:
    """The workload with a Scale's replicas; refuses what is no Scale, and one of another object."""
    meta, replicas = scale.metadata, scale.spec.replicas
    causes = validate_meta(meta, namespaced=True)
    if replicas < 0:
        causes.append(invalid("spec.replicas", replicas, "must be greater than or equal to 0"))
    if causes:
        raise invalid_object("Scale", "autoscaling", obj.metadata.name, causes)
    if meta.uid and meta.uid != obj.metadata.uid:
        why = f"Precondition failed: UID in precondition: {meta.uid}, UID in object meta: {obj.metadata.uid}"
        raise conflict("deployments/scale", "apps", obj.metadata.name, why)
    obj.spec.replicas, obj.metadata.resource_version = replicas, meta.resource_version
    return obj
