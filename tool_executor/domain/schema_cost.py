"""How much work it is to check a value against the reduction of a stranger's schema."""

from __future__ import annotations

from typing import cast

from tool_executor.domain.tool_definition import JsonObject

_LISTS = ("enum", "required", "type")
_BRANCHES = ("allOf", "anyOf")
_CHARS_A_UNIT = 1_024
_VALUES_A_UNIT = 4
_NAMES_A_UNIT = 16


def costs_at_most(schema: JsonObject, value: JsonObject, units: int) -> bool:
    """Return whether checking takes at most `units`, each some thirty microseconds at worst. Stops counting there.

    A unit is one part of `schema` held to one part of `value`, every branch and every item counted; large parts count
    more, since what does not fit is written out to tell it.
    """
    try:
        _Count(units).add(schema, value)
    except _TooMuchError:
        return False
    return True


class _TooMuchError(Exception):
    pass


class _Count:
    def __init__(self, units: int) -> None:
        self._left = units
        self._sizes: dict[int, int] = {}

    def add(self, schema: JsonObject, value: object) -> None:
        """Count what it takes to hold `value` to `schema`."""
        lists = (schema[name] for name in _LISTS if isinstance(schema.get(name), list))
        self._spend(1 + self._size(value) // _CHARS_A_UNIT + sum(len(cast("list[object]", each)) for each in lists))
        if isinstance(value, dict):
            self._add_fields(schema, cast("dict[str, object]", value))
        elif isinstance(value, list) and isinstance(schema.get("items"), dict):
            part = cast("JsonObject", schema["items"])
            for item in cast("list[object]", value):
                self.add(part, item)
        for branch in (each for keyword in _BRANCHES for each in cast("list[JsonObject]", schema.get(keyword, []))):
            self.add(branch, cast("object", value))

    def _add_fields(self, schema: JsonObject, value: dict[str, object]) -> None:
        named = cast("dict[str, JsonObject]", schema.get("properties", {}))
        self._spend(len(named) // _NAMES_A_UNIT)
        for name in named.keys() & value.keys():
            self.add(named[name], value[name])
        if "additionalProperties" not in schema:
            return
        self._spend(len(value) // _VALUES_A_UNIT)
        further = schema["additionalProperties"]
        if isinstance(further, dict):
            for name in value.keys() - named.keys():
                self.add(cast("JsonObject", further), value[name])

    def _size(self, value: object) -> int:
        """Return about how many characters `value` is when it is written out; each value is gone through once."""
        if isinstance(value, str):
            return len(value)
        if isinstance(value, int):
            return 16 + value.bit_length() // 3
        if not isinstance(value, dict | list):
            return 16
        known = self._sizes.get(id(cast("object", value)))
        if known is None:
            parts = cast("dict[str, object] | list[object]", value)
            self._spend(len(parts) // _VALUES_A_UNIT)
            inner = list(parts.values()) if isinstance(parts, dict) else parts
            keys = sum(map(len, parts)) if isinstance(parts, dict) else 0
            known = 16 + keys + sum(self._size(each) for each in inner)
            self._sizes[id(parts)] = known
        return known

    def _spend(self, units: int) -> None:
        self._left -= units
        if self._left < 0:
            raise _TooMuchError
