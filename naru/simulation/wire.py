"""The wire between a client and the API server: it delays, loses, and is cut.

A request may be lost on its way (nothing happened) or its answer (it did happen): the client sees the same OSError. Watches
are streams, so nothing in them is lost or reordered; they come late, or break. Whoever asks while no server runs, or across
a partition, is out of reach.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from kubeapi.client.transport import Request, Response, Transport

DELAY = 0.002  # seconds at most, each way, on a good day
PATIENCE = 10.0  # seconds after which a client gives up on a request


@dataclass(slots=True)
class Weather:
    """How bad a wire is: chances by request or by chunk of a watch, seconds of delay at most, and by how many more at most
    a watch comes late."""

    lost: float = 0.0
    unanswered: float = 0.0
    broken: float = 0.0
    delay: float = DELAY
    late: float = 0.0
    cut: bool = False


class Wire:
    """A `Transport` to whichever server runs now; `user` is who the far end takes the client for."""

    def __init__(
        self,
        server: Callable[[], Transport | None],
        rng: random.Random,
        user: str,
        groups: tuple[str, ...],
        answered: Callable[[Request, Response], None],
    ) -> None:
        self._server, self._rng, self._user, self._groups, self._answered = server, rng, user, groups, answered
        self.weather = Weather()
        self.dead = False

    def another(self) -> Wire:
        """A line of the next process at the same place: same far end, same weather."""
        line = Wire(self._server, self._rng, self._user, self._groups, self._answered)
        line.weather = self.weather
        return line

    async def send(self, request: Request) -> Response:
        """As `Transport` says."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._send(request)
        except TimeoutError:
            raise ConnectionError("no answer") from None

    async def _send(self, request: Request) -> Response:
        await self._travel()
        if self._chance(self.weather.lost):
            raise ConnectionError("the request was lost")
        server = self._reached()
        response = await server.send(replace(request, user=self._user, groups=self._groups))
        if self._server() is not server:  # it ended while it answered
            if response.stream is not None:
                await response.stream.aclose()
            raise ConnectionError("the server hung up")
        await self._travel()
        if self._chance(self.weather.unanswered):
            if response.stream is not None:
                await response.stream.aclose()
            raise ConnectionError("the answer was lost")
        if response.stream is not None:
            response.stream = self._carry(response.stream, server)
        self._answered(request, response)
        return response

    async def close(self) -> None:
        """As `Transport` says."""

    async def _carry(self, stream: AsyncGenerator[bytes, None], server: Transport) -> AsyncGenerator[bytes, None]:
        loop, asked = asyncio.get_running_loop(), -1.0
        try:
            async for chunk in stream:
                if loop.time() > asked:
                    await self._travel(self.weather.late)
                else:  # it was under way already while the one before it came
                    self._connected()
                asked = loop.time()
                if self._server() is not server or self._chance(self.weather.broken):
                    raise ConnectionError("the stream broke")
                yield chunk
        finally:
            await stream.aclose()

    async def _travel(self, late: float = 0.0) -> None:
        await asyncio.sleep(self._rng.uniform(0, self.weather.delay + late))
        self._connected()

    def _connected(self) -> None:
        if self.weather.cut or self.dead:
            raise ConnectionError("the network is unreachable")

    def _reached(self) -> Transport:
        server = self._server()
        if server is None:
            raise ConnectionRefusedError("no server listens")
        return server

    def _chance(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability
