"""Types of apps/v1.

Made by tools/generate_types.py from Kubernetes' OpenAPI schemas; change it there."""

from __future__ import annotations

from typing import Annotated, ClassVar

from kubeapi.core_v1.types.pod import PodTemplateSpec
from kubeapi.meta_v1.types import LabelSelector, ListMeta, ObjectMeta
from kubeapi.model import GoType, Int32, Int64, IntOrString, ListMap, Model, StrategicMerge, Time, always, empty, null


class Deployment(Model):
    kind: str = always(lambda: "Deployment")
    api_version: str = always(lambda: "apps/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: DeploymentSpec = always(lambda: DeploymentSpec())
    status: DeploymentStatus = always(lambda: DeploymentStatus())


class DeploymentCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_transition_time: Time | None = null()
    last_update_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: Annotated[str, GoType("v1.DeploymentConditionType")] = always(str)


class DeploymentList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "DeploymentList")
    api_version: str = always(lambda: "apps/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[Deployment] = always(list)


class DeploymentSpec(Model):
    needs: ClassVar[tuple[str, ...]] = ("selector", "template")
    min_ready_seconds: Int32 = 0
    paused: bool = False
    progress_deadline_seconds: Int32 | None = None
    replicas: Int32 | None = None
    revision_history_limit: Int32 | None = None
    selector: LabelSelector = always(lambda: LabelSelector())
    strategy: Annotated[DeploymentStrategy, StrategicMerge(("retainKeys",), "")] = always(lambda: DeploymentStrategy())
    template: PodTemplateSpec = always(lambda: PodTemplateSpec())


class DeploymentStatus(Model):
    available_replicas: Int32 = 0
    collision_count: Int32 | None = None
    conditions: Annotated[list[DeploymentCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(
        list
    )
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = 0
    terminating_replicas: Int32 | None = None
    unavailable_replicas: Int32 = 0
    updated_replicas: Int32 = 0


class DeploymentStrategy(Model):
    rolling_update: RollingUpdateDeployment | None = None
    type: Annotated[str, GoType("v1.DeploymentStrategyType")] = ""


class ReplicaSet(Model):
    kind: str = always(lambda: "ReplicaSet")
    api_version: str = always(lambda: "apps/v1")
    metadata: ObjectMeta = always(lambda: ObjectMeta())
    spec: ReplicaSetSpec = always(lambda: ReplicaSetSpec())
    status: ReplicaSetStatus = always(lambda: ReplicaSetStatus())


class ReplicaSetCondition(Model):
    needs: ClassVar[tuple[str, ...]] = ("type", "status")
    status: Annotated[str, GoType("v1.ConditionStatus")] = always(str)
    last_transition_time: Time | None = null()
    message: str = ""
    reason: str = ""
    type: Annotated[str, GoType("v1.ReplicaSetConditionType")] = always(str)


class ReplicaSetList(Model):
    needs: ClassVar[tuple[str, ...]] = ("items",)
    kind: str = always(lambda: "ReplicaSetList")
    api_version: str = always(lambda: "apps/v1")
    metadata: ListMeta = always(lambda: ListMeta())
    items: list[ReplicaSet] = always(list)


class ReplicaSetSpec(Model):
    needs: ClassVar[tuple[str, ...]] = ("selector",)
    min_ready_seconds: Int32 = 0
    replicas: Int32 | None = None
    selector: LabelSelector = always(lambda: LabelSelector())
    template: PodTemplateSpec = always(lambda: PodTemplateSpec())


class ReplicaSetStatus(Model):
    needs: ClassVar[tuple[str, ...]] = ("replicas",)
    available_replicas: Int32 = 0
    conditions: Annotated[list[ReplicaSetCondition], ListMap(("type",)), StrategicMerge(("merge",), "type")] = empty(
        list
    )
    fully_labeled_replicas: Int32 = 0
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0
    replicas: Int32 = always(int)
    terminating_replicas: Int32 | None = None


class RollingUpdateDeployment(Model):
    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None
