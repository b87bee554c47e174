"""From the bytes of a request to an object, or to the refusal that Kubernetes would give.

The fast way is one call of pydantic, all in Rust. Only what it refuses takes the slow way, where the body is looked at again
as plain JSON: null counts as absent, as in Go; a wrong type is told in the words of Go's decoder; unknown and repeated
fields are an error (Strict), a warning (Warn) or nothing (Ignore).
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import orjson
import pydantic
import yaml

from kubeapi import go_base64, quantity
from kubeapi.errors import ApiError, bad_request
from kubeapi.go_json import syntax_error
from kubeapi.model import Model
from kubeapi.registry import Kind, Registry, load
from kubeapi.schema import Schema, schema_of

Validation = Literal["Strict", "Warn", "Ignore"]
Path = tuple[str | int, ...]
LARGEST_YAML_NODES = 200_000  # aliases expand; a body of 3 MiB has fewer honest nodes than this
DEEPEST = 254  # how deep JSON can be written
DEEPEST_YAML = 1000  # how deep YAML is read; what aliases make of it is counted after
MOST_MERGED = 20_000  # fields that `<<` brings; merges of merges multiply
# Go embeds these structs; the decoder's path names them though JSON does not.
EMBEDDED = {"Volume": "VolumeSource", "PersistentVolumeSpec": "PersistentVolumeSource", "Probe": "ProbeHandler"}
NOT_EMBEDDED = {
    "Volume": {"name"},
    "PersistentVolumeSpec": {
        "capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions",
        "volumeMode", "nodeAffinity", "volumeAttributesClassName",
    },
}  # fmt: skip
NOT_YAML = "error converting YAML to JSON: "
HEAD = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'
ZEROS: dict[str, Any] = {"bool": False, "int32": 0, "int64": 0, "float64": 0, "intstr.IntOrString": 0}
PROBE_HANDLERS = {"exec", "httpGet", "tcpSocket", "grpc"}


class UnreadableError(ValueError):
    """A body is no object of its kind; the text is that of Go's decoder."""


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: times stay text, `<<` merges, a key that stands twice is an error."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self._checked = set[int]()
        self._merged = self._depth = 0

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        """One level deeper: libyaml's composer goes on until the stack is at its end, and the process with it."""
        self._depth += 1
        if self._depth > DEEPEST_YAML:
            raise RecursionError

    def ascend_resolver(self) -> None:
        """One level up again."""
        self._depth -= 1

    def flatten_mapping(self, node: Any) -> None:
        """Merge what `<<` names, after a look at the keys: later they may stand there twice by right."""
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._refuse_repeated(node)
            self._count_merged(node)
        super().flatten_mapping(node)

    def _count_merged(self, node: Any) -> None:
        """Refuse too many merged fields before they are made."""
        for key, value in node.value:
            if key.tag != "tag:yaml.org,2002:merge":
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(source, yaml.MappingNode):
                    self.flatten_mapping(source)
                    self._merged += len(source.value)
            if self._merged > MOST_MERGED:
                raise yaml.YAMLError("document contains excessive aliasing")

    def _refuse_repeated(self, node: Any) -> None:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool)) or key in seen:
                raise yaml.YAMLError(f'line {key_node.start_mark.line + 1}: key "{key}" already set in map')
            seen.add(key)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse(body: bytes, content_type: str) -> Any:
    """JSON or YAML as plain values; 400 for what is neither."""
    if "yaml" not in content_type:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None
    return next(iter(parse_stream(body)), None)


def parse_stream(body: bytes) -> list[Any]:
    """The documents of a YAML stream (JSON is YAML) as plain values; 400 where it can't be read."""
    try:
        documents = [*yaml.load_all(body, _Loader)]
        left = [LARGEST_YAML_NODES]
        return [_counted(document, left, 0) for document in documents]
    except RecursionError:  # too deep, or an alias inside itself
        raise bad_request("error converting YAML to JSON: exceeded max depth") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise bad_request(f"{NOT_YAML}{_yaml_error(error)}") from None


def _yaml_error(error: Exception) -> str:
    """What Go's YAML reader says: it names a line past the first, and the scanner's by one more than the parser's."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or not problem:
        return f"yaml: {error}"
    line = mark.line + isinstance(error, yaml.scanner.ScannerError) if mark.line else 0
    return f"yaml: line {line}: {problem}" if line else f"yaml: {problem}"


def too_deep(body: bytes) -> bool:
    """Whether a body is JSON that nests deeper than can be written again, whatever this version of Python can read."""
    if body.count(b"{") + body.count(b"[") <= DEEPEST:
        return False
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False  # told by who reads it
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def _counted(value: Any, left: list[int], depth: int) -> Any:
    """The value with text keys; 400 when its aliases expand to more nodes than any honest body has."""
    left[0] -= 1
    if left[0] < 0:
        raise bad_request("the YAML expands to too many values")
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {_key_text(k): _counted(v, left, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_counted(v, left, depth + 1) for v in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value)  # as in Go, and as orjson reads one in JSON
    if value is not None and not isinstance(value, (str, int, float)):
        raise bad_request(f"{NOT_YAML}yaml: {type(value).__name__} is no type of JSON")
    return value


def _key_text(key: Any) -> str:
    return {True: "true", False: "false"}[key] if isinstance(key, bool) else str(key)


def decode(kind: Kind, body: bytes, validation: str = "Warn") -> tuple[Any, list[str]]:
    """The object in a JSON body, and warnings. Raises ApiError 400 in Kubernetes' words."""
    try:
        obj, told = read(kind, body, validation)
    except UnreadableError as why:
        raise _refused(kind, str(why)) from None
    if told and validation == "Strict":
        raise _refused(kind, "strict decoding error: " + ", ".join(told))
    return obj, told


def read(kind: Kind, body: bytes, validation: str = "Warn") -> tuple[Any, list[str]]:
    """The object in a JSON body, and what a strict reader refuses. Raises UnreadableError; ApiError 400 for no object."""
    unknown: list[str] = []
    try:
        repeated = repeated_fields(body) if validation != "Ignore" else []
        try:
            obj: Model = kind.model.from_json(body)
        except pydantic.ValidationError:
            obj, unknown = _slowly(kind, body)
    except RecursionError:
        raise UnreadableError("exceeded max depth") from None
    _check_type(kind, obj)
    if validation == "Ignore":
        return obj, []
    return obj, [f'unknown field "{field}"' for field in unknown] + [f'duplicate field "{field}"' for field in repeated]


def _check_type(kind: Kind, obj: Any) -> None:
    """Refuse a body that says to be of another type than its path; one that says nothing is made to be of it."""
    obj.kind, obj.api_version = said, version = obj.kind or kind.kind, obj.api_version or kind.api_version
    if (said, version) == (kind.kind, kind.api_version):
        return
    within, name = version.rpartition("/")[2], kind.group.partition(".")[0] or "core"
    if _served().kind(version, said) is not None:
        why = f"converting ({within}.{said}) to ({name}.{kind.kind}): unknown conversion"
    else:
        why = f'no kind "{said}" is registered for version "{version}" in scheme "pkg/api/legacyscheme/scheme.go:30"'
    raise bad_request(f'{said} in version "{within}" cannot be handled as a {kind.kind}: {why}')


@functools.cache
def _served() -> Registry:
    return load()


def _slowly(kind: Kind, body: bytes) -> tuple[Model, list[str]]:
    """Decode a body that the fast way refused: the object and its unknown fields, or the error."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unrecognized(kind, body, f"json parse error: {syntax_error(body) or error}") from None
    if value is None:
        value = {}  # for Go, null leaves an object as it is
    if not isinstance(value, dict):
        why = f"json: cannot unmarshal {json_type(value)} into Go value of type {HEAD}"
        raise unrecognized(kind, body, f"json parse error: {why}")
    schema = schema_of(kind.model)
    value = without_nulls(value, schema)
    unknown = [*drop_unknown(schema, value)]
    try:
        return kind.model.from_json(orjson.dumps(value)), unknown
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise UnreadableError(_in_gos_words(schema, value, first["loc"])) from None


def unrecognized(kind: Kind, body: bytes, why: str) -> ApiError:
    """400 for a body that is no object at all; ends with what of it a person may know it by."""
    if "yaml:" not in why:
        why = f"couldn't get version/kind; {why}"
    shown = body[:30].decode(errors="replace") if body[:1] == b"{" else body[:30].hex()
    shown += " ..." if len(body) > 30 else ""
    return bad_request(
        f"the object provided is unrecognized (must be of type {kind.kind}): {why} ({shown or '<empty>'})"
    )


def _refused(kind: Kind, why: str) -> ApiError:
    return bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}')


def without_nulls(value: Any, schema: Schema | None) -> Any:
    """A copy in which null is what Go makes of it: a struct's field stays as it is, an element is its type's zero."""
    if isinstance(value, dict):
        if schema is None or schema.kind == "struct":
            fields = schema.fields if schema is not None else {}
            return {k: without_nulls(v, fields.get(k)) for k, v in value.items() if v is not None}
        return {k: _element(v, schema.element) for k, v in value.items()}
    if isinstance(value, list):
        return [_element(v, schema.element if schema is not None else None) for v in value]
    return value


def _element(value: Any, schema: Schema | None) -> Any:
    if value is not None or schema is None:
        return without_nulls(value, schema)
    return {"struct": {}, "map": {}, "list": []}.get(schema.kind, ZEROS.get(schema.go_name, ""))


def drop_unknown(schema: Schema, value: Any, path: Path = ()) -> Iterable[str]:
    """Remove what the schema does not know, in place, and yield where it stood (`spec.ports[0].portx`)."""
    if schema.kind == "struct" and isinstance(value, dict):
        for key in [*value]:
            field = schema.fields.get(key)
            if field is None:
                del value[key]
                yield shown_path((*path, key))
            else:
                yield from drop_unknown(field, value[key], (*path, key))
    elif schema.element is not None:
        pairs: Iterable[tuple[Any, Any]] = ()
        if schema.kind == "list" and isinstance(value, list):
            pairs = enumerate(value)
        elif schema.kind == "map" and isinstance(value, dict):
            pairs = value.items()
        for key, item in pairs:
            yield from drop_unknown(schema.element, item, (*path, key))


def known(kind: Kind, value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A copy of an object's JSON without the fields that its kind does not know, and a warning for each of those."""
    rest = without_nulls(value, schema_of(kind.model))
    return rest, [f'unknown field "{field}"' for field in drop_unknown(schema_of(kind.model), rest)]


def shown_path(path: Iterable[str | int]) -> str:
    """`spec.ports[0].port`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def json_type(value: Any) -> str:
    """What Go calls the type of a JSON value."""
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
    return "null"


def _in_gos_words(schema: Schema, value: Any, location: Sequence[str | int]) -> str:
    """The complaint of Go's JSON decoder about the value at pydantic's location."""
    node, owner = schema, schema
    names: list[str] = []
    for step in location:
        if node.kind == "struct":
            field = node.fields.get(str(step))
            if field is None:
                break
            owner = node
            assert node.model is not None
            embedded = embedded_in(node.model.__name__, str(step))
            names += [embedded, str(step)] if embedded else [str(step)]
            node, value = field, value.get(step) if isinstance(value, dict) else None
        elif node.element is not None and isinstance(value, (dict, list)):
            try:
                value = value[step]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                break
            node = node.element
        else:
            break
    found = json_type(value)
    if node.go_name == "resource.Quantity":
        return quantity.WRONG
    if node.go_name == "[]uint8" and found == "string":
        return f"illegal base64 data at input byte {go_base64.first_error(value)}"
    if found == "string" and node.go_name == "v1.Time":
        return f'parsing time "{value}" as "2006-01-02T15:04:05Z07:00": cannot parse "{value}" as "2006"'
    if found == "number" and node.go_name in ("int32", "int64"):  # too large, or with a fraction
        found = f"number {value}"
    container = owner.model.__name__ if owner.model else ""
    wanted = "int32" if node.go_name == "intstr.IntOrString" else node.go_name  # what is no text is read as a number
    return f"json: cannot unmarshal {found} into Go struct field {container}.{'.'.join(names)} of type {wanted}"


def embedded_in(struct: str, field: str) -> str:
    """The embedded Go struct that holds a field, or an empty text."""
    if struct == "Probe":
        return "ProbeHandler" if field in PROBE_HANDLERS else ""
    return EMBEDDED[struct] if struct in EMBEDDED and field not in NOT_EMBEDDED.get(struct, ()) else ""


def repeated_fields(body: bytes) -> list[str]:
    """The fields that stand twice in one JSON object, by path. Reads the body once more."""
    with contextlib.suppress(orjson.JSONDecodeError, orjson.JSONEncodeError):  # no JSON, or too deep for it
        if orjson.dumps(orjson.loads(body)) == body:  # as a program writes it, and what is read has nothing twice
            return []
    twice: dict[
        int, tuple[dict[str, Any], list[str]]
    ] = {}  # by id: an object (kept, so that its id stays its own), its keys

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        once = dict(items)
        if len(once) != len(items):
            names = [name for name, _ in items]
            twice[id(once)] = once, [name for name in once if names.count(name) > 1]
        return once

    def walk(value: Any, path: Path) -> Iterable[str]:
        if isinstance(value, dict):
            if id(value) in twice:
                yield from (shown_path((*path, key)) for key in twice[id(value)][1])
            for key, item in value.items():
                yield from walk(item, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from walk(item, (*path, index))

    try:
        value = json.loads(body, object_pairs_hook=pairs)
    except ValueError:
        return []  # what is no JSON is told by the decoder
    return [*walk(value, ())] if twice else []
