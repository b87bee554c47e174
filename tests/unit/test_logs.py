"""Which container's logs a request means, and the kubelet's words when it means none."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from agent.logs import LogOptions, NoLogsError, container_of_logs, limited, log_options
from kubeapi.core_v1.types import Pod

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def pod(state: dict, last: dict | None = None, id_: str = "docker://now") -> Pod:
    status = {"name": "c", "image": "i", "imageID": "", "ready": False, "restartCount": 0, "containerID": id_}
    status |= {"state": state, "lastState": last or {}}
    body = {"metadata": {"name": "p", "namespace": "ns"}, "status": {"containerStatuses": [status]}}
    return Pod.from_json(orjson.dumps(body))


def ended(id_: str = "docker://old") -> dict:
    return {"terminated": {"exitCode": 1, "containerID": id_}}


def waiting(reason: str) -> dict:
    return {"waiting": {"reason": reason}}


@pytest.mark.parametrize(
    ("asked", "previous", "found"),
    [
        (pod({"running": {}}), False, "now"),
        (pod({"running": {}}, ended()), True, "old"),
        (pod(ended("docker://now")), False, "now"),
        (pod(ended(""), ended()), False, "old"),
        (pod(waiting("CrashLoopBackOff"), ended()), False, "old"),
        (pod(waiting("CrashLoopBackOff"), ended()), True, "old"),
    ],
)
def test_the_status_says_which_container_is_meant(asked: Pod, previous: bool, found: str) -> None:
    assert container_of_logs(asked, "c", previous) == found


@pytest.mark.parametrize(
    ("asked", "previous", "words"),
    [
        (pod({"running": {}}), True, 'previous terminated container "c" in pod "p" not found'),
        (pod(waiting("ContainerCreating")), False, "is waiting to start: ContainerCreating"),
        (pod(waiting("ErrImagePull")), False, "is waiting to start: image can't be pulled"),
        (pod(waiting("ImagePullBackOff")), False, "is waiting to start: trying and failing to pull image"),
        (pod({}), False, "is waiting to start - no logs yet"),
        (pod(ended("")), False, "is terminated"),
    ],
)
def test_a_container_without_output_is_refused(asked: Pod, previous: bool, words: str) -> None:
    with pytest.raises(NoLogsError) as refused:
        container_of_logs(asked, "c", previous)
    assert words in str(refused.value) and 'container "c" in pod "p"' in str(refused.value)


def test_a_container_without_status_is_not_available() -> None:
    with pytest.raises(NoLogsError, match='container "d" in pod "p" is not available'):
        container_of_logs(pod({"running": {}}), "d", False)


def test_options_are_read_as_kubernetes_names_them() -> None:
    asked = {"follow": "true", "tailLines": "0", "sinceSeconds": "60", "limitBytes": "9", "timestamps": "true"}
    expected = LogOptions(follow=True, tail=0, since=NOW.timestamp() - 60, timestamps=True, limit=9)
    assert log_options(asked, NOW) == expected
    assert log_options({"sinceTime": "2029-12-31T23:59:00Z"}, NOW).since == NOW.timestamp() - 60
    with pytest.raises(ValueError, match="many"):
        log_options({"tailLines": "many"}, NOW)


@pytest.mark.parametrize(("limit", "expected"), [(None, b"onetwo"), (4, b"onet"), (3, b"one"), (99, b"onetwo")])
async def test_a_limit_cuts_in_the_middle_of_a_chunk(limit: int | None, expected: bytes) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    assert b"".join([chunk async for chunk in limited(chunks(), limit)]) == expected
