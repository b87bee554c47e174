"""Whether a container's image is here, and getting it: pull policies, back-off, and Events in the kubelet's words.

An image that can't be had is `ImageMissingError`, which carries the reason for the container's status and when to try again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.plan import BACKOFF_LIMIT, BACKOFF_START, Waiting
from agent.runtime.protocol import EngineError, Image, Runtime
from kubeapi.core_v1.types import Container

if TYPE_CHECKING:
    from kubeapi.clock import Clock

REFERENCE = re.compile(
    r"(?:[\w.-]+(?::\d+)?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{32,})?"
)
Say = Callable[[str, str, str], None]
"""Record an Event about the container: type, reason, message."""


class ImageMissingError(Exception):
    """The image is not here yet."""

    def __init__(self, waiting: Waiting) -> None:
        super().__init__(waiting.message)
        self.waiting = waiting


@dataclass(slots=True)
class _Failure:
    message: str
    delay: float
    until: datetime


def complaint(ref: str) -> str:
    """Why a text is no image reference, in the reference parser's words; empty if it is one."""
    if REFERENCE.fullmatch(ref):
        return ""
    head, slash, rest = ref.partition("/")
    is_domain = bool(slash) and (any(c in head for c in ".:") or head == "localhost" or head.lower() != head)
    name = (rest if is_domain else ref).partition(":")[0]
    if name.lower() != name:
        return f"invalid reference format: repository name ({name}) must be lowercase"
    return "invalid reference format"


class Images:
    """The images of one node; failures are remembered by reference, for all pods alike."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime, self._clock = runtime, clock
        self._failures: dict[str, _Failure] = {}

    async def ensure(self, container: Container, say: Say) -> Image:
        """The container's image, pulled if its policy asks for it; ImageMissingError otherwise."""
        ref, now = container.image, self._clock.now()
        if why := complaint(ref):
            message = (
                f"Failed to apply default image tag {_quoted(ref)}: couldn't parse image name {_quoted(ref)}: {why}"
            )
            say("Warning", "InspectFailed", message)
            raise self._unavailable("InvalidImageName", message, BACKOFF_START, say)
        policy = container.image_pull_policy or "IfNotPresent"
        image = await self._runtime.image(ref)
        if image is not None and policy != "Always":
            say("Normal", "Pulled", f"Container image {_quoted(ref)} already present on machine")
            return image
        if policy == "Never":
            message = f"Container image {_quoted(ref)} is not present with pull policy of Never"
            say("Warning", "ErrImageNeverPull", message)
            raise self._unavailable("ErrImageNeverPull", message, BACKOFF_START, say)
        failure = self._failures.get(ref)
        left = (failure.until - now).total_seconds() if failure else 0.0
        if failure and 0 < left <= failure.delay:  # longer than that it only is where the clock was set back
            back_off = f"Back-off pulling image {_quoted(ref)}"
            say("Normal", "BackOff", back_off)
            raise self._unavailable("ImagePullBackOff", f"{back_off}: ErrImagePull: {failure.message}", left, say)
        return await self._pull(ref, failure, say)

    async def _pull(self, ref: str, failure: _Failure | None, say: Say) -> Image:
        begun = self._clock.now()
        say("Normal", "Pulling", f"Pulling image {_quoted(ref)}")
        try:
            image = await self._runtime.pull(ref)
        except EngineError as e:
            delay = min(failure.delay * 2, BACKOFF_LIMIT) if failure else BACKOFF_START
            self._failures[ref] = _Failure(str(e), delay, self._clock.now() + timedelta(seconds=delay))
            say("Warning", "Failed", f"Failed to pull image {_quoted(ref)}: {e}")
            raise self._unavailable("ErrImagePull", str(e), 1.0, say) from e
        self._failures.pop(ref, None)
        took = f"{(self._clock.now() - begun).total_seconds():.3g}s"
        size = f"Image size: {image.size} bytes."
        say(
            "Normal", "Pulled", f"Successfully pulled image {_quoted(ref)} in {took} ({took} including waiting). {size}"
        )
        return image

    def _unavailable(self, reason: str, message: str, delay: float, say: Say) -> ImageMissingError:
        say("Warning", "Failed", f"Error: {reason}")
        return ImageMissingError(Waiting(reason, message, self._clock.now() + timedelta(seconds=delay)))


def _quoted(text: str) -> str:
    return f'"{text}"'
