"""Why a packet ended, in words: the kernel's reason, the rule, the object behind it, and the command that mends it. Pure.

What a rule of ours means follows from what the packet was for: a Service's address that no rule took has no endpoint, or no
such port. A rule of somebody else is named as it stands; the command then takes out that very rule.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

import orjson

from agent.network.endpoints import ServicePort
from agent.trace.cluster import Cluster, port_index
from agent.trace.path import Failure, Path
from agent.trace.scene import PodPlace, Scene
from kubeapi.core_v1.types import ObjectReference, Pod, Service
from kubeapi.hardware_v1.trace import Drop

UNSPECIFIED = "NOT_SPECIFIED"  # the kernel gives no reason
ALL_PODS = "kubectl get pods --all-namespaces -o wide"


class Reason(NamedTuple):
    """A reason of the kernel's (linux/net/dropreason-core.h) in words, and what mends it."""

    words: str
    mend: str


REASONS = {
    "NETFILTER_DROP": Reason("a firewall rule dropped it, and no trace of rules tells which", "nft -a list ruleset"),
    "IP_RPFILTER": Reason("the way back does not lead where it came from", "sysctl -w net.ipv4.conf.all.rp_filter=2"),
    "IP_INNOROUTES": Reason("no route leads on", "ip route show table all"),
    "IP_OUTNOROUTES": Reason("no route leads there", "ip route show table all"),
    "NEIGH_FAILED": Reason("nobody answers ARP for the next station", "ip neigh show"),
    "QDISC_DROP": Reason("the queue of the device is full, or shaped", "tc -s qdisc show"),
    "TC_INGRESS": Reason("a traffic-control filter dropped it", "tc -s filter show"),
    "TC_EGRESS": Reason("a traffic-control filter dropped it", "tc -s filter show"),
    "XDP": Reason("an XDP program dropped it", "ip -d link show"),
    "BPF_CGROUP_EGRESS": Reason("a BPF program of the cgroup dropped it", "bpftool cgroup tree"),
    "NO_SOCKET": Reason("no socket takes it", "ss -lntup"),
}


def explain(
    failure: Failure, path: Path, scene: Scene, cluster: Cluster, rule: str = "", kernel: str = "", location: str = ""
) -> Drop:
    """The drop. rule is the guilty rule's text, kernel and location what kfree_skb told."""
    told = _Telling(failure, path, scene, cluster).drop()
    if rule or failure.rule:
        told.rule = " ".join(part for part in (failure.rule.text if failure.rule else "", rule) if part)
    if kernel and kernel != UNSPECIFIED and kernel not in told.reason:
        told.reason += f" (kernel: {kernel}{f' in {location}' if location else ''})"
    told.hop = max(failure.step, 0)
    return told


class _Telling:
    def __init__(self, failure: Failure, path: Path, scene: Scene, cluster: Cluster) -> None:
        self._failure, self._path, self._scene, self._cluster = failure, path, scene, cluster
        self._packet = failure.packet
        self._space = scene.spaces.get(failure.netns) or scene.spaces[scene.node]
        self._pod = scene.pod_in(failure.netns)

    def drop(self) -> Drop:
        failure = self._failure
        match failure.cause:
            case "rule":
                ours = failure.rule is not None and failure.rule.table == self._scene.config.table
                return self._by_our_rule() if ours else self._by_foreign_rule()
            case "refused":
                return self._refused()
            case "unreachable":
                return self._unreachable()
            case "no route":
                mend = (
                    f"ip route add default via {self._scene.config.gateway}"
                    if self._pod
                    else "ip route add default via GATEWAY"
                )
                return Drop(hop=0, reason=failure.detail, object=_reference(self._pod), mend=self._here(mend))
            case "device down":
                reason = f"device {failure.detail} is down"
                return Drop(
                    hop=0,
                    reason=reason,
                    object=_reference(self._pod),
                    mend=self._here(f"ip link set {failure.detail} up"),
                )
            case "unanswered":
                return Drop(hop=0, reason=failure.detail or "nobody answers", mend=ALL_PODS)
            case "loop":
                return Drop(hop=0, reason=failure.detail, mend="ip route show table all")
            case _:
                known = REASONS.get(failure.detail)
                words = f"{failure.detail}: {known.words}" if known else failure.detail
                return Drop(hop=0, reason=words, mend=self._here(known.mend) if known else "")

    def _here(self, command: str) -> str:
        """The command, in the namespace that it is for."""
        return f"nsenter --net={self._space.path} {command}" if self._failure.netns != self._scene.node else command

    # Rules

    def _by_our_rule(self) -> Drop:
        packet, node = self._packet, self._scene.spaces[self._scene.node]
        asked = f"{packet.dport}/{packet.protocol.upper()}"
        if port := self._scene.service_of(packet, node):
            service = self._cluster.service(port.namespace, port.name)
            about, why, mend = _service(port), "no endpoint", f"kubectl get endpointslices -n {port.namespace}"
            if service:
                why, mend = self._no_endpoint(service)
            if port.anywhere:
                why, mend = "no endpoint on this node, and its policy is Local", ALL_PODS
            return Drop(hop=0, reason=f"Service {port.namespace}/{port.name} has {why}", object=about, mend=mend)
        owner = next((s for s in self._scene.services if packet.destination in s.cluster_ips), None)
        if owner:
            has = sorted(
                {p.port for p in self._scene.services if (p.namespace, p.name) == (owner.namespace, owner.name)}
            )
            reason = f"Service {owner.namespace}/{owner.name} has no port {asked}, only {', '.join(map(str, has))}"
            mend = f"naru trace --to service/{owner.namespace}/{owner.name}:{has[0]}"
            return Drop(hop=0, reason=reason, object=_service(owner), mend=mend)
        if ipaddress.IPv4Address(packet.destination).is_loopback:
            return Drop(hop=0, reason="pods may not reach the loopback of the host", mend=ALL_PODS)
        return Drop(hop=0, reason=f"no Service has {packet.destination}:{asked}", mend="kubectl get services -A")

    def _no_endpoint(self, service: Service) -> tuple[str, str]:
        """Why a Service has none, and the command that gives it one."""
        name, namespace = service.metadata.name, service.metadata.namespace
        selector = ",".join(f"{k}={v}" for k, v in sorted(service.spec.selector.items()))
        if not selector:
            return "no endpoint and no selector", f"kubectl get endpointslices -n {namespace}"
        for maker in self._cluster.makers(service):
            if maker.spec.replicas == 0:
                what = f"deployment {maker.metadata.name} -n {namespace}"
                return "no endpoint: its Deployment is scaled to 0", f"kubectl scale {what} --replicas=1"
        if pods := self._cluster.selected(service):
            pod = pods[0].metadata.name
            why = f"no endpoint: of {len(pods)} pods with {selector} none is ready, {pod}: {_unready(pods[0])}"
            return why, f"kubectl describe pod {pod} -n {namespace}"
        why = f"no endpoint: no pod has {selector}"
        namesake = next(
            (d for d in self._cluster.deployments if (d.metadata.namespace, d.metadata.name) == (namespace, name)), None
        )
        if namesake:
            labels = namesake.spec.template.metadata.labels
            wrong = {k: labels.get(k) for k in service.spec.selector} | labels
            patch = _json({"spec": {"selector": wrong}})
            return (
                f"{why}; the pods of its namesake differ",
                f"kubectl patch service {name} -n {namespace} -p '{patch}'",
            )
        return why, f"kubectl get pods -n {namespace} --show-labels"

    def _by_foreign_rule(self) -> Drop:
        rule = self._failure.rule
        assert rule is not None
        where = (
            ""
            if self._failure.netns == self._scene.node
            else f" in the namespace of {self._pod.name if self._pod else '?'}"
        )
        bridge = self._scene.config.bridge
        if rule.handle:
            mend = f"nft delete rule {rule.family} {rule.table} {rule.chain} handle {rule.handle}"
        elif (rule.table, rule.chain) == ("filter", "FORWARD"):
            mend = f"iptables -I FORWARD -i {bridge} -j ACCEPT; iptables -I FORWARD -o {bridge} -j ACCEPT"
        else:
            mend = f"nft chain {rule.family} {rule.table} {rule.chain} '{{ policy accept; }}'"
        reason = f"a rule that is not Naru's {'rejects' if self._failure.detail == 'reject' else 'drops'} it{where}"
        return Drop(hop=0, reason=reason, object=_reference(self._pod), mend=self._here(mend))

    # Ends

    def _unreachable(self) -> Drop:
        destination = ipaddress.IPv4Address(self._packet.destination)
        if destination in ipaddress.IPv4Network(self._scene.config.pod_range):
            reason = f"no pod of this cluster has {destination} here"
            return Drop(hop=0, reason=f"{reason}: {self._failure.detail}", mend=ALL_PODS)
        if destination in ipaddress.IPv4Network(self._scene.config.service_range):
            reason = f"no Service has {destination}"
            return Drop(hop=0, reason=f"{reason}: {self._failure.detail}", mend="kubectl get services -A")
        route = self._failure.detail
        return Drop(hop=0, reason=f"a route refuses it: {route}", mend=self._here(f"ip route del {route}"))

    def _refused(self) -> Drop:
        """It arrived, and nothing listens: by way of a Service its targetPort is wrong, else the asked port is."""
        packet = self._packet
        port = f"{packet.dport}/{packet.protocol.upper()}"
        pod = self._scene.pod_at(packet.destination) or self._pod
        name = pod.name if pod else "the host"
        reason = f"connection refused: nothing in {name} listens on {port}"
        open_ports = sorted({x.port for x in self._space.listeners if x.protocol == packet.protocol})
        if packet.dport in open_ports:
            reason = f"connection refused: {name} listens on {port} for 127.0.0.1 only"
            return Drop(hop=0, reason=f"{reason}; it has to listen on 0.0.0.0", object=_reference(pod), mend=_logs(pod))
        if open_ports:
            reason += f"; it does on {', '.join(map(str, open_ports))}"
        if step := next((s for s in self._path.steps if s.kind == "service"), None):
            assert step.object
            return Drop(hop=0, reason=reason, object=step.object, mend=self._retarget(step.object, open_ports))
        if pod and open_ports:
            return Drop(
                hop=0,
                reason=reason,
                object=_reference(pod),
                mend=f"naru trace --from host --to {pod.address}:{open_ports[0]}",
            )
        return Drop(hop=0, reason=reason, object=_reference(pod), mend=_logs(pod))

    def _retarget(self, about: ObjectReference, open_ports: list[int]) -> str:
        service = self._cluster.service(about.namespace, about.name)
        if service is None or not open_ports:
            return _logs(self._scene.pod_at(self._packet.destination))
        first = self._path.steps[0].packet
        index = port_index(service, first.dport, first.protocol)
        if index is None:  # asked for by its nodePort
            index = next((i for i, p in enumerate(service.spec.ports) if p.node_port == first.dport), 0)
        patch = _json([{"op": "replace", "path": f"/spec/ports/{index}/targetPort", "value": open_ports[0]}])
        return f"kubectl patch service {about.name} -n {about.namespace} --type=json -p '{patch}'"


def _unready(pod: Pod) -> str:
    statuses = pod.status.container_statuses
    waiting = [s.state.waiting.reason for s in statuses if s.state and s.state.waiting and s.state.waiting.reason]
    return next(iter(waiting), "") or pod.status.phase or "Pending"


def _logs(pod: PodPlace | None) -> str:
    return f"kubectl logs {pod.name} -n {pod.namespace}" if pod else "ss -lntup"


def _service(port: ServicePort) -> ObjectReference:
    return ObjectReference(api_version="v1", kind="Service", namespace=port.namespace, name=port.name)


def _reference(pod: PodPlace | None) -> ObjectReference | None:
    if pod is None:
        return None
    return ObjectReference(api_version="v1", kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
