"""HTTP load from outside: wrk (Debian's package) as a process of its own, its figures read back.

What a request is stands in a Lua table per worker: method, path with a `{n}` where each request has a number of its own, and
body with the same. Latencies are wrk's own, in milliseconds.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

SCRIPT = """
local made = 0
local workers = 0
function setup(thread) thread:set("worker", workers); workers = workers + 1 end
function request()
  made = made + 1
  local number = string.format("%d-%d", worker, made)
  local path = string.gsub(PATH, "{n}", number)
  local body = BODY and string.gsub(BODY, "{n}", number)
  return wrk.format(METHOD, path, nil, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "failed": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Load(NamedTuple):
    """What came of it: requests answered and failed, seconds, and latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def run(
    url: str,
    connections: int,
    seconds: int,
    *,
    method: str = "GET",
    path: str = "/",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """`connections` clients that each ask again as soon as they are answered, for so many seconds."""
    constants = {"METHOD": method, "PATH": path} | ({"BODY": body} if body is not None else {})
    # Long brackets, so that nothing in a body has to be quoted.
    told = "".join(f"local {name} = [==[{value}]==]\n" for name, value in constants.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(("" if body is not None else "local BODY = nil\n") + told + SCRIPT)
        script.flush()
        command = ["wrk", f"-c{connections}", "-t1", f"-d{seconds}s", "--timeout", "20s", "-s", script.name]
        command += [word for name, value in (headers or {}).items() for word in ("-H", f"{name}: {value}")]
        answer = subprocess.run([*command, url], check=True, capture_output=True, text=True)
    return Load(**json.loads(answer.stdout.splitlines()[-1]))
