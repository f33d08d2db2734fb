"""A provider whose answers are streams at a fixed pace: `python -m benchmarks.gateway.upstream_events PORT`.

The model's name says how many pieces come how fast (`answers.model_of_events`). Each piece is a write of its own, so
that gateways get one after the other, as from a model. Its CPU is not counted.
"""

from __future__ import annotations

import asyncio
import sys
from functools import lru_cache
from typing import cast

import uvloop

from benchmarks.gateway.answers import asked_events, events

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_NOTHING = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
_END = b"0\r\n\r\n"


@lru_cache
def _pieces(count: int) -> tuple[bytes, ...]:
    chunks = [b"%x\r\n%b\r\n" % (len(event), event) for event in events(count)]
    return (_HEAD + chunks[0], *chunks[1:-1], chunks[-1] + _END)


class Provider(asyncio.Protocol):
    """One connection of a gateway, with one answer at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._pieces: tuple[bytes, ...] = ()
        self._next = 0
        self._every_s = 0.0
        self._at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the transport, which ends the answer."""
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Takes a request, and begins to answer it once it is whole."""
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or not _is_whole(head.lower(), body):
            return
        self._received = b""
        try:
            count, every_ms = asked_events(body)
        except ValueError:
            self._say_nothing()
            return
        self._pieces, self._next = _pieces(count), 0
        self._every_s, self._at = every_ms / 1000, self._loop.time()
        self._tell()

    def _say_nothing(self) -> None:
        """Answers what no measurement asks, such as a probe of its health."""
        if self._transport is not None:
            self._transport.write(_NOTHING)

    def _tell(self) -> None:
        if self._transport is None:
            return
        if not self._every_s:
            self._transport.write(b"".join(self._pieces))
            return
        self._transport.write(self._pieces[self._next])
        self._next += 1
        if self._next < len(self._pieces):
            self._at += self._every_s
            self._loop.call_at(self._at, self._tell)


def _is_whole(head: bytes, body: bytes) -> bool:
    if b"\r\ntransfer-encoding: chunked" in head:
        return body.endswith(_END)
    _, _, length = head.partition(b"\r\ncontent-length:")
    return len(body) >= int(length.split(b"\r\n", 1)[0] or b"0")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))
