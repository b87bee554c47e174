"""What the tests of faults share: a cluster on the machine's engine, and one on an engine of its own that may be broken."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Cluster, free_port, node, shop_node
from tests.engines import Engine, own_engine

__all__ = ["node", "shop_node"]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine of the tests' own, with the image naru/base. Whoever stops it starts it again."""
    with own_engine() as made:
        yield made


@pytest.fixture
def apart(engine: Engine, tmp_path: pathlib.Path) -> Iterator[Cluster]:
    """A whole cluster on that engine."""
    cluster = Cluster(tmp_path, free_port(), engine)
    try:
        cluster.naru("up", "--detach", "--port", str(cluster.port))
        yield cluster
    finally:
        if engine.docker("version", check=False).returncode:  # a test that failed half-way
            engine.start()
        if cluster.data_dir.joinpath("cluster.json").exists():
            cluster.naru("down", "--delete-data")
