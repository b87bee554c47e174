"""What Docker's inspections say, as the seam's values; and the memory that spares asking again for what can't have changed.

A wake costs one list call. A container is inspected when it is new, when its state in the list is another than the one it
was inspected in, or when the engine's event stream has spoken of it; labels and the rest never change. Without an open
event stream nothing is remembered, because nobody would tell that a container was started again or ran out of memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from agent.runtime.protocol import Container, Listed, PodRef, Sandbox

LABEL = "naru.dev/"
POD = ("pod.namespace", "pod.name", "pod.uid")
NAMES = {"sandbox": POD, "container": (*POD, "container", "sandbox")}
NUMBERS = {"sandbox": ("attempt",), "container": ("attempt", "crashes")}
NAME, NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*"), re.compile(r"[0-9]{1,9}")
DEFAULT_SHARES = 1024
DEFAULT_STOP = 10  # seconds, the engine's own, for a container that was made without
SETTLED = frozenset({"running", "paused", "exited"})  # the others are on their way to something else


class Inspections:
    """The newest inspection of each container of a cluster, by id."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, Sandbox | Container]] = {}
        self._streams = self._turn = 0

    def opened(self) -> None:
        """An event stream is open: from here on changes are told."""
        self._streams += 1
        self._forget()

    def closed(self) -> None:
        """An event stream has ended."""
        self._streams -= 1
        self._forget()

    def _forget(self) -> None:
        self._seen.clear()
        self._turn += 1

    def turned(self, container_id: str) -> None:
        """The stream spoke of it."""
        self._seen.pop(container_id, None)
        self._turn += 1

    @property
    def turn(self) -> int:
        """Changes with every event. What was read before an event may be older than it, and is not to be remembered."""
        return self._turn

    def known(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Sandbox | Container]:
        """Of a list's rows those that are as they were, by id."""
        found = {}
        for row in rows:
            state, value = self._seen.get(row["Id"], ("", None))
            if value is not None and state == row["State"]:
                found[row["Id"]] = value
        return found

    def learn(self, inspected: Mapping[str, Any], turn: int) -> Sandbox | Container:
        """An inspection's value, remembered if no event came since `turn`."""
        labels, state = inspected["Config"]["Labels"], inspected["State"]["Status"]
        value = sandbox_of(inspected) if labels[LABEL + "kind"] == "sandbox" else container_of(inspected)
        if self._streams and turn == self._turn and state in SETTLED:
            self._seen[value.id] = state, value
        return value


def _time(text: str) -> datetime | None:
    """Docker's time (nanoseconds, or year 1 for never)."""
    if not text or text.startswith("0001-"):
        return None
    stamp, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{stamp}.{rest[:6] or '0'}+00:00")


def is_ours(labels: Mapping[str, str]) -> bool:
    """Whether labels are whole, as Naru writes them: somebody else may have copied some, or made some up.

    Names become paths on this node, and what is not a name must not.
    """
    kind = labels.get(LABEL + "kind", "")
    names = [labels.get(LABEL + name, "") for name in NAMES.get(kind, ())]
    numbers = [labels.get(LABEL + number, "") for number in NUMBERS.get(kind, ())]
    return bool(names) and all(map(NAME.fullmatch, names)) and all(map(NUMBER.fullmatch, numbers))


def _pod(labels: Mapping[str, str]) -> PodRef:
    return PodRef(labels[LABEL + "pod.namespace"], labels[LABEL + "pod.name"], labels[LABEL + "pod.uid"])


def shares_due(seen: Mapping[str, Any]) -> int:
    """The CPU shares that a running container was made for and does not have; 0 for any other."""
    wanted = seen["Config"]["Labels"].get(LABEL + "cpu-shares", "")
    if not (seen["State"]["Running"] and NUMBER.fullmatch(wanted)):
        return 0
    return 0 if int(wanted) == (seen["HostConfig"].get("CpuShares") or DEFAULT_SHARES) else int(wanted)


def listed_of(row: Mapping[str, Any], cluster: str) -> Listed:
    """A row of the engine's list; its pod if it belongs to the cluster, or to any if there is none."""
    labels, names = row.get("Labels") or {}, row.get("Names") or [row["Id"][:12]]
    theirs = labels.get(LABEL + "cluster")
    pod = _pod(labels) if theirs is not None and cluster in ("", theirs) and is_ours(labels) else None
    container = labels.get(LABEL + "container", "") if pod else ""
    sandbox = labels.get(LABEL + "kind") == "sandbox"
    return Listed(row["Id"], names[0].lstrip("/"), row.get("Image", ""), pod, container, sandbox)


def sandbox_of(seen: Mapping[str, Any]) -> Sandbox:
    """A sandbox, inspected."""
    labels, state = seen["Config"]["Labels"], seen["State"]
    return Sandbox(seen["Id"], _pod(labels), int(labels[LABEL + "attempt"]), state["Running"], state["Pid"])


def container_of(seen: Mapping[str, Any]) -> Container:
    """A container, inspected. One that could not be started counts as ended, with the code that shells give for it."""
    labels, state, stop = seen["Config"]["Labels"], seen["State"], seen["Config"].get("StopTimeout")
    failed = state["Status"] == "created" and bool(state.get("Error"))
    return Container(
        id=seen["Id"],
        pod=_pod(labels),
        name=labels[LABEL + "container"],
        attempt=int(labels[LABEL + "attempt"]),
        sandbox_id=labels[LABEL + "sandbox"],
        phase="running" if state["Running"] else "created" if state["Status"] == "created" and not failed else "exited",
        crashes=int(labels[LABEL + "crashes"]),
        exit_code=128 if failed else state["ExitCode"],
        oom_killed=state.get("OOMKilled", False),
        error=state.get("Error", "") if failed else "",
        started_at=_time(state["StartedAt"]),
        finished_at=_time(state["FinishedAt"]) or (_time(seen["Created"]) if failed else None),
        image=seen["Config"]["Image"],
        image_id=seen["Image"],
        message_path=labels.get(LABEL + "message", ""),
        stop_seconds=DEFAULT_STOP if stop is None else stop,
        pid=state["Pid"],
    )
