"""What of core/v1 nothing acts on yet. Kept beside the rows: whoever makes something act takes its line away."""

from __future__ import annotations

from kubeapi.inert import Inert
from kubeapi.names import DOCKER_VOLUMES

# The sources that Kubernetes itself mounts no longer are missing here: it warns of them in its own words (warnings.py).
PLUGINS = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cinder", "fc", "flexVolume", "gcePersistentDisk", "iscsi", "nfs",
    "portworxVolume", "vsphereVolume",
)  # fmt: skip
OF_PODS_ONLY = ("csi", "ephemeral", "image")
NO_PLUGIN = "no node can mount it; its pod waits with an Event (FailedMount)"
ENGINE_PROFILE = "containers run with the engine's own profile"
LOGGED_IN = "images are pulled with what the engine itself is logged in with"
NO_GRPC = "the probe is never asked; an Event (Unhealthy) says so each time"
SERVED_ALONE = "the API server offers no such resource"

_SECURITY = (
    Inert("seccompProfile.type", ENGINE_PROFILE, unless=("RuntimeDefault",)),
    Inert("appArmorProfile.type", ENGINE_PROFILE, unless=("RuntimeDefault",)),
    Inert("seLinuxOptions", "containers run with the engine's own labels"),
    Inert("windowsOptions", "nodes run Linux"),
)
_CONTAINER = (
    *(field.under("securityContext") for field in _SECURITY),
    Inert("securityContext.procMount", "/proc is masked as the engine does it", unless=("Default",)),
    Inert("env.valueFrom.fileKeyRef", "the variable is missing"),
    Inert("restartPolicyRules.action", "the container is not started again", only=("RestartAllContainers",)),
    Inert("resizePolicy", "containers are not resized in place"),
    *(Inert(f"{kind}Probe.grpc", NO_GRPC) for kind in ("liveness", "readiness", "startup")),
    Inert("resources.claims", SERVED_ALONE),
    Inert("resources.limits[ephemeral-storage]", "the scheduler counts it, but nobody is stopped who uses more"),
    Inert("volumeDevices", "volumes are file systems"),
    Inert("volumeMounts.recursiveReadOnly", "the container is not made; its state says why", only=("Enabled",)),
)
POD_SPEC = (
    *(field.under("containers") for field in _CONTAINER),
    *(field.under("initContainers") for field in _CONTAINER),
    *(field.under("securityContext") for field in _SECURITY),
    Inert("securityContext.seLinuxChangePolicy", "volumes are not labelled"),
    Inert("securityContext.supplementalGroupsPolicy", "the image's groups count as well", unless=("Merge",)),
    Inert("hostUsers", "users of the pod are users of the node", only=(False,)),
    Inert("imagePullSecrets", LOGGED_IN),
    Inert("os.name", "nodes run Linux", only=("windows",)),
    Inert("priorityClassName", "the pod is scheduled before others, but none is evicted for it"),
    Inert("resourceClaims", SERVED_ALONE),
    Inert("resources", "limits and requests of containers count"),
    Inert("schedulingGroup", "pods are scheduled one by one"),
    *(Inert(f"volumes.{name}", NO_PLUGIN) for name in (*PLUGINS, *OF_PODS_ONLY)),
    Inert("volumes.emptyDir.medium", NO_PLUGIN, unless=("Memory",)),
    Inert("volumes.emptyDir.sizeLimit", "nobody is stopped who puts more on the disk", beside=("medium", (None, ""))),
    Inert("volumes.projected.sources.clusterTrustBundle", NO_PLUGIN),
    Inert("volumes.projected.sources.podCertificate", NO_PLUGIN),
)
POD = tuple(field.under("spec") for field in POD_SPEC)
TEMPLATE = tuple(field.under("template") for field in POD)
SERVICE = (
    Inert("spec.type", "there is no load balancer; node ports lead to the Service", only=("LoadBalancer",)),
    Inert("spec.loadBalancerIP", "there is no load balancer"),
    Inert("spec.loadBalancerClass", "there is no load balancer"),
    Inert("spec.loadBalancerSourceRanges", "traffic from everywhere is let in"),
    Inert("spec.trafficDistribution", "traffic goes to any endpoint that is ready"),
    Inert(
        "metadata.annotations[service.kubernetes.io/topology-mode]",
        "traffic goes to any endpoint that is ready",
        unless=("Disabled", "disabled"),
    ),
)
CLAIM = (
    Inert("spec.dataSource", "the volume is made empty"),
    Inert("spec.dataSourceRef", "the volume is made empty"),
    Inert("spec.volumeAttributesClassName", SERVED_ALONE),
    Inert("spec.volumeMode", "volumes are file systems", only=("Block",)),
)
VOLUME = (
    *(Inert(f"spec.{name}", NO_PLUGIN) for name in PLUGINS),
    Inert("spec.csi.driver", NO_PLUGIN, unless=(DOCKER_VOLUMES,)),
    Inert("spec.mountOptions", NO_PLUGIN),
    Inert("spec.persistentVolumeReclaimPolicy", "the volume stays Released with its data", only=("Recycle",)),
    Inert("spec.volumeAttributesClassName", SERVED_ALONE),
    Inert("spec.volumeMode", "volumes are file systems", only=("Block",)),
)
SECRET = (
    Inert(
        "type",
        "no token is written into it; ask for one with `kubectl create token`",
        only=("kubernetes.io/service-account-token",),
    ),
)
SERVICE_ACCOUNT = (Inert("imagePullSecrets", LOGGED_IN),)
NODE = (Inert("spec.configSource", "Kubernetes acts on it no more, either"),)
NAMESPACE = tuple(
    Inert(
        f"metadata.labels[pod-security.kubernetes.io/{mode}]",
        "pods of every level are let in",
        only=("baseline", "restricted"),
    )
    for mode in ("enforce", "warn", "audit")
)
