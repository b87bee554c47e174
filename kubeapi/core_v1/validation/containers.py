"""Containers of every kind: app, init, sidecar, ephemeral."""

from __future__ import annotations

from dataclasses import dataclass

from kubeapi.core_v1.types import (
    Container,
    ContainerPort,
    EphemeralContainer,
    PodSpec,
    Volume,
    VolumeDevice,
    VolumeMount,
)
from kubeapi.core_v1.validation.environment import validate_environment, validate_environment_from
from kubeapi.core_v1.validation.fields import validate_local_path, validate_no_backsteps
from kubeapi.core_v1.validation.handlers import validate_lifecycle, validate_probes
from kubeapi.core_v1.validation.network import PROTOCOLS, port_name, validate_port
from kubeapi.core_v1.validation.resources import validate_resources
from kubeapi.core_v1.validation.security import validate_container_security
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_found_cause, not_supported, required, too_many
from kubeapi.meta_v1.validation import causes_of, dns_label, validate_choice

AnyContainer = Container | EphemeralContainer
PULL_POLICIES, RESTART_POLICIES = ("Always", "IfNotPresent", "Never"), ("Always", "Never", "OnFailure")
MESSAGE_POLICIES, PROPAGATIONS = ("File", "FallbackToLogsOnError"), ("Bidirectional", "HostToContainer", "None")
RECURSIONS = ("Disabled", "Enabled", "IfPossible")
RESTART_ACTIONS, RESTART_OPERATORS = ("Restart", "RestartAllContainers"), ("In", "NotIn")
MOST_RULES, MOST_EXIT_CODES = 20, 255
RESIZED, RESIZE_POLICIES = ("cpu", "memory"), ("NotRequired", "RestartContainer")
NOT_EPHEMERAL = (
    "lifecycle", "liveness_probe", "ports", "readiness_probe", "resize_policy", "resources", "restart_policy",
    "restart_policy_rules", "startup_probe",
)  # fmt: skip
ONLY_SIDECAR = "may not be set for init containers without restartPolicy=Always"
NEVER_EPHEMERAL = "cannot be set for an Ephemeral Container"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container's validation needs of its pod."""

    volumes: dict[str, Volume]
    claims: set[str]
    grace: int | None
    restart_policy: str
    host_users: bool


def is_sidecar(container: Container) -> bool:
    """Whether an init container runs beside the app containers."""
    return container.restart_policy == "Always"


def validate_containers(spec: PodSpec, around: Surroundings, path: str) -> list[Cause]:
    """All containers of a pod or template; `path` is the spec's."""
    found = _validate_apps(spec.containers, around, f"{path}.containers")
    found += _validate_inits(spec, around, f"{path}.initContainers")
    return found + _validate_ephemerals(spec, around, f"{path}.ephemeralContainers")


def _validate_apps(containers: list[Container], around: Surroundings, path: str) -> list[Cause]:
    if not containers:
        return [required(path)]
    found: list[Cause] = []
    names: set[str] = set()
    for i, container in enumerate(containers):
        at = f"{path}[{i}]"
        found += _validate_common(container, around, at)
        if container.name in names:
            found.append(duplicate(f"{at}.name", container.name))
        names.add(container.name)
        if container.lifecycle is not None:
            found += validate_lifecycle(container.lifecycle, around.grace, f"{at}.lifecycle")
        found += validate_probes(container, at) + _validate_restarts(container, at)
    return found + _validate_host_ports(containers, path)


def _validate_inits(spec: PodSpec, around: Surroundings, path: str) -> list[Cause]:
    found: list[Cause] = []
    names = {c.name for c in spec.containers}
    for i, container in enumerate(spec.init_containers):
        at = f"{path}[{i}]"
        found += _validate_common(container, around, at) + _validate_restarts(container, at)
        if container.name in names:
            found.append(duplicate(f"{at}.name", container.name))
        elif container.name:
            names.add(container.name)
        found += _validate_host_ports([container], path)  # they run one after the other
        if is_sidecar(container):
            if container.lifecycle is not None:
                found += validate_lifecycle(container.lifecycle, around.grace, f"{at}.lifecycle")
            found += validate_probes(container, at)
            continue
        for field, value in (
            ("lifecycle", container.lifecycle),
            ("livenessProbe", container.liveness_probe),
            ("readinessProbe", container.readiness_probe),
            ("startupProbe", container.startup_probe),
        ):
            if value is not None:
                found.append(forbidden(f"{at}.{field}", ONLY_SIDECAR))
        if container.resize_policy:
            shown = [policy.to_dict() for policy in container.resize_policy]
            found.append(invalid(f"{at}.resizePolicy", shown, "must not be set for init containers"))
    return found


def _validate_ephemerals(spec: PodSpec, around: Surroundings, path: str) -> list[Cause]:
    found: list[Cause] = []
    others = {c.name for c in (*spec.containers, *spec.init_containers)}
    names = {*others}
    for i, container in enumerate(spec.ephemeral_containers):
        at = f"{path}[{i}]"
        found += _validate_common(container, around, at) + validate_image(container, at)
        if container.name in names:
            found.append(duplicate(f"{at}.name", container.name))
        names.add(container.name)
        if container.target_container_name and container.target_container_name not in others:
            found.append(not_found_cause(f"{at}.targetContainerName", container.target_container_name))
        empty = type(container)()
        for name in NOT_EPHEMERAL:
            if getattr(container, name) != getattr(empty, name):
                found.append(forbidden(f"{at}.{type(container).model_fields[name].alias}", NEVER_EPHEMERAL))
        for j, mount in enumerate(container.volume_mounts):
            for field, value in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
                if value:
                    found.append(forbidden(f"{at}.volumeMounts[{j}].{field}", NEVER_EPHEMERAL))
    return found


def validate_image(container: AnyContainer, path: str) -> list[Cause]:
    """An image's name inside of a pod; templates always allowed more."""
    if container.image == container.image.strip():
        return []
    return [invalid(f"{path}.image", container.image, "must not have leading or trailing whitespace")]


def _validate_common(container: AnyContainer, around: Surroundings, path: str) -> list[Cause]:
    found = causes_of(dns_label, container.name, f"{path}.name") if container.name else [required(f"{path}.name")]
    if not container.image:
        found.append(required(f"{path}.image"))
    found += validate_choice(container.termination_message_policy, MESSAGE_POLICIES, f"{path}.terminationMessagePolicy")
    found += _validate_ports(container.ports, f"{path}.ports")
    found += validate_environment(container.env, f"{path}.env")
    found += validate_environment_from(container.env_from, f"{path}.envFrom")
    found += _validate_mounts(container, around, f"{path}.volumeMounts")
    found += _validate_devices(container, around, f"{path}.volumeDevices")
    found += validate_choice(container.image_pull_policy, PULL_POLICIES, f"{path}.imagePullPolicy")
    found += validate_resources(container.resources, f"{path}.resources", around.claims)
    found += _validate_resizing(container, around, f"{path}.resizePolicy")
    return found + validate_container_security(container.security_context, f"{path}.securityContext", around.host_users)


def _validate_ports(ports: list[ContainerPort], path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for i, port in enumerate(ports):
        at = f"{path}[{i}]"
        if port.name:
            wrong = causes_of(port_name, port.name, f"{at}.name")
            if not wrong and port.name in names:
                wrong.append(duplicate(f"{at}.name", port.name))
            found += wrong
            names.add(port.name)
        if port.container_port == 0:
            found.append(required(f"{at}.containerPort"))
        else:
            found += validate_port(port.container_port, f"{at}.containerPort")
        if port.host_port:
            found += validate_port(port.host_port, f"{at}.hostPort")
        found += validate_choice(port.protocol, PROTOCOLS, f"{at}.protocol")
    return found


def _validate_host_ports(containers: list[Container], path: str) -> list[Cause]:
    found: list[Cause] = []
    taken: set[str] = set()
    for i, container in enumerate(containers):
        for j, port in enumerate(container.ports):
            if port.host_port:
                key = f"{port.protocol}/{port.host_ip}/{port.host_port}"
                if key in taken:
                    found.append(duplicate(f"{path}[{i}].ports[{j}].hostPort", key))
                taken.add(key)
    return found


def _validate_mounts(container: AnyContainer, around: Surroundings, path: str) -> list[Cause]:
    found: list[Cause] = []
    paths: set[str] = set()
    devices = {device.name: device.device_path for device in container.volume_devices}
    for i, mount in enumerate(container.volume_mounts):
        at = f"{path}[{i}]"
        if not mount.name:
            found.append(required(f"{at}.name"))
        volume = around.volumes.get(mount.name)
        if volume is None:
            found.append(not_found_cause(f"{at}.name", mount.name))
        if not mount.mount_path:
            found.append(required(f"{at}.mountPath"))
        if mount.mount_path in paths:
            found.append(invalid(f"{at}.mountPath", mount.mount_path, "must be unique"))
        paths.add(mount.mount_path)
        if mount.name in devices:
            found.append(invalid(f"{at}.name", mount.name, "must not already exist in volumeDevices"))
        if mount.mount_path in devices.values():
            told = "must not already exist as a path in volumeDevices"
            found.append(invalid(f"{at}.mountPath", mount.mount_path, told))
        found += _validate_part(mount, at, path)
        found += _validate_mount_mode(mount, container, path)
    return found


def _validate_part(mount: VolumeMount, path: str, mounts: str) -> list[Cause]:
    """The part of a volume that is mounted; its errors are told at the list, as Kubernetes does."""
    found = validate_local_path(mount.sub_path, f"{mounts}.subPath") if mount.sub_path else []
    if mount.sub_path_expr:
        if mount.sub_path:
            told = "subPathExpr and subPath are mutually exclusive"
            found.append(invalid(f"{path}.subPathExpr", mount.sub_path_expr, told))
        found += validate_local_path(mount.sub_path_expr, f"{mounts}.subPathExpr")
    return found


def _validate_mount_mode(mount: VolumeMount, container: AnyContainer, path: str) -> list[Cause]:
    found: list[Cause] = []
    mode, recursive = mount.mount_propagation, mount.recursive_read_only
    if mode is not None and mode not in PROPAGATIONS:
        found.append(not_supported(f"{path}.mountPropagation", mode, PROPAGATIONS))
    context = container.security_context
    if mode == "Bidirectional" and not (context is not None and context.privileged):
        told = "Bidirectional mount propagation is available only to privileged containers"
        found.append(forbidden(f"{path}.mountPropagation", told))
    at = f"{path}.recursiveReadOnly"
    if recursive is not None and recursive not in RECURSIONS:
        found.append(not_supported(at, recursive, RECURSIONS))
    elif recursive in ("Enabled", "IfPossible"):
        if not mount.read_only:
            found.append(forbidden(at, "may only be specified when readOnly is true"))
        if mode not in (None, "None"):
            found.append(forbidden(at, "may only be specified when mountPropagation is None or not specified"))
    return found


def _validate_devices(container: AnyContainer, around: Surroundings, path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    paths: set[str] = set()
    mounts = {mount.name: mount.mount_path for mount in container.volume_mounts}
    for i, device in enumerate(container.volume_devices):
        found += _validate_device(device, around, names, paths, mounts, f"{path}[{i}]")
        paths.add(device.device_path)
        if device.name:
            names.add(device.name)
    return found


def _validate_device(
    device: VolumeDevice, around: Surroundings, names: set[str], paths: set[str], mounts: dict[str, str], path: str
) -> list[Cause]:
    name, where, volume = device.name, device.device_path, around.volumes.get(device.name)
    claimed = volume is not None and (volume.persistent_volume_claim or volume.ephemeral) is not None
    only = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
    rules = (
        (not name, required(f"{path}.name")),
        (name in names, invalid(f"{path}.name", name, "must be unique")),
        (volume is not None and not claimed, invalid(f"{path}.name", name, only)),
        (volume is None, not_found_cause(f"{path}.name", name)),
        (not where, required(f"{path}.devicePath")),
        (where in paths, invalid(f"{path}.devicePath", where, "must be unique")),
        (
            bool(validate_no_backsteps(where, path)),
            invalid(f"{path}.devicePath", where, "can not contain backsteps ('..')"),
        ),
        (name in mounts, invalid(f"{path}.name", name, "must not already exist in volumeMounts")),
        (
            where in mounts.values(),
            invalid(f"{path}.devicePath", where, "must not already exist as a path in volumeMounts"),
        ),
    )
    return [cause for broken, cause in rules if broken]


def _validate_restarts(container: Container, path: str) -> list[Cause]:
    """A container's own restart policy and the rules beside it (KEP-5307)."""
    policy, rules, found = container.restart_policy, container.restart_policy_rules, []
    if policy is None and rules:
        told = "must specify restartPolicy when restart rules are used"
        found.append(required(f"{path}.restartPolicy", told))
    elif policy is not None and policy not in RESTART_POLICIES:
        found.append(not_supported(f"{path}.restartPolicy", policy, RESTART_POLICIES))
    if len(rules) > MOST_RULES:
        found.append(too_many(f"{path}.restartPolicyRules", len(rules), MOST_RULES))
    for i, rule in enumerate(rules):
        at = f"{path}.restartPolicyRules[{i}]"
        if rule.action not in RESTART_ACTIONS:
            found.append(not_supported(f"{at}.action", rule.action, RESTART_ACTIONS))
        if rule.exit_codes is None:
            found.append(required(f"{at}.exitCodes", "must be specified"))
            continue
        if rule.exit_codes.operator not in RESTART_OPERATORS:
            found.append(not_supported(f"{at}.exitCodes.operator", rule.exit_codes.operator, RESTART_OPERATORS))
        if len(rule.exit_codes.values) > MOST_EXIT_CODES:
            found.append(too_many(f"{at}.exitCodes.values", len(rule.exit_codes.values), MOST_EXIT_CODES))
    return found


def _validate_resizing(container: AnyContainer, around: Surroundings, path: str) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for i, policy in enumerate(container.resize_policy):
        if policy.resource_name in seen:
            found.append(duplicate(f"{path}[{i}]", policy.resource_name))
        seen.add(policy.resource_name)
        found += validate_choice(policy.resource_name, RESIZED, path)
        found += validate_choice(policy.restart_policy, RESIZE_POLICIES, path)
        if around.restart_policy == "Never" and policy.restart_policy != "NotRequired":
            told = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            found.append(invalid(path, policy.restart_policy, told))
    return found
