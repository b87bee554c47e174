"""Where a pod may go: node selectors, affinity, tolerations and taints, spreading."""

from __future__ import annotations

from kubeapi.core_v1.types import (
    Affinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Taint,
    Toleration,
    TopologySelectorTerm,
    TopologySpreadConstraint,
)
from kubeapi.errors import Cause, duplicate, forbidden, invalid, not_supported, required
from kubeapi.meta_v1.types import LabelSelector
from kubeapi.meta_v1.validation import (
    causes_of,
    dns_label,
    dns_subdomain,
    label_value,
    qualified_name,
    validate_selector,
)

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED, PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
ACTIONS, INCLUSIONS = ("DoNotSchedule", "ScheduleAnyway"), ("Honor", "Ignore")
NOT_OPERATOR, IN_BOTH = "not a valid selector operator", "exists in both matchLabelKeys and labelSelector"
POSITIVE, WEIGHT = "must be greater than zero", "must be in the range 1-100"


def validate_tolerations(tolerations: list[Toleration], path: str) -> list[Cause]:
    """Operator and value fit each other; only what evicts has a time."""
    found: list[Cause] = []
    for i, toleration in enumerate(tolerations):
        at = f"{path}[{i}]"
        if toleration.key:
            found += causes_of(qualified_name, toleration.key, f"{at}.key")
        elif toleration.operator != "Exists":
            told = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            found.append(invalid(f"{at}.operator", toleration.operator, told))
        if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
            told = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            found.append(invalid(f"{at}.effect", toleration.effect, told))
        match toleration.operator:
            case "" | "Equal":
                if wrong := label_value(toleration.value):
                    found.append(invalid(f"{at}.operator", toleration.value, ";".join(wrong)))
            case "Exists":
                if toleration.value:
                    told = "value must be empty when `operator` is 'Exists'"
                    found.append(invalid(f"{at}.operator", toleration.value, told))
            case _:
                found.append(not_supported(f"{at}.operator", toleration.operator, ("Equal", "Exists")))
        if toleration.effect and toleration.effect not in EFFECTS:
            found.append(not_supported(f"{at}.effect", toleration.effect, EFFECTS))
    return found


def validate_taints(taints: list[Taint], path: str) -> list[Cause]:
    """Taints are known by key and effect."""
    found: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for i, taint in enumerate(taints):
        at = f"{path}[{i}]"
        found += causes_of(qualified_name, taint.key, f"{at}.key")
        if wrong := label_value(taint.value):
            found.append(invalid(f"{at}.value", taint.value, ";".join(wrong)))
        if not taint.effect:
            found.append(required(f"{at}.effect"))
        elif taint.effect not in EFFECTS:
            found.append(not_supported(f"{at}.effect", taint.effect, EFFECTS))
        if (taint.key, taint.effect) in seen:
            shown = {"Key": taint.key, "Value": taint.value, "Effect": taint.effect, "TimeAdded": None}
            reason, message, _ = duplicate(at, shown)
            found.append(Cause(reason, f"{message}: taints must be unique by key and effect pair", at))
        seen.add((taint.key, taint.effect))
    return found


def validate_affinity(affinity: Affinity | None, path: str) -> list[Cause]:
    """To nodes, to pods, and away from pods."""
    if affinity is None:
        return []
    found: list[Cause] = []
    if (nodes := affinity.node_affinity) is not None:
        at = f"{path}.nodeAffinity"
        if nodes.required_during_scheduling_ignored_during_execution is not None:
            found += validate_node_selector(
                nodes.required_during_scheduling_ignored_during_execution, f"{at}.{REQUIRED}"
            )
        for i, preferred in enumerate(nodes.preferred_during_scheduling_ignored_during_execution):
            where = f"{at}.{PREFERRED}[{i}]"
            found += _validate_weight(preferred.weight, where)
            found += _validate_term(preferred.preference, f"{where}.preference", values=False)
    if affinity.pod_affinity is not None:
        found += _validate_pods(affinity.pod_affinity, f"{path}.podAffinity")
    if affinity.pod_anti_affinity is not None:
        found += _validate_pods(affinity.pod_anti_affinity, f"{path}.podAntiAffinity")
    return found


def validate_node_selector(selector: NodeSelector, path: str) -> list[Cause]:
    """Terms of which one must hold."""
    at = f"{path}.nodeSelectorTerms"
    if not selector.node_selector_terms:
        return [required(at, "must have at least one node selector term")]
    return [c for i, term in enumerate(selector.node_selector_terms) for c in _validate_term(term, f"{at}[{i}]")]


def _validate_weight(weight: int, path: str) -> list[Cause]:
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, WEIGHT)]


def _validate_term(term: NodeSelectorTerm, path: str, *, values: bool = True) -> list[Cause]:
    found: list[Cause] = []
    for i, rule in enumerate(term.match_expressions):
        found += _validate_rule(rule, f"{path}.matchExpressions[{i}]", values)
    for i, rule in enumerate(term.match_fields):
        at = f"{path}.matchFields[{i}]"
        if rule.operator not in ("In", "NotIn"):
            found.append(invalid(f"{at}.operator", rule.operator, NOT_OPERATOR))
        elif len(rule.values) != 1:
            told = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
            found.append(required(f"{at}.values", told))
        if rule.key != "metadata.name":
            found.append(invalid(f"{at}.key", rule.key, "not a valid field selector key"))
        else:
            for j, value in enumerate(rule.values):
                found += causes_of(dns_subdomain, value, f"{at}.values[{j}]")
    return found


def _validate_rule(rule: NodeSelectorRequirement, path: str, values: bool) -> list[Cause]:
    found: list[Cause] = []
    match rule.operator:
        case "In" | "NotIn":
            if not rule.values:
                found.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        case "Exists" | "DoesNotExist":
            if rule.values:
                told = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                found.append(forbidden(f"{path}.values", told))
        case "Gt" | "Lt":
            if len(rule.values) != 1:
                told = "must be specified single value when `operator` is 'Lt' or 'Gt'"
                found.append(required(f"{path}.values", told))
        case _:
            found.append(invalid(f"{path}.operator", rule.operator, NOT_OPERATOR))
    found += causes_of(qualified_name, rule.key, f"{path}.key")
    if values:
        for i, value in enumerate(rule.values):
            found += causes_of(label_value, value, f"{path}.values[{i}]")
    return found


def _validate_pods(affinity: PodAffinity | PodAntiAffinity, path: str) -> list[Cause]:
    found: list[Cause] = []
    for i, term in enumerate(affinity.required_during_scheduling_ignored_during_execution):
        found += _validate_pod_term(term, f"{path}.{REQUIRED}[{i}]")
    for i, weighted in enumerate(affinity.preferred_during_scheduling_ignored_during_execution):
        at = f"{path}.{PREFERRED}[{i}]"
        found += _validate_weight(weighted.weight, at)
        found += _validate_pod_term(weighted.pod_affinity_term, f"{at}.podAffinityTerm")
    return found


def _validate_pod_term(term: PodAffinityTerm, path: str) -> list[Cause]:
    found: list[Cause] = []
    for field, selector in (("labelSelector", term.label_selector), ("namespaceSelector", term.namespace_selector)):
        if selector is not None:
            found += validate_selector(selector, f"{path}.{field}")
    for name in term.namespaces:
        found += causes_of(dns_label, name, f"{path}.namespace")
    for field, keys in (("matchLabelKeys", term.match_label_keys), ("mismatchLabelKeys", term.mismatch_label_keys)):
        if keys and term.label_selector is None:
            found.append(forbidden(f"{path}.{field}", "must not be specified when labelSelector is not set"))
        elif keys:
            found += [c for i, k in enumerate(keys) for c in causes_of(qualified_name, k, f"{path}.{field}[{i}]")]
    found += _validate_own_keys(term, path)
    for i, key in enumerate(term.match_label_keys):
        if key in term.mismatch_label_keys:
            told = "exists in both matchLabelKeys and mismatchLabelKeys"
            found.append(invalid(f"{path}.matchLabelKeys[{i}]", key, told))
    if not term.topology_key:
        found.append(required(f"{path}.topologyKey", "can not be empty"))
    return found + causes_of(qualified_name, term.topology_key, f"{path}.topologyKey")


def _validate_own_keys(term: PodAffinityTerm, path: str) -> list[Cause]:
    """A key of matchLabelKeys, which became an expression of the selector, stands there only once."""
    if term.label_selector is None:
        return []
    seen, found = set(term.label_selector.match_labels), []
    for expression in term.label_selector.match_expressions:
        if expression.key in term.match_label_keys and expression.key in seen:
            found.append(invalid(f"{path}[{term.match_label_keys.index(expression.key)}]", expression.key, IN_BOTH))
        seen.add(expression.key)
    return found


def validate_spread(constraints: list[TopologySpreadConstraint], path: str) -> list[Cause]:
    """Constraints are known by topology key and action."""
    found: list[Cause] = []
    for i, rule in enumerate(constraints):
        at = f"{path}[{i}]"
        if rule.max_skew <= 0:
            found.append(invalid(f"{at}.maxSkew", rule.max_skew, POSITIVE))
        if not rule.topology_key:
            found.append(required(f"{at}.topologyKey", "can not be empty"))
        if rule.when_unsatisfiable not in ACTIONS:
            found.append(not_supported(f"{at}.whenUnsatisfiable", rule.when_unsatisfiable, ACTIONS))
        pair = (rule.topology_key, rule.when_unsatisfiable)
        if pair in ((other.topology_key, other.when_unsatisfiable) for other in constraints[i + 1 :]):
            where = f"{at}.{{topologyKey, whenUnsatisfiable}}"
            found.append(duplicate(where, f"{{{pair[0]}, {pair[1]}}}"))
        if rule.min_domains is not None:
            if rule.min_domains <= 0:
                found.append(invalid(f"{at}.minDomains", rule.min_domains, POSITIVE))
            if rule.when_unsatisfiable != ACTIONS[0]:
                told = f"can only use minDomains if whenUnsatisfiable={ACTIONS[0]}, not {rule.when_unsatisfiable}"
                found.append(invalid(f"{at}.minDomains", rule.min_domains, told))
        for field, policy in (
            ("nodeAffinityPolicy", rule.node_affinity_policy),
            ("nodeTaintsPolicy", rule.node_taints_policy),
        ):
            if policy is not None and policy not in INCLUSIONS:
                found.append(not_supported(f"{at}.{field}", policy, INCLUSIONS))
        found += _validate_keys(rule.match_label_keys, rule.label_selector, f"{at}.matchLabelKeys")
        if rule.label_selector is not None:
            found += validate_selector(rule.label_selector, f"{at}.labelSelector")
    return found


def _validate_keys(keys: list[str], selector: LabelSelector | None, path: str) -> list[Cause]:
    found: list[Cause] = []
    if keys and selector is None:
        found.append(forbidden(path, "must not be specified when labelSelector is not set"))
    used = {*selector.match_labels, *(e.key for e in selector.match_expressions)} if selector is not None else set()
    for i, key in enumerate(keys):
        found += causes_of(qualified_name, key, f"{path}[{i}]")
        if key in used:
            found.append(invalid(f"{path}[{i}]", key, IN_BOTH))
    return found


def validate_topologies(terms: list[TopologySelectorTerm], path: str) -> list[Cause]:
    """Where volumes of a class may be made."""
    found: list[Cause] = []
    for i, term in enumerate(terms):
        keys: set[str] = set()
        for j, rule in enumerate(term.match_label_expressions):
            at = f"{path}[{i}].matchLabelExpressions[{j}]"
            if not rule.values:
                found.append(required(f"{at}.values"))
            found += [duplicate(f"{at}.values[{k}]", v) for k, v in enumerate(rule.values) if v in rule.values[:k]]
            found += causes_of(qualified_name, rule.key, f"{at}.key")
            if rule.key in keys:
                found.append(duplicate(f"{at}.key", rule.key))
            keys.add(rule.key)
    return found
