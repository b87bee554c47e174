"""Images on a Docker Engine: which are there, pulling, and the sandbox's own.

That an image is there is remembered while the engine tells of every change of its images: a successor is created without
asking for it.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from agent.runtime import pause
from agent.runtime.protocol import EngineError, Image, ImageNotFoundError

T = TypeVar("T")
EVENTS = ("tag", "untag", "delete", "load", "import", "pull")


class Call(Protocol):
    """Runs do(client) in a thread; slow calls never hold up quick ones."""

    async def __call__(self, do: Callable[[Any], T], slow: bool = False) -> T: ...


class DockerImages:
    """The images of one engine, which `call` asks."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._here: dict[str, Image] = {}
        self._told = False
        self._turn = 0
        self._has_pause = False

    def changed(self, *, told: bool = True) -> None:
        """Images have changed; from here on each change is told, or not."""
        self._here.clear()
        self._told = told
        self._turn += 1

    async def image(self, ref: str) -> Image | None:
        """The image if it is here."""
        if ref in self._here:
            return self._here[ref]
        turn = self._turn
        try:
            found = await self._call(lambda c: _image_of(c.inspect_image(ref)))
        except ImageNotFoundError:
            return None
        if self._told and turn == self._turn:
            self._here[ref] = found
        return found

    async def images(self) -> list[Image]:
        """All images of the engine."""
        found = await self._call(lambda c: c.images())
        return [
            Image(i["Id"], tuple(i.get("RepoTags") or ()), tuple(i.get("RepoDigests") or ()), i["Size"]) for i in found
        ]

    async def pull(self, ref: str) -> Image:
        """Pull from the image's registry; EngineError with the engine's words when it can't be had."""

        def pull(c: Any) -> Image:
            for line in c.pull(ref, stream=True, decode=True):
                if "error" in line:
                    raise EngineError(f"Error response from daemon: {line['error']}")
            return _image_of(c.inspect_image(ref))

        return await self._call(pull, slow=True)

    async def ensure_pause(self) -> None:
        """See that the sandbox's image is there."""
        if self._has_pause:
            return
        if await self.image(pause.IMAGE) is None:
            tar = pause.root_filesystem(platform.machine())
            await self._call(
                lambda c: c.import_image_from_data(
                    tar, repository=pause.REPOSITORY, tag=pause.TAG, changes=['ENTRYPOINT ["/pause"]']
                )
            )
        self._has_pause = True


def _image_of(seen: Mapping[str, Any]) -> Image:
    """An image, inspected."""
    config = seen.get("Config") or {}
    tags, digests = tuple(seen.get("RepoTags") or ()), tuple(seen.get("RepoDigests") or ())
    return Image(seen["Id"], tags, digests, seen.get("Size", 0), config.get("User", ""))
