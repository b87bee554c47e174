"""What every controller is made of: it watches kinds, maps an event to keys, and reconciles one key at a time.

A subclass names itself, wires its watches in `setup()`, and writes `reconcile(key)`. The queue merges repeats,
retries failures with back-off and never runs a key twice at once; informers are shared by all controllers of a
manager.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from kubeapi.client.client import Client, meta_of
from kubeapi.client.informer import Informer
from kubeapi.client.recorder import Recorder
from kubeapi.client.workqueue import Queue
from kubeapi.clock import Clock
from kubeapi.errors import ApiError
from kubeapi.model import Model
from kubeapi.registry import Registry

M = TypeVar("M", bound=Model)


class Context:
    """What a manager hands to its controllers: client, registry, clock, random numbers, and informers by kind."""

    def __init__(
        self,
        client: Client,
        registry: Registry,
        clock: Clock,
        rng: random.Random,
        root_ca: str = "",
        pod_network: str = "10.244.0.0/16",
    ) -> None:
        self.client, self.registry, self.clock, self.rng = client, registry, clock, rng
        self.root_ca = root_ca  # the cluster's CA, as PEM text
        self.pod_network = pod_network
        self._informers: dict[type[Model], Informer[Any]] = {}

    def informer(self, model: type[M]) -> Informer[M]:
        """The one informer of the kind."""
        if model not in self._informers:
            self._informers[model] = Informer(self.client, model)
        return self._informers[model]

    async def start(self) -> None:
        """Start the informers and wait until each has listed once."""
        for informer in self._informers.values():
            await informer.start()
        for informer in self._informers.values():
            await informer.synced()

    async def stop(self) -> None:
        """Stop the informers."""
        for informer in self._informers.values():
            await informer.stop()


class Controller:
    """The base: keys in, `reconcile` out."""

    name: ClassVar[str]
    component: ClassVar[str]  # the source of its Events
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        self.context, self.client, self.clock = context, context.client, context.clock
        self.recorder = Recorder(context.client, self.component, clock=context.clock)
        self.queue = Queue(self.reconcile, workers=self.workers, rng=context.rng, name=self.name)
        self._watched: list[tuple[Informer[Any], Callable[[Any], Iterable[str]]]] = []
        self.setup()

    def setup(self) -> None:
        """Wire the watches: `watch(Model, keys)`."""
        raise NotImplementedError

    async def reconcile(self, key: str) -> None:
        """Bring what the key names to what it should be; may be called any number of times."""
        raise NotImplementedError

    def watch(
        self,
        model: type[M],
        keys: Callable[[M], Iterable[str]],
        facts: Callable[[M], object] | None = None,
        made: Callable[[M], M | None] | None = None,
    ) -> Informer[M]:
        """Enqueue `keys(obj)` of the object before and after each change.

        `facts(obj)` is all that the controller looks at, where that is little: a change of anything else is no news.
        `made(obj)` gives an object that is new to the cache as the controller has made it, if it has.
        """
        informer = self.context.informer(model)
        self._watched.append((informer, keys))

        def changed(old: M | None, new: M | None) -> None:
            if old is None and new is not None and made is not None:
                old = made(new)
            if facts is not None and old is not None and new is not None and facts(old) == facts(new):
                return
            for obj in (old, new):
                if obj is not None:
                    for key in keys(obj):
                        self.queue.add(key)

        informer.on_change(changed)
        return informer

    async def ensure_made(self, obj: Model) -> None:
        """Create the object; one of that name, made by somebody else meanwhile, is as good."""
        try:
            await self.client.create(obj)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def lives(self, owner: Model) -> bool:
        """Whether the API server knows the owner, and nobody is deleting it: the informer may be behind."""
        meta = meta_of(owner)
        try:
            found = meta_of(await self.client.get(type(owner), meta.name, meta.namespace))
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return found.uid == meta.uid and found.deletion_timestamp is None

    async def start(self) -> None:
        """Begin to work; the informers are in step by now."""
        await self.queue.start()

    async def stop(self) -> None:
        """Finish what is being done, and stop."""
        await self.queue.stop()
        await self.recorder.close()

    def resync(self) -> None:
        """Enqueue everything there is: the safety net under lost events, never the way things usually happen."""
        for informer, keys in self._watched:
            for obj in informer.list():
                for key in keys(obj):
                    self.queue.add(key)


def key_of(obj: Any) -> str:
    """NAMESPACE/NAME, the key of a namespaced object."""
    return f"{obj.metadata.namespace}/{obj.metadata.name}"


def itself(obj: Any) -> tuple[str, ...]:
    """The key of the object that changed."""
    return (key_of(obj),)


def split(key: str) -> tuple[str, str]:
    """(namespace, name) of a key."""
    namespace, _, name = key.partition("/")
    return namespace, name
