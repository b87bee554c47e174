"""Statuses on their way: the newest counts, conflicts are read again, others' conditions stay, an outage is waited out."""

import asyncio

import pytest

from agent import reporter as module
from agent.reporter import Reporter
from kubeapi.core_v1.types import Pod, PodCondition, PodStatus
from kubeapi.errors import ApiError
from kubeapi.meta_v1.types import ObjectMeta


def pod(revision: str = "1") -> Pod:
    return Pod(metadata=ObjectMeta(name="p", namespace="ns", uid="u", resource_version=revision, generation=3))


class Api:
    """One pod; `gate` holds writes back, `answers` their answers once they are `kept`; `fail` is raised once by
    the next write."""

    def __init__(self) -> None:
        self.pod, self.written = pod(), []
        self.gate, self.fail = asyncio.Event(), None
        self.gate.set()
        self.kept, self.answers = asyncio.Event(), asyncio.Event()
        self.answers.set()

    async def update_status(self, wanted: Pod) -> Pod:
        await self.gate.wait()
        if self.fail:
            error, self.fail = self.fail, None
            raise error
        if wanted.metadata.resource_version != self.pod.metadata.resource_version:
            raise ApiError(409, "Conflict", "changed")
        self.written.append(wanted.status)
        wanted.metadata.resource_version = str(int(wanted.metadata.resource_version) + 1)
        self.pod = wanted.clone()
        self.kept.set()
        await self.answers.wait()
        return wanted

    async def get(self, model: type, name: str, namespace: str) -> Pod:
        return self.pod.clone()


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def reporter(api: Api) -> Reporter:
    return Reporter(api)  # type: ignore[arg-type]


async def test_only_the_newest_of_several_is_written_after_the_first(api: Api, reporter: Reporter) -> None:
    api.gate.clear()
    for phase in ("Pending", "Running", "Succeeded"):
        reporter.report(pod(), PodStatus(phase=phase))
        await asyncio.sleep(0)
    api.gate.set()
    await asyncio.wait_for(reporter.written("u"), 5)
    assert [s.phase for s in api.written] == ["Pending", "Succeeded"]
    assert api.written[-1].observed_generation == 3


async def test_a_conflict_is_read_again_and_conditions_of_others_are_kept(api: Api, reporter: Reporter) -> None:
    api.pod = pod("7")
    api.pod.status.conditions = [
        PodCondition(type="PodScheduled", status="True"),
        PodCondition(type="Ready", status="x"),
    ]
    reporter.report(pod("1"), PodStatus(phase="Running", conditions=[PodCondition(type="Ready", status="True")]))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert {(c.type, c.status) for c in api.written[0].conditions} == {("Ready", "True"), ("PodScheduled", "True")}


async def test_what_others_wrote_over_it_is_set_right(api: Api, reporter: Reporter) -> None:
    ready = PodCondition(type="Ready", status="True")
    reporter.report(pod(), PodStatus(phase="Running", conditions=[ready]))
    await asyncio.wait_for(reporter.written("u"), 5)
    for revision, rewritten in (
        ("1", False),
        ("2", False),
        ("3", True),
    ):  # older than the write, its own, somebody else's
        api.pod = pod(revision)
        api.pod.status.conditions = [PodCondition(type="Ready", status="True" if revision == "2" else "False")]
        reporter.seen(api.pod.clone())
        await asyncio.wait_for(reporter.written("u"), 5)
        assert len(api.written) == 1 + rewritten
    assert api.written[-1].conditions == [ready]
    reporter.forget("u")
    reporter.seen(pod("9"))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert len(api.written) == 2


async def test_a_pod_that_is_gone_is_not_reported(api: Api, reporter: Reporter) -> None:
    api.fail = ApiError(404, "NotFound", "gone")
    reporter.report(pod(), PodStatus(phase="Running"))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert api.written == []


async def test_another_pod_of_that_name_is_left_alone(api: Api, reporter: Reporter) -> None:
    api.pod = pod("9")
    api.pod.metadata.uid = "other"
    reporter.report(pod("1"), PodStatus(phase="Running"))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert api.written == []


async def test_a_server_that_is_away_is_tried_again(
    api: Api, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0)
    api.fail = ConnectionError("away")
    reporter.report(pod(), PodStatus(phase="Running"))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert [s.phase for s in api.written] == ["Running"]


async def test_a_status_that_a_full_disk_refuses_is_written_once_there_is_room(
    api: Api, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0)
    api.fail = ApiError(500, "InternalError", "no space left on device")
    reporter.report(pod(), PodStatus(phase="Running"))
    await asyncio.wait_for(reporter.written("u"), 5)
    assert [s.phase for s in api.written] == ["Running"]


async def test_what_others_wrote_while_a_status_was_on_its_way_is_set_right_once_that_is_there(
    api: Api, reporter: Reporter
) -> None:
    api.answers.clear()
    reporter.report(pod(), PodStatus(phase="Running", conditions=[PodCondition(type="Ready", status="True")]))
    await asyncio.wait_for(api.kept.wait(), 5)
    api.pod = pod("3")  # the answer will tell of revision 2
    api.pod.status.conditions = [PodCondition(type="Ready", status="False")]
    reporter.seen(api.pod.clone())
    api.answers.set()
    for _ in range(2):
        await asyncio.wait_for(reporter.written("u"), 5)
    assert [c.status for c in api.pod.status.conditions] == ["True"]


@pytest.mark.parametrize("wrong", [{"phase": "Pending"}, {"pod_ip": "192.0.2.9"}])
async def test_whatever_others_wrote_over_it_is_set_right(api: Api, reporter: Reporter, wrong: dict[str, str]) -> None:
    status = PodStatus(phase="Running", pod_ip="10.244.0.2")
    reporter.report(pod(), status)
    await asyncio.wait_for(reporter.written("u"), 5)
    api.pod = pod("3")
    api.pod.status = status.model_copy(update=wrong)
    reporter.seen(api.pod.clone())
    await asyncio.wait_for(reporter.written("u"), 5)
    assert (api.pod.status.pod_ip, api.pod.status.phase) == ("10.244.0.2", "Running")
