#!/usr/bin/env python3
"""`make demo`: a cluster, the three tiers of manifests/shop on it, and what happens when their containers are killed.

Unattended. Each step says what it does; the times are the engine's own (its die and start events) and those at which a
watch told that the pod is ready. Exit status 1 if anything did not happen.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import time
from typing import NamedTuple

from observing import LABEL, Engine, EngineEvent, MissingError, Pods, Reply, Traffic

from controlplane.apiserver.apply_outcome import End, from_json
from naru.config import DEFAULT_DATA_DIR, ClusterConfig
from naru.connection import Connection, NoClusterError, RefusedError

SHOP = pathlib.Path(__file__).parent.parent / "manifests" / "shop"
NAMESPACE, NODE_PORT = "shop", 30080
TIERS = {"web": 2, "was": 3, "db": 1}
REQUESTS = 60


class Heal(NamedTuple):
    """What was killed, and milliseconds from its end until its replacement ran, until its pod was ready."""

    what: str
    running: float
    ready: float
    asked: int
    failed: int


class DemoError(Exception):
    """Something did not happen."""


def say(text: str) -> None:
    """A headline."""
    print(f"\n== {text}", flush=True)


def start(data_dir: pathlib.Path, port: int | None) -> ClusterConfig:
    """`naru up --detach`."""
    arguments = ["up", "--detach", "--data-dir", str(data_dir), *(["--port", str(port)] if port else [])]
    say("a cluster on this machine: naru " + " ".join(arguments))
    if subprocess.run([sys.executable, "-m", "naru", *arguments]).returncode:
        raise DemoError("the cluster did not start")
    config = ClusterConfig.read(data_dir)
    assert config is not None
    return config


def apply(connection: Connection, port: int, *, quiet: bool = False) -> None:
    """POST the example, with `port` for its NodePort, and wait until every tier is ready."""
    text = "".join(path.read_text() for path in sorted(SHOP.glob("*.yaml")))
    body = text.replace(f"nodePort: {NODE_PORT}", f"nodePort: {port}").encode()
    with connection.send("POST", "/apply", {"wait": "ready", "timeout": "180"}, body, "application/x-ndjson") as lines:
        end = None
        for line in lines:
            record = from_json(line)
            if not quiet:
                print(f"   {record.text}", flush=True)
            end = record if isinstance(record, End) else None
    if end is None or not end.ok:
        raise DemoError(f"the example did not become ready: {end.message if end else 'the API server hung up'}")


def ask(traffic: Traffic, engine: Engine) -> list[Reply]:
    """Requests through all three tiers; every pod of this cluster must answer some of them, and nobody else."""
    say(f"{REQUESTS} requests through all three tiers: curl http://127.0.0.1:{traffic.port}/")
    replies = [traffic.ask() for _ in range(REQUESTS)]
    for reply in replies[:5]:
        print(f"   {reply.error or f'{reply.web} > {reply.was} > {reply.db}: row {reply.rows}'}")
    failed = [r.error for r in replies if r.error]
    seen = {tier: {getattr(r, tier) for r in replies} - {""} for tier in TIERS}
    print("   ... answered by " + ", ".join(f"{len(pods)} {tier} pods" for tier, pods in seen.items()), flush=True)
    if failed:
        raise DemoError(f"{len(failed)} of {REQUESTS} requests failed: {failed[0]}")
    for tier, pods in seen.items():
        mine = {row["Labels"][LABEL + "pod.name"] for row in engine.running(tier, "container")}
        if pods != mine or len(pods) != TIERS[tier]:
            raise DemoError(f"{tier}: {sorted(pods)} answered, where {sorted(mine)} run")
    return replies


def kill(engine: Engine, pods: Pods, traffic: Traffic, connection: Connection, tier: str, kind: str) -> Heal:
    """`docker kill` one container of a tier (or a sandbox), and follow until all is as it was."""
    victim = engine.running(tier, kind)[0]
    labels = victim["Labels"]
    pod, uid = labels[LABEL + "pod.name"], labels[LABEL + "pod.uid"]
    named = f"container {labels[LABEL + 'container']}" if kind == "container" else "the sandbox"
    again = int(labels[LABEL + "crashes"]) > 0 if kind == "container" else False
    late = "; it crashed before, so Kubernetes' back-off holds it for a while" if again else ""
    print(f"   docker kill {victim['Id'][:12]}   ({named} of {pod}{late})", flush=True)
    asked = time.time()
    engine.api.kill(victim["Id"])
    died = engine.events.first(lambda e: e.action == "die" and e.id == victim["Id"], f"the end of {named} of {pod}")

    def replaced(event: EngineEvent) -> bool:
        return (
            event.action == "start"
            and event.at >= died.at
            and event.labels.get(LABEL + "pod.uid") == uid
            and event.labels.get(LABEL + "kind") == "container"
        )

    new = engine.events.first(replaced, f"a replacement in {pod}")
    ready = pods.states.first(
        lambda s: s.uid == uid and s.ready and new.id in s.containers, f"pod {pod} ready with its new container"
    )
    apply(connection, traffic.port, quiet=True)  # the other tiers may have felt it: go on when all are ready
    meanwhile = [r for r in traffic.replies.all() if r.at >= asked]
    heal = Heal(
        f"{tier}: {named}",
        (new.at - died.at) * 1000,
        (ready.at - died.at) * 1000,
        len(meanwhile),
        sum(bool(r.error) for r in meanwhile),
    )
    print(f"      running again after {heal.running:.0f} ms, its pod ready after {heal.ready:.0f} ms", flush=True)
    return heal


def summary(heals: list[Heal], before: int, acknowledged: int, rows: int) -> str:
    """The table."""
    lines = [f"   {'killed':<32}{'running again':>15}{'ready again':>15}{'requests meanwhile':>22}"]
    for heal in heals:
        requests = f"{heal.asked - heal.failed} of {heal.asked} answered"
        lines.append(f"   {heal.what:<32}{heal.running:>12.0f} ms{heal.ready:>12.0f} ms{requests:>22}")
    lines.append(f"   rows: {before} before, {acknowledged} more acknowledged, {rows} in the database: none lost")
    return "\n".join(lines)


def demo(data_dir: pathlib.Path, port: int | None, node_port: int) -> None:
    """All steps; raises when one does not happen."""
    config = start(data_dir, port)
    connection = Connection(data_dir)
    say(f"the example over HTTP: cat manifests/shop/*.yaml | curl --unix-socket {data_dir}/naru.sock \\")
    print("        --data-binary @- 'http://naru/apply?wait=ready'")
    apply(connection, node_port)
    engine, pods, traffic = Engine(config.id), Pods(data_dir, NAMESPACE), Traffic(node_port)
    replies = ask(traffic, engine)
    before = replies[0].rows - 1
    say("killing one container of each tier, then a whole sandbox, under steady requests")
    traffic.start()
    heals = [kill(engine, pods, traffic, connection, tier, "container") for tier in TIERS]
    heals.append(kill(engine, pods, traffic, connection, "was", "sandbox"))
    replies += traffic.stop()
    last = traffic.ask()
    if last.error:
        raise DemoError(f"the last request failed: {last.error}")
    acknowledged = sum(not r.error for r in [*replies, last])
    if last.rows < before + acknowledged:
        raise DemoError(f"rows were lost: {before} + {acknowledged} acknowledged, but {last.rows} are there")
    say("summary")
    print(summary(heals, before, acknowledged, last.rows))
    say("how to go on")
    flag = "" if data_dir == DEFAULT_DATA_DIR else f" --data-dir {data_dir}"
    for line in (
        f".venv/bin/naru status{flag}",
        f".venv/bin/naru kubectl{flag} get pods -n {NAMESPACE} -o wide",
        f".venv/bin/naru kubectl{flag} scale -n {NAMESPACE} deployment/was --replicas=5",
        f"curl http://127.0.0.1:{node_port}/",
        f"make down{'' if not flag else f' DATA_DIR={data_dir}'}",
    ):
        print(f"   {line}")


def main() -> int:
    """Run the demo; the exit status."""
    parser = argparse.ArgumentParser(description="Naru's demo: three tiers that heal")
    parser.add_argument("--data-dir", type=pathlib.Path, default=DEFAULT_DATA_DIR)
    parser.add_argument("--port", type=int, help="of the API server")
    parser.add_argument("--node-port", type=int, default=NODE_PORT, help="of the web tier (%(default)s)")
    options = parser.parse_args()
    begun = time.monotonic()
    try:
        demo(options.data_dir, options.port, options.node_port)
    except (DemoError, MissingError, NoClusterError, RefusedError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    print(f"\nAll of it in {time.monotonic() - begun:.0f} s.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
