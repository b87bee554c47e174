"""Why a Service leads nowhere: a selector that matches nothing, pods that are not ready, a port name that no pod has."""

from __future__ import annotations

from collections.abc import Mapping

from kubeapi.apps_v1.types import Deployment
from kubeapi.core_v1.types import Pod, Service
from kubeapi.discovery_v1.types import EndpointSlice
from naru.why.finding import Finding, some
from naru.why.pods import why_pod
from naru.why.workloads import why_deployment, why_pods
from naru.why.world import World, condition, name_of

SERVICE_NAME = "kubernetes.io/service-name"


def why_service(world: World, service: Service) -> list[Finding]:
    """What keeps a Service from leading somewhere."""
    spec, about = service.spec, name_of(service)
    if spec.type == "ExternalName":
        return []
    if not spec.selector:
        if _ready_endpoints(world, service):
            return []
        says = "It has no selector, and nobody has given it endpoints by hand that are ready."
        return [
            Finding(
                about,
                says,
                ("spec.selector is empty", _slices_told(world, service)),
                "give it a selector, or make an EndpointSlice for it",
            )
        ]
    chosen = ", ".join(f"{k}={v}" for k, v in sorted(spec.selector.items()))
    pods = [p for p in world.all(Pod) if spec.selector.items() <= p.metadata.labels.items()]
    living = [p for p in pods if not p.metadata.deletion_timestamp and p.status.phase not in ("Succeeded", "Failed")]
    if not living:
        return [_nobody(world, service, chosen, pods)]
    if found := _unnamed(service, living, about):
        return found
    if _ready_endpoints(world, service):
        return []
    evidence = (f"spec.selector: {chosen}", _slices_told(world, service))
    ready = [p for p in living if (c := condition(p, "Ready")) and c.status == "True"]
    if ready:
        says = f"{some([p.metadata.name for p in ready])} is ready, and not in its endpoints yet."
        return [Finding(about, says, evidence, "if it stays so, see that the control plane runs: naru status")]
    says = f"It leads nowhere: none of the {len(living)} pods that its selector matches is ready."
    return [Finding(about, says, evidence, because=why_pods(world, living))]


def well(world: World, service: Service) -> str:
    """How a Service is with which nothing is wrong."""
    if service.spec.type == "ExternalName":
        return f"{name_of(service)} is another name for {service.spec.external_name}."
    count = _ready_endpoints(world, service)
    return f"{name_of(service)} leads to {count} ready endpoint{'s' if count > 1 else ''}."


def past_of(world: World, service: Service) -> list[Finding]:
    """What is no fault by itself: some pods that are not ready, a port that no container declares."""
    found, about = [], name_of(service)
    if not service.spec.selector:
        return []
    pods = [p for p in world.all(Pod) if service.spec.selector.items() <= p.metadata.labels.items()]
    unready = [p for p in pods if why_pod(world, p)]
    if unready and _ready_endpoints(world, service):
        says = f"{len(unready)} of the {len(pods)} pods that it could lead to are not ready."
        found.append(Finding(about, says, because=why_pods(world, unready)))
    declared = {port.container_port for p in pods for c in p.spec.containers for port in c.ports}
    for port in service.spec.ports:
        number = port.target_port or port.port
        if declared and isinstance(number, int) and number not in declared:
            leads = f"Its port {port.port} leads to port {number}, which no container declares"
            says = f"{leads}; that is allowed, and whether one listens there can't be told."
            ports = ", ".join(map(str, sorted(declared)))
            found.append(
                Finding(
                    about, says, (f"containerPorts of its pods: {ports}",), "if requests are refused, mend targetPort"
                )
            )
    return found


def _nobody(world: World, service: Service, chosen: str, ended: list[Pod]) -> Finding:
    """A selector that no living pod matches; near misses are told."""
    about, selector = name_of(service), service.spec.selector
    if ended:
        says = f"It leads nowhere: its selector {chosen} matches only pods that have ended or are ending."
        return Finding(
            about,
            says,
            (f"pods: {some([p.metadata.name for p in ended])}",),
            "see what made these pods, and why no others follow",
        )
    makers = [d for d in world.all(Deployment) if selector.items() <= d.spec.template.metadata.labels.items()]
    if makers:
        says = f"It leads nowhere: its selector {chosen} matches no pod, for {name_of(makers[0])} has none."
        meta = makers[0].metadata
        scale = f"kubectl scale deployment {meta.name} -n {meta.namespace} --replicas=1"
        because = tuple(f for maker in makers for f in why_deployment(world, maker))
        return Finding(about, says, (f"spec.selector: {chosen}",), "" if because else scale, because)
    pods = world.all(Pod)
    says = f"It leads nowhere: its selector {chosen} matches none of the {len(pods)} pods in its namespace."
    evidence = (f"spec.selector: {chosen}", *[near for p in pods if (near := _near(selector, p))][:3])
    return Finding(about, says, evidence, "mend spec.selector, or the labels of the pod template")


def _near(selector: Mapping[str, str], pod: Pod) -> str:
    """What a pod has under the selector's keys."""
    labels = pod.metadata.labels
    told = ", ".join(f"{key}={labels[key]}" for key in sorted(selector) if key in labels)
    return f"pod {pod.metadata.name} has {told}" if told else ""


def _unnamed(service: Service, pods: list[Pod], about: str) -> list[Finding]:
    """Ports of the Service that lead to a name which no pod's container has."""
    names = sorted({port.name for p in pods for c in p.spec.containers for port in c.ports if port.name})
    found = []
    for i, port in enumerate(service.spec.ports):
        wanted = port.target_port
        if isinstance(wanted, str) and not wanted.isdigit() and wanted not in names:
            says = f"Its port {port.port} leads to a port called {wanted}, which no container of its pods has."
            evidence = (f"spec.ports[{i}].targetPort = {wanted}", f"port names of its pods: {some(names) or 'none'}")
            remedy = f"mend targetPort, or add the name {wanted} to spec.containers[].ports of the pod template"
            found.append(Finding(about, says, evidence, remedy))
    return found


def _slices(world: World, service: Service) -> list[EndpointSlice]:
    return [s for s in world.all(EndpointSlice) if s.metadata.labels.get(SERVICE_NAME) == service.metadata.name]


def _ready_endpoints(world: World, service: Service) -> int:
    return sum(
        e.conditions.ready is not False and bool(e.addresses) for s in _slices(world, service) for e in s.endpoints
    )


def _slices_told(world: World, service: Service) -> str:
    slices = _slices(world, service)
    total = sum(len(s.endpoints) for s in slices)
    return f"{len(slices)} EndpointSlices with {total} endpoints, {_ready_endpoints(world, service)} of them ready"
