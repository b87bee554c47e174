"""What every cluster begins with: four namespaces, an account, and the Service by which pods find the API.

Written through the server's own door, so that it is defaulted, validated and allocated as everything else.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import orjson

from kubeapi.client.transport import Request, Transport
from kubeapi.errors import ApiError

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
CORE, DISCOVERY = "/api/v1/namespaces", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def bootstrap(server: Transport, services: IPv4Network, address: str, port: int) -> None:
    """Make what is missing; what is there stays as it is."""
    for name in NAMESPACES:
        await _ensure(server, CORE, {"metadata": {"name": name}})
    # Pods need an account from the first moment on; a controller gives it to every other namespace.
    await _ensure(server, f"{CORE}/default/serviceaccounts", {"metadata": {"name": "default"}})
    api = {"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}
    spec = {"clusterIP": str(services[1]), "type": "ClusterIP", "sessionAffinity": "None", "ports": [api]}
    named: dict[str, Any] = {"metadata": {"name": "kubernetes", "labels": LABELS}}
    await _ensure(server, f"{CORE}/default/services", named | {"spec": spec})
    subset = {"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    endpoints = {"metadata": {"name": "kubernetes", "labels": labels}, "subsets": [subset]}
    await _ensure(server, f"{CORE}/default/endpoints", endpoints)
    slice_ = {"metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}}}
    ready = {"addresses": [address], "conditions": {"ready": True}}
    await _ensure(server, DISCOVERY, slice_ | {"addressType": "IPv4", "endpoints": [ready], "ports": subset["ports"]})


async def _ensure(server: Transport, path: str, obj: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", "user-agent": "kube-apiserver"}
    there = await server.send(Request("GET", f"{path}/{obj['metadata']['name']}", headers=headers))
    if there.status == 200:
        return  # a Service could not even be asked for again: its address is taken, by itself
    response = await server.send(Request("POST", path, headers=headers, body=orjson.dumps(obj)))
    if response.status != 201:
        told = orjson.loads(response.body)
        raise ApiError(response.status, told.get("reason", ""), told.get("message", ""))
