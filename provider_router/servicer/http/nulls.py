"""Fields that are null, which stand for what is absent: not all servers know that."""

from __future__ import annotations

from typing import Any, cast

# Where they hold a dialect's own objects. What tools are called with, and JSON Schemas, are the caller's.
_HOLDERS = frozenset(
    {
        *("messages", "content", "system", "tools", "tool_calls", "function", "source", "image_url", "file"),
        *("input_audio", "output", "response_format", "json_schema", "custom"),
    }
)
# That of an assistant who only calls tools is null by the book.
_SAID = frozenset({"content"})
_OBJECT, _LIST = (dict,), (list,)


def without_nulls(value: Any) -> Any:
    """`value`, a list or an object of a dialect, without fields that are null."""
    if type(value) in _LIST:
        return [without_nulls(each) for each in cast("list[Any]", value)]
    if type(value) not in _OBJECT:
        return value
    owner = cast("dict[str, Any]", value)
    is_said = owner.get("role") == "assistant"
    return {
        name: without_nulls(inner) if name in _HOLDERS else inner
        for name, inner in owner.items()
        if inner is not None or (is_said and name in _SAID)
    }
