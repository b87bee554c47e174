"""Amounts of resources: requests, limits, overhead, and claims by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from kubeapi import quantity
from kubeapi.core_v1.types import PodSpec, ResourceRequirements
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.validation import causes_of, dns_label, qualified_name

CheckName = Callable[[str, str], list[Cause]]
OF_CONTAINERS = {"cpu", "memory", "ephemeral-storage"}
COUNTED = {
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
}  # fmt: skip
STANDARD = (
    OF_CONTAINERS | COUNTED | {"storage", "requests.storage"}
    | {f"{kind}.{name}" for kind in ("requests", "limits") for name in OF_CONTAINERS}
)  # fmt: skip
NEGATIVE = "must be greater than or equal to 0"


def is_huge_page(name: str) -> bool:
    """Whether a resource is memory in huge pages."""
    return name.startswith("hugepages-")


def is_native(name: str) -> bool:
    """Whether a resource is Kubernetes' own: without a domain, or of kubernetes.io."""
    return "/" not in name or "kubernetes.io/" in name


def may_be_overcommitted(name: str) -> bool:
    """Whether more may be promised than there is."""
    return is_native(name) and not is_huge_page(name)


def validate_amount(name: str, value: str, path: str) -> list[Cause]:
    """An amount is not negative, and whole where things are counted."""
    amount, found = quantity.parse(value), []
    if amount < 0:
        found.append(invalid(path, value, NEGATIVE))
    if (name in COUNTED or not is_native(name)) and amount != amount.to_integral_value():
        found.append(invalid(path, value, "must be an integer"))
    return found


def validate_name(name: str, path: str) -> list[Cause]:
    """The name of a resource."""
    found = causes_of(qualified_name, name, path)
    if not found and "/" not in name and name not in STANDARD and not is_huge_page(name):
        found.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return found


def validate_container_name(name: str, path: str) -> list[Cause]:
    """The name of a resource that a container may ask for."""
    found = validate_name(name, path)
    if "/" not in name and name not in OF_CONTAINERS and not is_huge_page(name):
        found.append(invalid(path, name, "must be a standard resource for containers"))
    elif not is_native(name) and (name.startswith("requests.") or qualified_name(f"requests.{name}")):
        found.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return found


def validate_pod_name(name: str, path: str) -> list[Cause]:
    """The name of a resource that a pod may ask for as a whole."""
    found = validate_name(name, path)
    if not found and name not in ("cpu", "memory") and not is_huge_page(name):
        found.append(not_supported(path, name, ("cpu", "memory")))
    return found


def validate_resources(
    resources: ResourceRequirements, path: str, claims: set[str], check: CheckName = validate_container_name
) -> list[Cause]:
    """What a container or pod asks for: nothing beyond its limits, nothing scarce without one."""
    found: list[Cause] = []
    for name, limit in resources.limits.items():
        found += _validate_entry(name, limit, f"{path}.limits[{name}]", check)
    for name, asked in resources.requests.items():
        found += _validate_entry(name, asked, f"{path}.requests[{name}]", check)
        limit, free = resources.limits.get(name, ""), may_be_overcommitted(name)
        if not limit:
            if not free:
                found.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif not free and quantity.parse(asked) != quantity.parse(limit):
            found.append(invalid(f"{path}.requests", asked, f"must be equal to {name} limit of {limit}"))
        elif quantity.parse(asked) > quantity.parse(limit):
            found.append(invalid(f"{path}.requests", asked, f"must be less than or equal to {name} limit of {limit}"))
    names = resources.limits.keys() | resources.requests.keys()
    if any(map(is_huge_page, names)) and not names & {"cpu", "memory"}:
        found.append(forbidden(path, "HugePages require cpu or memory"))
    return found + _validate_claims(resources, claims, f"{path}.claims")


def _validate_entry(name: str, value: str, path: str, check: CheckName) -> list[Cause]:
    found = check(name, path) + validate_amount(name, value, path)
    if is_huge_page(name):
        try:
            size = quantity.parse(name.removeprefix("hugepages-"))
        except ValueError:
            size = None
        if not size or size < 0 or quantity.parse(value) % size:
            found.append(invalid(path, value, f"{value} is not positive integer multiple of {name}"))
    return found


def _validate_claims(resources: ResourceRequirements, known: set[str], path: str) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for i, claim in enumerate(resources.claims):
        at, key = f"{path}[{i}]", f"{claim.name}/{claim.request}" if claim.request else claim.name
        if not claim.name:
            found.append(required(at))
            continue
        if claim.request:
            found += causes_of(dns_label, claim.request, f"{at}.request")
        if claim.name in seen or key in seen:
            found.append(duplicate(at, claim.name if claim.name in seen else key))
        elif not claim.request and any(other.startswith(f"{claim.name}/") for other in seen):
            found.append(duplicate(at, claim.name))
        seen.add(key)
        if claim.name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            told = f'Not found: "{claim.name}": must be one of the names in pod.spec.resourceClaims{listed}'
            found.append(Cause("FieldValueNotFound", told, at))
    return found


def validate_pod_resources(spec: PodSpec, path: str, claims: set[str]) -> list[Cause]:
    """What a pod asks for as a whole holds what its containers ask for."""
    if spec.resources is None:
        return []
    found: list[Cause] = []
    if spec.resources.claims:
        found.append(forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
    found += validate_resources(spec.resources, path, claims, validate_pod_name)
    requests, limits = spec.resources.requests, spec.resources.limits
    for name, asked in _requests_of_all(spec).items():
        if asked > quantity.parse(requests.get(name, "0")):
            told = f"must be greater than or equal to aggregate container requests of {quantity.canonical(str(asked))}"
            found.append(invalid(f"{path}.requests[{name}]", requests.get(name, "0"), told))
    for i, container in enumerate(spec.containers):
        for name, limit in container.resources.limits.items():
            if name in limits and quantity.parse(limit) > quantity.parse(limits[name]):
                told = f"must be less than or equal to pod limits of {limits[name]}"
                found.append(invalid(f"{path}.containers[{i}][{name}].limits", limit, told))
    return found


def _requests_of_all(spec: PodSpec) -> Mapping[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in spec.containers:
        for name, value in container.resources.requests.items():
            total[name] = total.get(name, Decimal(0)) + quantity.parse(value)
    return total
