"""Whether a cluster has come to rest as its user asked: what the API says, what the engines run, what a watcher sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from kubeapi.client.informer import Informer
from kubeapi.core_v1.types import Pod
from naru.simulation.cluster import Cluster


def unrest(cluster: Cluster, wanted: Mapping[str, dict[str, Any] | None], observer: Informer[Pod]) -> list[str]:
    """What is not yet as it should be; nothing when all is."""
    pods = _objects(cluster, "//pods/")
    return [
        *_deployments(cluster, wanted),
        *_pods(pods, wanted),
        *_engines(cluster, pods),
        *_nodes(cluster),
        *_orphans(cluster),
        *_watched(pods, observer),
    ]


def _objects(cluster: Cluster, prefix: str) -> list[dict[str, Any]]:
    return [orjson.loads(entry.value) for entry in cluster.store.list(prefix).entries]


def _deployments(cluster: Cluster, wanted: Mapping[str, dict[str, Any] | None]) -> Iterator[str]:
    found = {d["metadata"]["name"]: d for d in _objects(cluster, "/apps/deployments/")}
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


def _pods(pods: list[dict[str, Any]], wanted: Mapping[str, dict[str, Any] | None]) -> Iterator[str]:
    count = Counter(pod["metadata"]["labels"]["app"] for pod in pods)
    for name, wish in wanted.items():
        if count[name] != (expected := wish["replicas"] if wish else 0):
            yield f"{count[name]} pods of {name}, {expected} wanted"
    for pod in pods:
        name, wish = pod["metadata"]["name"], wanted.get(pod["metadata"]["labels"]["app"])
        if pod["status"].get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
            yield f"pod {name} is {pod['status'].get('phase')}"
        elif wish and pod["spec"]["containers"][0]["image"] != wish["image"]:
            yield f"pod {name} has image {pod['spec']['containers'][0]['image']}, {wish['image']} is wanted"


def _engines(cluster: Cluster, pods: list[dict[str, Any]]) -> Iterator[str]:
    for node in cluster.nodes:
        here = {p["metadata"]["uid"]: p["metadata"]["name"] for p in pods if p["spec"].get("nodeName") == node.name}
        running = Counter(container.pod.uid for container in node.engine.running())
        for uid, name in here.items():
            if running[uid] != 1:
                yield f"{node.name} runs {running[uid]} containers of pod {name}"
        if left := node.engine.everything() - here.keys():
            yield f"{node.name} has something of {len(left)} pods that nobody asks for"


def _nodes(cluster: Cluster) -> Iterator[str]:
    for node in _objects(cluster, "//nodes/"):
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))
        if not ready or node["spec"].get("taints"):
            yield f"{node['metadata']['name']} is not ready, or tainted: {node['spec'].get('taints')}"


def _orphans(cluster: Cluster) -> Iterator[str]:
    everything = [e for e in _objects(cluster, "/") if e["kind"] != "Event"]
    uids = {e["metadata"]["uid"] for e in everything}
    for found in everything:
        for owner in found["metadata"].get("ownerReferences", ()):
            if owner["uid"] not in uids:
                yield f"{found['kind']} {found['metadata']['name']} has lost its {owner['kind']} {owner['name']}"


def _watched(pods: list[dict[str, Any]], observer: Informer[Pod]) -> Iterator[str]:
    kept = {p["metadata"]["uid"]: p["metadata"]["resourceVersion"] for p in pods}
    seen = {pod.metadata.uid: pod.metadata.resource_version for pod in observer.list()}
    if kept != seen:
        yield f"a watcher sees {len(seen)} pods, or older ones; there are {len(kept)}"
