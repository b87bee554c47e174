"""PATCH: the four kinds by media type, each a pure function of kubeapi.patch, committed as any other change.

Server-side apply also creates what is not there. A subresource is patched as the object it shows (Scale by itself).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from controlplane.apiserver import scale
from controlplane.apiserver.bodies import unsupported_media_type
from controlplane.apiserver.options import Options
from controlplane.apiserver.routing import Target
from controlplane.apiserver.writes import Current, Wanted, Writer, Written, check_name, check_place, closed_to
from kubeapi import codec, unstructured
from kubeapi.errors import ApiError, bad_request, invalid, invalid_object
from kubeapi.go_json import syntax_error
from kubeapi.patch import apply, json_patch, merge, strategic
from kubeapi.patch.managed import Manager
from kubeapi.registry import Kind
from kubeapi.schema import schema_of

MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = ("application/apply-patch+yaml", "application/apply-patch+json")


class Patcher:
    """Answers PATCH through the writer."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    async def patch(self, target: Target, body: bytes, media: str, options: Options) -> Written:
        """Apply the patch in `body` to the target, or to its subresource."""
        if media in APPLY:
            return await self.apply(target, body, options)
        scaling = target.subresource == "scale"
        patched = patch_of(scale.KIND if scaling else target.kind, media, body, options.validation)

        def change(current: Current) -> Wanted:
            obj, warnings = patched(scale.scale_of(current.copy()) if scaling else current.json)
            if not obj.metadata.name:
                why = f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
                raise bad_request(why)
            check_name(target, target.kind, obj.metadata)
            check_place(target, obj.metadata)
            return Wanted(scale.scaled(current.copy(), obj) if scaling else obj, warnings)

        written = await self.writer.modify(target, change, options, target.subresource)
        return scale.shown(target.kind, written) if scaling else written

    async def apply(self, target: Target, body: bytes, options: Options) -> Written:
        """Server-side apply (KEP-555): merge by ownership; create when there is nothing."""
        kind = target.kind
        applied = configuration(kind, body)
        schema = schema_of(kind.model)
        manager = Manager(options.manager, "Apply", kind.api_version, target.subresource)

        def merged(live: dict[str, Any] | None) -> Wanted:
            value, owners = apply.apply(
                live,
                applied,
                schema,
                manager,
                options.force,
                now=self.writer.stamp(),
                reset=closed_to(kind, target.subresource),
                empty=schema.empty,
            )
            obj, warnings = self.writer.decode(kind, orjson.dumps(value), options)
            check_place(target, obj.metadata)
            return Wanted(obj, warnings, owners)

        if self.writer.store.get(target.key) is None:
            if target.subresource:
                raise target.not_found()
            wanted = merged(None)
            wanted.obj.metadata.name = target.name
            try:
                return await self.writer.create_object(target, wanted, options)
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise  # else somebody made it meanwhile: it is merged with theirs
        return await self.writer.modify(target, lambda current: merged(current.json), options, target.subresource)


def configuration(kind: Kind, body: bytes) -> dict[str, Any]:
    """The configuration that is applied. Raises 400 when it is none, or of another version."""
    try:
        applied = codec.parse(body, "application/yaml")
    except ApiError as error:
        raise bad_request(f"error decoding YAML: {error.message}") from None
    if not isinstance(applied, dict):
        why = f"json: cannot unmarshal {codec.json_type(applied)} into Go value of type map[string]interface {{}}"
        raise bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")
    applied = {"apiVersion": kind.api_version, "kind": kind.kind} | applied
    if applied["apiVersion"] != kind.api_version:
        asked, served = (v if "/" in v else f"/{v}" for v in (str(applied["apiVersion"]), kind.api_version))
        why = f"Incorrect version specified in apply patch. Specified patch version: {asked}, expected: {served}"
        raise bad_request(why)
    return applied


def patch_of(kind: Kind, media: str, body: bytes, validation: str) -> Callable[[dict[str, Any]], tuple[Any, list[str]]]:
    """A patch as a function from the current object to the wanted one with warnings. Raises 400 for a body that is none."""
    try:
        patch = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"error decoding patch: {syntax_error(body) or error}") from None
    repeated = codec.repeated_fields(body) if validation != "Ignore" else []
    schema = schema_of(kind.model)
    if media == JSON_PATCH:
        repeated = [f'json patch duplicate field "{field}"' for field in repeated]
    elif media in (MERGE, STRATEGIC):
        repeated = [f'duplicate field "{field}"' for field in repeated]
        if not isinstance(patch, dict):
            found = codec.json_type(patch)
            why = f"json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            raise bad_request(f"error decoding patch: {why}" if media == MERGE else why)
    else:
        raise unsupported_media_type()
    applied: Callable[[Any, Any], Any] = json_patch.apply if media == JSON_PATCH else merge.apply

    def patched(current: dict[str, Any]) -> tuple[Any, list[str]]:
        wanted = strategic.apply(current, patch, schema) if media == STRATEGIC else applied(current, patch)
        told: list[str] = []
        why = unstructured.misfit(wanted, schema) if media == STRATEGIC else ""
        try:
            obj, told = codec.read(kind, _written(wanted), validation)
        except codec.UnreadableError as error:
            why = why or str(error)
        told = repeated + told
        if not why and told and validation == "Strict":
            why = "strict decoding error: " + ", ".join(told)
        if why:
            raise _refused(unstructured.go_map(patch) if media == STRATEGIC else _sorted(wanted), why)
        return obj, told

    return patched


def _written(value: Any) -> bytes:
    """A patched object as JSON: the operations of a JSON patch may have nested it deeper than any body comes."""
    try:
        return orjson.dumps(value)
    except TypeError:
        raise bad_request("exceeded max depth") from None


def _sorted(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _refused(shown: str, why: str) -> ApiError:
    """422 for a patch whose outcome can't be read: it names no object, for the patch is at fault."""
    error = invalid_object("", "", "", [invalid("patch", shown, why)])
    return ApiError(422, error.reason, error.message, details={"causes": (error.details or {})["causes"]})
