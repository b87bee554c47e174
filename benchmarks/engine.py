"""The floor: what a Docker Engine takes for the same by itself, through its raw API, its command line, its restart policy.

All times are milliseconds. A death begins when the process is killed from outside, which neither the engine nor Naru
expects (`docker kill` would tell the engine not to restart), and ends at the replacement's start by the engine's own clock.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import docker

from agent.runtime.inspections import shares_due

IMAGE, COMMAND = "naru/base", ["sleep", "infinity"]
PAUSE = "naru/pause:1"
LABEL = "naru-bench"
PATIENCE, LOOK_EVERY = 30.0, 0.1


def moment(text: str) -> float:
    """A time of the engine's in seconds since 1970."""
    stamp, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{stamp}.{rest[:6] or '0'}+00:00").timestamp()


class Events:
    """What the engine says of containers with a label, from when this is made. Use it as a context."""

    def __init__(self, label: str) -> None:
        filters = {"type": ["container"], "label": [label], "event": ["start", "die", "destroy"]}
        self._stream = docker.APIClient(timeout=600).events(decode=True, filters=filters)
        self._heard: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            for event in self._stream:
                self._heard.put(event)
        except (OSError, ValueError, AttributeError):
            return  # closed under it

    def until(self, action: str) -> str:
        """The id of the next container that the engine says this of."""
        ends = time.monotonic() + PATIENCE
        while True:
            event = self._heard.get(timeout=max(ends - time.monotonic(), 0.001))
            if event["Action"] == action:
                return str(event["Actor"]["ID"])

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()


class Engine:
    """Containers without Naru. `close` removes all that were made."""

    def __init__(self) -> None:
        self.api = docker.APIClient(timeout=60, max_pool_size=64)
        self.api.trust_env = False  # the raw API at its best

    def _start(self, image: str, command: list[str] | None = None, *, bare: bool = False, **host: Any) -> str:
        config = self.api.create_host_config(**host)
        made = self.api.create_container(
            image, command=command, labels={LABEL: ""}, host_config=config, network_disabled=bare
        )
        self.api.start(made["Id"])
        return str(made["Id"])

    def _sandbox(self) -> str:
        return self._start(PAUSE, bare=True, network_mode="none", ipc_mode="shareable")

    def _join(self, sandbox: str) -> str:
        return self._start(IMAGE, COMMAND, network_mode=f"container:{sandbox}", ipc_mode=f"container:{sandbox}")

    def run(self) -> float:
        """A container on the engine's bridge: create and start."""
        begun = time.perf_counter()
        self._start(IMAGE, COMMAND)
        return 1000 * (time.perf_counter() - begun)

    def run_many(self, count: int) -> float:
        """So many of them at once."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(lambda _: self.run(), range(count)))
        return 1000 * (time.perf_counter() - begun)

    def run_command(self) -> float:
        """`docker run -d`, as people type it."""
        begun = time.perf_counter()
        command = ["docker", "run", "--detach", "--label", LABEL, IMAGE, *COMMAND]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return 1000 * (time.perf_counter() - begun)

    def pod(self) -> float:
        """What a pod is made of, by hand: a sandbox without a network, and a container in it."""
        begun = time.perf_counter()
        self._join(self._sandbox())
        return 1000 * (time.perf_counter() - begun)

    def heal(self) -> float:
        """Kill a container in a sandbox; at the die event create and start another."""
        sandbox = self._sandbox()
        first = self._join(sandbox)
        with Events(LABEL) as events:
            killed = self.kill(first)
            events.until("die")
            return self.milliseconds_until_started(self._join(sandbox), killed)

    def heal_by_policy(self) -> float:
        """Kill a container that the engine itself restarts: `docker run --restart=always`."""
        made = self._start(IMAGE, COMMAND, restart_policy={"Name": "always"})
        with Events(LABEL) as events:
            killed = self.kill(made)
            events.until("start")
            return self.milliseconds_until_started(made, killed)

    def kill(self, container_id: str) -> float:
        """Kill a container's process from outside; the moment just before."""
        pid = self.api.inspect_container(container_id)["State"]["Pid"]
        begun = time.time()
        os.kill(pid, signal.SIGKILL)
        return begun

    def milliseconds_until_started(self, container_id: str, begun: float) -> float:
        """From a moment to the container's start, by the engine's clock."""
        return 1000 * (moment(self.api.inspect_container(container_id)["State"]["StartedAt"]) - begun)

    def wait_for_none(self, label: str) -> None:
        """Return once there is no container with a label any more, in whatever state."""
        with Events(label) as events:
            left = {row["Id"] for row in self.api.containers(all=True, quiet=True, filters={"label": [label]})}
            while left:
                left.discard(events.until("destroy"))

    def wait_for_shares(self, label: str) -> None:
        """Return once Naru's containers with a label have their CPU shares, which it gives when nothing is being started."""
        rows = self.api.containers(quiet=True, filters={"label": [label]})
        while any(shares_due(self.api.inspect_container(row["Id"])) for row in rows):
            time.sleep(LOOK_EVERY)

    def publish(self, image: str, command: list[str], port: int, published: int) -> tuple[str, str]:
        """A container on the engine's bridge, its port published on every address of the machine.

        Its own address, and the bridge's, from which the published port is reached by NAT. Returns when it answers.
        """
        config = self.api.create_host_config(port_bindings={port: published})
        made = self.api.create_container(image, command=command, labels={LABEL: ""}, ports=[port], host_config=config)
        self.api.start(made["Id"])
        network = self.api.inspect_container(made["Id"])["NetworkSettings"]["Networks"]["bridge"]
        self.wait_for_answer(f"http://{network['IPAddress']}:{port}/")
        return network["IPAddress"], network["Gateway"]

    def wait_for_answer(self, url: str) -> None:
        """Return once a server answers there."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(url, timeout=PATIENCE).close()
                return
            except OSError:
                if time.monotonic() > ends:
                    raise
                time.sleep(LOOK_EVERY)

    def clear(self) -> float:
        """Milliseconds that it takes to remove all that was made."""
        begun = time.perf_counter()
        rows = self.api.containers(all=True, filters={"label": [LABEL]})
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda row: self.api.remove_container(row["Id"], force=True), rows))
        return 1000 * (time.perf_counter() - begun)

    def close(self) -> None:
        """Remove all that was made, and let go."""
        self.clear()
        self.api.close()
