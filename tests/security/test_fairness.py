"""Whose turn it is: users take turns for seats, a full queue is 429, and nobody's flood stands in the way of agents."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import orjson
import pytest

from controlplane.apiserver.fairness import Fairness, Level, Shares
from controlplane.apiserver.http import Bounds
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError
from kubeapi.registry import load
from tests.security.served import NODE, serving

PODS = "/api/v1/namespaces/default/pods"


def fairness(**shares: int) -> Fairness:
    return Fairness(load(), Shares(**shares))


async def test_users_take_turns_however_many_requests_one_of_them_has() -> None:
    level, order = Level("reads", 1, 100), []

    async def ask(user: str) -> None:
        await level.take(user)
        order.append(user)
        level.leave()

    await asyncio.gather(*(ask(user) for user in ["flood"] * 50 + ["quiet", "calm"]))
    assert {"quiet", "calm"} <= {*order[:4]}
    assert order.count("flood") == 50 and level.taken == 0


async def test_between_the_work_of_all_seats_the_loop_looks_at_everybody_again() -> None:
    """Requests that never wait would otherwise run to the last before anybody is read from."""
    level, done = Level("reads", 3, 100), []
    loop = asyncio.get_running_loop()

    async def ask(number: int) -> None:
        await level.take("flood")
        done.append(number)
        level.leave()

    asking = [asyncio.create_task(ask(number)) for number in range(30)]
    seen: list[int] = []
    while len(done) < 30:
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
        seen.append(len(done))
    assert max(b - a for a, b in itertools.pairwise(seen)) <= 3
    await asyncio.gather(*asking)


async def test_a_full_queue_is_its_users_alone() -> None:
    level = Level("writes", 1, 2)
    await level.take("flood")
    waiting = [asyncio.create_task(level.take("flood")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ApiError, match="2 writes of flood wait already") as refused:
        await level.take("flood")
    assert refused.value.code == 429 and refused.value.details == {"retryAfterSeconds": 1}
    other = asyncio.create_task(level.take("other"))
    await asyncio.sleep(0)
    assert not other.done()
    for _ in range(4):
        level.leave()
    await asyncio.gather(*waiting, other)


async def test_a_seat_is_not_lost_with_who_left_while_waiting_or_as_it_came() -> None:
    level = Level("reads", 1, 10)
    await level.take("a")
    gone, stays = asyncio.create_task(level.take("b")), asyncio.create_task(level.take("b"))
    await asyncio.sleep(0)
    gone.cancel()
    level.leave()
    await stays
    late = asyncio.create_task(level.take("c"))
    await asyncio.sleep(0)
    level.leave()
    await asyncio.sleep(0)  # the seat is handed over, and its taker leaves before it knows
    late.cancel()
    await asyncio.gather(gone, late, return_exceptions=True)
    assert level.taken == 0


@pytest.mark.parametrize(
    ("method", "path", "query", "groups", "level"),
    [
        ("GET", PODS, (), (), (False, True)),
        ("GET", PODS, (("watch", "0"),), (), (False, True)),
        ("GET", PODS, (("watch", "1"),), (), None),
        ("POST", PODS, (("watch", "1"),), (), (False, False)),
        ("GET", f"{PODS}/web/log", (), (), None),
        ("POST", f"{PODS}/web/exec", (), (), None),
        ("GET", "/api/v1/nodes/a/proxy/layers", (), (), None),
        ("POST", "/apply", (("wait", "ready"),), (), None),
        ("POST", "/apply", (), (), (False, False)),
        ("GET", "/openapi/v3", (), (), (False, True)),
        ("PATCH", f"{PODS}/web/status", (), ("system:nodes",), (True, False)),
        ("GET", PODS, (("watch", "1"),), ("system:nodes",), None),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x", (), (), (True, False)),
    ],
)
def test_a_request_waits_with_its_like(method: str, path: str, query, groups, level) -> None:
    fair = fairness()
    found = fair.level_of(Request(method, path, query, groups=groups))
    assert found is (fair.levels[level] if level else None)


async def test_places_are_counted_per_user_and_given_back() -> None:
    fair = fairness(places=2)
    refused = pytest.raises(ApiError, match="2 watches and other streams of a are open")
    with fair.place("a"), fair.place("a"), fair.place("b"), refused, fair.place("a"):
        pass
    with fair.place("a"):
        pass
    assert not fair.places


async def test_bytes_kept_for_a_user_are_bounded_and_given_back() -> None:
    fair = fairness(held=100)
    with fair.holding("a") as hold, fair.holding("b") as other:
        hold(101)
        with pytest.raises(ApiError, match="101 bytes of a's requests") as refused:
            hold(0)
        assert refused.value.code == 429
        other(100)
    assert not fair.held


async def test_watches_beyond_a_users_places_are_429_with_retry_after_and_an_agent_has_its_own(tmp_path: Path) -> None:
    async with serving(tmp_path, Bounds(shares=Shares(places=2))) as served, served.wire() as one, served.wire() as two:
        for wire in (one, two):
            assert (await wire.ask("GET", f"{PODS}?watch=1")).status == 200
        refused = await served.ask("GET", f"{PODS}?watch=1")
        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert orjson.loads(refused.body)["reason"] == "TooManyRequests"
        assert (await served.ask("GET", PODS)).status == 200  # what ends at once has seats, not places
        assert (await served.ask("GET", f"{PODS}?watch=1", file="agent.token")).status == 200
        two.close()
        async with asyncio.timeout(30):
            while (
                await served.ask("GET", f"{PODS}?watch=1")
            ).status != 200:  # the place comes back with its watch's end
                pass


async def test_a_flood_of_writes_gets_429_and_keeps_neither_agents_nor_leases_nor_health_from_answers(
    tmp_path: Path,
) -> None:
    shares = Shares(reads=1, writes=1, queue=2)
    async with serving(tmp_path, Bounds(shares=shares)) as served:
        stuck = asyncio.Event()
        commit = served.server.store.commit

        async def slow(key: str, *rest):
            if "/configmaps/" in key:
                await stuck.wait()
            return await commit(key, *rest)

        served.server.store.commit = slow  # type: ignore[method-assign]

        async def write(number: int) -> int:
            body = orjson.dumps({"metadata": {"name": f"flood-{number}"}})
            return (await served.ask("POST", "/api/v1/namespaces/default/configmaps", body)).status

        flood = [asyncio.create_task(write(number)) for number in range(6)]
        done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        assert {task.result() for task in done} == {429}
        node = orjson.dumps({"metadata": {"name": NODE}})
        assert (await served.ask("POST", "/api/v1/nodes", node, file="agent.token")).status == 201
        lease = orjson.dumps({"metadata": {"name": "mine"}})
        assert (await served.ask("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease)).status == 201
        for path in ("/livez", "/readyz", "/healthz"):
            assert (await served.ask("GET", path)).status == 200
        assert (await served.ask("GET", PODS)).status == 200  # reads are of another level
        stuck.set()
        assert sorted(await asyncio.gather(*flood)) == [201] * 3 + [429] * 3
