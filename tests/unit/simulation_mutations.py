"""Bugs to plant in the product, one at a time, and the invariants that have to catch them.

Each takes a function's or method's place with one that is wrong in one way. What no invariant catches shows a hole in them.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson
import pytest

from agent import plan, reporter
from agent.agent import Agent
from agent.network.protocol import SimulatedNetwork
from agent.node import NodeKeeper
from agent.podworker import PodWorker
from agent.probes import Streak
from agent.reporter import Reporter
from controlplane.apiserver import deleting, options, pods
from controlplane.apiserver.writes import Writer
from controlplane.controllers import endpoints
from controlplane.controllers.deployment import rolling
from controlplane.controllers.garbage import GarbageCollector
from controlplane.controllers.inflight import InFlight
from controlplane.scheduler.snapshot import NodeInfo
from controlplane.store import Entry
from kubeapi.client.informer import Informer
from kubeapi.client.workqueue import Queue
from kubeapi.core_v1.types import ConfigMap
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta
from naru.simulation.deeds import Deed
from naru.simulation.many import Size
from naru.simulation.shrink import shrink
from naru.simulation.story import Outcome, tell

SIZE = Size(nodes=3, seconds=8.0)


class Mutation(NamedTuple):
    """A bug: in words, whom it has to alarm, and what `change` makes of the attribute `name` of `owner`. `seeds` is in how
    many stories it must be caught at the latest; `slow` ones are for the soak."""

    words: str
    invariant: str
    owner: Any
    name: str
    change: Callable[[Any], Any]
    seeds: int = 40
    slow: bool = False


def hunt(mutation: int, size: Size = SIZE) -> Outcome | None:
    """The first story in which a planted bug is caught; None when it is in none of its seeds."""
    bug = MUTATIONS[mutation]
    for seed in range(bug.seeds):
        if (told := tell_with(mutation, seed, size)).wrong:
            return told
    return None


def shortened(mutation: int, told: Outcome) -> list[Deed]:
    """Those deeds of a story that suffice for a planted bug to be caught."""
    return shrink(told.deeds, lambda rest: bool(tell_with(mutation, told.seed, deeds=rest).wrong), tries=40)


def tell_with(mutation: int, seed: int, size: Size = SIZE, deeds: Any = None) -> Outcome:
    """A story in a world with a bug."""
    bug = MUTATIONS[mutation]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bug.owner, bug.name, bug.change(getattr(bug.owner, bug.name)))
        return tell(seed, *size, deeds=deeds)


def _nothing(_: Any) -> Any:
    """Does nothing, and it takes no time."""

    async def nothing(*args: Any) -> None:
        pass

    return nothing


def _silent(_: Any) -> Any:
    return lambda *args: None


def _acknowledged_and_not_kept(commit: Any) -> Any:
    count = itertools.count(1)

    async def hasty(self: Writer, target: Any, expected: int, value: Any) -> Entry:
        if expected == 0 or next(count) % 7:
            kept: Entry = await commit(self, target, expected, value)
            return kept
        revision = self.store.revision + 1
        value["metadata"]["resourceVersion"] = str(revision)
        return Entry(target.key, orjson.dumps(value), revision, revision)

    return hasty


def _resumed_at(step: int) -> Callable[[Any], Any]:
    def change(revision: Any) -> Any:
        def wrong(query: dict[str, str]) -> int | None:
            found: int | None = revision(query)
            return max(found + step, 1) if found and "watch" in query else found

        return wrong

    return change


def _binds_what_is_placed(bind: Any) -> Any:
    async def careless(writer: Any, target: Any, binding: Any, wanted: Any) -> dict[str, Any]:
        first = await bind(writer, target, binding, wanted)
        nodes = writer.store.list("//nodes/").entries
        binding.target.name = nodes[0].key.rsplit("/", 1)[1]

        def placed(current: Any) -> Any:
            pod = current.copy()
            pod.spec.node_name = binding.target.name
            return pods.Wanted(pod)

        await writer.modify(target, placed, wanted, "binding")
        return first

    return careless


def _keeps_no_finalizer(plan_deletion: Any) -> Any:
    def careless(*args: Any) -> Any:
        return plan_deletion(*args)._replace(now=True)

    return careless


def _misses_every_tenth(_: Any) -> Any:
    count, real = itertools.count(1), Informer._set

    def forgetful(self: Any, obj: Any, gone: bool = False) -> None:
        if next(count) % 10:
            real(self, obj, gone)

    return forgetful


def _finishes_at_once(_: Any) -> Any:
    return lambda pod, observed, *, remove: plan.Plan((plan.Finish(),)) if remove else plan.Plan()


def _leaves_sandboxes(rest: Any) -> Any:
    def forgetful(pod: Any, observed: Any, *, remove: bool) -> Any:
        planned = rest(pod, observed, remove=remove)
        if any(isinstance(action, plan.Remove) for action in planned.actions):
            return plan.Plan((plan.Finish(),))
        return planned

    return forgetful


async def _adopts_only_what_it_knows(self: Any) -> None:
    for worker in self._workers.values():
        worker.wake()


def _writes_at_each_beat(beat: Any) -> Any:
    async def chatty(self: NodeKeeper) -> None:
        await beat(self)
        with contextlib.suppress(ApiError, OSError):
            await self._client.create(ConfigMap(metadata=ObjectMeta(generate_name="beat-", namespace="default")))

    return chatty


def _any_may_be_missed(bounds: Any) -> Any:
    return lambda deployment: (bounds(deployment)[0], deployment.spec.replicas or 0)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "a Deployment surges by five more",
        "maxSurge",
        rolling,
        "maximum",
        lambda maximum: lambda deployment: maximum(deployment) + 5,
    ),
    Mutation("a Deployment ignores maxUnavailable", "maxUnavailable", rolling, "bounds", _any_may_be_missed, slow=True),
    Mutation(
        "Recreate does not wait for the last old pod",
        "recreate",
        rolling,
        "next_recreate",
        lambda real: lambda deployment, new, old, pods: real(deployment, new, old, 0),
        slow=True,
    ),
    Mutation(
        "a ReplicaSet forgets what it has just created",
        "maxSurge",
        InFlight,
        "overlay",
        lambda _: lambda self, key, found, now: list(found),
        slow=True,
    ),
    Mutation("endpoints lead to what is not ready", "traffic", endpoints, "is_ready", lambda _: lambda pod: True),
    Mutation("a write is answered and not kept", "answered", Writer, "commit", _acknowledged_and_not_kept),
    Mutation(
        "a watch that is resumed leaves an event out", "watches or written off", options, "revision", _resumed_at(+1)
    ),
    Mutation(
        "a watch that is resumed tells an event again", "watches", options, "revision", _resumed_at(-1), slow=True
    ),
    Mutation("a pod that has a node is given another", "placed once", pods, "bind", _binds_what_is_placed),
    Mutation("the scheduler does not count what it has placed", "capacity", NodeInfo, "add", _silent, slow=True),
    Mutation("a finalizer holds nothing", "finalizers", deleting, "plan_deletion", _keeps_no_finalizer, slow=True),
    Mutation(
        "the end of an owner is not its dependents'",
        "rest",
        GarbageCollector,
        "_collect",
        _nothing,
        slow=True,
    ),
    Mutation(
        "a crashing container comes again at once",
        "back-off",
        plan,
        "crash_delay",
        lambda _: lambda dead: 0.0,
        slow=True,
    ),
    Mutation(
        "an agent does not look for what others left",
        "rest",
        Agent,
        "_adopt",
        lambda _: _adopts_only_what_it_knows,
        slow=True,
        seeds=240,
    ),
    Mutation("a pod's sandbox outlives it", "rest", plan, "_rest", _leaves_sandboxes),
    Mutation(
        "a pod is forgotten before its containers have ended", "one copy or rest", plan, "_rest", _finishes_at_once
    ),
    Mutation("a pod that has gone keeps its address", "rest", SimulatedNetwork, "detach", _nothing),
    Mutation("an agent is deaf to its engine", "truth or traffic or rest", PodWorker, "hear", _silent, slow=True),
    Mutation("a node lets its lease run out", "written off", NodeKeeper, "_renew", _nothing, slow=True),
    Mutation("an agent writes though nothing happens", "rest", NodeKeeper, "beat", _writes_at_each_beat),
    Mutation(
        "a refused status is given up",
        "truth or rest",
        reporter,
        "passes",
        lambda _: lambda error: isinstance(error, OSError),
        seeds=120,
        slow=True,
    ),
    Mutation("what others wrote over a status stays", "truth", Reporter, "seen", _silent, slow=True),
    Mutation(
        "a reconcile that failed is not tried again", "rest or maxSurge", Queue, "_retry", _silent, 120, slow=True
    ),
    Mutation(
        "an informer misses every tenth change", "traffic or rest or maxSurge", Informer, "_set", _misses_every_tenth
    ),
    Mutation(
        "a container is ready whatever its probe says",
        "truth or traffic or liveness",
        Streak,
        "verdict",
        lambda _: lambda self, probe: True,
        slow=True,
    ),
)
