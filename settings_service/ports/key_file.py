"""Where the plain form of the first key is written, once."""

from __future__ import annotations

from typing import Protocol


class KeyFile(Protocol):
    """A file that only the owner of the process can read."""

    async def write(self, api_key: str) -> None:
        """Write `api_key`, over an earlier one; either the whole key is there afterwards or nothing changed."""
        ...
