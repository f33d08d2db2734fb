"""What goes over the channel: cells come in, each as 4 bytes of length, big-endian, and its text in UTF-8.

Frames go out: 4 bytes of length, a head of that length in JSON, and behind it the bytes whose sizes the head gives.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence

from sandbox_service.adapters.guest.forms import Form

MAX_HEAD_BYTES = 4 << 10
"""Longest head of a frame."""
MAX_RESULT_BYTES = 1 << 20
"""Most bytes behind a head."""
MAX_CELL_BYTES = 1 << 20
"""Longest cell that comes in."""
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

    def send_result(self, forms: Sequence[Form]) -> None:
        """Send the forms of a value; see `send`."""
        heads = [[kind, len(data)] for kind, data in forms]
        self.send({"op": "result", "forms": heads}, b"".join(data for _, data in forms))

    def send(self, head: Mapping[str, object], data: bytes = b"") -> None:
        """Send one frame; waits while nobody reads. A fork of the program sends nothing.

        Raises:
            ChannelLost: when there is no channel any more.
            ValueError: when the frame would be too long.
        """
        if os.getpid() != self._process:
            return
        body = json.dumps(head).encode()
        if len(body) > MAX_HEAD_BYTES or len(data) > MAX_RESULT_BYTES:
            raise ValueError("the frame is too long")
        left = memoryview(len(body).to_bytes(_LENGTH_BYTES, "big") + body + data)
        with self._lock:
            self._check()
            while left:
                try:
                    left = left[os.write(self._fd, left) :]
                except OSError as error:
                    raise ChannelLost from error

    def receive(self) -> str | None:
        """Wait for one cell and return it; None when the other side has left.

        Raises:
            ChannelLost: when there is no channel any more, or what comes is no cell.
        """
        self._check()
        try:
            head = self._read(_LENGTH_BYTES)
            if not head:
                return None
            size = int.from_bytes(head, "big")
            if len(head) < _LENGTH_BYTES or size > MAX_CELL_BYTES:
                raise ChannelLost
            return self._read(size).decode()
        except (OSError, ValueError) as error:
            raise ChannelLost from error

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size and (part := os.read(self._fd, min(size, 1 << 18))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
