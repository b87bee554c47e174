"""The node in the API: its status in the kubelet's words, and what its keeper writes when things turn."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent import node as module
from agent.node import LEASES, REPORT_EVERY, Machine, NodeKeeper, conditions, node_status, observe_machine
from agent.runtime.protocol import EngineInfo
from kubeapi.clock import FakeClock
from kubeapi.coordination_v1.types import Lease
from kubeapi.core_v1.types import Node, NodeCondition, NodeStatus, NodeSystemInfo, Taint
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MACHINE = Machine(2, 8 * 1024**3, 100 * 1024**3, "192.0.2.7", "host", NodeSystemInfo(architecture="amd64"))
ENGINE = EngineInfo("docker", "26.1.5", "Debian GNU/Linux 13 (trixie)")


def by_type(found: list[NodeCondition]) -> dict[str, NodeCondition]:
    return {c.type: c for c in found}


def test_a_well_node_is_ready_and_has_no_pressure() -> None:
    told = by_type(conditions([], "", NOW))
    assert (told["Ready"].status, told["Ready"].reason) == ("True", "KubeletReady")
    assert {told[t].status for t in ("MemoryPressure", "DiskPressure", "PIDPressure")} == {"False"}


def test_a_condition_keeps_its_transition_time_until_it_turns() -> None:
    first = conditions([], "", NOW)
    later = by_type(conditions(first, "", NOW + timedelta(minutes=5)))
    assert later["Ready"].last_transition_time == NOW
    assert later["Ready"].last_heartbeat_time == NOW + timedelta(minutes=5)
    turned = by_type(conditions(first, "container runtime is down", NOW + timedelta(minutes=6)))
    assert turned["Ready"].last_transition_time == NOW + timedelta(minutes=6)
    assert turned["Ready"].message == "container runtime is down"


def test_conditions_of_others_stay() -> None:
    other = NodeCondition(type="NetworkUnavailable", status="False")
    assert other in conditions([other], "", NOW)


def test_status_tells_the_machine_and_its_engine() -> None:
    status = node_status(MACHINE, ENGINE, "", 10250, NodeStatus(), NOW)
    assert status.capacity["memory"] == "8Gi"
    assert status.capacity["cpu"] == "2"
    assert status.daemon_endpoints.kubelet_endpoint.port == 10250
    assert status.node_info.container_runtime_version == "docker://26.1.5"


def test_an_engine_that_is_away_keeps_its_last_known_version() -> None:
    before = node_status(MACHINE, ENGINE, "", 1, NodeStatus(), NOW)
    after = node_status(MACHINE, None, "container runtime is down", 1, before, NOW)
    assert after.node_info.container_runtime_version == "docker://26.1.5"


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    machine = observe_machine(tmp_path)
    assert machine.cpus > 0 and machine.memory > 2**20 and machine.disk > 2**20 and machine.info.kernel_version


class Api:
    """Nodes and Leases in memory, and how often a status was written."""

    def __init__(self) -> None:
        self.objects: dict[tuple[type, str], object] = {}
        self.statuses: list[NodeStatus] = []
        self.asked: list[type] = []
        self.away, self.conflicts = False, 0

    async def get(self, model: type, name: str, namespace: str = "") -> object:
        self.asked.append(model)
        if self.away:
            raise ConnectionError("away")
        if (model, name) not in self.objects:
            raise ApiError(404, "NotFound", "none")
        return self.objects[model, name].clone()  # type: ignore[attr-defined]

    async def create(self, obj: object) -> object:
        key = (type(obj), obj.metadata.name)  # type: ignore[attr-defined]
        if key in self.objects:
            raise ApiError(409, "AlreadyExists", "there is one")
        self.objects[key] = obj
        return obj

    async def update(self, obj: object) -> object:
        self.objects[type(obj), obj.metadata.name] = obj  # type: ignore[attr-defined]
        return obj

    async def update_status(self, node: Node) -> Node:
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "changed")
        self.statuses.append(node.status)
        self.objects[Node, node.metadata.name] = node
        return node


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keeper(api: Api, clock: FakeClock) -> NodeKeeper:
    return NodeKeeper(api, clock, "n", MACHINE)  # type: ignore[arg-type]


async def test_a_node_that_is_there_is_adopted(api: Api, keeper: NodeKeeper) -> None:
    there = Node(metadata=ObjectMeta(name="n", labels={"zone": "a"}))
    await api.create(there)
    assert (await keeper.register()).metadata.labels == {"zone": "a"}


async def test_a_node_is_born_with_its_labels_and_taints(api: Api, clock: FakeClock) -> None:
    taint = Taint(key="fake", effect="NoSchedule")
    keeper = NodeKeeper(api, clock, "n", MACHINE, {"fake": "true"}, (taint,))  # type: ignore[arg-type]
    node = await keeper.register()
    assert node.metadata.labels.items() >= {("fake", "true"), ("kubernetes.io/hostname", "host")}
    assert node.spec.taints == [taint]


async def test_a_node_registers_once_a_full_disk_has_room(
    api: Api, keeper: NodeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = api.create

    async def full(obj: Any) -> Any:
        monkeypatch.setattr(api, "create", create)
        raise ApiError(500, "InternalError", "no space left on device")

    monkeypatch.setattr(api, "create", full)
    monkeypatch.setattr(module, "RETRY", 0)
    assert (await keeper.register()).metadata.name == "n"


async def test_the_status_is_written_when_it_turns_and_then_only_now_and_again(
    api: Api, clock: FakeClock, keeper: NodeKeeper
) -> None:
    await keeper.register()
    await keeper.tell(ENGINE)
    await keeper.tell(ENGINE)
    await keeper.beat()
    assert len(api.statuses) == 1
    await keeper.tell(None, "container runtime is down")
    assert by_type(api.statuses[-1].conditions)["Ready"].status == "False"
    clock.advance(REPORT_EVERY.total_seconds())
    await keeper.beat()
    assert len(api.statuses) == 3


async def test_a_status_that_others_wrote_off_is_written_again(api: Api, clock: FakeClock, keeper: NodeKeeper) -> None:
    await keeper.register()
    await keeper.tell(ENGINE)
    node = api.objects[Node, "n"]
    assert isinstance(node, Node)
    by_type(node.status.conditions)["Ready"].status = "Unknown"
    clock.advance(10)
    await keeper.beat()
    assert len(api.statuses) == 2
    assert by_type(api.statuses[-1].conditions)["Ready"].status == "True"
    clock.advance(10)
    await keeper.beat()
    assert len(api.statuses) == 2


async def test_a_beat_asks_nothing_about_a_node_that_is_watched(api: Api, clock: FakeClock, keeper: NodeKeeper) -> None:
    assert keeper.seen(await keeper.register())
    await keeper.tell(ENGINE)
    await keeper.beat()
    shown = api.objects[Node, "n"]
    assert isinstance(shown, Node) and not keeper.seen(shown)
    api.asked.clear()
    clock.advance(10)
    await keeper.beat()
    assert api.asked == [] and len(api.statuses) == 1
    written_off = shown.clone()
    by_type(written_off.status.conditions)["Ready"].status = "Unknown"
    assert keeper.seen(written_off) and keeper.seen(None)
    clock.advance(REPORT_EVERY.total_seconds())
    assert keeper.seen(shown)
    await keeper.beat()
    assert len(api.statuses) == 2


async def test_each_beat_renews_the_lease(api: Api, clock: FakeClock, keeper: NodeKeeper) -> None:
    await keeper.register()
    await keeper.beat()
    assert api.statuses == []  # nobody has told yet how the node is
    clock.advance(10)
    await keeper.beat()
    lease = api.objects[Lease, "n"]
    assert isinstance(lease, Lease) and lease.spec.renew_time == clock.now()
    assert lease.metadata.namespace == LEASES and lease.metadata.owner_references[0].kind == "Node"


async def test_news_are_told_at_once_also_when_somebody_else_writes(api: Api, keeper: NodeKeeper) -> None:
    await keeper.register()
    api.conflicts = 3
    await keeper.tell(None, "container runtime is down")
    assert by_type(api.statuses[-1].conditions)["Ready"].status == "False"


async def test_a_deleted_node_is_registered_again(api: Api, keeper: NodeKeeper) -> None:
    await keeper.register()
    await keeper.tell(ENGINE)
    del api.objects[Node, "n"]
    await keeper.report()
    assert (Node, "n") in api.objects


async def test_a_server_that_is_away_is_told_later(api: Api, clock: FakeClock, keeper: NodeKeeper) -> None:
    await keeper.register()
    api.away = True
    await keeper.tell(ENGINE)
    await keeper.beat()
    assert api.statuses == []
    api.away = False
    await keeper.beat()
    assert by_type(api.statuses[-1].conditions)["Ready"].status == "True"
