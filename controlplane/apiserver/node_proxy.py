"""Logs, exec, attach and port-forward of a pod, fetched from the agent of its node; and whatever the agent answers.

A request is checked here in Kubernetes' order and words: the pod, its container, whether it has a node, where that node's
agent listens. Logs are then an answer of chunks as any other (`logs`); the others become a connection that stays open both
ways (`connect`), which `tunnel.py` pumps. `/api/v1/nodes/NODE/proxy/PATH` passes PATH to the agent and its answer back, as
they are (`proxy`). `agents.py` does the dialing.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from controlplane.apiserver.location import HOP_BY_HOP, Location, UnreachableError
from controlplane.apiserver.options import integer, query_of
from controlplane.apiserver.routing import Target, key_of
from controlplane.apiserver.server import not_allowed
from controlplane.store import Store
from kubeapi.client.transport import Request, Response
from kubeapi.core_v1.types import Node, Pod
from kubeapi.errors import ApiError, Cause, bad_request, forbidden, internal_error, invalid, invalid_object, not_found
from kubeapi.registry import Registry

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

    from controlplane.apiserver.agents import Agents

AGENT_PORT = 10250
COMMANDS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
PROTOCOLS = {"exec": COMMANDS, "attach": COMMANDS, "portforward": ("SPDY/3.1+portforward.k8s.io",)}
FLAGS = ("1", "true")
NOT_FOR_AGENTS = HOP_BY_HOP | {"authorization", "cookie"}  # who asks was settled here
NO_SPDY = "SPDY is not served: use a client that speaks WebSocket, as kubectl does since 1.31"


class NodeProxy:
    """Reaches the agents; `tls` holds the cluster's CA and the certificate that agents let in."""

    def __init__(self, store: Store, registry: Registry, tls: ssl.SSLContext) -> None:
        self._store, self._registry, self._tls = store, registry, tls
        self._opened: Agents | None = None

    async def close(self) -> None:
        """Release connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def logs(self, target: Target, request: Request) -> Response:
        """GET .../pods/NAME/log."""
        if request.method != "GET":
            raise not_allowed()
        query = query_of(request)
        check_log_options(target.name, query)
        pod = self._pod(target)
        container = container_named(pod, query.get("container", ""))
        if not pod.spec.node_name:
            return Response(204)
        passed = [(k, v) for k, v in request.query if k not in ("container", "pretty", "insecureSkipTLSVerifyBackend")]
        where = self._location(pod, "containerLogs", container, passed)
        try:
            answer = await self._agents().send(where)
        except UnreachableError as error:
            raise ApiError(500, "", f'Get "{where.shown}": {error}') from error
        if answer.stream is None:
            raise refused(target, answer.status, answer.body.decode(errors="replace"))
        return answer

    async def proxy(self, target: Target, request: Request) -> Response:
        """Any method at nodes/NODE/proxy/PATH: the agent's answer, a long one as it comes (NodeProxyOptions)."""
        if not target.rest and request.method in ("GET", "HEAD"):  # relative links of an answer need the slash
            query = f"?{urlencode(request.query)}" if request.query else ""
            return Response(301, [("location", f"{quote(request.path)}/{query}")])
        where = self._door(*node_named(target.name), target.rest or "/", request.query)
        kept = {k.lower(): v for k, v in request.headers.items() if k.lower() not in NOT_FOR_AGENTS}
        passed = {k: v for k, v in kept.items() if not k.startswith("impersonate-")}
        try:
            return await self._agents().send(where, request.method, passed, request.body)
        except UnreachableError as error:
            why = f"error trying to reach service: {error}"
            raise ApiError(503, "ServiceUnavailable", why, details={}) from error

    async def plain(self, target: Target, request: Request) -> Response:
        """Exec, attach or port-forward asked for without a WebSocket: the refusal that a WebSocket would get, or why not."""
        if request.method not in ("GET", "POST"):
            raise not_allowed()
        where = self.locate(target, request)
        if not request.headers.get("upgrade"):
            raise bad_request("Upgrade request required")
        try:
            healthy = await self._agents().send(where._replace(path="/healthz", query=()))
        except UnreachableError as error:
            raise ApiError(500, "", f"error dialing backend: {error}") from error
        if healthy.stream:
            await healthy.stream.aclose()
        raise ApiError(501, "NotImplemented", NO_SPDY, details={})

    def locate(self, target: Target, request: Request) -> Location:
        """Where the agent answers an exec, attach or port-forward; ApiError for what can't be asked of any agent."""
        pod, query = self._pod(target), query_of(request)
        forward = target.subresource == "portforward"
        container = "" if forward else container_named(pod, query.get("container", ""))
        if not pod.spec.node_name:
            raise bad_request(f"pod {target.name} does not have a host assigned")
        if forward:
            passed = [(k, v) for k, v in request.query if k == "ports"]
            return self._location(pod, "portForward", "", passed)
        wanted = {"input": "stdin", "output": "stdout", "error": "stderr", "tty": "tty"}
        passed = [(theirs, "1") for theirs, ours in wanted.items() if query.get(ours, "").lower() in FLAGS]
        passed += [(k, v) for k, v in request.query if k == "command"]
        return self._location(pod, target.subresource, container, passed)

    async def connect(self, where: Location, protocol: str) -> ClientWebSocketResponse:
        """The agent's end of a connection, or UnreachableError."""
        return await self._agents().connect(where, protocol)

    def _pod(self, target: Target) -> Pod:
        entry = self._store.get(target.key)
        if entry is None:
            raise target.not_found()
        return Pod.from_json(entry.value)

    def _location(self, pod: Pod, verb: str, container: str, query: Sequence[tuple[str, str]]) -> Location:
        path = "/".join(("", verb, pod.metadata.namespace, pod.metadata.name, *((container,) if container else ())))
        return self._door(pod.spec.node_name, "", path, query)

    def _door(self, name: str, asked_port: str, path: str, query: Sequence[tuple[str, str]]) -> Location:
        """A path at a node's agent. A port may be asked for by number, if it is the agent's."""
        kind = self._registry.of(Node)
        entry = self._store.get(key_of(kind, "", name))
        if entry is None:
            raise not_found("nodes", "", name)
        node = Node.from_json(entry.value)
        addresses = {a.type: a.address for a in reversed(node.status.addresses)}
        address = addresses.get("InternalIP", "")
        if not address:
            raise ApiError(500, "", f"no preferred addresses found; known addresses: {[*addresses.values()]}")
        port = node.status.daemon_endpoints.kubelet_endpoint.port or AGENT_PORT
        if asked_port and asked_port != str(port):
            raise bad_request(f"only the agent of node {name} is reached this way, at its port {port}")
        return Location(name, address, port, path, tuple(query))

    def _agents(self) -> Agents:
        if self._opened is None:
            from controlplane.apiserver.agents import Agents

            self._opened = Agents(self._tls)
        return self._opened


def node_named(name: str) -> tuple[str, str]:
    """Node and port of `[https:]NAME[:PORT]` (utilnet.SplitSchemeNamePort); an agent speaks HTTPS only."""
    match name.split(":"):
        case [node] | ["https" | "", node, ""] if node:
            return node, ""
        case [node, port] | ["https" | "", node, port] if node and port:
            return node, port
    raise bad_request(f'invalid node request "{name}"')


def refused(target: Target, status: int, text: str) -> ApiError:
    """An agent's refusal as the API server passes it on (GenericHttpResponseChecker)."""
    match status:
        case 400:
            return bad_request(text)
        case 404:
            why = f"the server could not find the requested resource ( pods/{target.subresource} {target.name})"
            causes = [{"reason": "UnexpectedServerResponse", "message": text}]
            return ApiError(404, "NotFound", why, details={"name": target.name, "kind": "pods/log", "causes": causes})
    return internal_error(text)


def container_named(pod: Pod, name: str) -> str:
    """The container that is meant; the only one when none is named (400 when there are more, or it is not there)."""
    spec, own = pod.spec, pod.metadata.name
    names, inits = [c.name for c in spec.containers], [c.name for c in spec.init_containers]
    if not name:
        if len(names) == 1:
            return names[0]
        why = f"a container name must be specified for pod {own}, choose one of: [{' '.join(names)}]"
        raise bad_request(why + (f" or one of the init containers: [{' '.join(inits)}]" if inits else ""))
    if name not in (*names, *inits, *(c.name for c in spec.ephemeral_containers)):
        raise bad_request(f"container {name} is not valid for pod {own}")
    return name


def check_log_options(pod: str, query: dict[str, str]) -> None:
    """Raises what Kubernetes answers to PodLogOptions that are none."""
    causes: list[Cause] = []
    numbers = {name: integer(query, name) for name in ("tailLines", "limitBytes", "sinceSeconds")}
    tail, limit, seconds = numbers.values()
    if tail is not None and tail < 0:
        causes.append(invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(invalid("limitBytes", limit, "must be greater than 0"))
    if seconds is not None and query.get("sinceTime"):
        causes.append(forbidden("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif seconds is not None and seconds < 1:
        causes.append(invalid("sinceSeconds", seconds, "must be greater than 0"))
    if query.get("stream", "All") != "All":
        causes.append(forbidden("stream", "may not be specified"))
    if moment := query.get("sinceTime"):
        try:
            datetime.fromisoformat(moment)
        except ValueError:
            raise bad_request(
                f'parsing time "{moment}" as "2006-01-02T15:04:05Z07:00": cannot parse "{moment}"'
            ) from None
    if causes:
        raise invalid_object("PodLogOptions", "", pod, causes)
