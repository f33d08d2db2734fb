"""Cuts a tool's output to a size that a model can take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

_SMALLEST_TEXT = 256


def encode(value: object) -> str:
    """Return `value` as compact JSON.

    Raises:
        ValueError: when it holds NaN, an infinity, half a surrogate pair or refers to itself.
        TypeError: when it holds something that JSON has no word for.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text.encode()
    return text


def fit(value: Mapping[str, object], limit_bytes: int) -> tuple[str, bool]:
    """Return `value` as JSON of at most `limit_bytes` bytes, and whether something was cut.

    Long texts inside are cut first, so that the result keeps its shape: each ends with a marker that says how much is
    missing. When that is not enough, the result is `{"truncated_text": "<start of the JSON>"}`.

    Raises:
        ValueError, TypeError: when it is not JSON, see `encode`.
    """
    text = encode(value)
    if len(text.encode()) <= limit_bytes:
        return text, False
    longest = limit_bytes
    while longest >= _SMALLEST_TEXT:
        shorter = encode(_cut_texts(value, longest))
        if len(shorter.encode()) <= limit_bytes:
            return shorter, True
        longest //= 2
    start = text
    while True:
        start = start[: max(1, len(start) // 2)]
        whole = encode({"truncated_text": f"{start}… [cut: {len(start)} of {len(text)} characters]"})
        if len(whole.encode()) <= limit_bytes or len(start) == 1:
            return whole, True


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
