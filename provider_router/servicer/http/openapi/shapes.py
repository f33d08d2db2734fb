"""JSON Schemas of plain values, and how they are put together."""

from __future__ import annotations

from typing import Any, TypeAlias

Shape: TypeAlias = dict[str, Any]

FLAG: Shape = {"type": "boolean"}
ANY_OBJECT: Shape = {"type": "object"}
NUMBER_OF_TOKENS: Shape = {"type": "integer", "minimum": 0}


def text(most: int = 0, *, least: int = 0, says: str = "", pattern: str = "") -> Shape:
    """Text of `least` to `most` characters; 0 for any length."""
    shape: Shape = {"type": "string"}
    bounds = {"minLength": least, "maxLength": most, "pattern": pattern, "description": says}
    return shape | {name: value for name, value in bounds.items() if value}


def word(most: int, says: str = "") -> Shape:
    """Text of 1 to `most` characters; 0 for any length."""
    return text(most, least=1, says=says)


def count(least: int, most: int, says: str = "") -> Shape:
    """A whole number."""
    return said({"type": "integer", "minimum": least, "maximum": most}, says)


def number(least: float, most: float, says: str = "") -> Shape:
    """A number."""
    return said({"type": "number", "minimum": least, "maximum": most}, says)


def one_of(*words: str, says: str = "") -> Shape:
    """One of some words."""
    return said({"type": "string", "enum": list(words)}, says)


def only(value: str) -> Shape:
    """One word."""
    return {"type": "string", "const": value}


def listed(items: Shape, least: int = 0, most: int = 0, says: str = "") -> Shape:
    """A list of `least` to `most` items; 0 for any number."""
    shape: Shape = {"type": "array", "items": items}
    bounds = {"minItems": least, "maxItems": most, "description": says}
    return shape | {name: value for name, value in bounds.items() if value}


def thing(needed: Shape, more: Shape | None = None, says: str = "") -> Shape:
    """An object with the fields `needed`, and perhaps `more`. Further fields are for the provider."""
    shape: Shape = {"type": "object", "properties": needed | (more or {})}
    if needed:
        shape["required"] = list(needed)
    return said(shape, says)


def either(*shapes: Shape, says: str = "") -> Shape:
    """Any of some shapes."""
    return said({"anyOf": list(shapes)}, says)


def maybe(shape: Shape) -> Shape:
    """`shape` or null, which stands for what is absent."""
    return {"anyOf": [shape, {"type": "null"}]}


def optional(**shapes: Shape) -> Shape:
    """Fields that may be null."""
    return {name: maybe(shape) for name, shape in shapes.items()}


def said(shape: Shape, says: str) -> Shape:
    """`shape` with words about it."""
    return shape | {"description": says} if says else shape


def named(name: str) -> Shape:
    """A schema of the document, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}
