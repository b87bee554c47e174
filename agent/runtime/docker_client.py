"""The docker SDK's low-level client, made cheap: a call costs half of what it does as the SDK comes."""

from __future__ import annotations

from typing import Any

import docker
from docker.transport import UnixHTTPAdapter

CONNECTIONS = 64


class _OnePool(UnixHTTPAdapter):
    """The SDK keeps a pool per path, so that nearly every call would open a connection of its own."""

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:
        return super().get_connection("http+docker://engine", proxies)


def connect(url: str, timeout: int) -> Any:
    """An APIClient of the engine at unix://PATH or tcp://HOST:PORT, at the newest version that both speak."""
    client = docker.APIClient(base_url=url, version="auto", timeout=timeout, max_pool_size=CONNECTIONS)
    client.trust_env = False  # else every call looks for proxies and passwords
    if url.startswith("unix://"):
        client.mount("http+docker://", _OnePool(url.replace("unix://", "http+unix://"), timeout, 1, CONNECTIONS))
    return client
