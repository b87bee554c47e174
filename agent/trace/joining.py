"""Joins what the witnesses saw to the steps that were predicted, for one probe. Pure.

tracefs tells devices and times of one skb, in order; nft tells rules, by namespace; conntrack what the flow became in the
node's namespace. A step is seen if a witness saw it, differs if what one saw is another thing than was predicted, and missed
if a witness that could have seen it did not. Where no witness can see it, it stays predicted.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from agent.netlink.conntrack import Flow
from agent.trace.nfttrace import RuleEvent
from agent.trace.path import Expect, Failure, Path, Step
from agent.trace.probe import SYN_LENGTHS, UDP_LENGTH, Outcome
from agent.trace.scene import Netns
from agent.trace.tracefs import ETHERNET, Crossing
from kubeapi.hardware_v1.layers import Evidence
from kubeapi.hardware_v1.trace import Sighting

State = Literal["predicted", "seen", "differs", "missed"]
OWN_TABLE = "naru_trace_"
POLLED = "netif_receive_skb"
EARLY = 0.001  # seconds: a clock is read before the packet is sent


@dataclass(frozen=True)
class Seen:
    """Everything that was seen of one probe. crossings of None, or not tracked: that witness was not there; likewise a
    namespace that rules does not hold."""

    outcome: Outcome
    crossings: Sequence[Crossing] | None = None
    rules: Mapping[int, Sequence[RuleEvent]] = field(default_factory=dict)
    tracked: bool = False
    flow: Flow | None = None


class Joined(NamedTuple):
    """A step with what was seen of it. A step that nobody predicted is one that differs."""

    step: Step
    state: State
    sightings: tuple[Sighting, ...] = ()
    microseconds: float | None = None


class Verdict(NamedTuple):
    """All steps of a probe, and where it ended if it did not arrive."""

    steps: tuple[Joined, ...]
    failure: Failure | None = None
    location: str = ""
    reason: str = ""


def join(path: Path, seen: Seen, spaces: Mapping[int, Netns]) -> Verdict:
    """The steps with their sightings."""
    followed = follow(path.steps, seen.crossings or (), seen.outcome)
    matched, strays = _match(path.steps, followed)
    devices = [index for index, step in enumerate(path.steps) if step.expect.direction]
    if devices and devices[-1] in matched and (path.outside or seen.outcome.arrived):
        # It is there; or beyond the uplink, in a namespace that nobody here knows. What comes then is another's skb.
        strays.pop(devices[-1], None)
    start = followed[0].seconds if followed else 0.0
    joined = []
    for index, step in enumerate(path.steps):
        crossing = matched.get(index)
        sightings = [
            *_by_tracefs(step.expect, crossing, seen),
            *_by_nft(step, seen, spaces.get(step.netns)),
            *_by_conntrack(step, path, seen),
        ]
        said = tuple(sighting for sighting, _ in sightings)
        at = round((crossing.seconds - start) * 1e6, 1) if crossing else None
        joined.append(Joined(step, _state(sightings), said, at))
        joined += [_stray(step, stray, start) for stray in strays.get(index, ())]
    freed = _freed(seen, followed)
    failure = _failure(path, seen, tuple(joined), freed)
    return Verdict(tuple(joined), failure, freed.location if freed else "", freed.reason if freed else "")


def follow(steps: Sequence[Step], crossings: Sequence[Crossing], outcome: Outcome) -> list[Crossing]:
    """Our packet among what tracefs recorded: an skb that the sending thread put out in the time of the probe, from there on
    at the same length. A thread also forwards for others while it is in the kernel, so there may be several: ours is the one
    that went most of the predicted way, of equals the first. An skb's address is used again, so the time bounds it too."""
    lengths = (UDP_LENGTH,) if outcome.packet.protocol == "udp" else SYN_LENGTHS
    within = [c for c in crossings if outcome.began - EARLY <= c.seconds <= outcome.ended]
    starts: dict[str, Crossing] = {}
    for crossing in within:
        if crossing.thread == outcome.thread and crossing.direction == "out" and crossing.length - ETHERNET in lengths:
            starts.setdefault(crossing.skb, crossing)
    ways = [_way(within, start) for start in starts.values()]
    return max(ways, key=lambda way: len(_match(steps, way)[0]), default=[])


def _way(within: Sequence[Crossing], start: Crossing) -> list[Crossing]:
    """What an skb crossed from its start on, to where the kernel freed it as lost if it did, or where its address began
    another packet's life."""
    same = [c for c in within if c.skb == start.skb and c.seconds >= start.seconds]
    ours = itertools.takewhile(lambda crossing: crossing.direction, same)
    way: list[Crossing] = []
    for crossing in (c for c in ours if c.length in (start.length, start.length - ETHERNET)):
        if way and not _goes_on(way[-1], crossing):
            break
        way.append(crossing)
    return way


def _goes_on(before: Crossing, after: Crossing) -> bool:
    """Whether it may be the same packet a moment later. From one device to the next it is passed on within one call, so by
    one thread; another takes it over only from the queue of a device, its backlog, or a driver's poll. What another thread
    sends is its own, at an skb's address that was free again: a probe of another cluster, say, which is as long as ours."""
    polled = before.direction == "out" and after.event == POLLED
    return before.thread == after.thread or polled or _same_device(before, after)


def _match(
    steps: Sequence[Step], followed: Sequence[Crossing]
) -> tuple[dict[int, Crossing], dict[int, list[Crossing]]]:
    """For each step that is a device the crossing that is it, in order; and what was crossed between without being any. A
    bridge within which the rules are asked is itself crossed only where its neighbour was not heard of lately: either way is
    as predicted."""
    maybe = {step.expect.device for step in steps if not step.expect.direction}
    matched: dict[int, Crossing] = {}
    strays: dict[int, list[Crossing]] = {}
    position, last = 0, 0
    for index, step in enumerate(steps):
        if not step.expect.direction:
            continue
        same = [i for i in range(position, len(followed)) if _is(step, followed[i])]
        if not same:
            continue
        for stray in (crossing for crossing in followed[position : same[0]] if crossing.device not in maybe):
            _add_stray(strays.setdefault(last, []), matched.get(last), stray)
        matched[index], last, position = followed[same[0]], index, same[0] + 1
    for stray in (crossing for crossing in followed[position:] if crossing.device not in maybe):
        _add_stray(strays.setdefault(last, []), matched.get(last), stray)
    return matched, strays


def _add_stray(strays: list[Crossing], before: Crossing | None, stray: Crossing) -> None:
    """A device tells its queue and its driver, or its backlog and the stack: that is one crossing, told twice."""
    previous = strays[-1] if strays else before
    if previous is None or not _same_device(previous, stray):
        strays.append(stray)


def _is(step: Step, crossing: Crossing) -> bool:
    return step.expect.device == crossing.device and step.expect.direction == crossing.direction


def _same_device(one: Crossing, other: Crossing) -> bool:
    return one.device == other.device and one.direction == other.direction


def _by_tracefs(expect: Expect, crossing: Crossing | None, seen: Seen) -> list[tuple[Sighting, bool]]:
    """(sighting, whether it is as predicted) of the device, if the step is one."""
    if not expect.direction:
        return []
    if seen.crossings is None or crossing is None:
        return [(Sighting(witness="tracefs", available=seen.crossings is not None), True)]
    saw = f"{crossing.event} {crossing.device}"
    evidence = Evidence(source=f"tracepoint {crossing.event}", value=f"skbaddr {crossing.skb}, {crossing.length} bytes")
    return [(Sighting(witness="tracefs", saw=saw, evidence=[evidence]), True)]


def _by_nft(step: Step, seen: Seen, space: Netns | None) -> list[tuple[Sighting, bool]]:
    expect = step.expect
    if not expect.hook:
        return []
    events = seen.rules.get(step.netns)
    if events is None:
        return [(Sighting(witness="nft", available=False), True)]
    if expect.rule:
        for event in events:
            if event.kind == "rule" and event.rule == expect.rule:
                return [(_told(event, f"rule {event.rule.text}: {event.verdict}"), True)]
        return [(Sighting(witness="nft"), True)]
    found = [e for e in events if e.rule.table.startswith(OWN_TABLE) and e.rule.chain == expect.hook and e.packet]
    if not found:
        return [(Sighting(witness="nft"), True)]
    event = found[-1]
    index = event.leaves_by if expect.hook in ("postrouting", "forward", "output") else event.came_by
    device = space.devices.get(index) if space else None
    wanted = step.packet.leaves_by if step.kind == "route" else expect.device
    right = not (wanted and device) or device.name == wanted
    by = f" by {device.name}" if device else ""
    packet = event.packet.text if event.packet else ""
    return [(_told(event, f"{expect.hook}{by}: {packet}"), right)]


def _told(event: RuleEvent, saw: str) -> Sighting:
    value = f"trace id {event.trace:08x}, ip id {event.ip_id}" + (f", ct id {event.flow}" if event.flow else "")
    return Sighting(witness="nft", saw=saw, evidence=[Evidence(source=f"nft trace, {event.rule.text}", value=value)])


def _by_conntrack(step: Step, path: Path, seen: Seen) -> list[tuple[Sighting, bool]]:
    what = step.expect.flow
    if not what:
        return []
    flow = seen.flow
    if flow is None:
        return [(Sighting(witness="conntrack", available=seen.tracked), True)]
    last = path.destination or step.packet
    destination, source = (last.destination, last.dport), (last.source, last.sport)
    match what:
        case "destination":
            right, happened = flow.reply_source == destination, flow.destination_translated
            saw = f"{_end(flow.destination)} is answered by {_end(flow.reply_source)}"
        case "source":
            right, happened = flow.reply_destination[0] == source[0], flow.source_translated
            saw = f"{_end(flow.source)} gets its answers at {_end(flow.reply_destination)}"
        case _:
            whole = not path.failure
            right = not whole or (flow.reply_source == destination and flow.reply_destination[0] == source[0])
            happened, saw = True, f"a flow {_end(flow.source)} → {_end(flow.destination)}"
            if not right:
                saw += f", answered by {_end(flow.reply_source)} to {_end(flow.reply_destination)}"
    evidence = Evidence(source="ctnetlink dump", value=f"id {flow.id}{', answered' if flow.answered else ''}")
    return [(Sighting(witness="conntrack", saw=saw, evidence=[evidence]), right and happened)]


def _end(end: tuple[str, int]) -> str:
    return f"{end[0]}:{end[1]}"


def _state(sightings: Collection[tuple[Sighting, bool]]) -> State:
    able = [(sighting, right) for sighting, right in sightings if sighting.available]
    if not able:
        return "predicted"
    if any(not right for sighting, right in able):
        return "differs"
    return "seen" if any(sighting.saw for sighting, _ in able) else "missed"


def _stray(after: Step, crossing: Crossing, start: float) -> Joined:
    """A device that was crossed though nobody predicted it."""
    step = Step("device", crossing.device, 0, "the packet went this way, which was not predicted", after.packet)
    evidence = Evidence(source=f"tracepoint {crossing.event}", value=f"skbaddr {crossing.skb}")
    sighting = Sighting(witness="tracefs", saw=f"{crossing.event} {crossing.device}", evidence=[evidence])
    return Joined(step, "differs", (sighting,), round((crossing.seconds - start) * 1e6, 1))


def _freed(seen: Seen, followed: Sequence[Crossing]) -> Crossing | None:
    """Where the kernel freed the packet as lost: our skb after its last device, or else what the sender's thread lost."""
    for crossing in seen.crossings or ():
        if crossing.direction or not seen.outcome.began - EARLY <= crossing.seconds <= seen.outcome.ended:
            continue
        if followed and crossing.skb == followed[0].skb and crossing.seconds >= followed[-1].seconds:
            return crossing
        if not followed and crossing.thread == seen.outcome.thread:
            return crossing
    return None


def _failure(path: Path, seen: Seen, joined: Sequence[Joined], freed: Crossing | None) -> Failure | None:
    """Where the probe ended, None when it arrived and was not refused, or when nobody knows."""
    outcome, dropping = seen.outcome, _dropping(seen)
    last = max((i for i, j in enumerate(joined) if j.state in ("seen", "differs")), default=0)
    step = joined[last].step
    if dropping:
        index = max((i for i, j in enumerate(joined[: last + 1]) if j.step.netns == dropping.netns), default=last)
        return Failure(index, "rule", dropping.netns, dropping.packet or step.packet, dropping.rule, "drop")
    if outcome.answer == "answered":
        return None
    if outcome.arrived and outcome.answer == "":
        # Who listens answers a SYN at once; a Service's first refusal is held back (agent/network/rules.py).
        predicted = path.failure if path.failure and path.failure.cause == "refused" else None
        return predicted if outcome.packet.protocol == "tcp" else None
    if path.failure and (path.failure.cause != "refused" or outcome.answer == "refused"):
        return path.failure
    if outcome.answer == "refused" and outcome.arrived is not False:
        return Failure(last, "refused", step.netns, step.packet, None, "the other end refused it")
    if freed and outcome.arrived is not True:
        return Failure(last, "kernel", step.netns, step.packet, None, freed.reason or freed.location)
    if outcome.answer:
        return Failure(last, "kernel", step.netns, step.packet, None, f"an answer said: {outcome.answer}")
    if outcome.arrived is False:
        return Failure(last, "unanswered", step.netns, step.packet, None, "no witness saw it go on")
    return None


def _dropping(seen: Seen) -> RuleEvent | None:
    """The rule that ended the packet."""
    return next((e for told in seen.rules.values() for e in told if e.verdict == "drop"), None)
