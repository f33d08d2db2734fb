"""Bounds what JSON becomes in memory, before it is parsed: each value takes fifty times its bytes."""

from __future__ import annotations

MOST_VALUES = 50_000
"""As many as the tool executor takes in the arguments of a call."""


def has_too_many_values(document: bytes) -> bool:
    """Return whether `document`, should it be JSON, has more than `MOST_VALUES`. Takes time by its length alone."""
    return _marks(document) > MOST_VALUES and _marks(_without_texts(document)) > MOST_VALUES


def _without_texts(document: bytes) -> bytes:
    # Without escapes every other quotation mark ends a text. A pattern would try each mark as a beginning.
    return b"".join(document.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _marks(document: bytes) -> int:
    return document.count(b",") + document.count(b"[") + document.count(b"{")
