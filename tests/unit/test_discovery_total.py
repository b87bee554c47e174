"""Discovery stands on any machine: no tree, however torn, breaks it, and nothing is said without its evidence."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.hardware.clues import Clue
from agent.hardware.signatures import CPUID, PRODUCTS
from agent.hardware.weighing import WEIGHTS, weigh
from kubeapi.hardware_v1.layers import Evidence
from tests.guests import CASES
from tests.machines import Machine, beneath, disk

# Paths that discovery reads, with anything in them.
PATHS = sorted({path for case in CASES.values() for path in case.machine.files} | set(disk("sda", "pci0/block/sda", 1)))
WORDS = st.sampled_from(
    ["", "0", "-1", "9" * 30, "0-99999", "flags : hypervisor", "MemTotal: x kB", "cpu  1 1 1 1 1 1 1 1", "\0" * 40]
)
CONTENT = st.one_of(st.binary(max_size=80), WORDS)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    base=st.sampled_from(list(CASES)),
    kept=st.floats(0, 1),
    broken=st.dictionaries(st.sampled_from(PATHS), CONTENT, max_size=12),
    cut=st.integers(0, 40),
    leaves=st.lists(st.sampled_from([*CPUID, "?"]), max_size=3),
    seed=st.randoms(use_true_random=False),
)
def test_no_tree_breaks_discovery_and_every_fact_has_evidence(
    base: str, kept: float, broken: dict[str, str | bytes], cut: int, leaves: list[str], seed: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    files: dict[str, str | bytes | Path] = {}
    for path, content in CASES[base].machine.files.items():
        if seed.random() < kept:  # type: ignore[attr-defined]
            files[path] = content if isinstance(content, Path) else content[: len(content) - cut]
    layers = beneath(Machine(files | broken, tuple(leaves)), tmp_path_factory.mktemp("tree"))
    assert all(
        fact.evidence and all(seen.source for seen in fact.evidence) for part in layers.parts for fact in part.facts
    )
    assert all(conflict.why and len(conflict.witnesses) > 1 for conflict in layers.conflicts)
    assert {"machine", "cpu", "memory", "kernel"} <= {part.id for part in layers.parts} and len(layers.horizons) == 1
    ids = [part.id for part in layers.parts]
    assert len(ids) == len(set(ids)) and all(part.on in ids for part in layers.parts if part.on)


CLUES = st.builds(
    Clue,
    st.sampled_from(list(WEIGHTS)),
    st.lists(st.sampled_from(list(PRODUCTS)), max_size=2).map(tuple),
    st.just([Evidence(source="x", value="y")]),
)


@given(st.lists(CLUES, max_size=8), st.sampled_from([True, False, None]))
def test_a_verdict_rests_on_clues(clues: list[Clue], flag: bool | None) -> None:
    verdict = weigh(clues, flag)
    assert verdict.name
    for naming in (verdict.hypervisor, verdict.monitor, verdict.platform):
        assert naming is None or naming.evidence
    assert verdict.present or (not flag and verdict.hypervisor is None and verdict.monitor is None)
    if verdict.present is False:
        assert any("metal" in clue.says for clue in clues)
    spoken = {product for clue in clues for product in clue.says}
    assert {dissent.product for dissent in verdict.dissent} <= spoken
