"""A simulated cluster as a pytest fixture, for those who use Naru: `pytest_plugins = ["naru.simulation.fixture"]`."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from kubeapi.client.client import Client
from kubeapi.registry import load
from naru.simulation.cluster import Cluster
from naru.simulation.virtual import virtually

R = TypeVar("R")
Story = Callable[[Cluster, Client], Awaitable[R]]


class Simulated(Protocol):
    """Runs a story on a cluster of its own, in virtual time, and returns what it returns; the same seed, the same story."""

    def __call__(self, story: Story[R], nodes: int = 1, seed: int = 0) -> R:
        """client is an administrator's; the cluster's parts start together with the story."""
        ...


@pytest.fixture
def simulated() -> Simulated:
    """Clusters in this process, without Docker and without waiting."""

    def run(story: Story[R], nodes: int = 1, seed: int = 0) -> R:
        with tempfile.TemporaryDirectory(prefix="naru-story-") as directory:

            async def whole() -> R:
                cluster = Cluster(str(seed), nodes, Path(directory))
                await cluster.start()
                try:
                    return await story(cluster, Client(cluster.wire("test"), load(), "test"))
                finally:
                    await cluster.stop()

            return virtually(whole)

    return run
