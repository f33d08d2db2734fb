"""The service's end of the line to a launcher."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from sandbox_service.adapters.launcher.order import MAX_MESSAGE_BYTES, decode_message

_MAX_BUFFER_BYTES = 4 * MAX_MESSAGE_BYTES


class ControlLine:
    """Collects the launcher's messages.

    Attributes:
        messages: by name, each with its values; a later one of the same name replaces the earlier.
    """

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._heard = asyncio.Event()
        self.messages: dict[str, dict[str, str]] = {}
        self._loop.add_reader(control.fileno(), self.receive)
        self._open = True

    def receive(self) -> None:
        """Take in what has arrived, without waiting."""
        while self._open:
            try:
                part = self._control.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except OSError:
                part = b""
            self._buffer += part
            *lines, self._buffer = self._buffer.split(b"\n")
            for line in lines:
                name, values = decode_message(line.decode("utf-8", "replace") or "nothing")
                self.messages[name] = values
            self._heard.set()
            if not part or len(self._buffer) > _MAX_BUFFER_BYTES:
                self._stop_reading()

    async def started_or_closed(self) -> None:
        """Wait until the launcher has said that the program starts, or has closed the line."""
        while self._open and "ready" not in self.messages:
            self._heard.clear()
            await self._heard.wait()

    def order_kill(self) -> None:
        """Have PID 1 kill everything. Idempotent."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)

    def _stop_reading(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._control.fileno())
            self._heard.set()

    def close(self) -> None:
        """Close the line, which kills what still runs. Idempotent."""
        self._stop_reading()
        self._control.close()
