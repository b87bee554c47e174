"""What a user is told about itself."""

from datetime import UTC, datetime

import orjson
import pytest

from controlplane.apiserver.reviews import Reviews
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError


class Clock:
    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)


REVIEWS = Reviews(Clock())
GROUPS = {"admin": ("system:masters",), "bo": ("devs",)}


def asking(user: str, **spec: object) -> Request:
    return Request("POST", "/", body=orjson.dumps({"spec": spec} if spec else {}), user=user, groups=GROUPS[user])


async def test_whoami_tells_the_user_and_its_groups() -> None:
    response = await REVIEWS.who(asking("bo"))
    told = orjson.loads(response.body)
    assert (response.status, told["status"]) == (201, {"userInfo": {"username": "bo", "groups": ["devs"]}})
    assert told["metadata"]["creationTimestamp"] == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("user", "spec", "allowed"),
    [
        ("admin", {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}, True),
        ("bo", {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}, False),
        ("bo", {"nonResourceAttributes": {"verb": "get", "path": "/apis/apps/v1"}}, True),
        ("bo", {"nonResourceAttributes": {"verb": "post", "path": "/apply"}}, False),
        ("bo", {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}, False),
    ],
)
async def test_can_i_tells_what_authorization_says(user: str, spec: dict[str, object], allowed: bool) -> None:
    told = orjson.loads((await REVIEWS.may(asking(user, **spec))).body)
    assert told["status"] == {"allowed": allowed} and told["spec"] == spec


async def test_a_review_that_asks_nothing_is_invalid() -> None:
    with pytest.raises(ApiError, match="exactly one of nonResourceAttributes or resourceAttributes must be specified"):
        await REVIEWS.may(asking("bo"))


async def test_reviews_are_made_and_never_read() -> None:
    with pytest.raises(ApiError) as refused:
        await REVIEWS.who(Request("GET", "/"))
    assert refused.value.code == 405
