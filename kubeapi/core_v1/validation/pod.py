"""Pods, alone and as templates: containers, ports, probes, mounts, volumes, resources, tolerations."""

from __future__ import annotations

from kubeapi import quantity
from kubeapi.core_v1.types import Container, Pod, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, Volume
from kubeapi.core_v1.validation.network import PORT_RANGE, PROTOCOLS, validate_port_or_name
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_found_cause, not_supported, required
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    qualified_name,
    validate_choice,
    validate_labels,
    validate_meta,
    validate_meta_update,
)

RESTART_POLICIES = ("Always", "OnFailure", "Never")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
STANDARD_RESOURCES = {"cpu", "memory", "ephemeral-storage"}
POD_FIELDS = {
    "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations", "spec.nodeName",
    "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}  # fmt: skip
CHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def validate_pod(pod: Pod) -> list[Cause]:
    """A new pod, with what admission added."""
    return validate_meta(pod.metadata, True) + validate_pod_spec(pod.spec, "spec")


def validate_template(template: PodTemplateSpec, path: str) -> list[Cause]:
    """The template of a workload: a pod's metadata without a name, and its spec."""
    found = validate_labels(template.metadata.labels, f"{path}.labels")
    return found + validate_pod_spec(template.spec, f"{path}.spec")


def validate_pod_update(new: Pod, old: Pod) -> list[Cause]:
    """A pod changes in its images, its deadline and by further tolerations only."""
    found = validate_meta_update(new.metadata, old.metadata)
    if len(new.spec.containers) != len(old.spec.containers):
        return [*found, forbidden("spec.containers", "pod updates may not add or remove containers")]
    if len(new.spec.init_containers) != len(old.spec.init_containers):
        return [*found, forbidden("spec.initContainers", "pod updates may not add or remove containers")]
    kept = new.spec.clone()
    for kind in ("containers", "init_containers"):
        for after, before in zip(getattr(kept, kind), getattr(old.spec, kind), strict=True):
            after.image = before.image
    kept.active_deadline_seconds = old.spec.active_deadline_seconds
    if all(toleration in kept.tolerations for toleration in old.spec.tolerations):
        kept.tolerations = old.spec.tolerations
    if kept != old.spec:
        found.append(forbidden("spec", CHANGEABLE))
    for i, container in enumerate(new.spec.containers):
        if not container.image:
            found.append(required(f"spec.containers[{i}].image"))
    return found


def validate_pod_status(new: Pod, old: Pod) -> list[Cause]:
    """A status changes freely, except that a pod never leaves its node."""
    found = validate_meta_update(new.metadata, old.metadata)
    if old.spec.node_name and new.spec.node_name != old.spec.node_name:
        found.append(forbidden("spec.nodeName", "may not be changed directly"))
    return found


def validate_pod_spec(spec: PodSpec, path: str) -> list[Cause]:
    """The spec of a pod or template, defaults filled in."""
    found: list[Cause] = []
    volumes: set[str] = set()
    for i, volume in enumerate(spec.volumes):
        found += _validate_volume(volume, f"{path}.volumes[{i}]", volumes)
    names: set[str] = set()
    if not spec.containers:
        found.append(required(f"{path}.containers"))
    for i, container in enumerate(spec.containers):
        found += _validate_container(container, f"{path}.containers[{i}]", volumes, names)
    for i, container in enumerate(spec.init_containers):
        found += _validate_container(container, f"{path}.initContainers[{i}]", volumes, names)
    found += validate_choice(spec.restart_policy, RESTART_POLICIES, f"{path}.restartPolicy")
    found += validate_choice(spec.dns_policy, DNS_POLICIES, f"{path}.dnsPolicy")
    found += validate_labels(spec.node_selector, f"{path}.nodeSelector")
    for field, value in (("serviceAccountName", spec.service_account_name), ("nodeName", spec.node_name)):
        if value:
            found += causes_of(dns_subdomain, value, f"{path}.{field}")
    for field, value in (("hostname", spec.hostname), ("subdomain", spec.subdomain)):
        if value:
            found += causes_of(dns_label, value, f"{path}.{field}")
    grace, deadline = spec.termination_grace_period_seconds, spec.active_deadline_seconds
    if grace is not None and grace < 0:
        found.append(invalid(f"{path}.terminationGracePeriodSeconds", grace, "must be greater than or equal to 0"))
    if deadline is not None and not 1 <= deadline <= 2**31 - 1:
        told = "must be between 1 and 2147483647, inclusive"
        found.append(invalid(f"{path}.activeDeadlineSeconds", deadline, told))
    return found + _validate_tolerations(spec, path)


def _validate_tolerations(spec: PodSpec, path: str) -> list[Cause]:
    found: list[Cause] = []
    for i, toleration in enumerate(spec.tolerations):
        at = f"{path}.tolerations[{i}]"
        if toleration.key:
            found += causes_of(qualified_name, toleration.key, f"{at}.key")
        elif toleration.operator != "Exists":
            told = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            found.append(invalid(f"{at}.operator", toleration.operator, told))
        if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
            told = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(invalid(f"{at}.effect", toleration.effect, told))
        if toleration.operator == "Exists" and toleration.value:
            told = "value must be empty when `operator` is 'Exists'"
            found.append(invalid(f"{at}.operator", toleration.value, told))
        elif toleration.operator not in ("", "Equal", "Exists"):
            found.append(not_supported(f"{at}.operator", toleration.operator, ("Equal", "Exists")))
        if toleration.effect:
            effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
            found += validate_choice(toleration.effect, effects, f"{at}.effect")
    return found


def _validate_volume(volume: Volume, path: str, names: set[str]) -> list[Cause]:
    found: list[Cause] = []
    if not volume.name:
        found.append(required(f"{path}.name"))
    else:
        found += causes_of(dns_label, volume.name, f"{path}.name")
        if volume.name in names:
            found.append(duplicate(f"{path}.name", volume.name))
    if not found:
        names.add(volume.name)
    sources = [n for n in volume.model_fields_set if n != "name" and getattr(volume, n) is not None]
    for name in sorted(sources)[1:]:
        told = "may not specify more than 1 volume type"
        found.append(forbidden(f"{path}.{Volume.model_fields[name].alias}", told))
    needed = (
        ("hostPath.path", volume.host_path and volume.host_path.path),
        ("secret.secretName", volume.secret and volume.secret.secret_name),
        ("configMap.name", volume.config_map and volume.config_map.name),
        (
            "persistentVolumeClaim.claimName",
            volume.persistent_volume_claim and volume.persistent_volume_claim.claim_name,
        ),
        ("nfs.server", volume.nfs and volume.nfs.server),
        ("nfs.path", volume.nfs and volume.nfs.path),
        ("azureFile.secretName", volume.azure_file and volume.azure_file.secret_name),
        ("azureFile.shareName", volume.azure_file and volume.azure_file.share_name),
        ("rbd.image", volume.rbd and volume.rbd.image),
    )
    return found + [required(f"{path}.{field}") for field, value in needed if value == ""]


def _validate_container(container: Container, path: str, volumes: set[str], names: set[str]) -> list[Cause]:
    found: list[Cause] = []
    if not container.name:
        found.append(required(f"{path}.name"))
    else:
        found += causes_of(dns_label, container.name, f"{path}.name")
        if container.name in names:
            found.append(duplicate(f"{path}.name", container.name))
        names.add(container.name)
    if not container.image:
        found.append(required(f"{path}.image"))
    elif container.image != container.image.strip():
        found.append(invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace"))
    found += validate_choice(container.termination_message_policy, ("File", "FallbackToLogsOnError"),
                             f"{path}.terminationMessagePolicy")  # fmt: skip
    found += _validate_ports(container, path)
    found += _validate_env(container, path)
    found += _validate_mounts(container, path, volumes)
    found += validate_choice(container.image_pull_policy, PULL_POLICIES, f"{path}.imagePullPolicy")
    found += _validate_resources(container.resources, f"{path}.resources")
    for field, probe, once in (
        ("livenessProbe", container.liveness_probe, True),
        ("readinessProbe", container.readiness_probe, False),
        ("startupProbe", container.startup_probe, True),
    ):
        if probe:
            found += _validate_probe(probe, f"{path}.{field}")
            if once and probe.success_threshold != 1:
                found.append(invalid(f"{path}.{field}.successThreshold", probe.success_threshold, "must be 1"))
    return found


def _validate_ports(container: Container, path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for i, port in enumerate(container.ports):
        at = f"{path}.ports[{i}]"
        if port.name:
            found += validate_port_or_name(port.name, f"{at}.name")
            if port.name in names:
                found.append(duplicate(f"{at}.name", port.name))
            names.add(port.name)
        if port.container_port == 0:
            found.append(required(f"{at}.containerPort"))
        elif not 1 <= port.container_port <= 65535:
            found.append(invalid(f"{at}.containerPort", port.container_port, PORT_RANGE))
        if port.host_port and not 1 <= port.host_port <= 65535:
            found.append(invalid(f"{at}.hostPort", port.host_port, PORT_RANGE))
        found += validate_choice(port.protocol, PROTOCOLS, f"{at}.protocol")
    return found


def _validate_env(container: Container, path: str) -> list[Cause]:
    found: list[Cause] = []
    for i, env in enumerate(container.env):
        at = f"{path}.env[{i}]"
        if not env.name:
            found.append(required(f"{at}.name"))
        source = env.value_from
        if source is None:
            continue
        if env.value:
            found.append(invalid(f"{at}.valueFrom", "", "may not be specified when `value` is not empty"))
        if source.field_ref:
            field = source.field_ref.field_path
            where = f"{at}.valueFrom.fieldRef.fieldPath"
            if not field:
                found.append(required(where))
            elif field.split("[")[0] not in POD_FIELDS:
                found.append(invalid(where, field, f"error converting fieldPath: field label not supported: {field}"))
        for name, ref in (("configMapKeyRef", source.config_map_key_ref), ("secretKeyRef", source.secret_key_ref)):
            if ref and not ref.key:
                found.append(required(f"{at}.valueFrom.{name}.key"))
    return found


def _validate_mounts(container: Container, path: str, volumes: set[str]) -> list[Cause]:
    found: list[Cause] = []
    paths: set[str] = set()
    for i, mount in enumerate(container.volume_mounts):
        at = f"{path}.volumeMounts[{i}]"
        if not mount.name:
            found.append(required(f"{at}.name"))
        elif mount.name not in volumes:
            found.append(not_found_cause(f"{at}.name", mount.name))
        if not mount.mount_path:
            found.append(required(f"{at}.mountPath"))
        if mount.mount_path in paths:
            found.append(invalid(f"{at}.mountPath", mount.mount_path, "must be unique"))
        paths.add(mount.mount_path)
        if mount.sub_path.startswith("/"):
            found.append(invalid(f"{at}.subPath", mount.sub_path, "must be a relative path"))
        elif ".." in mount.sub_path.split("/"):
            found.append(invalid(f"{at}.subPath", mount.sub_path, "must not contain '..'"))
    return found


def _validate_resources(resources: ResourceRequirements, path: str) -> list[Cause]:
    found: list[Cause] = []
    for field, amounts in (("limits", resources.limits), ("requests", resources.requests)):
        for name, value in amounts.items():
            at = f"{path}.{field}[{name}]"
            found += causes_of(qualified_name, name, at)
            if "/" not in name and name not in STANDARD_RESOURCES and not name.startswith("hugepages-"):
                found.append(invalid(at, name, "must be a standard resource type or fully qualified"))
                found.append(invalid(at, name, "must be a standard resource for containers"))
            try:
                if quantity.parse(value) < 0:
                    found.append(invalid(at, value, "must be greater than or equal to 0"))
            except ValueError as error:
                found.append(invalid(at, value, str(error)))
    if found:
        return found
    for name, value in resources.requests.items():
        limit = resources.limits.get(name)
        if limit is not None and quantity.parse(value) > quantity.parse(limit):
            found.append(invalid(f"{path}.requests", value, f"must be less than or equal to {name} limit of {limit}"))
    return found


def _validate_probe(probe: Probe, path: str) -> list[Cause]:
    found: list[Cause] = []
    handlers = [h for h in (probe.exec, probe.http_get, probe.tcp_socket, probe.grpc) if h is not None]
    if not handlers:
        found.append(required(path, "must specify a handler type"))
    if len(handlers) > 1:
        found.append(forbidden(path, "may not specify more than 1 handler type"))
    if probe.exec and not probe.exec.command:
        found.append(required(f"{path}.exec.command"))
    if probe.http_get:
        found += validate_port_or_name(probe.http_get.port, f"{path}.httpGet.port")
        found += validate_choice(probe.http_get.scheme, ("HTTP", "HTTPS"), f"{path}.httpGet.scheme")
    if probe.tcp_socket:
        found += validate_port_or_name(probe.tcp_socket.port, f"{path}.tcpSocket.port")
    for field, value in (
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        if value < 0:
            found.append(invalid(f"{path}.{field}", value, "must be greater than or equal to 0"))
    return found
