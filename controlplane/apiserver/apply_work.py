"""One request to /apply under way: try all objects without effect, apply or delete each, prune, wait.

Every step goes through the server's own door, entered as the user who asks, and is told as a record when it has happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar

import orjson

from controlplane.apiserver.apply_options import MANAGER, Asked
from controlplane.apiserver.apply_outcome import End, Key, Outcome, Record, State
from controlplane.apiserver.apply_set import Item, in_order_of_need, refusal_of
from controlplane.apiserver.apply_wait import until_gone, until_ready, until_there
from kubeapi import codec, inert
from kubeapi.client.client import Client, error_of, meta_of
from kubeapi.client.transport import Request, Response, Transport
from kubeapi.core_v1.types import ServiceAccount
from kubeapi.errors import ApiError, invalid_object
from kubeapi.meta_v1.types import DeleteOptions, Preconditions
from kubeapi.registry import Registry

YAML_APPLY = "application/apply-patch+yaml"
ACCOUNT_DEADLINE = 10.0
R = TypeVar("R", bound=Record)


class Work:
    """One request under way: what it asked, and the server's own door, entered as the same user."""

    def __init__(self, server: Transport, registry: Registry, request: Request, asked: Asked) -> None:
        self.server, self.registry, self.request, self.asked = server, registry, request, asked
        self.client = Client(server, registry, MANAGER, user=request.user, groups=request.groups)

    async def tried(self, items: list[Item]) -> list[Outcome]:
        """What would become of each object. Raises what would be refused; nothing is changed."""
        made = {item.name for item in items if item.kind.resource == "namespaces"}
        outcomes, errors = [], []
        for item in items:
            try:
                outcomes.append(await self._try(item, made))
            except ApiError as error:
                errors.append((item.key.text, error))
        if errors:
            raise refusal_of(errors)
        return outcomes

    async def _try(self, item: Item, made: set[str]) -> Outcome:
        """What is there is dry-run; what is new is checked by itself, for what it needs may be in the same set."""
        if (await self._send("GET", item.path)).status == 200:
            return await self._apply(item, dry_run=True)
        if item.namespace and item.namespace not in made:
            namespace = await self._send("GET", f"/api/v1/namespaces/{item.namespace}")
            if namespace.status != 200:
                raise error_of(namespace.body, namespace.status)
        obj, warnings = codec.decode(item.kind, orjson.dumps(item.value), self.asked.validation)
        obj.metadata.namespace = item.namespace
        item.kind.default(obj)
        item.kind.prepare_create(obj)
        if causes := item.kind.validate(obj):
            raise invalid_object(item.kind.kind, item.kind.group, item.name, causes)
        warnings = warnings + item.kind.warn(obj, None) + inert.warnings_of(item.kind.inert, obj.to_dict())
        return Outcome(*item.key, "created", warnings=tuple(warnings))

    async def apply(self, items: list[Item], tried: list[Outcome]) -> AsyncGenerator[Record, None]:
        """Apply all, prune, wait; a record for each step."""
        tally, done = Tally(), []
        made: set[str] = set()
        for item, would_be in zip(items, tried, strict=True):
            outcome = would_be if self.asked.dry_run else await self._applied(item, made)
            if outcome.outcome == "created" and item.kind.resource == "namespaces":
                made.add(item.name)
            if outcome.outcome != "failed":
                done.append(item)
            yield tally.of(outcome)
        if self.asked.selector and not tally.failed:
            for item in await self._stale(items):
                yield tally.of(await self._delete(item, "pruned", item.value["metadata"]["uid"]))
        if self.asked.wait:
            async with aclosing(until_ready(self.client, done, self.asked.seconds)) as states:
                async for state in states:
                    yield tally.of(state)
        yield tally.end("ready", self.asked)

    async def delete(self, items: list[Item]) -> AsyncGenerator[Record, None]:
        """Delete all, last needed first, and wait until they are gone."""
        tally, going = Tally(), []
        for item in reversed(items):
            outcome = await self._delete(item, "deleted")
            if outcome.outcome == "deleted":
                going.append(item)
            yield tally.of(outcome)
        if self.asked.wait:
            async with aclosing(until_gone(self.client, going, self.asked.seconds)) as states:
                async for state in states:
                    yield tally.of(state)
        yield tally.end("gone", self.asked)

    async def _applied(self, item: Item, made: set[str]) -> Outcome:
        """Apply an object; `made` are the namespaces that this request has made."""
        try:
            if item.kind.resource == "pods" and item.namespace in made:
                await self._account(item)
            return await self._apply(item, dry_run=False)
        except ApiError as error:
            return Outcome(*item.key, "failed", error.message)

    async def _apply(self, item: Item, *, dry_run: bool) -> Outcome:
        query = [("fieldManager", self.asked.manager), ("fieldValidation", self.asked.validation)]
        query += [("force", "true")] if self.asked.force else []
        query += [("dryRun", "All")] if dry_run else []
        before = await self._send("GET", item.path)
        known, unknown = codec.known(item.kind, item.value)  # Strict has refused them; server-side apply always would
        response = await self._send("PATCH", item.path, query, orjson.dumps(known), YAML_APPLY)
        if response.status not in (200, 201):
            raise error_of(response.body, response.status)
        same = "unchanged" if _content(response.body) == _content(before.body) else "configured"
        warnings = [*(unknown if self.asked.validation == "Warn" else ()), *warnings_of(response)]
        return Outcome(*item.key, "created" if response.status == 201 else same, warnings=tuple(warnings))

    async def _delete(self, item: Item, word: str, uid: str = "") -> Outcome:
        """Delete an object, with `uid` only that very one; `word` is what to call it."""
        options = DeleteOptions(preconditions=Preconditions(uid=uid) if uid else None)
        options.dry_run = ["All"] if self.asked.dry_run else []
        options.propagation_policy = self.asked.propagation or None
        response = await self._send("DELETE", item.path, body=options.to_json())
        if response.status >= 400 and response.status != 404:
            return Outcome(*item.key, "failed", error_of(response.body, response.status).message)
        return Outcome(*item.key, "absent" if response.status == 404 else word)

    async def _stale(self, items: list[Item]) -> list[Item]:
        """What this manager applied with the label where the set has objects, and the set lacks; last needed first."""
        kept = {item.key for item in items}
        touched = {item.namespace or item.name for item in items if item.namespace or item.kind.kind == "Namespace"}
        stale = []
        for kind in self.registry:
            for namespace in sorted(touched) if kind.namespaced else ():
                for obj in (await self.client.list(kind.model, namespace, labels=self.asked.selector)).items:
                    meta = meta_of(obj)
                    ours = any(m.manager == self.asked.manager and m.operation == "Apply" for m in meta.managed_fields)
                    item = Item(kind, namespace, meta.name, obj.to_dict())
                    if ours and item.key not in kept and not meta.deletion_timestamp:
                        stale.append(item)
        return [*reversed(in_order_of_need(stale))]

    async def _account(self, pod: Item) -> None:
        """A namespace made just now gets its default ServiceAccount from a controller, and no pod is admitted before."""
        name = pod.value["spec"].get("serviceAccountName") or "default"
        account = Item(self.registry.of(ServiceAccount), pod.namespace, name, {})
        await until_there(self.client, account, ACCOUNT_DEADLINE)

    async def _send(
        self, method: str, path: str, query: list[tuple[str, str]] | None = None, body: bytes = b"", media: str = ""
    ) -> Response:
        headers = {"content-type": media or "application/json", "user-agent": MANAGER}
        request = Request(method, path, query or [], headers, body, self.request.user, self.request.groups)
        return await self.server.send(request)


class Tally:
    """Counts records on their way, and the time, for the sum at the end."""

    def __init__(self) -> None:
        self.begun = asyncio.get_running_loop().time()
        self.outcomes: dict[str, int] = {}
        self.states: dict[Key, State] = {}

    @property
    def failed(self) -> int:
        """Objects that were refused."""
        return self.outcomes.get("failed", 0)

    def of(self, record: R) -> R:
        """Count a record and hand it on."""
        if isinstance(record, Outcome):
            self.outcomes[record.outcome] = self.outcomes.get(record.outcome, 0) + 1
        elif isinstance(record, State):
            self.states[Key(*record[:4])] = record
        return record

    def end(self, goal: str, asked: Asked) -> End:
        """The last record; `goal` is what was waited for."""
        said = ", ".join(f"{count} {word}" for word, count in self.outcomes.items())
        if asked.dry_run:
            return End(True, f"dry run: {said}; nothing was changed")
        waiting = [key.text for key, s in self.states.items() if s.state == "waiting"]
        failed = [key.text for key, s in self.states.items() if s.state == "failed"]
        if waiting or failed:
            what = f"not {goal} after {asked.seconds:g} s" if waiting else f"not {goal}"
            return End(False, f"{said}; {what}: {', '.join(failed + waiting)}", 504 if waiting else 422)
        if self.failed:
            return End(False, said, 422)
        took = asyncio.get_running_loop().time() - self.begun
        return End(True, f"{said}; all {goal} after {took:.1f} s" if asked.wait else said)


def warnings_of(response: Response) -> list[str]:
    """The texts of a response's Warning headers."""
    quoted = [value[len('299 - "') : -1] for name, value in response.headers if name.lower() == "warning"]
    return [text.replace('\\"', '"').replace("\\\\", "\\") for text in quoted]


def _content(body: bytes) -> dict[str, Any]:
    """An object without its version and its owners, which an apply that changes nothing else may write."""
    obj: dict[str, Any] = orjson.loads(body)
    metadata = {k: v for k, v in obj.get("metadata", {}).items() if k not in ("managedFields", "resourceVersion")}
    return obj | {"metadata": metadata}
