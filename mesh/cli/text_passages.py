"""A plain text file as passages: what stands between blank lines."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from shared.errors import InvalidInput

_MOST_BYTES = 4 * 1024 * 1024
_MOST_CHARS = 1_000
"""Of a passage: the embedding model that ships with Nexus sees no more."""
_BLANK_LINES = re.compile(r"\n\s*\n")


def passages_of(file: Path) -> list[str]:
    """Return the passages of a text file; longer ones are parted between words.

    Raises:
        InvalidInput: reason FILE_UNREADABLE, FILE_TOO_LARGE (over 4 MiB), FILE_NOT_TEXT or FILE_EMPTY.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    if len(data) > _MOST_BYTES:
        raise InvalidInput("FILE_TOO_LARGE", f"{file} is larger than 4 MiB. Put it in parts, each as a source.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("FILE_NOT_TEXT", f"{file} is no plain text in UTF-8.") from error
    if "\0" in text:
        raise InvalidInput("FILE_NOT_TEXT", f"{file} is no plain text in UTF-8.")
    found = [part for block in _BLANK_LINES.split(text.replace("\r\n", "\n")) for part in _parted(block.strip())]
    if not found:
        raise InvalidInput("FILE_EMPTY", f"There is no text in {file}.")
    return list(dict.fromkeys(found))


def _parted(block: str) -> list[str]:
    if len(block) <= _MOST_CHARS:
        return [block] if block else []
    return textwrap.wrap(block, _MOST_CHARS, break_on_hyphens=False)
