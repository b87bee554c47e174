"""An API server from its parts: admission, what every cluster begins with, and HTTPS around it.

The store, the registry, the clock and the random source are the caller's; so is the store's end.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

from controlplane.admission.chain import Admission, Ranges
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.http import serving
from controlplane.apiserver.server import ApiServer
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
) -> AsyncIterator[ApiServer]:
    """Serve on https://HOST:PORT and DATA_DIR/naru.sock until the block ends; yields the server once it answers.

    data_dir is there already and its owner's alone (0700): it gets the keys, the token and the socket.
    """
    ranges = ranges or Ranges()
    server = ApiServer(store, registry, clock, rng, Admission(store, rng, ranges))
    await bootstrap(server, ranges.addresses, host, port)
    async with serving(server, data_dir, host, port):
        yield server
