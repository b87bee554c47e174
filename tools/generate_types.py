"""Write kubeapi's types from a folder of Kubernetes' OpenAPI v3 schemas.

    python tools/generate_types.py OPENAPI_DIR

What the schemas don't say is added here: which optional scalars are values in Go (their zero is not written) and which
are pointers (zero is written, absence is not). The result is formatted by `ruff format`.
"""

from __future__ import annotations

import json
import keyword
import pathlib
import re
import sys

from pydantic.alias_generators import to_camel

ROOT = pathlib.Path(__file__).parent.parent / "kubeapi"

# file of the schema, prefix of its names, package written
GROUPS = [
    ("v1.json", "io.k8s.apimachinery.pkg.apis.meta.v1.", "meta_v1"),
    ("v1.json", "io.k8s.api.core.v1.", "core_v1"),
    ("apps_v1.json", "io.k8s.api.apps.v1.", "apps_v1"),
    ("discovery.k8s.io_v1.json", "io.k8s.api.discovery.v1.", "discovery_v1"),
    ("coordination.k8s.io_v1.json", "io.k8s.api.coordination.v1.", "coordination_v1"),
    ("storage.k8s.io_v1.json", "io.k8s.api.storage.v1.", "storage_v1"),
    ("v1.json", "io.k8s.api.autoscaling.v1.", "autoscaling_v1"),
    ("authentication.k8s.io_v1.json", "io.k8s.api.authentication.v1.", "authentication_v1"),
    ("authorization.k8s.io_v1.json", "io.k8s.api.authorization.v1.", "authorization_v1"),
    ("policy_v1.json", "io.k8s.api.policy.v1.", "policy_v1"),
]
WANTED = {
    "meta_v1": None,
    "core_v1": None,
    "apps_v1": {"Deployment", "ReplicaSet"},
    "discovery_v1": {"EndpointSlice"},
    "coordination_v1": {"Lease"},
    "storage_v1": {"StorageClass"},
    "autoscaling_v1": {"Scale"},
    "authentication_v1": {"TokenRequest", "SelfSubjectReview"},
    "authorization_v1": {"SelfSubjectAccessReview"},
    "policy_v1": {"Eviction"},
}
# core/v1 is large: a module per noun; the first pattern that fits a name decides, the rest goes to pod.py
CORE_MODULES = [
    (
        "references",
        r"(LocalObjectReference|ObjectReference|SecretReference|TypedLocalObjectReference|TypedObjectReference|ConfigMapKeySelector|SecretKeySelector|ObjectFieldSelector|ResourceFieldSelector|NodeSelector.*|TopologySelector.*|FileKeySelector)",
    ),
    ("claims", r"(PersistentVolumeClaim(?!VolumeSource|Template).*|VolumeResourceRequirements|ModifyVolumeStatus)"),
    ("storage", r"(PersistentVolume(?!Claim).*|.*PersistentVolumeSource|LocalVolumeSource|VolumeNodeAffinity)"),
    ("volumes", r"(Volume|.*VolumeSource|.*Projection|KeyToPath|DownwardAPIVolumeFile|PersistentVolumeClaimTemplate)"),
    ("service", r"(Service(?!Account).*|LoadBalancer.*|PortStatus|ClientIPConfig|SessionAffinityConfig|Endpoint.*)"),
    ("node", r"(Node(?!Affinity).*|ConfigMapNodeConfigSource|Taint|DaemonEndpoint|AttachedVolume|ContainerImage)"),
    (
        "config",
        r"(ConfigMap|Secret|ServiceAccount|Namespace.*|LimitRange.*|ResourceQuota.*|ScopeSelector|ScopedResourceSelectorRequirement|ComponentStatus|ComponentCondition|Event(?!s).*|Binding)",
    ),
]
# optional numbers and booleans that are values in Go; every other optional one is a pointer
VALUES = set(
    [
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "stdin",
        "stdinOnce",
        "tty",
        "hostPort",
        "nodePort",
        "healthCheckNodePort",
        "publishNotReadyAddresses",
        "minReadySeconds",
        "paused",
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
        "readOnly",
        "partition",
        "generation",
        "observedGeneration",
        "unschedulable",
        "count",
        "signal",
        "readyReplicas",
        "availableReplicas",
        "updatedReplicas",
        "unavailableReplicas",
        "fullyLabeledReplicas",
        "fsckBefore",
        "continueAfter",
        "sizeBytes",
        "exact",
        "port",
        "readOnlyDisabled",
        "DeploymentStatus.replicas",
        "ScaleSpec.replicas",
        "currentReplicas",
        "tainted",
        "sslEnabled",
        "discoveryCHAPAuth",
        "sessionCHAPAuth",
        "chapAuthDiscovery",
        "chapAuthSession",
        "ListOptions.watch",
        "watch",
        "orphanDependentsDefault",
    ]
)
# Lists without omitempty that the schema does not require: null while they are empty.
NIL_LISTS = {"EndpointSlice.endpoints", "EndpointSlice.ports"}
POINTER_NUMBERS = {
    "AzureDiskVolumeSource.readOnly",
    "CSIVolumeSource.readOnly",
    "EndpointPort.port@discovery_v1",
    "GRPCAction.port",
    "Endpoint.port",
}
POINTER_TEXT = set(
    [
        "PersistentVolumeClaimSpec.storageClassName",
        "runtimeClassName",
        "preemptionPolicy",
        "ipFamilyPolicy",
        "internalTrafficPolicy",
        "loadBalancerClass",
        "appProtocol",
        "Endpoint.hostname",
        "Endpoint.nodeName",
        "EndpointAddress.nodeName",
        "zone",
        "trafficDistribution",
        "volumeMode",
        "mountPropagation",
        "recursiveReadOnly",
        "procMount",
        "fsGroupChangePolicy",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
        "Container.restartPolicy",
        "EphemeralContainer.restartPolicy",
        "stopSignal",
        "PodDNSConfigOption.value",
        "localhostProfile",
        "gmsaCredentialSpecName",
        "gmsaCredentialSpec",
        "runAsUserName",
        "HostPathVolumeSource.type",
        "hostnameOverride",
        "apiGroup",
        "TypedObjectReference.namespace",
        "GRPCAction.service",
        "holderIdentity",
        "strategy@coordination_v1",
        "preferredHolder",
        "volumeAttributesClassName",
        "reclaimPolicy@storage_v1",
        "volumeBindingMode",
        "CSIVolumeSource.fsType",
        "cachingMode",
        "AzureDiskVolumeSource.fsType",
        "AzureDiskVolumeSource.kind",
        "initiatorName",
        "secretNamespace",
        "EndpointPort.name@discovery_v1",
        "EndpointPort.protocol@discovery_v1",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "ipMode",
        "LocalVolumeSource.fsType",
        "PortStatus.error",
        "ClusterTrustBundleProjection.name",
        "ClusterTrustBundleProjection.signerName",
        "currentVolumeAttributesClassName",
        "PodStatus.nominatedNodeName!",
        "resourceClaimName",
        "resourceClaimTemplateName",
        "PodSchedulingGroup.podGroupName",
        "swapBehavior",
        "DeleteOptions.propagationPolicy",
    ]
)
# times that are pointers in Go; the others are values, and null is what Go writes for a zero time
POINTER_TIMES = {
    "ObjectMeta.creationTimestamp",  # omitzero
    "ObjectMeta.deletionTimestamp",
    "ManagedFieldsEntry.time",
    "PodStatus.startTime",
    "Taint.timeAdded",
    "LeaseSpec.acquireTime",
    "LeaseSpec.renewTime",
    "PersistentVolumeStatus.lastPhaseTransitionTime",
    "VolumeError.time",
}
# pointers without omitempty
NULLS = {"AzureFilePersistentVolumeSource.secretNamespace"}
# strings that have a type of their own in Go, which is told when a body has something else there
NAMED_STRINGS = {
    "v1.Protocol": "ContainerPort.protocol ServicePort.protocol EndpointPort.protocol PortStatus.protocol",
    "v1.ServiceType": "ServiceSpec.type",
    "v1.ServiceAffinity": "sessionAffinity",
    "v1.ServiceExternalTrafficPolicy": "externalTrafficPolicy",
    "v1.ServiceInternalTrafficPolicy": "internalTrafficPolicy",
    "v1.IPFamily": "ipFamilies",
    "v1.IPFamilyPolicy": "ipFamilyPolicy",
    "v1.LoadBalancerIPMode": "ipMode",
    "v1.RestartPolicy": "PodSpec.restartPolicy",
    "v1.ContainerRestartPolicy": "Container.restartPolicy EphemeralContainer.restartPolicy",
    "v1.ContainerRestartRuleAction": "ContainerRestartRule.action",
    "v1.ContainerRestartRuleOnExitCodesOperator": "ContainerRestartRuleOnExitCodes.operator",
    "v1.DNSPolicy": "dnsPolicy",
    "v1.PreemptionPolicy": "preemptionPolicy",
    "v1.PullPolicy": "imagePullPolicy ImageVolumeSource.pullPolicy",
    "v1.TerminationMessagePolicy": "terminationMessagePolicy",
    "v1.Capability": "Capabilities.add Capabilities.drop",
    "v1.ProcMountType": "procMount",
    "v1.SeccompProfileType": "SeccompProfile.type",
    "v1.AppArmorProfileType": "AppArmorProfile.type",
    "v1.PodFSGroupChangePolicy": "fsGroupChangePolicy",
    "v1.SupplementalGroupsPolicy": "supplementalGroupsPolicy",
    "v1.PodSELinuxChangePolicy": "seLinuxChangePolicy",
    "v1.MountPropagationMode": "mountPropagation",
    "v1.RecursiveReadOnlyMode": "recursiveReadOnly",
    "v1.TolerationOperator": "Toleration.operator",
    "v1.TaintEffect": "Toleration.effect Taint.effect",
    "v1.NodeSelectorOperator": "NodeSelectorRequirement.operator",
    "v1.LabelSelectorOperator": "LabelSelectorRequirement.operator",
    "v1.UnsatisfiableConstraintAction": "whenUnsatisfiable",
    "v1.NodeInclusionPolicy": "nodeAffinityPolicy nodeTaintsPolicy",
    "v1.URIScheme": "HTTPGetAction.scheme",
    "v1.Signal": "stopSignal",
    "v1.HostPathType": "HostPathVolumeSource.type",
    "v1.StorageMedium": "EmptyDirVolumeSource.medium",
    "v1.AzureDataDiskCachingMode": "cachingMode",
    "v1.AzureDataDiskKind": "AzureDiskVolumeSource.kind",
    "v1.PersistentVolumeAccessMode": "accessModes",
    "v1.PersistentVolumeMode": "volumeMode",
    "v1.PersistentVolumeReclaimPolicy": "persistentVolumeReclaimPolicy reclaimPolicy@storage_v1",
    "v1.PersistentVolumePhase": "PersistentVolumeStatus.phase",
    "v1.PersistentVolumeClaimPhase": "PersistentVolumeClaimStatus.phase",
    "v1.PersistentVolumeClaimConditionType": "PersistentVolumeClaimCondition.type",
    "v1.VolumeBindingMode": "volumeBindingMode",
    "v1.PodPhase": "PodStatus.phase",
    "v1.PodQOSClass": "qosClass",
    "v1.PodConditionType": "PodCondition.type PodReadinessGate.conditionType",
    "v1.NodePhase": "NodeStatus.phase",
    "v1.NodeConditionType": "NodeCondition.type",
    "v1.NodeAddressType": "NodeAddress.type",
    "v1.NamespacePhase": "NamespaceStatus.phase",
    "v1.NamespaceConditionType": "NamespaceCondition.type",
    "v1.FinalizerName": "NamespaceSpec.finalizers",
    "v1.SecretType": "Secret.type",
    "v1.OSName": "PodOS.name",
    "v1.ResourceName": "ContainerResizePolicy.resourceName ResourceStatus.name",
    "v1.ResourceResizeRestartPolicy": "ContainerResizePolicy.restartPolicy",
    "v1.DeploymentStrategyType": "DeploymentStrategy.type",
    "v1.DeploymentConditionType": "DeploymentCondition.type",
    "v1.ReplicaSetConditionType": "ReplicaSetCondition.type",
    "v1.ConditionStatus": "PodCondition.status NodeCondition.status NamespaceCondition.status DeploymentCondition.status "
    "ReplicaSetCondition.status PersistentVolumeClaimCondition.status",
    "v1.AddressType": "EndpointSlice.addressType",
    "v1.CoordinatedLeaseStrategy": "strategy@coordination_v1",
    "v1.ManagedFieldsOperationType": "ManagedFieldsEntry.operation",
    "v1.DeletionPropagation": "DeleteOptions.propagationPolicy",
    "types.UID": "ObjectMeta.uid OwnerReference.uid ObjectReference.uid Preconditions.uid",
}
NAMED = {field: name for name, fields in NAMED_STRINGS.items() for field in fields.split()}
FIXED_SNAKE = {"from": "from_", "continue": "continue_", "except": "except_", "$ref": "ref"}


ZERO_JSON = {"str": '""', "bool": "false", "float": "0", "Int32": "0", "Int64": "0", "Bytes": '""'}


def snake(name: str) -> str:
    if name in FIXED_SNAKE:
        return FIXED_SNAKE[name]
    s = name.replace("IPs", "Ips").replace("CIDRs", "Cidrs").replace("WWNs", "Wwns").replace("IDs", "Ids")
    s = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", s)
    s = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", s).lower()
    s = s.replace("-", "_").replace("gmsacredential", "gmsa_credential")
    return s + "_" if keyword.iskeyword(s) or s in ("json", "copy", "schema", "validate", "dict") else s


def short(ref: str) -> str:
    return ref.rsplit("/", 1)[-1]


class Writer:
    def __init__(self, openapi: pathlib.Path) -> None:
        self.openapi = openapi
        self.imports: set[str] = set()

    def package_of(self, full: str) -> str:
        for _, prefix, package in GROUPS:
            if full.startswith(prefix):
                return package
        raise KeyError(full)

    def module_of(self, full: str) -> str:
        package, name = self.package_of(full), full.rsplit(".", 1)[1]
        if package != "core_v1":
            return f"kubeapi.{package}.types"
        base = name.removesuffix("List") if not name.endswith("AttributeList") else name
        for module, pattern in CORE_MODULES:
            if re.fullmatch(pattern, base):
                return f"kubeapi.core_v1.types.{module}"
        return "kubeapi.core_v1.types.pod"

    def type_of(self, schema: dict, here: str) -> str:
        if "allOf" in schema:
            schema = schema["allOf"][0]
        if "$ref" in schema:
            full = short(schema["$ref"])
            name = full.rsplit(".", 1)[1]
            if name in ("Time", "MicroTime", "Quantity", "IntOrString"):
                self.imports.add(f"from kubeapi.model import {name}")
                return name
            if name in ("FieldsV1", "RawExtension", "JSON"):
                return "dict[str, Any]"
            module = self.module_of(full)
            if module != here:
                self.imports.add(f"from {module} import {name}")
            return name
        kind, form = schema.get("type"), schema.get("format")
        if kind == "string":
            if form == "byte":
                self.imports.add("from kubeapi.model import Bytes")
                return "Bytes"
            return "str"
        if kind == "integer":
            word = "Int64" if form == "int64" else "Int32"
            self.imports.add(f"from kubeapi.model import {word}")
            return word
        if kind == "boolean":
            return "bool"
        if kind == "number":
            return "float"
        if kind == "array":
            return f"list[{self.type_of(schema['items'], here)}]"
        if kind == "object" and "additionalProperties" in schema:
            return f"dict[str, {self.type_of(schema['additionalProperties'], here)}]"
        return "Any"

    def field(self, package: str, cls: str, wire: str, schema: dict, required: bool, here: str) -> str:
        name = snake(wire)
        annotation = self.type_of(schema, here)
        marks = []
        if schema.get("x-kubernetes-list-type") == "map":
            marks.append(f"ListMap({tuple(schema['x-kubernetes-list-map-keys'])!r})")
        if schema.get("x-kubernetes-list-type") == "set":
            marks.append("ListSet()")
        if schema.get("x-kubernetes-map-type") == "atomic":
            marks.append("AtomicMap()")
        if "x-kubernetes-patch-strategy" in schema:
            strategy = tuple(schema["x-kubernetes-patch-strategy"].split(","))
            marks.append(f"StrategicMerge({strategy!r}, {schema.get('x-kubernetes-patch-merge-key', '')!r})")
        for m in marks:
            self.imports.add(f"from kubeapi.model import {m.split('(')[0]}")
        keys = {wire, f"{cls}.{wire}", f"{cls}.{wire}@{package}", f"{wire}@{package}"}
        is_struct = "$ref" in (schema.get("allOf") or [schema])[0]
        reffed = annotation if is_struct else ""
        optional = ""
        if annotation == "Any":
            optional = " | None"
            default = "None"
        elif keys & NIL_LISTS:
            self.imports |= {"from kubeapi.model import always", "from kubeapi.model import NilList"}
            annotation, default = annotation.replace("list[", "NilList[", 1), "always(list)"
        elif annotation.startswith("list[") or annotation.startswith("dict["):
            if required:
                self.imports.add("from kubeapi.model import always")
                default = "always(list)" if annotation.startswith("list[") else "always(dict)"
                # Go writes null for a nil slice; kept as an empty list here, which is what clients accept
            else:
                self.imports.add("from kubeapi.model import empty")
                default = "empty(list)" if annotation.startswith("list[") else "empty(dict)"
        elif keys & NULLS or (annotation in ("Time", "MicroTime") and not keys & POINTER_TIMES):
            self.imports.add("from kubeapi.model import null")
            default, optional = "null()", " | None"
        elif annotation in ("str", "bool", "float", "Int32", "Int64", "Bytes"):
            zero = {"str": '""', "bool": "False", "float": "0.0", "Int32": "0", "Int64": "0", "Bytes": 'b""'}[
                annotation
            ]
            if required or (
                schema.get("default", "") == json.loads(ZERO_JSON[annotation])
                and not keys & VALUES
                and "default" in schema
            ):
                self.imports.add("from kubeapi.model import always")
                default = f"always({'str' if annotation == 'str' else annotation if annotation in ('bool', 'float') else 'int' if annotation != 'Bytes' else 'bytes'})"
            elif annotation == "str":
                pointer = bool(keys & POINTER_TEXT)
                default, optional = ("None", " | None") if pointer else (zero, "")
            elif annotation == "Bytes":
                default = zero
            else:
                value = bool(keys & VALUES) and not keys & POINTER_NUMBERS
                default, optional = (zero, "") if value else ("None", " | None")
        elif annotation in ("Time", "MicroTime", "Quantity", "IntOrString"):
            default, optional = "None", " | None"
        elif schema.get("default") == {} or required:
            self.imports.add("from kubeapi.model import always")
            default = f"always(lambda: {reffed}())"
        else:
            default, optional = "None", " | None"
        named = next((NAMED[key] for key in sorted(keys) if key in NAMED), "")
        if named and "str" in annotation:
            self.imports |= {"from typing import Annotated", "from kubeapi.model import GoType"}
            annotation = f'Annotated[str, GoType("{named}")]'.join(annotation.rsplit("str", 1))
        full = f"{annotation}{optional}"
        if marks:
            self.imports.add("from typing import Annotated")
            full = f"Annotated[{full}, {', '.join(marks)}]"
        if to_camel(name) != wire:
            self.imports.add("from pydantic import Field")
            if default.startswith(("always(", "empty(")):
                default = default.replace("(", f'(alias="{wire}", make=', 1)
            else:
                default = f'Field(default={default}, alias="{wire}")'
        if "Any" in full:
            self.imports.add("from typing import Any")
        return f"    {name}: {full} = {default}"

    def write(self, path: pathlib.Path, here: str, package: str, classes: dict[str, dict], title: str) -> None:
        self.imports = {"from kubeapi.model import Model"}
        body = []
        for name, schema in sorted(classes.items()):
            lines = []
            for wire, prop in sorted(schema.get("properties", {}).items(), key=lambda kv: ORDER.get(kv[0], 9)):
                required = wire in schema.get("required", ())
                if wire in ("apiVersion", "kind") and "x-kubernetes-group-version-kind" in schema:
                    gvk = schema["x-kubernetes-group-version-kind"]
                    if len(gvk) == 1:
                        g = gvk[0]
                        version = f"{g['group']}/{g['version']}" if g["group"] else g["version"]
                        self.imports.add("from kubeapi.model import always")
                        text = version if wire == "apiVersion" else g["kind"]
                        lines.append(f"    {snake(wire)}: str = always(lambda: {text!r})")
                        continue
                    lines.append(f'    {snake(wire)}: str = ""')
                    continue
                lines.append(self.field(package, name, wire, prop, required, here))
            mark = "    atomic: ClassVar[bool] = True\n" if schema.get("x-kubernetes-map-type") == "atomic" else ""
            if mark:
                self.imports.add("from typing import ClassVar")
            if schema.get("required"):
                mark += f"    needs: ClassVar[tuple[str, ...]] = {tuple(schema['required'])!r}\n"
                self.imports.add("from typing import ClassVar")
            body.append(f"class {name}(Model):\n{mark}" + ("\n".join(lines) or ("" if mark else "    pass")))
        imports = sorted(i for i in self.imports if not i.startswith(f"from {here} "))
        path.parent.mkdir(parents=True, exist_ok=True)
        head = (
            f'"""{title}\n\nMade by tools/generate_types.py from Kubernetes\' OpenAPI schemas; change it there."""'
            "\n\nfrom __future__ import annotations\n\n"
        )
        path.write_text(head + "\n".join(imports) + "\n\n\n" + "\n\n\n".join(body) + "\n")

    def run(self) -> None:
        schemas: dict[str, dict] = {}
        for file in dict.fromkeys(g[0] for g in GROUPS):
            schemas |= json.loads((self.openapi / file).read_text())["schemas"]
        for _, prefix, package in GROUPS:
            names = {n for n in schemas if n.startswith(prefix)}
            wanted = WANTED[package]
            if wanted is not None:
                todo, seen = [prefix + w for w in wanted] + [prefix + w + "List" for w in wanted], set()
                while todo:
                    n = todo.pop()
                    if n in seen or n not in names:
                        continue
                    seen.add(n)
                    todo += re.findall(r"#/components/schemas/([\w.]+)", json.dumps(schemas[n]))
                names = seen
            by_module: dict[str, dict[str, dict]] = {}
            for n in names:
                if n.rsplit(".", 1)[1] in ("Time", "MicroTime", "FieldsV1", "Patch"):
                    continue
                by_module.setdefault(self.module_of(n), {})[n.rsplit(".", 1)[1]] = schemas[n]
            for module, classes in by_module.items():
                path = ROOT.parent / (module.replace(".", "/") + ".py")
                self.write(
                    path,
                    module,
                    package,
                    classes,
                    f"Types of {package.replace('_', '/')}"
                    + (f": {module.rsplit('.', 1)[1]}." if package == "core_v1" else "."),
                )
            if package == "core_v1":
                init = ROOT / "core_v1/types/__init__.py"
                lines = [f"from {m} import {', '.join(sorted(c))}" for m, c in sorted(by_module.items())]
                everything = sorted(n for c in by_module.values() for n in c)
                init.write_text(
                    '"""Types of core/v1, a module per noun."""\n\n'
                    + "\n".join(lines)
                    + "\n\n__all__ = "
                    + json.dumps(everything)
                    + "\n"
                )


ORDER = {"kind": 0, "apiVersion": 1, "metadata": 2, "spec": 3, "status": 4}

if __name__ == "__main__":
    Writer(pathlib.Path(sys.argv[1])).run()
