"""Frames on the channel: 4 bytes of length, big-endian, then JSON in UTF-8."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from typing import Any, cast

MAX_RESULT_BYTES = 1 << 20
"""Longest frame that goes out."""
MAX_ORDER_BYTES = 8 << 20
"""Longest frame that comes in: a cell of 1 MiB with every character escaped."""
_LENGTH_BYTES = 4


class ChannelLost(Exception):
    """The channel is closed, or the program has put something else in its place."""


class Channel:
    """The line to PID 1. Frames of several threads do not mix."""

    def __init__(self, fd: int) -> None:
        os.set_inheritable(fd, False)  # noqa: FBT003  the function's only form
        os.set_blocking(fd, True)
        self._fd = fd
        self._process = os.getpid()
        self._identity = self._look()
        self._lock = threading.Lock()

    def _look(self) -> tuple[int, int]:
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino

    def _check(self) -> None:
        # A program that closes all descriptors and opens a file of its own must not find frames in that file.
        try:
            same = self._look() == self._identity
        except OSError as error:
            raise ChannelLost from error
        if not same:
            raise ChannelLost

    def send(self, message: Mapping[str, object]) -> None:
        """Send one frame; waits while nobody reads. A fork of the program sends nothing.

        Raises:
            ChannelLost: when there is no channel any more.
            ValueError: when the frame would be longer than `MAX_RESULT_BYTES`.
        """
        if os.getpid() != self._process:
            return
        body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        if len(body) > MAX_RESULT_BYTES:
            raise ValueError("the frame is too long")
        left = memoryview(len(body).to_bytes(_LENGTH_BYTES, "big") + body)
        with self._lock:
            self._check()
            while left:
                try:
                    left = left[os.write(self._fd, left) :]
                except OSError as error:
                    raise ChannelLost from error

    def receive(self) -> dict[str, Any] | None:
        """Wait for one frame and return it; None when the other side has left.

        Raises:
            ChannelLost: when there is no channel any more, or it does not speak frames.
        """
        self._check()
        try:
            head = self._read(_LENGTH_BYTES)
            if not head:
                return None
            size = int.from_bytes(head, "big")
            if len(head) < _LENGTH_BYTES or size > MAX_ORDER_BYTES:
                raise ChannelLost
            return cast("dict[str, Any]", json.loads(self._read(size)))
        except (OSError, ValueError) as error:
            raise ChannelLost from error

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := os.read(self._fd, min(size, 1 << 18))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
