"""A text that grows by pieces, each of which may be a single character."""

from __future__ import annotations

from io import StringIO


def growing_text() -> StringIO:
    """An empty text to write to, which holds four bytes a character however small the pieces are.

    A list would keep each of them, of some 80 bytes; and so does a `StringIO` that nothing was ever in.
    """
    text = StringIO("-")
    text.truncate(0)
    return text
