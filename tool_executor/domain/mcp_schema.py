"""JSON Schemas that a stranger wrote: which of them are taken in, and what of them is checked here.

A schema can be made so that checking a value against it takes for ever: a pattern that backtracks, references that
double at each step. So the value is checked against a reduction: a tree without references, of keywords whose cost is
one step for a value, with at most `MAX_NODES` nodes. It lets through all that the whole schema lets through, and the
server checks the rest itself.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from typing import cast

from tool_executor.domain.tool_definition import JsonObject

MAX_NODES = 400
MAX_BYTES = 65_536
MAX_VALUES = 4_000
MAX_DEPTH = 32
_MAX_CHOICES = 256
_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


class SchemaRefusedError(Exception):
    """A schema that is not taken in; the text says why."""


def require_bounded(schema: JsonObject, *, is_of_object: bool) -> int:
    """Refuse a schema that is too large or too deep, refers to somewhere else, or is none; return its size in bytes.

    Raises:
        SchemaRefusedError: with the reason.
    """
    _require_shape(schema)
    try:
        size = len(json.dumps(schema, allow_nan=False).encode())
    except ValueError:
        raise SchemaRefusedError("its schema holds a number that JSON has no word for") from None
    if size > MAX_BYTES:
        raise SchemaRefusedError(f"its schema is larger than {MAX_BYTES} bytes")
    if is_of_object and schema.get("type") != "object":
        raise SchemaRefusedError("its input schema is not one of an object")
    checkable(schema)
    return size


def checkable(schema: JsonObject) -> tuple[JsonObject, int]:
    """Return the reduction of `schema` against which values are checked, and how many nodes it has.

    Raises:
        SchemaRefusedError: when a keyword that is checked has a value that it cannot have.
    """
    reduction = _Reduction(schema)
    return reduction.whole(), reduction.nodes


def moved(schema: object, to: str) -> object:
    """Return `schema` with its references to itself as they are where it stands at the JSON pointer `to` of another."""
    if isinstance(schema, list):
        return [moved(each, to) for each in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    return {
        key: f"#{to}{value.removeprefix('#')}" if key == "$ref" and isinstance(value, str) else moved(value, to)
        for key, value in cast("JsonObject", schema).items()
    }


class _Reduction:
    """Goes through a schema level by level, so that what is beyond the limit is what lies deepest."""

    def __init__(self, root: JsonObject) -> None:
        self._root = root
        self._waiting: deque[tuple[dict[str, object], JsonObject, int]] = deque()
        self._places = 0
        self.nodes = 0

    def whole(self) -> JsonObject:
        """Return the reduction; parts beyond the limits let everything through."""
        reduced = self._part(self._root, 0)
        while self._waiting and self.nodes < MAX_NODES and self._places < MAX_VALUES:
            place, part, depth = self._waiting.popleft()
            if depth < MAX_DEPTH:
                self.nodes += 1
                place.update(_scalars(part), **self._nested(part, depth + 1))
        return reduced

    def _part(self, schema: object, depth: int) -> dict[str, object]:
        """Return the place of a part, which is filled when its turn comes."""
        if isinstance(schema, bool):
            return {} if schema else {"enum": []}
        if not isinstance(schema, dict):
            raise SchemaRefusedError("a part of its schema is no schema")
        place: dict[str, object] = {}
        self._places += 1
        self._waiting.append((place, cast("JsonObject", schema), depth))
        return place

    def _nested(self, part: JsonObject, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        properties = part.get("properties")
        if properties is not None:
            if not isinstance(properties, dict):
                raise SchemaRefusedError("`properties` in its schema is no object")
            named = cast("JsonObject", properties)
            found["properties"] = {name: self._part(value, depth) for name, value in named.items()}
        # Beside patterns that are not checked, "additional" would mean more properties than it says.
        if "additionalProperties" in part and "patternProperties" not in part:
            found["additionalProperties"] = (
                False if part["additionalProperties"] is False else self._part(part["additionalProperties"], depth)
            )
        if isinstance(part.get("items"), dict) and "prefixItems" not in part:
            found["items"] = self._part(part["items"], depth)
        every = _listed(part, "allOf")
        if isinstance(part.get("$ref"), str):
            every = [self._target(str(part["$ref"])), *every]
        if every:
            found["allOf"] = [self._part(value, depth) for value in every]
        # "Exactly one" of reductions would refuse what more than one of them lets through.
        choices = _listed(part, "anyOf") or _listed(part, "oneOf")
        if choices:
            found["anyOf"] = [self._part(value, depth) for value in choices]
        return found

    def _target(self, reference: str) -> object:
        """Return what a reference inside the document leads to; what cannot be found lets everything through."""
        if not reference.startswith("#"):
            raise SchemaRefusedError("its schema refers to another document")
        found: object = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict):
                return True
            found = cast("JsonObject", found).get(key, True)
        return found


def _scalars(part: JsonObject) -> dict[str, object]:
    found: dict[str, object] = {}
    kind = part.get("type")
    if kind is not None:
        kinds = cast("list[object]", kind) if isinstance(kind, list) else [kind]
        if not kinds or not all(isinstance(each, str) and each in _TYPES for each in kinds):
            raise SchemaRefusedError("`type` in its schema is no type")
        found["type"] = kind
    required = part.get("required")
    if required is not None:
        if not isinstance(required, list) or not all(isinstance(n, str) for n in cast("list[object]", required)):
            raise SchemaRefusedError("`required` in its schema is no list of names")
        found["required"] = required
    choices = part.get("enum")
    if isinstance(choices, list) and _are_plain(cast("list[object]", choices)):
        found["enum"] = choices
    if "const" in part and _are_plain([part["const"]]):
        found["const"] = part["const"]
    for name in _COUNTS:
        if _is_number(part.get(name)) and float(cast("float", part[name])) >= 0:
            found[name] = part[name]
    found.update({name: part[name] for name in _BOUNDS if _is_number(part.get(name))})
    return found


def _listed(part: JsonObject, keyword: str) -> list[object]:
    found = part.get(keyword, [])
    if not isinstance(found, list):
        raise SchemaRefusedError(f"`{keyword}` in its schema is no list")
    return cast("list[object]", found)


def _are_plain(values: list[object]) -> bool:
    return len(values) <= _MAX_CHOICES and all(
        value is None or isinstance(value, str | int | float) for value in values
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _require_shape(schema: JsonObject) -> None:
    level: list[object] = [schema]
    seen = 0
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        seen += len(level)
        if seen > MAX_VALUES:
            raise SchemaRefusedError(f"its schema has more than {MAX_VALUES} values")
        if not level:
            return
    raise SchemaRefusedError(f"its schema is nested deeper than {MAX_DEPTH} levels")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("JsonObject", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()
