"""Recorded conversations with a real API server, replayed in process: how many answers are the same, and what differs most.

Run with `-s` to read the differences, the commonest kind first; `FLOW=substring` narrows to some flows,
`EXAMPLES=n` shows more of each kind.
"""

from __future__ import annotations

import asyncio
import gzip
import importlib.util
import json
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from controlplane.store.sqlite import SqliteStore
from kubeapi.client.transport import Request
from kubeapi.clock import SystemClock
from kubeapi.registry import load

SHARED = Path(__file__).parents[2].parent / "shared"
OTHERS = {"errors"}  # flows that are about no kind
AT_ONCE = 16
EXAMPLES = int(os.environ.get("EXAMPLES", "3"))

pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="the recorded answers are not beside the checkout")


class Answered(NamedTuple):
    """One step as it was replayed: the recorded step, what it was about, and how the answers differ."""

    flow: str
    step: dict[str, Any]
    differences: list[str]

    @property
    def same_code(self) -> bool:
        return not (self.differences and self.differences[0].startswith("code:"))


def load_tool() -> ModuleType:
    """The tool that judges; it says what two servers must agree on."""
    spec = importlib.util.spec_from_file_location("flow_diff", SHARED / "tools" / "flow_diff.py")
    assert spec is not None and spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    store, rng = await SqliteStore.open(tmp_path / "store.db"), random.Random(1)
    admission = Admission(store, rng)
    server = ApiServer(store, load(), SystemClock(), rng, admission)
    await bootstrap(server, admission.ranges.addresses, "127.0.0.1", 6443)
    yield server
    await store.close()


async def send(server: ApiServer, tool: ModuleType, step: dict[str, Any], answers: list[Any]) -> tuple[int, Any, Any]:
    """One recorded request; the code, the parsed answer and the warnings, as the tool reads them from HTTP."""
    query = [(k, str(tool.resolve(v, answers))) for k, v in step.get("query", {}).items()]
    headers = {"accept": step.get("accept", "application/json"), "user-agent": "flow/1", **step.get("headers", {})}
    body = step.get("body")
    if body is not None:
        headers["content-type"] = step.get("ctype", "application/json")
        body = body.encode() if step.get("raw") else json.dumps(tool.resolve(body, answers)).encode()
    response = await server.send(
        Request(step["method"], tool.resolve(step["path"], answers), query, headers, body or b"", user="admin")
    )
    data = response.body
    if response.stream is not None:
        data = b"".join([chunk async for chunk in response.stream])
    told = (re.sub(r'^299 - "|"$', "", value) for name, value in response.headers if name == "warning")
    if dict(query).get("watch"):
        return response.status, [json.loads(line) for line in data.splitlines() if line.strip()], sorted(told)
    try:
        return response.status, json.loads(data), sorted(told)
    except ValueError:
        return response.status, {"text": data.decode(errors="replace")}, sorted(told)


async def replayed(server: ApiServer, tool: ModuleType) -> list[Answered]:
    """Every flow about a kind that is served, step by step; some at once, since watches wait for what does not come."""
    served = {kind.kind for kind in server.registry} | OTHERS
    lines = gzip.decompress((SHARED / "golden" / "flows.jsonl.gz").read_bytes()).splitlines()
    flows = [flow for flow in map(json.loads, lines) if flow["kind"] in served]
    turns = asyncio.Semaphore(AT_ONCE)

    async def replay(flow: dict[str, Any]) -> list[Answered]:
        answers: list[Any] = []
        done = []
        async with turns:
            for step in flow["steps"]:
                code, answer, warnings = await send(server, tool, step, answers)
                answers.append(answer)
                if not step.get("setup"):
                    done.append(Answered(flow["name"], step, tool.compare(step, code, answer, warnings)))
        return done

    wanted = os.environ.get("FLOW", "")
    done = await asyncio.gather(*[replay(flow) for flow in flows if wanted in flow["name"]])
    return [one for flow in done for one in flow]


def report(answered: list[Answered]) -> str:
    """What differs, grouped by topic and by what is wrong where; the commonest first."""
    groups: dict[str, list[str]] = defaultdict(list)
    for flow, step, differences in answered:
        for difference in differences[:6]:
            where, _, what = difference.partition(": ")
            kind = f"{step['topic']}  {re.sub(r'[0-9]+', '0', where)} {what.split(' ')[0]}"
            asked = f"{flow} {step['method']} {step['path']} {step.get('query', '')} {step.get('ctype', '')}"
            groups[kind].append(f"    {asked}\n      {difference[:300]}")
    lines = []
    for kind, examples in sorted(groups.items(), key=lambda group: -len(group[1])):
        lines += [f"{len(examples):5} {kind}", *examples[:EXAMPLES]]
    return "\n".join(lines)


@pytest.mark.timeout(300)
async def test_conversations_are_answered_as_by_the_real_server(server: ApiServer) -> None:
    answered = await replayed(server, load_tool())
    print(report(answered))
    topics: dict[str, Counter[str]] = defaultdict(Counter)
    for one in answered:
        for topic in (one.step["topic"], "all"):
            topics[topic] += Counter(steps=1, code=one.same_code, same=not one.differences)
    for topic, seen in topics.items():
        print(f"{topic:18}{seen['steps']:6}{seen['code'] / seen['steps']:8.1%}{seen['same'] / seen['steps']:8.1%}")
    assert topics["all"]["code"] >= FLOORS["code"] * topics["all"]["steps"]
    assert topics["all"]["same"] >= FLOORS["same"] * topics["all"]["steps"]


FLOORS = {"code": 0.995, "same": 0.975}
