"""Makes a JSON value that follows a JSON Schema, the same for the same schema."""

from __future__ import annotations

from typing import Any, cast

from shared.testing.scripted_provider.request import JsonObject

_DEEPEST = 12


def sample(schema: JsonObject, text: str) -> Any:
    """Return a value of the schema, with `text` where it wants free text. Understands what clients' helpers write."""
    return _value(schema, schema, text, 0)


def _value(schema: JsonObject, root: JsonObject, text: str, depth: int) -> Any:
    if depth > _DEEPEST:
        return None
    if "$ref" in schema:
        return _value(_resolved(schema["$ref"], root), root, text, depth + 1)
    for fixed in ("const", "default"):
        if fixed in schema:
            return schema[fixed]
    if "enum" in schema:
        return schema["enum"][0]
    for branch in ("anyOf", "oneOf", "allOf"):
        if branch in schema:
            return _value(schema[branch][0], root, text, depth + 1)
    return _of_type(schema, root, text, depth)


def _of_type(schema: JsonObject, root: JsonObject, text: str, depth: int) -> Any:
    named: str | list[str] = schema.get("type", "object")
    kind = named if isinstance(named, str) else named[0]
    if kind == "array":
        return [_value(schema.get("items") or {"type": "string"}, root, text, depth + 1)]
    if kind == "object":
        properties = cast("dict[str, JsonObject]", schema.get("properties") or {})
        return {name: _value(inner, root, text, depth + 1) for name, inner in properties.items()}
    plain = {"string": text, "integer": _bounded(7, schema), "number": _bounded(0.5, schema), "boolean": True}
    return plain.get(kind)


def _bounded(usual: float, schema: JsonObject) -> float:
    return max(schema.get("minimum", usual), min(usual, schema.get("maximum", usual)))


def _resolved(reference: str, root: JsonObject) -> JsonObject:
    found: Any = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found
