"""PATCH: the four kinds by media type, each a pure function of kubeapi.patch, committed as any other change.

Server-side apply also creates what is not there. A subresource is patched as the object it shows (Scale by itself).
"""

from __future__ import annotations

from typing import Any

import orjson

from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Writer, Written, closed_to, scale_of, scaled
from kubeapi import codec
from kubeapi.errors import ApiError, bad_request
from kubeapi.patch import apply, json_patch, merge, strategic
from kubeapi.schema import schema_of

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+json")


def unsupported_media_type() -> ApiError:
    """415 as Kubernetes says it."""
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def patched(media: str, current: Any, patch: Any, schema: Any) -> Any:
    """`current` with a patch of the media type applied."""
    match media:
        case "application/merge-patch+json":
            return merge.apply(current, patch)
        case "application/json-patch+json":
            return json_patch.apply(current, patch)
        case "application/strategic-merge-patch+json":
            return strategic.apply(current, patch, schema)
    raise unsupported_media_type()


class Patcher:
    """Answers PATCH through the writer."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def patch(self, target: Target, body: bytes, media: str, options: Options) -> Written:
        """Apply the patch in `body` to the target, or to its subresource."""
        if media in APPLY:
            return await self.apply(target, codec.parse(body, "application/yaml"), options)
        if media not in (MERGE, JSON_PATCH, STRATEGIC):
            raise unsupported_media_type()
        try:
            patch = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"error decoding patch: {error}") from None
        schema = schema_of(target.kind.model)

        def change(old: Any, value: bytes) -> tuple[Any, list[str]]:
            if target.subresource == "scale":
                return scaled(old, patched(media, scale_of(old), patch, None)), []
            wanted = patched(media, orjson.loads(value), patch, schema)
            return self.writer.decode(target.kind, orjson.dumps(wanted), options)

        written = await self.writer.modify(target, change, options, target.subresource)
        if target.subresource == "scale":
            return written._replace(value=orjson.dumps(scale_of(target.kind.model.from_json(written.value))))
        return written

    async def apply(self, target: Target, applied: dict[str, Any], options: Options) -> Written:
        """Server-side apply (KEP-555): merge by ownership; create when there is nothing."""
        kind, schema = target.kind, schema_of(target.kind.model)
        named = {"apiVersion": kind.api_version, "kind": kind.kind}
        applied = named | applied

        def merged(live: dict[str, Any] | None) -> tuple[Any, list[str]]:
            result = apply.apply(
                live,
                applied,
                schema,
                options.manager,
                options.force,
                api_version=kind.api_version,
                now=self.writer.stamp(),
                subresource=target.subresource,
                reset=closed_to(kind, target.subresource),
                empty=schema.empty,
            )
            return self.writer.decode(kind, orjson.dumps(result), options)

        if self.writer.store.get(target.key) is None:
            if target.subresource:
                raise target.not_found()
            obj, warnings = merged(None)
            obj.metadata.name = target.name
            return await self.writer.create_object(target, obj, options, warnings, track=False)

        def change(_old: Any, value: bytes) -> tuple[Any, list[str]]:
            return merged(orjson.loads(value))

        return await self.writer.modify(target, change, options, target.subresource, track=False)
