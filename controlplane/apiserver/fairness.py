"""Fair shares of the API server, as Kubernetes' API Priority and Fairness means them (KEP-1040), for one event loop.

    request ──▶ level: agents and leases | all others, reads | writes ──▶ a seat ──▶ answer
                    └─ no seat: the user's own queue; users take turns; a full queue is 429 ─┘
    watch, log, exec, … ──▶ one of the user's places until it ends, or 429

A request runs to its answer unless it waits for the disk, so nothing would ever queue, and a burst of one user's reads would
run before anybody else is heard. A seat therefore comes free in the loop's next turn, after the loop has looked at all
connections again. Nothing is shuffled: there are as many queues as users who wait. Health is answered without a seat, and
the controllers, which are in this process, need none.

What users have in memory here (bodies on their way in, answers they don't read) is counted as well, and bounded per user.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from controlplane.apiserver.authorization import verb_of
from controlplane.apiserver.routing import route
from kubeapi.client.transport import Request
from kubeapi.errors import ApiError
from kubeapi.registry import Registry

RETRY_AFTER = 1  # seconds, as Kubernetes says
STREAMS = frozenset({"log", "exec", "attach", "portforward", "proxy"})
READS = frozenset({"GET", "HEAD", "OPTIONS"})
AGENTS = "system:nodes"
APPLY = "/apply"
PIECE = 256 << 10


class Shares(NamedTuple):
    """How much there is. Reads are work for the processor; writes mostly wait for the disk, together, so more may."""

    reads: int = 8
    writes: int = 64
    queue: int = 256  # of one user and kind of verb
    places: int = 1000  # of one user, for what lasts
    held: int = 96 << 20  # bytes of one user


def too_many(why: str) -> ApiError:
    """429 as Kubernetes' clients understand it: they try again after what it says."""
    return ApiError(429, "TooManyRequests", why, details={"retryAfterSeconds": RETRY_AFTER})


class Level:
    """Seats, and who waits for one, user by user."""

    def __init__(self, name: str, seats: int, longest: int) -> None:
        self.name, self.seats, self.longest = name, seats, longest
        self.taken = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # whose turn is next comes first

    async def take(self, user: str) -> None:
        """Return with a seat, which `leave` gives back. 429 when the user's queue is full."""
        if self.taken < self.seats and not self._waiting:
            self.taken += 1
            return
        queue = self._waiting.setdefault(user, deque())
        if len(queue) >= self.longest:
            raise too_many(f"{len(queue)} {self.name} of {user} wait already")
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on()  # the seat came as its taker left
            raise

    def leave(self) -> None:
        """Give a seat back, to whose turn it is after the loop's next look at the connections."""
        asyncio.get_running_loop().call_soon(self._pass_on)

    def _pass_on(self) -> None:
        while self._waiting:
            user = next(iter(self._waiting))
            queue = self._waiting.pop(user)
            turn = queue.popleft()
            if queue:
                self._waiting[user] = queue  # behind all others
            if not turn.cancelled():
                return turn.set_result(None)
        self.taken -= 1


class Fairness:
    """The levels, and what each user holds."""

    def __init__(self, registry: Registry, shares: Shares = Shares()) -> None:  # noqa: B008 - immutable
        self.shares, self._registry = shares, registry
        self.levels = {
            (system, reads): Level("reads" if reads else "writes", seats, shares.queue)
            for system in (True, False)
            for reads, seats in ((True, shares.reads), (False, shares.writes))
        }
        self.places: Counter[str] = Counter()
        self.held: Counter[str] = Counter()

    def level_of(self, request: Request) -> Level | None:
        """Where a request takes a seat; None for a long-running one, which takes a place instead."""
        target = route(self._registry, request.path)
        if target is None:
            if request.path.rstrip("/") == APPLY and any(key == "wait" for key, _ in request.query):
                return None
        elif target.subresource in STREAMS or (request.query and verb_of(target, request) == "watch"):
            return None
        system = AGENTS in request.groups or (target is not None and target.kind.plural == "leases")
        return self.levels[system, request.method in READS]

    @contextlib.contextmanager
    def place(self, user: str) -> Iterator[None]:
        """A place for a request that lasts, until the block ends. 429 when the user has no more."""
        if self.places[user] >= self.shares.places:
            raise too_many(f"{self.places[user]} watches and other streams of {user} are open already")
        self.places[user] += 1
        try:
            yield
        finally:
            less(self.places, user, 1)

    @contextlib.contextmanager
    def holding(self, user: str) -> Iterator[Callable[[int], None]]:
        """What is yielded counts bytes that are kept for a user until the block ends; 429 when they are too many already."""
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if self.held[user] > self.shares.held:
                raise too_many(f"{self.held[user]} bytes of {user}'s requests and unread answers are kept already")
            held += size
            self.held[user] += size

        try:
            yield hold
        finally:
            less(self.held, user, held)

    def told(self, user: str, answer: Response) -> Response:
        """The answer; a large one in pieces, as fast as the client takes them, and counted as the user's until then."""
        return answer if len(answer.body) <= PIECE else Large(answer, self.held, user)


class Large(Response):
    """An answer that is not handed to the connection whole, where nobody could tell how much of it is still there."""

    def __init__(self, answer: Response, held: Counter[str], user: str) -> None:
        super().__init__()
        self._answer, self._held, self._user = answer, held, user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        body, size = memoryview(self._answer.body), len(self._answer.body)
        self._held[self._user] += size
        try:
            start = {"type": "http.response.start", "status": self._answer.status_code}
            await send({**start, "headers": self._answer.raw_headers})
            for at in range(0, size, PIECE):
                more = at + PIECE < size
                await send({"type": "http.response.body", "body": bytes(body[at : at + PIECE]), "more_body": more})
        finally:
            less(self._held, self._user, size)


class Lasting(Response):
    """An answer that has a place until it ends, however it does."""

    def __init__(self, answer: Response, place: contextlib.ExitStack) -> None:
        super().__init__()
        self._answer, self._place = answer, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        with self._place:
            await self._answer(scope, receive, send)


def less(counts: Counter[str], user: str, amount: int) -> None:
    """Take an amount off a user's count; whoever has nothing is not kept."""
    counts[user] -= amount
    if not counts[user]:
        del counts[user]
