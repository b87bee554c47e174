"""Security contexts of pods and containers."""

from __future__ import annotations

import re

from kubeapi.core_v1.types import (
    AppArmorProfile,
    PodSecurityContext,
    PodSpec,
    SeccompProfile,
    SecurityContext,
    WindowsSecurityContextOptions,
)
from kubeapi.core_v1.validation.fields import validate_local_path
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required, too_long
from kubeapi.meta_v1.validation import causes_of, dns_subdomain

PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
OF_THE_HOST_IPC = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
ID_RANGE = "must be between 0 and 2147483647, inclusive"
NO_WINDOWS_POD: tuple[str, ...] = (
    "app_armor_profile", "se_linux_options", "seccomp_profile", "fs_group", "fs_group_change_policy", "sysctls",
    "run_as_user", "run_as_group", "supplemental_groups", "supplemental_groups_policy", "se_linux_change_policy",
)  # fmt: skip
NO_WINDOWS_CONTAINER: tuple[str, ...] = (
    "app_armor_profile", "se_linux_options", "seccomp_profile", "capabilities", "read_only_root_filesystem",
    "privileged", "allow_privilege_escalation", "proc_mount", "run_as_user", "run_as_group",
)  # fmt: skip


def validate_id(value: int | None, path: str) -> list[Cause]:
    """A user's or group's number."""
    return [] if value is None or 0 <= value < 2**31 else [invalid(path, value, ID_RANGE)]


def validate_pod_security(context: PodSecurityContext | None, spec: PodSpec, path: str) -> list[Cause]:
    """What all containers of a pod share."""
    if context is None:
        return []
    found = validate_id(context.fs_group, f"{path}.fsGroup")
    found += validate_id(context.run_as_user, f"{path}.runAsUser")
    found += validate_id(context.run_as_group, f"{path}.runAsGroup")
    for i, group in enumerate(context.supplemental_groups):
        found += validate_id(group, f"{path}.supplementalGroups[{i}]")
    if spec.share_process_namespace and spec.host_pid:
        told = "ShareProcessNamespace and HostPID cannot both be enabled"
        found.append(invalid(f"{path}.shareProcessNamespace", True, told))
    found += _validate_sysctls(context, spec, f"{path}.sysctls")
    for field, value, choices in (
        ("fsGroupChangePolicy", context.fs_group_change_policy, ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy, ("Merge", "Strict")),
        ("seLinuxChangePolicy", context.se_linux_change_policy, ("MountOption", "Recursive")),
    ):
        if value is not None and value not in choices:
            found.append(not_supported(f"{path}.{field}", value, choices))
    found += _validate_seccomp(context.seccomp_profile, f"{path}.seccompProfile")
    found += _validate_windows_options(context.windows_options, f"{path}.windowsOptions")
    return found + _validate_app_armor(context.app_armor_profile, f"{path}.appArmorProfile")


def validate_container_security(context: SecurityContext | None, path: str, host_users: bool) -> list[Cause]:
    """What one container may do."""
    if context is None:
        return []
    found = validate_id(context.run_as_user, f"{path}.runAsUser")
    found += validate_id(context.run_as_group, f"{path}.runAsGroup")
    if context.proc_mount is not None:
        if context.proc_mount not in ("Default", "Unmasked"):
            found.append(not_supported(f"{path}.procMount", context.proc_mount, ("Default", "Unmasked")))
        if host_users and context.proc_mount == "Unmasked":
            told = "`hostUsers` must be false to use `Unmasked`"
            found.append(invalid(f"{path}.procMount", context.proc_mount, told))
    found += _validate_seccomp(context.seccomp_profile, f"{path}.seccompProfile")
    if context.allow_privilege_escalation is False:
        told = "cannot set `allowPrivilegeEscalation` to false and "
        if context.privileged:
            found.append(invalid(path, context.to_dict(), f"{told}`privileged` to true"))
        if context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
            found.append(invalid(path, context.to_dict(), f"{told}`capabilities.Add` CAP_SYS_ADMIN"))
    found += _validate_windows_options(context.windows_options, f"{path}.windowsOptions")
    return found + _validate_app_armor(context.app_armor_profile, f"{path}.appArmorProfile")


def validate_host_users(spec: PodSpec, path: str) -> list[Cause]:
    """A pod with users of its own shares no other namespace of the host."""
    if spec.host_users is not False:
        return []
    shared = (("hostNetwork", spec.host_network), ("HostPID", spec.host_pid), ("HostIPC", spec.host_ipc))
    return [forbidden(f"{path}.{field}", "when `pod.Spec.HostUsers` is false") for field, on in shared if on]


def validate_os(spec: PodSpec, path: str) -> list[Cause]:
    """A pod that says for which system it is has nothing of the other one's."""
    if spec.os is None:
        return []
    if not spec.os.name:
        return [required(f"{path}.os.name", "cannot be empty")]
    if spec.os.name not in ("linux", "windows"):
        return [not_supported(f"{path}.os", spec.os.name, ("linux", "windows"))]
    found: list[Cause] = []
    linux, only = spec.os.name == "linux", ("windows_options",)
    told = "windows options cannot be set for a linux pod" if linux else "cannot be set for a windows pod"
    if spec.security_context is not None:
        names = only if linux else NO_WINDOWS_POD
        found += _set_ones(spec.security_context, names, f"{path}.securityContext", told)
    if not linux:
        of_host = (("hostUsers", spec.host_users is not None), ("hostPID", spec.host_pid), ("hostIPC", spec.host_ipc))
        found += [forbidden(f"{path}.{field}", told) for field, given in of_host if given]
        if spec.share_process_namespace is not None:
            found.append(forbidden(f"{path}.shareProcessNamespace", told))
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for i, container in enumerate(containers):
            if container.security_context is not None:
                names = only if linux else NO_WINDOWS_CONTAINER
                where = f"{path}.{field}[{i}].securityContext"
                found += _set_ones(container.security_context, names, where, told)
    return found


def _set_ones(
    context: PodSecurityContext | SecurityContext, names: tuple[str, ...], path: str, told: str
) -> list[Cause]:
    given = (n for n in names if getattr(context, n) not in (None, []))
    return [forbidden(f"{path}.{type(context).model_fields[n].alias}", told) for n in given]


def _validate_sysctls(context: PodSecurityContext, spec: PodSpec, path: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for i, sysctl in enumerate(context.sysctls):
        at, name = f"{path}[{i}].name", sysctl.name
        if not name:
            found.append(required(at))
        elif len(name) > 253 or not SYSCTL.fullmatch(name):
            told = f"must have at most 253 characters and match regex ^{SYSCTL.pattern}$"
            found.append(invalid(at, name, told))
        elif name in names:
            found.append(duplicate(at, name))
        dotted = name.replace("/", ".")
        if spec.host_network and dotted.startswith("net."):
            found.append(invalid(at, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.host_ipc and dotted.startswith(OF_THE_HOST_IPC):
            found.append(invalid(at, name, "may not be specified when 'hostIPC' is true"))
        names.add(name)
    return found


def _validate_seccomp(profile: SeccompProfile | None, path: str) -> list[Cause]:
    if profile is None:
        return []
    found: list[Cause] = []
    if not profile.type:
        found.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif profile.type not in PROFILES:
        found.append(not_supported(f"{path}.type", profile.type, PROFILES))
    local, at = profile.localhost_profile, f"{path}.localhostProfile"
    if profile.type == "Localhost":
        if local is None:
            return [*found, required(at, "must be set when seccomp type is Localhost")]
        return found + validate_local_path(local, at)
    if local is not None:
        shown = {"Type": profile.type, "LocalhostProfile": local}
        found.append(invalid(at, shown, "can only be set when seccomp type is Localhost"))
    return found


def _validate_app_armor(profile: AppArmorProfile | None, path: str) -> list[Cause]:
    if profile is None:
        return []
    local, at = profile.localhost_profile, f"{path}.localhostProfile"
    needed = "must be set when AppArmor type is Localhost"
    match profile.type:
        case "Localhost":
            if local is None or not local:
                return [required(at, needed)]
            found = []
            if local != local.strip():
                found.append(invalid(at, local, "must not be padded with whitespace"))
            return found + ([too_long(at, 4095)] if len(local.encode()) > 4095 else [])
        case "RuntimeDefault" | "Unconfined":
            return [invalid(at, local, "can only be set when AppArmor type is Localhost")] if local is not None else []
        case "":
            return [required(f"{path}.type", "type is required when appArmorProfile is set")]
    return [not_supported(f"{path}.type", profile.type, PROFILES)]


def _validate_windows_options(options: WindowsSecurityContextOptions | None, path: str) -> list[Cause]:
    """The names only: no agent of ours runs Windows' containers."""
    if options is None or options.gmsa_credential_spec_name is None:
        return []
    return causes_of(dns_subdomain, options.gmsa_credential_spec_name, f"{path}.gmsaCredentialSpecName")
