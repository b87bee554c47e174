"""A trace from request to document: look at the kernel, predict, and if asked to, send probes and join what was seen.

Everything here blocks (netlink, nft, a second at most of waiting for a lost probe), so it runs in a thread. Each thing that
is added to the kernel lives in an `ExitStack`, and dies by itself with this process (see the witnesses).
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from agent.network.config import NetworkConfig
from agent.network.endpoints import service_ports
from agent.trace import drops
from agent.trace.cluster import Cluster
from agent.trace.conntrack import read_flow
from agent.trace.declared import declared_hops
from agent.trace.ends import EndError, Ends, resolve
from agent.trace.joining import Joined, Seen, Verdict, join
from agent.trace.nfttrace import Mark, NftTrace
from agent.trace.observe import inode_of, observe_netns, observe_rule
from agent.trace.packet import Packet
from agent.trace.path import Path, predict
from agent.trace.probe import SYN_LENGTHS, UDP_LENGTH, Outcome, give_up, open_sender, send
from agent.trace.scene import PodPlace, Scene
from agent.trace.tracefs import Tracefs
from kubeapi.hardware_v1.trace import Drop, Hop, Probe, Trace

NODE_PATH = "/proc/self/ns/net"
WITNESSES = ("tracefs", "nft", "conntrack")
LOST = {
    "tracefs": "devices and times are predicted only",
    "nft": "rules are predicted only",
    "conntrack": "translations are predicted only",
}
PROBABLY_NONE = Packet("udp", "127.0.0.1", 9, "127.0.0.1", 9)  # asked for to see whether the kernel answers
MOST_WATCHED = 16  # endpoints of this node among which chance decides


class Request(NamedTuple):
    """source is `host` or NAMESPACE/POD; to as `ends` says; witnesses are those that may be used."""

    source: str
    to: str = ""
    probe: bool = False
    witnesses: Collection[str] = WITNESSES


def trace(config: NetworkConfig, places: Iterable[PodPlace], cluster: Cluster, request: Request) -> Trace:
    """The trace. EndError when an end does not exist, OSError when a namespace can't be entered."""
    return _Tracing(config, tuple(places), cluster, request).trace()


@dataclass
class _Witnesses:
    """Those that are there for one trace, and why others are not."""

    tracefs: Tracefs | None = None
    nft: dict[int, NftTrace] = field(default_factory=dict)
    conntrack: bool = False
    missing: dict[str, str] = field(default_factory=dict)


class _Tracing:
    def __init__(self, config: NetworkConfig, places: tuple[PodPlace, ...], cluster: Cluster, request: Request) -> None:
        self._cluster, self._request = cluster, request
        self._paths = {f"/proc/{place.pid}/ns/net": place.netns for place in places}
        node = inode_of(NODE_PATH)
        services = tuple(service_ports(cluster.services, cluster.slices, config.node))
        self._scene = Scene(config, node, {node: observe_netns(NODE_PATH, self._paths)}, places, services)

    def trace(self) -> Trace:
        """Predict; probe if asked to."""
        ends = resolve(self._scene, self._cluster, self._request.source, self._request.to)
        if self._request.probe and not ends.asked:
            raise EndError("a probe needs an end that you name: --to POD, SERVICE or ADDRESS")
        path = self._predict(ends)
        made = Trace(source=ends.source, destination=ends.destination, notes=[ends.note] if ends.note else [])
        if self._request.probe:
            self._prove(made, ends, path)
        else:
            self._tell(made, path, [Joined(step, "predicted") for step in path.steps], None)
        made.summary = _summary(made, self._request.probe)
        return made

    def _predict(self, ends: Ends, protocol: str = "", chosen: tuple[str, int] | None = None) -> Path:
        """The path, after looking into each namespace that it leads through."""
        packet = ends.packet._replace(protocol=protocol) if protocol else ends.packet
        self._look(ends.start)
        while (path := predict(self._scene, ends.start, packet, chosen)).wanted:
            self._look(path.wanted)
        return path

    def _look(self, netns: int) -> None:
        if netns in self._scene.spaces:
            return
        self._scene.spaces[netns] = observe_netns(self._path_of(netns), {**self._paths, NODE_PATH: self._scene.node})

    def _path_of(self, netns: int) -> str:
        if netns == self._scene.node:
            return NODE_PATH
        return next(path for path, inode in self._paths.items() if inode == netns)

    # Proving

    def _prove(self, made: Trace, ends: Ends, path: Path) -> None:
        main = ends.packet.protocol
        with contextlib.ExitStack() as stack:
            senders: dict[str, socket.socket] = {}
            for protocol in ("udp", "tcp"):
                address = "" if ends.start == self._scene.node else ends.packet.source
                senders[protocol] = open_sender(self._path_of(ends.start), protocol, address)
                stack.callback(give_up, senders[protocol])
            marks = {protocol: Mark(protocol, sender.getsockname()[1]) for protocol, sender in senders.items()}
            paths = {protocol: path if protocol == main else self._predict(ends, protocol) for protocol in senders}
            watch = self._watched(paths.values())
            witnesses = self._witnesses(stack, {ends.start, self._scene.node, *watch}, marks.values())
            to = (ends.packet.destination, ends.packet.dport)
            for protocol, sender in senders.items():
                if witnesses.tracefs:
                    witnesses.tracefs.begin()
                outcome = send(sender, to, [self._path_of(netns) for netns in watch])
                seen = self._collect(witnesses, outcome)
                told, verdict = self._join(ends, paths[protocol], seen)
                drop = self._drop(told, verdict)
                made.probes.append(_probe(outcome, verdict, drop))
                if protocol == main:
                    self._tell(made, told, verdict.steps, drop)
                    if told.failure and verdict.failure is None:
                        made.notes.append(f"predicted to end by {told.failure.cause}, but it went on")
            made.notes += [
                f"{word} is not offered here ({why}): {LOST[word]}" for word, why in witnesses.missing.items()
            ]

    def _watched(self, paths: Iterable[Path]) -> list[int]:
        """The namespaces of this node in which a probe may end."""
        found: dict[int, None] = {}
        for path in paths:
            addresses = [*(address for address, _ in path.choices)]
            if path.destination:
                addresses.append(path.destination.destination)
            for address in addresses:
                if (pod := self._scene.pod_at(address)) and pod.netns != self._scene.node:
                    found[pod.netns] = None
        return [*found][:MOST_WATCHED]

    def _witnesses(self, stack: contextlib.ExitStack, spaces: Iterable[int], marks: Collection[Mark]) -> _Witnesses:
        found, offered = _Witnesses(), self._request.witnesses
        found.missing = {word: "not to be used" for word in WITNESSES if word not in offered}
        if "tracefs" in offered:
            try:
                found.tracefs = stack.enter_context(Tracefs((UDP_LENGTH, *SYN_LENGTHS)))
            except OSError as error:
                found.missing["tracefs"] = error.strerror or str(error)
        if "nft" in offered:
            try:
                for netns in spaces:
                    found.nft[netns] = stack.enter_context(NftTrace(self._path_of(netns), netns, marks))
            except OSError as error:
                found.missing["nft"] = error.strerror or str(error)
        if "conntrack" in offered:
            try:
                read_flow(NODE_PATH, PROBABLY_NONE)
                found.conntrack = True
            except OSError as error:
                found.missing["conntrack"] = error.strerror or str(error)
        return found

    def _collect(self, witnesses: _Witnesses, outcome: Outcome) -> Seen:
        return Seen(
            outcome,
            witnesses.tracefs.read() if witnesses.tracefs else None,
            {netns: one.read() for netns, one in witnesses.nft.items()},
            witnesses.conntrack,
            read_flow(NODE_PATH, outcome.packet) if witnesses.conntrack else None,
        )

    def _join(self, ends: Ends, path: Path, seen: Seen) -> tuple[Path, Verdict]:
        """The path with the endpoint that chance chose, if it did, and what was seen of it."""
        if len(path.choices) > 1 and (end := _endpoint(path, seen)):
            path = self._predict(ends, seen.outcome.packet.protocol, end)
        return path, join(path, seen, self._scene.spaces)

    # Telling

    def _tell(self, made: Trace, path: Path, steps: Iterable[Joined], drop: Drop | None) -> None:
        made.hops = [_hop(joined) for joined in steps]
        made.drop = drop or (self._drop(path, None) if not self._request.probe else None)
        if path.outside:
            made.hops += declared_hops(self._cluster.node, path.steps[-1].name, self._cluster.machines)
        made.notes += [f"rule {rule.text} could not be judged" for rule in path.undecided] if not made.probes else []
        made.notes += path.notes

    def _drop(self, path: Path, verdict: Verdict | None) -> Drop | None:
        failure = verdict.failure if verdict else path.failure
        if failure is None:
            return None
        rule = ""
        if failure.rule:
            with contextlib.suppress(OSError):  # the namespace is gone: the rule's name must do
                rule = observe_rule(self._path_of(failure.netns), failure.rule)
        kernel, location = (verdict.reason, verdict.location) if verdict else ("", "")
        return drops.explain(failure, path, self._scene, self._cluster, rule, kernel, location)


def _endpoint(path: Path, seen: Seen) -> tuple[str, int] | None:
    """Which of the choices it was: conntrack knows, or else the trace of rules in the namespace where it came out."""
    if seen.flow and seen.flow.reply_source in path.choices:
        return seen.flow.reply_source
    for events in seen.rules.values():
        for event in events:
            if event.packet and (event.packet.destination, event.packet.dport) in path.choices:
                return event.packet.destination, event.packet.dport
    return None


def _hop(joined: Joined) -> Hop:
    step = joined.step
    return Hop(
        part=step.part,
        kind=step.kind,
        name=step.name,
        netns=f"netns/{step.netns}" if step.netns else "",
        says=step.says,
        state=joined.state,
        object=step.object,
        evidence=[*step.evidence],
        sightings=[*joined.sightings],
        microseconds=joined.microseconds,
    )


def _probe(outcome: Outcome, verdict: Verdict, drop: Drop | None) -> Probe:
    seen = sum(joined.state == "seen" for joined in verdict.steps)
    last = max((j.microseconds for j in verdict.steps if j.microseconds is not None), default=None)
    note = f"seen at {seen} of {len(verdict.steps)} hops" + (f" in {last:.0f} µs" if last is not None else "")
    if outcome.answer:
        note += f", {outcome.answer}"
    if drop and not outcome.arrived:
        note += f": {drop.reason}"
    return Probe(
        protocol=outcome.packet.protocol.upper(),
        source=f"{outcome.packet.source}:{outcome.packet.sport}",
        destination=f"{outcome.packet.destination}:{outcome.packet.dport}",
        arrived=False if drop and outcome.arrived is None else outcome.arrived,
        note=note,
    )


def _summary(made: Trace, probed: bool) -> str:
    ways = f"{made.source} → {made.destination}"
    if made.drop:
        where = made.hops[made.drop.hop].name if made.drop.hop < len(made.hops) else ""
        verb = "ends" if probed else "would end"
        return f"{ways} {verb} at {where}: {made.drop.reason}"
    if not probed:
        return f"{ways}: {len(made.hops)} hops, predicted"
    states = [hop.state for hop in made.hops if hop.state != "declared"]
    differing = f", {states.count('differs')} differ" if "differs" in states else ""
    return f"{ways}: {states.count('seen')} of {len(states)} hops seen{differing}"
