"""The environment of a container: env, envFrom, references, $(VAR) expansion and the variables of Services. Pure.

What the variables refer to (ConfigMaps, Secrets) is fetched beforehand by name (`references`) and handed in as plain data.
A reference that leads nowhere is a `ConfigError` with the kubelet's words, shown as CreateContainerConfigError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from kubeapi.core_v1.types import Container, ObjectFieldSelector, Pod, ResourceFieldSelector, Service
from kubeapi.quantity import parse

Sources = Mapping[tuple[str, str], Mapping[str, bytes] | None]
ESCAPED = {
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
    "\\": r"\\",
    '"': r"\"",
}
REFERENCE = re.compile(r"\$\$|\$\(([^()]*)\)")
ANNOTATION = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class ConfigError(Exception):
    """The container's configuration can't be completed; the text is the kubelet's."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the downward API tells beyond the object: addresses, and what the node has where no limit is set."""

    host_ip: str = ""
    pod_ip: str = ""
    allocatable: Mapping[str, str | int | float] = field(default_factory=dict)


def amount(quantity: str | int | float) -> Fraction:
    """A Kubernetes quantity as an exact number."""
    try:
        return Fraction(parse(quantity))
    except ValueError as error:
        raise ConfigError(f"invalid quantity {quantity!r}") from error


def references(container: Container) -> set[tuple[str, str]]:
    """The (kind, name) of every ConfigMap and Secret that the container's environment needs."""
    needed = set()
    for source in container.env_from:
        if source.config_map_ref:
            needed.add(("ConfigMap", source.config_map_ref.name))
        if source.secret_ref:
            needed.add(("Secret", source.secret_ref.name))
    for variable in container.env:
        if (of := variable.value_from) is not None:
            if of.config_map_key_ref:
                needed.add(("ConfigMap", of.config_map_key_ref.name))
            if of.secret_key_ref:
                needed.add(("Secret", of.secret_key_ref.name))
    return needed


def expand(text: str, variables: Mapping[str, str]) -> str:
    """$(NAME) replaced where NAME is known and left where it is not; $$ is a literal $."""

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return REFERENCE.sub(replace, text)


def names_in(text: str) -> set[str]:
    """The NAME of each $(NAME) that `expand` would look up."""
    return {match[1] for match in REFERENCE.finditer(text) if match[0] != "$$"}


def quoted(text: str) -> str:
    """Text in double quotes as Go's %q prints it."""

    def shown(char: str) -> str:
        if char in ESCAPED or char.isprintable():
            return ESCAPED.get(char, char)
        code = ord(char)
        return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return f'"{"".join(map(shown, text))}"'


def field_value(pod: Pod, ref: ObjectFieldSelector, around: Surroundings) -> str:
    """What a fieldRef points to."""
    path = ref.field_path
    if match := ANNOTATION.fullmatch(path):
        return str(getattr(pod.metadata, match[1]).get(match[2], ""))
    match path:
        case "metadata.name":
            return pod.metadata.name
        case "metadata.namespace":
            return pod.metadata.namespace
        case "metadata.uid":
            return pod.metadata.uid
        case "metadata.labels":
            return "\n".join(f"{k}={quoted(v)}" for k, v in sorted(pod.metadata.labels.items()))
        case "metadata.annotations":
            return "\n".join(f"{k}={quoted(v)}" for k, v in sorted(pod.metadata.annotations.items()))
        case "spec.nodeName":
            return pod.spec.node_name
        case "spec.serviceAccountName":
            return pod.spec.service_account_name
        case "status.hostIP" | "status.hostIPs":
            return around.host_ip
        case "status.podIP" | "status.podIPs":
            return around.pod_ip
    raise ConfigError(f"unsupported fieldPath: {path}")


def resource_value(pod: Pod, container: Container, ref: ResourceFieldSelector, around: Surroundings) -> str:
    """What a resourceFieldRef points to, in units of its divisor, rounded up."""
    if ref.container_name and ref.container_name != container.name:
        every = [*pod.spec.containers, *pod.spec.init_containers]
        container = next((c for c in every if c.name == ref.container_name), container)
    which, _, resource = ref.resource.partition(".")
    found = getattr(container.resources, which).get(resource)
    if found is None and which == "requests":
        found = container.resources.limits.get(resource)
    if found is None and which == "limits":
        found = around.allocatable.get(resource)
    divisor = amount(ref.divisor or 1) or Fraction(1)
    return str(math.ceil(amount(found or 0) / divisor))


def service_variables(services: Iterable[Service]) -> dict[str, str]:
    """The variables that tell of Services, in the way of Docker links."""
    told: dict[str, str] = {}
    for service in services:
        address = service.spec.cluster_ip
        if not address or address == "None" or not service.spec.ports:
            continue
        name = service.metadata.name.upper().replace("-", "_")
        first = service.spec.ports[0]
        told[f"{name}_SERVICE_HOST"] = address
        told[f"{name}_SERVICE_PORT"] = str(first.port)
        told[f"{name}_PORT"] = f"{(first.protocol or 'TCP').lower()}://{address}:{first.port}"
        for port in service.spec.ports:
            protocol = port.protocol or "TCP"
            if port.name:
                told[f"{name}_SERVICE_PORT_{port.name.upper().replace('-', '_')}"] = str(port.port)
            prefix = f"{name}_PORT_{port.port}_{protocol}"
            told[prefix] = f"{protocol.lower()}://{address}:{port.port}"
            told[f"{prefix}_PROTO"] = protocol.lower()
            told[f"{prefix}_PORT"] = str(port.port)
            told[f"{prefix}_ADDR"] = address
    return told


def environment(
    pod: Pod, container: Container, sources: Sources, services: Iterable[Service], around: Surroundings
) -> dict[str, str]:
    """The container's variables in order: Services, then envFrom, then env; later ones win."""
    links = service_variables(services)
    made: dict[str, str] = {}
    for bundle in container.env_from:
        for kind, ref in (("ConfigMap", bundle.config_map_ref), ("Secret", bundle.secret_ref)):
            if ref is not None:
                data = _source(sources, kind, ref.name, bool(ref.optional))
                made |= {bundle.prefix + key: value.decode(errors="replace") for key, value in (data or {}).items()}
    for variable in container.env:
        of = variable.value_from
        if of is None:
            made[variable.name] = expand(variable.value, links | made)
        elif of.field_ref:
            made[variable.name] = field_value(pod, of.field_ref, around)
        elif of.resource_field_ref:
            made[variable.name] = resource_value(pod, container, of.resource_field_ref, around)
        else:
            kind, key_ref = (
                ("ConfigMap", of.config_map_key_ref) if of.config_map_key_ref else ("Secret", of.secret_key_ref)
            )
            if key_ref is None:
                raise ConfigError(f"the source of variable {variable.name} is not supported on this node")
            data = _source(sources, kind, key_ref.name, bool(key_ref.optional))
            if data is not None and key_ref.key in data:
                made[variable.name] = data[key_ref.key].decode(errors="replace")
            elif not key_ref.optional:
                where = f"{kind} {pod.metadata.namespace}/{key_ref.name}"
                raise ConfigError(f"couldn't find key {key_ref.key} in {where}")
    return links | made


def _source(sources: Sources, kind: str, name: str, optional: bool) -> Mapping[str, bytes] | None:
    data = sources.get((kind, name))
    if data is None and not optional:
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    return data
