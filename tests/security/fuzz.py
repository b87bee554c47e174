"""What is thrown at the API server: requests and objects that are right in most places and anything in the rest.

Objects are drawn along a kind's own schema, so that they get past the decoder and as far as validation, defaults and
admission; every now and then a field holds something else than it should.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.admission.chain import Admission
from controlplane.apiserver.bootstrap import bootstrap
from controlplane.apiserver.server import ApiServer
from kubeapi.client.transport import Request, Response
from kubeapi.registry import Kind, load
from kubeapi.schema import Schema, schema_of
from naru.simulation.store import MemoryStore
from naru.simulation.virtual import VirtualClock

FEW, MANY = 60, 20_000
SOAK = [pytest.mark.soak, pytest.mark.timeout(7200)]  # what MANY take, on a machine that has other things to do
# What a real API server itself answers 500 to, as recorded. Any other is a fault.
OWN_500 = re.compile(
    "unknown patch type|list element types are not identical|map: .* does not contain declared merge key"
    "|failed to create typed patch object|resourceVersion should not be set|resourceVersion: Invalid value"
)
NASTY = [
    "", " ", "a", "A", "0", "-1", "1Gi", "1e999", "100m", "9" * 400, "x" * 300, "a/b", "/", "..", "../../etc",
    "a..b", "\0", "\n", "9" * 5000, "²", "1_0",
    "\x7f", "é", "\u202e", "\U0001f4a5", "a,b", "a=b", "in (", "{{", "$(A)", "$((", "'; rm -rf", "%s%n",
    "10.0.0.1", "::1",
    "10.0.0.0/8", "TCP", "*/5 * * * *", "Always", "2024-01-01T00:00:00Z", "9999-99-99", "None", "null", "true", "http",
    "default", "kubernetes", "metadata.name", "app", "a.b/c", "kube-system", "[0]", "v1", "Pod",
    0, 1, -1, 2, 80, 65536, 2**31, 2**63 - 1, -(2**63), 2**64, 1e308, 1.5, -0.0, True, False, None, [], {},
]  # fmt: skip
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "x"]

scalars = st.sampled_from(NASTY) | st.text(max_size=20) | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False)
keys = st.sampled_from([n for n in NASTY if isinstance(n, str)]) | st.text(max_size=10)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)


def fuzz(examples: int, *strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], None]:
    """Try a property at once. The few are the same every time; of many, each run has its own."""

    def tried(holds: Callable[..., None]) -> None:
        few = settings(
            max_examples=examples,
            derandomize=examples <= FEW,
            database=None,
            suppress_health_check=[*HealthCheck],
            deadline=None,
        )
        few(given(*strategies)(holds))()

    return tried


@st.composite
def objects(draw: st.DrawFn, schema: Schema, depth: int = 6) -> Any:
    """A value along a schema, wrong here and there."""
    if depth == 0 or draw(st.integers(0, 24)) == 0:
        return draw(anything)
    match schema.kind:
        case "struct" if schema.fields:
            names = draw(st.lists(st.sampled_from(sorted(schema.fields)), max_size=4, unique=True))
            return {name: draw(objects(schema.fields[name], depth - 1)) for name in names}
        case "map" if schema.element:
            return draw(st.dictionaries(keys, objects(schema.element, depth - 1), max_size=2))
        case "list" if schema.element:
            return draw(st.lists(objects(schema.element, depth - 1), max_size=2))
    return draw(scalars)


@st.composite
def bodies(draw: st.DrawFn, kind: Kind) -> Any:
    """An object of a kind, mostly with a name and a spec, as JSON-like value."""
    schema = schema_of(kind.model)
    value = draw(objects(schema))
    if not isinstance(value, dict):
        return value
    for name in ("spec", "data", "rules", "subsets", "template"):
        if name in schema.fields and draw(st.booleans()):
            value[name] = draw(objects(schema.fields[name]))
    meta = value.get("metadata")
    value["metadata"] = {
        **(meta if isinstance(meta, dict) else {}),
        "name": draw(st.sampled_from(["fuzz", "a.b", "A", ""])),
    }
    return {"apiVersion": kind.api_version, "kind": kind.kind, **value}


def encoded(value: Any) -> bytes:
    """A value as JSON, whatever is in it."""
    return json.dumps(value, allow_nan=True).encode("utf-8", "surrogatepass")


class World:
    """An API server over a store in memory, asked in process: an exception is the test's failure."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.registry, self.store, clock, rng = load(), MemoryStore(), VirtualClock(), random.Random(1)
        admission = Admission(self.store, rng)
        self.server = ApiServer(self.store, self.registry, clock, rng, admission)
        self.run(bootstrap(self.server, admission.ranges.addresses, "127.0.0.1", 6443))

    def run(self, work: Any) -> Any:
        """Wait for some work."""
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        """The end."""
        self.loop.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        media: str = "application/json",
        query: Any = (),
        **headers: str,
    ) -> Response:
        """An answer, which is never a fault of the server; of a stream the first frames."""
        told = {"content-type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = Request(method, path, tuple(query), told, body, "admin", ("system:masters",))
        answer: Response = self.run(self.server.send(request))
        if answer.stream is not None:
            self.run(answer.stream.aclose())
        assert answer.status < 500 or OWN_500.search(answer.body.decode()), (answer.status, answer.body[:500])
        if answer.status >= 400 and answer.body.startswith(b"{"):
            status = orjson.loads(answer.body)
            assert status["kind"] == "Status" and status["code"] == answer.status
        return answer
