"""An API server from its parts: admission, what every cluster begins with, tokens, the way to the nodes, HTTPS around it.

The store, the registry, the clock and the random source are the caller's; so is the store's end.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from controlplane.admission.chain import Admission, Ranges
from controlplane.apiserver import certs
from controlplane.apiserver.authentication import ADMIN, Authenticator, node_identity
from controlplane.apiserver.authorization import WHAT_MAY_I, WHO_AM_I
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.http import Bounds, serving
from controlplane.apiserver.node_proxy import PROTOCOLS, NodeProxy
from controlplane.apiserver.reviews import Reviews
from controlplane.apiserver.server import ApiServer, Doors
from controlplane.apiserver.tokens import Tokens
from controlplane.store import Store
from kubeapi.clock import Clock
from kubeapi.registry import Registry


@contextlib.asynccontextmanager
async def serve(
    store: Store,
    registry: Registry,
    clock: Clock,
    rng: Random,
    data_dir: Path,
    port: int,
    host: str = "127.0.0.1",
    ranges: Ranges | None = None,
    node: str = "",
    bounds: Bounds = Bounds(),  # noqa: B008 - immutable
) -> AsyncIterator[ApiServer]:
    """Serve on https://HOST:PORT and DATA_DIR/naru.sock until the block ends; yields the server once it answers.

    data_dir is there already and its owner's alone (0700): it gets the keys, the tokens and the socket. `node` is the name
    of the node whose agent has agent.token; `bounds` are what clients get at most.
    """
    ranges = ranges or Ranges()
    tokens = Tokens(store, registry, clock, certs.ensure_signing_key(data_dir))
    to_agents = ssl.create_default_context(cafile=certs.ensure_authority(data_dir))
    to_agents.load_cert_chain(*certs.ensure_agent_client(data_dir))
    nodes = NodeProxy(store, registry, to_agents)
    subresources = {"serviceaccounts/token": tokens.create, "pods/log": nodes.logs, "nodes/proxy": nodes.proxy}
    subresources |= {f"pods/{verb}": nodes.plain for verb in PROTOCOLS}
    reviews = Reviews(clock)
    doors = Doors({WHO_AM_I: reviews.who, WHAT_MAY_I: reviews.may}, subresources)
    server = ApiServer(store, registry, clock, rng, Admission(store, rng, ranges), doors)
    known = {certs.ensure_token(data_dir / "token"): ADMIN}
    if node:
        known[certs.ensure_agent(data_dir, node)] = node_identity(node)
    await bootstrap(server, ranges.addresses, host, port)
    try:
        async with serving(server, nodes, Authenticator(known, tokens), data_dir, host, port, bounds):
            yield server
    finally:
        await nodes.close()
