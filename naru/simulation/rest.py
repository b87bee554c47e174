"""Whether a cluster has come to rest as its user asked: what the API says, what the engines run, what a watcher sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from naru.simulation.cluster import Cluster
from naru.simulation.invariants.base import (
    DEPLOYMENTS,
    NODES,
    SERVICES,
    SLICES,
    Object,
    Scene,
    is_active,
    is_ready,
)
from naru.simulation.invariants.traffic import endpoints
from naru.simulation.user import Wishes

SERVICE_NAME = "kubernetes.io/service-name"


def unrest(cluster: Cluster, scene: Scene, wanted: Wishes, watchers: Sequence[Mapping[str, str]]) -> list[str]:
    """What is not yet as it should be; nothing when all is. Watchers have seen pods: their revisions by uid."""
    return [
        *_parts(cluster),
        *_deployments(scene, wanted),
        *_pods(scene, wanted),
        *_engines(cluster, scene.pods()),
        *_nodes(scene),
        *_endpoints(scene),
        *_orphans(scene),
        *_watched(scene.pods(), watchers),
    ]


def _parts(cluster: Cluster) -> Iterator[str]:
    if cluster.server is None:
        yield "no control plane runs"


def _deployments(scene: Scene, wanted: Wishes) -> Iterator[str]:
    found = {d["metadata"]["name"]: d for d in scene.under(DEPLOYMENTS)}
    expected = {name: wish for name, wish in wanted.items() if wish is not None}
    for name in found.keys() - expected.keys():
        yield f"Deployment {name} is there, though it was deleted"
    for name in sorted(expected.keys() - found.keys()):
        yield f"Deployment {name} is missing"
    for name in sorted(expected.keys() & found.keys()):
        deployment, replicas = found[name], expected[name]["replicas"]
        status, meta = deployment.get("status", {}), deployment["metadata"]
        if deployment["spec"]["replicas"] != replicas:
            yield f"Deployment {name} asks for {deployment['spec']['replicas']} replicas, {replicas} were applied"
        if status.get("observedGeneration") != meta["generation"]:
            yield f"Deployment {name}: generation {meta['generation']} was not looked at"
        counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
        if counts != [replicas] * 4:
            yield f"Deployment {name}: {counts} pods there, updated, ready, available; {replicas} wanted"


def _pods(scene: Scene, wanted: Wishes) -> Iterator[str]:
    pods = scene.pods()
    count = Counter(pod["metadata"]["labels"]["app"] for pod in pods)
    for name, wish in wanted.items():
        if count[name] != (expected := wish["replicas"] if wish else 0):
            yield f"{count[name]} pods of {name}, {expected} wanted"
    for pod in pods:
        name, wish = pod["metadata"]["name"], wanted.get(pod["metadata"]["labels"]["app"])
        if pod["status"].get("phase") != "Running" or not is_active(pod) or not is_ready(pod):
            yield f"pod {name} is {pod['status'].get('phase')}"
        elif wish and pod["spec"]["containers"][0]["image"] != wish["image"]:
            yield f"pod {name} has image {pod['spec']['containers'][0]['image']}, {wish['image']} is wanted"


def _engines(cluster: Cluster, pods: list[Object]) -> Iterator[str]:
    for node in cluster.nodes:
        here = {p["metadata"]["uid"]: p for p in pods if p["spec"].get("nodeName") == node.name}
        running = Counter(container.pod.uid for container in node.engine.running())
        housed = Counter(sandbox.pod.uid for sandbox in node.engine.sandboxes())
        for uid, pod in here.items():
            name, told = pod["metadata"]["name"], pod["status"].get("podIP")
            if running[uid] != 1:
                yield f"{node.name} runs {running[uid]} containers of pod {name}"
            if housed[uid] != 1:
                yield f"{node.name} has {housed[uid]} sandboxes of pod {name}"
            if node.addresses.get(uid) != told:
                yield f"pod {name} is said to have the address {told}, it has {node.addresses.get(uid)}"
        if node.engine.ending:
            yield f"{node.name} waits for the ends of {len(node.engine.ending)} containers"
        if left := node.engine.everything() - here.keys():
            yield f"{node.name} has something of {len(left)} pods that nobody asks for"
        if left := node.addresses.keys() - here.keys():
            yield f"{node.name} has addresses for {len(left)} pods that nobody asks for"


def _nodes(scene: Scene) -> Iterator[str]:
    for node in scene.under(NODES):
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))
        if not ready or node["spec"].get("taints"):
            yield f"{node['metadata']['name']} is not ready, or tainted: {node['spec'].get('taints')}"


def _endpoints(scene: Scene) -> Iterator[str]:
    slices = [*scene.under(SLICES)]
    for service in scene.under(SERVICES):
        name, wanted = service["metadata"]["name"], service["spec"].get("selector")
        if wanted is None:
            continue
        led = {uid for s in slices if s["metadata"]["labels"].get(SERVICE_NAME) == name for uid, _ in endpoints(s)}
        ready = {p["metadata"]["uid"] for p in scene.pods() if p["metadata"]["labels"]["app"] == name and is_ready(p)}
        if led != ready:
            yield f"Service {name} leads to {len(led)} pods, {len(ready)} are ready"


def _orphans(scene: Scene) -> Iterator[str]:
    uids = {found["metadata"]["uid"] for found in scene.objects.values()}
    for found in scene.objects.values():
        for owner in found["metadata"].get("ownerReferences", ()):
            if owner["uid"] not in uids:
                yield f"{found['kind']} {found['metadata']['name']} has lost its {owner['kind']} {owner['name']}"
        if "deletionTimestamp" in found["metadata"]:
            yield f"{found['kind']} {found['metadata']['name']} is still on its way out"


def _watched(pods: list[Object], watchers: Sequence[Mapping[str, str]]) -> Iterator[str]:
    kept = {p["metadata"]["uid"]: p["metadata"]["resourceVersion"] for p in pods}
    for seen in watchers:
        if kept != seen:
            yield f"a watcher sees {len(seen)} pods, or older ones; there are {len(kept)}"
