"""One tolerant reader of the JSON that models write as arguments of a tool call."""

from __future__ import annotations

import json
import re
from typing import Any, cast

# No part of it can be read in two ways: text from a model must not decide how long this takes.
_FENCE = re.compile(r"```[\w-]*+(.*?)```", re.DOTALL)
_MOST_CHARS = 1024 * 1024


def json_object_in(text: str) -> str | None:
    """Return the JSON object that `text` holds, compact, or None when it holds none.

    Models put it into Markdown fences or between words, or write nothing when a tool takes no arguments (which means
    `{}`). The first object that can be read is taken: of the text as a whole, then of each fence, then from each
    brace on.
    """
    if len(text) > _MOST_CHARS:
        return None
    stripped = text.strip()
    if not stripped:
        return "{}"
    for candidate in (stripped, *(match.strip() for match in _FENCE.findall(stripped))):
        found = _whole(candidate)
        if found is not None:
            return _compact(found)
    found = _embedded(stripped)
    return None if found is None else _compact(found)


def _whole(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, str):
        # Some models encode the object twice.
        return _whole(value) if value.lstrip().startswith("{") else None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _embedded(text: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder()
    start = text.find("{")
    tries = 0
    while start != -1 and tries < 32:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        start = text.find("{", start + 1)
        tries += 1
    return None


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
