"""Reads a call's arguments: one JSON string, parsed here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NoReturn, cast

from tool_executor.domain.tool_call import invalid_arguments
from tool_executor.domain.tool_definition import JsonObject

MAX_DEPTH = 32
MAX_VALUES = 50_000


def parse_arguments(text: str) -> JsonObject:
    """Return the object that `text` holds; empty text counts as `{}`, as models send it for "no arguments".

    Raises:
        ToolFailure: with status INVALID_ARGUMENTS when `text` is not one JSON object, names a key twice, holds NaN,
            an infinity, is nested deeper than `MAX_DEPTH` or has more than `MAX_VALUES` values.
    """
    if not text.strip():
        return {}
    try:
        value: object = json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RecursionError:
        raise _malformed(f"they are nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:
        raise _malformed("they hold a number with too many digits") from None
    if not isinstance(value, dict):
        raise _malformed('they must be one JSON object, such as {"name": "value"}')
    _check_shape(cast("JsonObject", value))
    return cast("JsonObject", value)


def canonical(arguments: JsonObject) -> bytes:
    """Return `arguments` as JSON that is the same for equal objects, whatever the order of keys and the spacing.

    Raises:
        ToolFailure: with status INVALID_ARGUMENTS when a text is not valid Unicode.
    """
    try:
        return json.dumps(arguments, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise _malformed("a text in them holds half a surrogate pair (\\ud800 to \\udfff)") from None


def _malformed(why: str) -> Exception:
    return invalid_arguments("ARGUMENTS_MALFORMED", f"The arguments cannot be read: {why}.")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _malformed(f"the key {key[:64]!r} stands in them twice")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not a JSON value")


def _check_shape(root: JsonObject) -> None:
    level: list[object] = [root]
    seen = 0
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
        seen += len(level)
        if seen > MAX_VALUES:
            raise _malformed(f"they hold more than {MAX_VALUES} values")
        if not level:
            return
    raise _malformed(f"they are nested deeper than {MAX_DEPTH} levels")


def _children(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    if isinstance(value, list):
        return cast("list[object]", value)
    return ()
