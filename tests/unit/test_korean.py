"""All that discovery, witnesses and trace can say has a Korean text: the code itself is searched for what has none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent.hardware
import agent.trace
from agent.hardware.beneath import observe_beneath
from agent.hardware.evidence import Tree
from agent.hardware.witnesses import check
from kubeapi.hardware_v1.check import Check
from kubeapi.hardware_v1.korean import HOLE, SENTENCES, korean, told_in_korean
from kubeapi.hardware_v1.layers import Fact, Layers
from kubeapi.hardware_v1.terms import TERMS
from kubeapi.hardware_v1.trace import Drop, Hop, Sighting, Trace
from naru.layers import as_vms, bits, hypervisors, promise, vms_text
from tests.guests import CASES, INSIDES
from tests.machines import Machine, beneath
from tests.unit.test_beneath import NOW

MODES = [Path(module.__file__) for module in (as_vms, bits, hypervisors, promise, vms_text)]
SOURCES = sorted(Path(package.__path__[0]) for package in (agent.hardware, agent.trace))
PROSE = re.compile(r"[a-z]{2,}[,:;]? [a-z(]")
HANGUL = re.compile("[가-힣]")
COMMANDS = re.compile(r"(kubectl|naru trace|ip|nft|nft delete|tc|bpftool|nsenter|iptables|ss) ")
# Calls whose text is not for a reader of documents: evidence is the kernel's own, the rest is for logs and programmers.
SILENT = frozenset(
    ("Evidence", "compile", "info", "warning", "OSError", "ValueError", "EndError", "TraceError", "read")
)
SILENT |= {"fullmatch", "search", "findall", "sub", "Product", "thread", "create_task"}
SILENT |= {"CommandError", "Refusal", "Term"}  # errors are in one language; a Term has both
# Names, keys of files, an error's text and a condition's, and what is said in evidence alone.
NAMES = frozenset(("Kubernetes pod", "Apple silicon", "HiSilicon TaiShan v110", "iptables-legacy-save -c -t nat"))
NAMES |= {as_vms.SUMMARY, "-v (address space)"}
NAMES |= {"from all", "model name", " prl hyperv", "prl hyperv", "bhyve bhyve", "ct count"}
NAMES |= {"netlink group NFNLGRP_CONNTRACK_NEW", "netlink group NFNLGRP_NFTRACE", "the engine's GET /version"}
NAMES |= {"no trace: {}", "The agent has read its layers.", "ecx bit 31 (hypervisor) is set", ", ct id {}"}
NAMES |= {"trace id {}, ip id {}", "{} is {}, learnt at {}", "{} leads to the namespace of pod {}"}
NAMES |= {"{}: mode hostOnly", "{}: mode nat, subnet {}"}


def sentences(source: Path) -> Iterator[tuple[str, str]]:
    """Where in a module's code a sentence stands, and the sentence with holes for what is put there."""
    tree = ast.parse(source.read_text())
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant() as docstring):
                skipped.add(docstring)
            case ast.JoinedStr():
                skipped.update(node.values)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SILENT:
                skipped.update(inner for inner in ast.walk(node) if inner is not node)
            case _:
                pass
    for node in ast.walk(tree):
        text = _text(node) if node not in skipped else ""
        if PROSE.search(text) and not COMMANDS.match(text) and text not in NAMES and f"name/{text}" not in TERMS:
            yield f"{source.name}:{getattr(node, 'lineno', 0)}", text


def _text(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return ""


@pytest.mark.parametrize(
    "source", [path for folder in SOURCES for path in sorted(folder.glob("*.py"))] + MODES, ids=lambda p: p.name
)
def test_every_sentence_of_the_code_has_a_korean_one(source: Path) -> None:
    assert [(place, text) for place, text in sentences(source) if not _is_told(text)] == []


def _is_told(text: str) -> bool:
    """By itself, within a longer sentence of the catalogue, or as a value that the table of words knows."""
    within = any(text.strip() in english for english in SENTENCES)
    return within or HANGUL.search(korean(text)) is not None or any(key.endswith(f"/{text}") for key in TERMS)


@pytest.mark.parametrize("english", [english for english in SENTENCES if HOLE in english])
def test_what_stands_in_the_holes_comes_through(english: str) -> None:
    count = english.count(HOLE)
    inside = [f"«{number}»" for number in range(count)]
    told = korean(english.format(*inside))
    assert told == SENTENCES[english].format(*inside)
    assert all(told.count(text) == 1 for text in inside)


def told(layers: Layers) -> Iterator[str]:
    """All that is said in a document, where something is."""
    for part in layers.parts:
        yield from (fact.note for fact in part.facts)
    yield from (link.note for link in layers.links)
    yield from (horizon.says for horizon in layers.horizons)
    for conflict in layers.conflicts:
        yield from (conflict.question, conflict.why)


def unnamed(fact: Fact) -> bool:
    return f"name/{fact.name}" not in TERMS and f"name/{fact.name.split(' ')[0]}" not in TERMS


@pytest.mark.parametrize("name", [*CASES, *INSIDES, "this machine"])
def test_what_is_told_of_a_machine_is_korean_and_its_facts_have_names(name: str, tmp_path: Path) -> None:
    if name == "this machine":
        layers = observe_beneath(Tree(), "n", NOW)
    else:
        layers = beneath(CASES[name].machine if name in CASES else Machine(INSIDES[name].files), tmp_path)
    assert [text for text in told(told_in_korean(layers)) if text and not HANGUL.search(text)] == []
    assert {fact.name for part in layers.parts for fact in part.facts if unnamed(fact)} == set()
    assert [text for text in told(layers) if HANGUL.search(text)] == []  # the document that is shared stays as it was


def test_a_check_is_told_in_korean_with_its_commands_as_they_are() -> None:
    found = told_in_korean(Check(capabilities=check(Tree())))
    for capability in found.capabilities:
        assert HANGUL.search(capability.lost)
        assert HANGUL.search(capability.allow) or capability.allow.startswith(("sysctl", "modprobe"))


def test_a_trace_is_told_in_korean_down_to_what_is_said_within_a_sentence() -> None:
    trace = Trace(
        source="shop/web",
        destination="service shop/db:5432",
        summary="shop/web → service shop/db:5432 would end at shop/db: Service shop/db has no endpoint and no selector",
        hops=[
            Hop(
                kind="bridge",
                name="br0",
                says="goes out by br0",
                sightings=[Sighting(witness="nft", saw="rule x: drop")],
            )
        ],
        drop=Drop(
            hop=0, reason="Service shop/db has no endpoint and no selector", mend="kubectl get endpointslices -n shop"
        ),
        notes=["tracefs is not offered here (not to be used): devices and times are predicted only"],
    )
    found = told_in_korean(trace)
    assert (
        found.summary
        == "shop/web → service shop/db:5432: shop/db에서 끝날 것이다: 서비스 shop/db: 엔드포인트도 셀렉터도 없다"
    )
    assert found.hops[0].says == "br0(으)로 나간다" and found.hops[0].sightings[0].saw == "규칙 x: drop"
    assert found.drop and found.drop.reason == "서비스 shop/db: 엔드포인트도 셀렉터도 없다"
    assert found.drop.mend == "kubectl get endpointslices -n shop"
    assert found.notes == ["여기에는 tracefs이(가) 없다(쓰지 않기로 함): 장치와 시각은 예측일 뿐이다"]
