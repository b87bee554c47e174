"""The rules that all objects share: names, labels, metadata, label selectors. Source: apimachinery's pkg/util/validation.

Checks of a value answer messages (none: it is fine); checks of a struct answer causes under the path they are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from kubeapi.errors import Cause, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.types import LabelSelector, ObjectMeta

Check = Callable[[str], list[str]]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
NAME_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")

NOT_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NOT_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
NOT_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
NOT_NAME_PART = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
NOT_QUALIFIED = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
)
NOT_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
IMMUTABLE = "field is immutable"
OWN_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def dns_label(value: str) -> list[str]:
    """RFC 1123 label: container and volume names, namespaces."""
    return _shaped(value, LABEL, 63, "characters", NOT_LABEL)


def dns_subdomain(value: str) -> list[str]:
    """RFC 1123 subdomain: the names of most objects."""
    return _shaped(value, SUBDOMAIN, 253, "characters", NOT_SUBDOMAIN)


def label_value(value: str) -> list[str]:
    """The value of a label."""
    return _shaped(value, NAME_PART, 63, "bytes", NOT_LABEL_VALUE) if value else []


def qualified_name(value: str) -> list[str]:
    """The key of a label, a resource, a finalizer: `name` or `example.com/name`."""
    prefix, slash, name = value.rpartition("/")
    if value.count("/") > 1:
        return [NOT_QUALIFIED]
    found = []
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += ["prefix part " + message for message in dns_subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    found += [m if m.startswith("name part") else "name part " + m for m in _length(name, 63, "bytes")]
    if not NAME_PART.fullmatch(name):
        found.append(NOT_NAME_PART)
    return found


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret, which becomes a file's name."""
    found = _shaped(value, CONFIG_KEY, 253, "characters", NOT_CONFIG_KEY)
    if value == ".":
        found.append("must not be '.'")
    elif value == "..":
        found.append("must not be '..'")
    elif value.startswith(".."):
        found.append("must not start with '..'")
    return found


def _length(value: str, most: int, unit: str) -> list[str]:
    return [f"must be no more than {most} {unit}"] if len(value.encode()) > most else []


def _shaped(value: str, shape: re.Pattern[str], most: int, unit: str, otherwise: str) -> list[str]:
    found = _length(value, most, unit)
    if not shape.fullmatch(value):
        found.append(otherwise)
    return found


def causes_of(check: Check, value: str, path: str) -> list[Cause]:
    """The messages of a check as causes at a path."""
    return [invalid(path, value, message) for message in check(value)]


def validate_labels(labels: dict[str, str], path: str) -> list[Cause]:
    """Keys are qualified names, values label values."""
    found: list[Cause] = []
    for key, value in labels.items():
        found += causes_of(qualified_name, key, path)
        found += causes_of(label_value, value, path)
    return found


def validate_annotations(annotations: dict[str, str], path: str) -> list[Cause]:
    """Keys are qualified names in any case; all together fit in 256 KiB."""
    found: list[Cause] = []
    for key in annotations:
        found += [invalid(path, key, message) for message in qualified_name(key.lower())]
    if sum(len(k.encode()) + len(v.encode()) for k, v in annotations.items()) > 256 * 1024:
        found.append(Cause("FieldValueTooLong", "Too long: may not be more than 262144 bytes", path))
    return found


def validate_meta(
    meta: ObjectMeta, namespaced: bool, name: Check = dns_subdomain, path: str = "metadata"
) -> list[Cause]:
    """Metadata of a new object, whose namespace the server has already filled in."""
    found: list[Cause] = []
    if meta.generate_name:
        prefix = meta.generate_name[:-1] + "a" if meta.generate_name.endswith("-") else meta.generate_name
        found += [invalid(f"{path}.generateName", meta.generate_name, message) for message in name(prefix)]
    if not meta.name:
        found.append(required(f"{path}.name", "name or generateName is required"))
    else:
        found += causes_of(name, meta.name, f"{path}.name")
    if namespaced and not meta.namespace:
        found.append(required(f"{path}.namespace"))
    elif namespaced:
        found += causes_of(dns_label, meta.namespace, f"{path}.namespace")
    elif meta.namespace:
        found.append(forbidden(f"{path}.namespace", "not allowed on this type"))
    found += validate_labels(meta.labels, f"{path}.labels")
    found += validate_annotations(meta.annotations, f"{path}.annotations")
    found += _validate_owners(meta, path)
    return found + _validate_finalizers(meta, path)


def _validate_finalizers(meta: ObjectMeta, path: str) -> list[Cause]:
    """Qualified names, or one of Kubernetes' own; an object can't both wait for its dependents and orphan them."""
    at, found = f"{path}.finalizers", []
    for finalizer in meta.finalizers:
        found += causes_of(qualified_name, finalizer, at)
    if {"foregroundDeletion", "orphan"} <= set(meta.finalizers):
        told = "finalizer orphan and foregroundDeletion cannot be both set"
        found.append(invalid(at, meta.finalizers, told))
    for i, finalizer in enumerate(meta.finalizers):
        found += validate_own_finalizer(finalizer, f"{at}[{i}]")
    return found


def validate_own_finalizer(name: str, path: str) -> list[Cause]:
    """A name without a domain is Kubernetes' own."""
    if "/" in name or name in OWN_FINALIZERS:
        return []
    return [invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified")]


def _validate_owners(meta: ObjectMeta, path: str) -> list[Cause]:
    found: list[Cause] = []
    controllers: list[str] = []
    for i, owner in enumerate(meta.owner_references):
        at = f"{path}.ownerReferences[{i}]"
        if not owner.api_version:
            found.append(invalid(f"{at}.apiVersion", "", "version must not be empty"))
        for field, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                found.append(invalid(f"{at}.{field}", value, "must not be empty"))
        if owner.controller:
            controllers.append(owner.name)
    if len(controllers) > 1:
        found.append(
            invalid(
                f"{path}.ownerReferences",
                [o.model_dump(by_alias=True, exclude_none=True) for o in meta.owner_references],
                "Only one reference can have Controller set to true. "
                f'Found "true" in references for {controllers[0]} and {controllers[1]}',
            )
        )
    return found


def validate_meta_update(new: ObjectMeta, old: ObjectMeta, path: str = "metadata") -> list[Cause]:
    """What an update may not change, and the labels and annotations it may."""
    found: list[Cause] = []
    for wire, before, after in (
        ("name", old.name, new.name),
        ("namespace", old.namespace, new.namespace),
        ("uid", old.uid, new.uid),
    ):
        if before != after:
            found.append(invalid(f"{path}.{wire}", after, IMMUTABLE))
    if new.generation < old.generation:
        found.append(invalid(f"{path}.generation", new.generation, "must not be decremented"))
    if old.deletion_timestamp:
        added = sorted(set(new.finalizers) - set(old.finalizers))
        if added:
            told = "no new finalizers can be added if the object is being deleted, found new finalizers "
            shown = ", ".join(f'"{f}"' for f in added)
            found.append(forbidden(f"{path}.finalizers", f"{told}[]string{{{shown}}}"))
    found += validate_labels(new.labels, f"{path}.labels")
    found += validate_annotations(new.annotations, f"{path}.annotations")
    found += _validate_owners(new, path)
    return found + [
        c for i, f in enumerate(new.finalizers) for c in validate_own_finalizer(f, f"{path}.finalizers[{i}]")
    ]


def validate_common_update(new: ObjectMeta, old: ObjectMeta, namespaced: bool) -> list[Cause]:
    """What the server asks of every update before the kind is asked (rest.BeforeUpdate): so a fault is told again there."""
    found = validate_meta(new, namespaced, path_segment) if new != old else []
    return found + validate_meta_update(new, old)


def path_segment(value: str) -> list[str]:
    """A name that can be a part of a URL's path, the least that any name has to be."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


def validate_selector(selector: LabelSelector, path: str) -> list[Cause]:
    """A LabelSelector: its operators and how many values each takes."""
    found = validate_labels(selector.match_labels, f"{path}.matchLabels")
    for i, expression in enumerate(selector.match_expressions):
        at = f"{path}.matchExpressions[{i}]"
        match expression.operator, bool(expression.values):
            case (("In" | "NotIn"), False):
                found.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
            case (("Exists" | "DoesNotExist"), True):
                found.append(
                    forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
                )
            case (("In" | "NotIn" | "Exists" | "DoesNotExist"), _):
                pass
            case _:
                found.append(invalid(f"{at}.operator", expression.operator, "not a valid selector operator"))
        found += causes_of(qualified_name, expression.key, f"{at}.key")
        for j, value in enumerate(expression.values):
            found += causes_of(label_value, value, f"{at}.values[{j}]")
    return found


def validate_choice(value: str, supported: Iterable[str], path: str) -> list[Cause]:
    """One of a few words; required when it is empty."""
    choices = tuple(supported)
    if not value:
        return [required(path)]
    return [] if value in choices else [not_supported(path, value, choices)]
