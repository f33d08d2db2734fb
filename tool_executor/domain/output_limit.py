"""Cuts a tool's output to a size that a model can take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

_SMALLEST_TEXT = 256
_MOST_VALUES_CUT = 10_000
"""Values of an output up to which the texts in it are cut; more of them are not gone through again and again."""
_LITTLE_VALUES = 2_000
_LITTLE_CHARS = 200_000
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def encode(value: object) -> str:
    """Return `value` as compact JSON.

    Raises:
        ValueError: when it holds NaN, an infinity, half a surrogate pair or refers to itself.
        TypeError: when it holds something that JSON has no word for.
    """
    # Piece by piece when it is much: one call for all of it would let no other thread run meanwhile.
    text = _ENCODER.encode(value) if is_little(value) else "".join(_ENCODER.iterencode(value))
    text.encode()
    return text


def is_little(value: object) -> bool:
    """Return whether going through `value` takes some milliseconds at most. Finding out takes no longer."""
    return _holds_at_most(value, _LITTLE_VALUES, _LITTLE_CHARS)


def fit(value: Mapping[str, object], limit_bytes: int) -> tuple[str, str]:
    """Return `value` as JSON of at most `limit_bytes` bytes, and the whole JSON when something was cut, else nothing.

    Long texts inside are cut first, so that the result keeps its shape: each ends with a marker that says how much is
    missing. When that is not enough, or there are many values, the result is
    `{"truncated_text": "<start of the JSON>"}`.

    Raises:
        ValueError, TypeError: when it is not JSON, see `encode`.
    """
    text = encode(value)
    if len(text.encode()) <= limit_bytes:
        return text, ""
    longest = limit_bytes if _holds_at_most(value, _MOST_VALUES_CUT, len(text)) else 0
    while longest >= _SMALLEST_TEXT:
        shorter = encode(_cut_texts(value, longest))
        if len(shorter.encode()) <= limit_bytes:
            return shorter, text
        longest //= 2
    start = text[: 2 * limit_bytes]
    while True:
        start = start[: max(1, len(start) // 2)]
        whole = encode({"truncated_text": f"{start}… [cut: {len(start)} of {len(text)} characters]"})
        if len(whole.encode()) <= limit_bytes or len(start) == 1:
            return whole, text


def clip(text: str, limit: int) -> tuple[str, bool]:
    """Return `text` with at most `limit` characters and a marker, and whether it was cut."""
    if len(text) <= limit:
        return text, False
    return f"{text[:limit]}… [cut: {limit} of {len(text)} characters]", True


def _cut_texts(value: object, longest: int) -> object:
    if isinstance(value, str):
        return clip(value, longest)[0]
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: _cut_texts(item, longest) for key, item in items}
    if isinstance(value, list | tuple):
        return [_cut_texts(item, longest) for item in cast("list[object]", value)]
    return value


def _holds_at_most(root: object, values: int, chars: int) -> bool:
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            chars -= len(value)
        elif isinstance(value, Mapping):
            found = cast("Mapping[str, object]", value)
            values -= len(found)
            if values >= 0:
                chars -= sum(map(len, found))
                waiting.extend(found.values())
        elif isinstance(value, list | tuple):
            many = cast("list[object]", value)
            values -= len(many)
            if values >= 0:
                waiting.extend(many)
        if values < 0 or chars < 0:
            return False
    return True
