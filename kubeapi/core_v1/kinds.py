"""The rows of core/v1: one per kind, naming its strategy."""

from __future__ import annotations

from kubeapi.core_v1 import defaults
from kubeapi.core_v1 import types as t
from kubeapi.registry import Kind

KINDS = (
    Kind(
        "", "v1", "Namespace", "namespaces", t.Namespace,
        default=defaults.default_namespace,
        namespaced=False,
        short_names=("ns",),
        has_status=True,
        fields={"status.phase": lambda ns: ns.status.phase},
    ),
    Kind(
        "", "v1", "Node", "nodes", t.Node,
        default=defaults.default_node,
        namespaced=False,
        short_names=("no",),
        has_status=True,
        fields={"spec.unschedulable": lambda node: "true" if node.spec.unschedulable else "false"},
    ),
    Kind(
        "", "v1", "Pod", "pods", t.Pod,
        default=defaults.default_pod,
        short_names=("po",),
        categories=("all",),
        has_status=True,
        spec_fields=("spec",),
        graceful=True,
        fields={
            "spec.nodeName": lambda pod: pod.spec.node_name,
            "spec.restartPolicy": lambda pod: pod.spec.restart_policy,
            "spec.schedulerName": lambda pod: pod.spec.scheduler_name,
            "spec.serviceAccountName": lambda pod: pod.spec.service_account_name,
            "spec.hostNetwork": lambda pod: "true" if pod.spec.host_network else "false",
            "status.phase": lambda pod: pod.status.phase,
            "status.podIP": lambda pod: pod.status.pod_ip,
            "status.podIPs": lambda pod: pod.status.pod_ip,
            "status.nominatedNodeName": lambda pod: pod.status.nominated_node_name,
        },
    ),
    Kind(
        "", "v1", "Service", "services", t.Service,
        default=defaults.default_service,
        short_names=("svc",),
        categories=("all",),
        has_status=True,
        fields={
            "spec.clusterIP": lambda service: service.spec.cluster_ip,
            "spec.type": lambda service: service.spec.type,
        },
    ),
    Kind(
        "", "v1", "Endpoints", "endpoints", t.Endpoints,
        default=defaults.default_endpoints,
        short_names=("ep",),
    ),
    Kind("", "v1", "ConfigMap", "configmaps", t.ConfigMap, short_names=("cm",)),
    Kind(
        "", "v1", "Secret", "secrets", t.Secret,
        default=defaults.default_secret,
        fields={"type": lambda secret: secret.type},
    ),
    Kind("", "v1", "ServiceAccount", "serviceaccounts", t.ServiceAccount, short_names=("sa",)),
    Kind(
        "", "v1", "Event", "events", t.Event,
        short_names=("ev",),
        fields={
            "involvedObject.kind": lambda event: event.involved_object.kind,
            "involvedObject.namespace": lambda event: event.involved_object.namespace,
            "involvedObject.name": lambda event: event.involved_object.name,
            "involvedObject.uid": lambda event: event.involved_object.uid,
            "involvedObject.apiVersion": lambda event: event.involved_object.api_version,
            "involvedObject.resourceVersion": lambda event: event.involved_object.resource_version,
            "involvedObject.fieldPath": lambda event: event.involved_object.field_path,
            "reason": lambda event: event.reason,
            "reportingComponent": lambda event: event.reporting_component,
            "source": lambda event: event.source.component or event.reporting_component,
            "type": lambda event: event.type,
        },
    ),
    Kind(
        "", "v1", "PersistentVolume", "persistentvolumes", t.PersistentVolume,
        default=defaults.default_volume,
        namespaced=False,
        short_names=("pv",),
        has_status=True,
    ),
    Kind(
        "", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", t.PersistentVolumeClaim,
        default=defaults.default_claim,
        short_names=("pvc",),
        has_status=True,
    ),
)  # fmt: skip
