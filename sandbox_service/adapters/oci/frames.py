"""Frames between the service and the PID 1 of a container: a JSON object and bytes, after the lengths of both.

Imported on both sides. Each side holds the other to the lengths, so that what waits in memory is bounded.
"""

from __future__ import annotations

import json
from typing import Any, cast

MAX_MESSAGE_BYTES = 256 << 10
MAX_CONTENT_BYTES = 8 << 20
_HEAD_BYTES = 8

Message = dict[str, Any]


class FrameError(Exception):
    """What came is no frame."""


def encode(message: Message, content: bytes = b"") -> bytes:
    """Return the frame of a message with `content`.

    Raises:
        ValueError: when it is too long.
    """
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > MAX_MESSAGE_BYTES or len(content) > MAX_CONTENT_BYTES:
        raise ValueError("a frame is too long")
    return len(body).to_bytes(4, "big") + len(content).to_bytes(4, "big") + body + content


class Decoder:
    """Puts frames together from what is read."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[Message, bytes]]:
        """Take in what was read, and return the frames that are whole now.

        Raises:
            FrameError: when it is none, or too long.
        """
        self._buffer += data
        found: list[tuple[Message, bytes]] = []
        while (frame := self._next()) is not None:
            found.append(frame)
        return found

    def _next(self) -> tuple[Message, bytes] | None:
        if len(self._buffer) < _HEAD_BYTES:
            return None
        body_bytes, content_bytes = int.from_bytes(self._buffer[:4], "big"), int.from_bytes(self._buffer[4:8], "big")
        if body_bytes > MAX_MESSAGE_BYTES or content_bytes > MAX_CONTENT_BYTES:
            raise FrameError
        middle = _HEAD_BYTES + body_bytes
        end = middle + content_bytes
        if len(self._buffer) < end:
            return None
        try:
            message: object = json.loads(self._buffer[_HEAD_BYTES:middle])
        except (ValueError, RecursionError) as error:
            raise FrameError from error
        if not isinstance(message, dict):
            raise FrameError
        content = bytes(self._buffer[middle:end])
        del self._buffer[:end]
        return cast("Message", message), content
