"""Rolling updates under churn: whatever comes between, no step of the plan misses more pods than may be missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from controlplane.controllers.deployment import rolling
from controlplane.controllers.deployment.plan import plan
from kubeapi.apps_v1.types import Deployment, ReplicaSet

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def deployment(replicas: int, surge: int, unavailable: int, strategy: str = "RollingUpdate") -> Deployment:
    rolling_update = {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "0"}]}},
        "strategy": {"type": strategy, **(rolling_update if strategy == "RollingUpdate" else {})},
        "revisionHistoryLimit": 2,
        "progressDeadlineSeconds": 600,
    }
    return Deployment.model_validate({"metadata": {"name": "web", "namespace": "n", "uid": "d"}, "spec": spec})


@dataclass
class World:
    """A Deployment, its ReplicaSets with what they last told, and which of their pods there really are, ready or not."""

    deployment: Deployment
    sets: dict[str, ReplicaSet] = field(default_factory=dict)
    pods: dict[str, list[bool]] = field(default_factory=dict)
    made: int = 0

    def plan(self) -> bool:
        """Take the controller's next step; whether there was anything to do, or to tell, which leads to another step."""
        before, scaling = self.staying(), rolling.was_scaled(self.deployment, [*self.sets.values()])
        living = {rs.metadata.uid: len(self.pods[name]) for name, rs in self.sets.items()}
        step = plan(self.deployment, [*self.sets.values()], living, NOW)
        for rs in [*step.update, *([step.create] if step.create else [])]:
            if rs.metadata.name not in self.sets:
                self.made += 1
                rs.metadata.uid, rs.metadata.creation_timestamp = rs.metadata.name, NOW + timedelta(seconds=self.made)
            self.sets[rs.metadata.name] = rs.clone()
            self.pods.setdefault(rs.metadata.name, [])
        for rs in step.delete:
            assert not self.pods.pop(rs.metadata.name), "history with pods was forgotten"
            del self.sets[rs.metadata.name]
        told = step.status != self.deployment.status
        self.deployment.status = step.status
        if not scaling:
            assert self.staying() >= min(before, self.minimum()), "more is missed than may be"
            assert rolling.desired([*self.sets.values()]) <= max(self.most(), sum(living.values()))
        return bool(step.create or step.update or step.delete or told)

    def minimum(self) -> int:
        """How many must stay available; Recreate promises nothing."""
        if self.deployment.spec.strategy.type == "Recreate":
            return 0
        return (self.deployment.spec.replicas or 0) - rolling.bounds(self.deployment)[1]

    def most(self) -> int:
        return rolling.maximum(self.deployment)

    def staying(self) -> int:
        """Ready pods that nobody has told to go: a ReplicaSet gives up those first that are not ready."""
        return sum(min(sum(self.pods[name]), rs.spec.replicas or 0) for name, rs in self.sets.items())

    def act(self, name: str) -> None:
        """The ReplicaSet's controller makes the number of pods right."""
        pods, want = self.pods[name], self.sets[name].spec.replicas or 0
        pods.sort(reverse=True)
        self.pods[name] = pods[:want] + [False] * (want - len(pods))

    def tell(self, name: str) -> None:
        """The ReplicaSet's status catches up with its pods."""
        rs, pods = self.sets[name].clone(), self.pods[name]
        rs.status.replicas, rs.status.observed_generation = len(pods), rs.metadata.generation
        rs.status.ready_replicas = rs.status.available_replicas = sum(pods)
        self.sets[name] = rs

    def start(self, name: str) -> None:
        """One of its pods becomes ready."""
        if False in self.pods[name]:
            self.pods[name][self.pods[name].index(False)] = True

    def fail(self, name: str) -> None:
        """One of its pods is ready no longer, and that is known at once."""
        if True in self.pods[name]:
            self.pods[name][self.pods[name].index(True)] = False
            self.tell(name)

    def advance(self, name: str) -> None:
        """One of its pods becomes ready and is told of, while the others' news is still on its way; the next step."""
        self.act(name)
        self.start(name)
        self.tell(name)
        self.plan()

    def settle(self) -> None:
        """Let everything happen until nothing does."""
        for _ in range(200):
            moved = self.plan()
            for name in [*self.sets]:
                self.act(name)
                for _ in self.pods[name]:
                    self.start(name)
                self.tell(name)
            if not moved and not self.plan():
                return
        raise AssertionError("it never ends")


def begun(d: Deployment) -> World:
    world = World(d)
    world.settle()
    return world


CHURN = st.lists(
    st.one_of(
        st.just(("plan", 0)),
        st.tuples(st.sampled_from(["act", "tell", "start", "fail", "advance"]), st.integers(0, 3)),
        st.tuples(st.just("image"), st.integers(0, 3)),
        st.tuples(st.just("scale"), st.integers(0, 9)),
        st.tuples(st.just("pause"), st.integers(0, 1)),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@example(1, 0, 0, [("image", 2), ("plan", 0), ("image", 1), ("plan", 0), ("image", 3), ("plan", 0), ("plan", 0)])
@given(st.integers(1, 9), st.integers(0, 3), st.integers(0, 3), CHURN)
def test_no_step_misses_more_than_may_be_missed_and_all_ends_well(
    replicas: int, surge: int, unavailable: int, churn: list[tuple[str, int]]
) -> None:
    world = begun(deployment(replicas, surge, unavailable))
    spec = world.deployment.spec
    for what, number in churn:
        names = sorted(world.sets)
        match what:
            case "plan":
                world.plan()
            case "image":
                spec.template.spec.containers[0].image = str(number)
            case "scale":
                spec.replicas = number
            case "pause":
                spec.paused = bool(number)
            case _:
                getattr(world, what)(names[number % len(names)])
    spec.paused = False
    world.settle()
    image = spec.template.spec.containers[0].image
    sizes = {rs.spec.template.spec.containers[0].image: rs.spec.replicas for rs in world.sets.values()}
    assert {i: n for i, n in sizes.items() if n} == ({image: spec.replicas} if spec.replicas else {})
    assert world.deployment.status.available_replicas == spec.replicas
    assert len(world.sets) <= 3


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), CHURN)
def test_recreate_never_runs_two_templates_at_once(replicas: int, churn: list[tuple[str, int]]) -> None:
    world = begun(deployment(replicas, 0, 0, "Recreate"))
    for what, number in churn:
        names = sorted(world.sets)
        match what:
            case "plan":
                world.plan()
            case "image":
                world.deployment.spec.template.spec.containers[0].image = str(number)
            case "act" | "tell" | "start" | "fail" | "advance":
                getattr(world, what)(names[number % len(names)])
        assert sum(bool(pods) for pods in world.pods.values()) <= 1
    world.settle()
    assert world.deployment.status.available_replicas == replicas
