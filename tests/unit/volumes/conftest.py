"""The node of the tests of volumes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.volumes import kernel
from tests.unit.volumes.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    kernel.delete_directory(made.pods)
