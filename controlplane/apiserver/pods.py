"""What only pods have: the binding, by which the scheduler places one."""

from __future__ import annotations

from typing import Any

from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Writer
from kubeapi.core_v1.types import PodCondition
from kubeapi.errors import bad_request, conflict


async def bind(writer: Writer, target: Target, binding: dict[str, Any], options: Options) -> dict[str, Any]:
    """Set the pod's node and its PodScheduled condition; 409 when it is placed or being deleted."""
    node = (binding.get("target") or {}).get("name", "")
    if not node:
        raise bad_request("Binding.target.name: Required value")

    def placed(pod: Any, _bytes: bytes) -> tuple[Any, list[str]]:
        why = ""
        if pod.metadata.deletion_timestamp:
            why = f"pod {pod.metadata.name} is being deleted, cannot be assigned to a host"
        elif pod.spec.node_name:
            why = f'pod {pod.metadata.name} is already assigned to node "{pod.spec.node_name}"'
        if why:
            raise conflict("pods/binding", "", target.name, why)
        pod.spec.node_name = node
        others = [c for c in pod.status.conditions if c.type != "PodScheduled"]
        scheduled = PodCondition(type="PodScheduled", status="True", last_transition_time=writer.now())
        pod.status.conditions = [*others, scheduled]
        pod.metadata.annotations |= (binding.get("metadata") or {}).get("annotations") or {}
        return pod, []

    await writer.modify(target, placed, options, "binding")
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
