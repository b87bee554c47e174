"""What an agent reads of its machine by itself: the floors beneath the engine, and none above."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from agent.hardware.beneath import observe_beneath
from agent.hardware.evidence import Tree
from agent.hardware.machine import status_of

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_the_floors_beneath_the_engine_are_read_and_none_above() -> None:
    layers = observe_beneath(Tree(), "n", NOW)
    kinds = {part.kind for part in layers.parts}
    assert {"machine", "cpu", "memory", "kernel", "netns", "loopback"} <= kinds
    assert kinds.isdisjoint({"engine", "shim", "container", "pod", "process", "nat", "service"})
    assert (layers.metadata.name, layers.metadata.creation_timestamp) == ("n", NOW)
    found = status_of(layers)
    assert found.cpu is not None and found.cpu.threads == os.cpu_count()
    assert found.kernel == os.uname().release


def test_the_machine_of_an_empty_tree_is_told_without_a_guess(tmp_path: Path) -> None:
    found = status_of(observe_beneath(Tree(tmp_path), "n", NOW))
    assert (found.cpu, found.memory, found.disks) == (None, None, [])
