"""HTTP load from outside: wrk (Debian's package) as a process of its own, its figures read back.

A request's path and body may hold `{n}`, the request's own number, and `{k}`, one of a thousand in turn. Latencies are
wrk's own, in milliseconds.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

SCRIPT = """
local made = 0
local function filled(text)
  return text and string.gsub(string.gsub(text, "{n}", made), "{k}", made % 1000)
end
function request()
  made = made + 1
  return wrk.format(METHOD, filled(PATH), nil, filled(BODY))
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


def require() -> None:
    """End the program with what to do when there is no wrk."""
    if not shutil.which("wrk"):
        sys.exit("wrk makes this bench's load: apt-get install wrk")


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
    # Long brackets, so that nothing in a body has to be quoted.
    told = f"local METHOD, PATH, BODY = '{method}', [==[{path}]==], {'nil' if body is None else f'[==[{body}]==]'}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(told + SCRIPT)
        script.flush()
        command = ["wrk", f"-c{connections}", "-t1", f"-d{seconds}s", "--timeout", "20s", "-s", script.name]
        command += [word for name, value in (headers or {}).items() for word in ("-H", f"{name}: {value}")]
        answer = subprocess.run([*command, url], check=True, capture_output=True, text=True)
    return Load(**json.loads(answer.stdout.splitlines()[-1]))
