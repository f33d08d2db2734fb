"""One connection of a client: one request after the other."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET
from typing import cast

from shared.errors import NexusError
from shared.http_server.body import ChunkedBody, MeasuredBody
from shared.http_server.head import CHUNKED
from shared.http_server.hub import Hub
from shared.http_server.incoming import Incoming
from shared.http_server.metrics import CONNECTIONS, CUT, DEPARTURES
from shared.http_server.received import Received
from shared.http_server.refusals import Refusal, refusal
from shared.http_server.reply import HttpReply
from shared.http_server.reply_bytes import CONTINUE
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_READ = -1
_HEAD_END = b"\r\n\r\n"
# Has a close send a reset: who has half a reply must not take it for the whole.
_RESET = struct.pack("ii", 1, 0)


class _State(Enum):
    AWAITING = auto()
    BUSY = auto()
    CLOSING = auto()
    CLOSED = auto()


_AWAITING, _BUSY, _CLOSING, _CLOSED = _State


class Connection(asyncio.Protocol):
    """Carries one request at a time; each has a task of its own, so that no context leaks into the next.

    While a request is handled the socket is still read, so that the client's end of the connection is seen: a client
    that closes its side has left. Who sends more meanwhile, or a large body that nobody asked for, is read no further;
    then the hub's `departures` watch for its end. Only an end behind more bytes than the kernel takes for us is not
    seen, until something is written to that client.
    """

    __slots__ = (
        "_ahead", "_closes", "_deadline", "_drain", "_held_bytes", "_hub", "_incoming", "_is_admitted", "_is_behind",
        "_is_new", "_moved", "_moved_at", "_owed_at", "_owed_bytes", "_peer", "_reply", "_sent_bytes", "_state",
        "_task", "_transport", "_unread",
    )  # fmt: skip

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._state = _AWAITING
        self._transport: asyncio.Transport | None = None
        self._peer = ""
        self._is_admitted = False
        self._is_new = True
        self._deadline = hub.loop.time() + hub.limits.head_s
        # What came and is not looked at yet.
        self._ahead = b""
        # The descriptor of a socket that is not read at the moment.
        self._unread = _READ
        # Of the request that is being handled.
        self._task: asyncio.Task[None] | None = None
        self._reply: HttpReply | None = None
        self._incoming: Incoming | None = None
        self._held_bytes = 0
        self._closes = False
        # Of what is sent.
        self._is_behind = False
        self._drain: asyncio.Future[None] | None = None
        self._sent_bytes = 0
        self._moved: int = 0
        self._moved_at: float = 0.0
        self._owed_bytes: int = 0
        self._owed_at: float = 0.0

    # The calls of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        transport = self._transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(self._hub.limits.behind_bytes)
        name = transport.get_extra_info("peername")
        self._peer = name[0] if name else ""
        CONNECTIONS.inc()
        self._is_admitted = self._hub.enter(self, self._peer)
        if not self._is_admitted:
            # Without listening on, or these would be too many as well.
            self.write(self._hub.refused(refusal(Refusal.TOO_MANY_CONNECTIONS)))
            self._close(is_sending=False)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        state = self._state
        if state is _AWAITING:
            ahead = self._ahead
            if ahead:
                self._look(ahead + data, max(0, len(ahead) - 3))
            else:
                self._look(data, 0)
        elif state is _BUSY:
            self._take_more(data)

    def eof_received(self) -> None:
        """The client closed its side: it has left."""
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it broke is all one
        """It is closed."""
        self._left()
        self._state = _CLOSED
        self._transport = None
        CONNECTIONS.dec()
        if self._is_admitted:
            self._hub.leave(self._peer)
        self._is_behind = True
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        self._hub.forget(self)

    def pause_writing(self) -> None:
        """The client takes bytes more slowly than they are written."""
        self._is_behind = True

    def resume_writing(self) -> None:
        """It took them."""
        self._is_behind = False
        if self._drain is not None and not self._drain.done():
            self._drain.set_result(None)
        if self._state is _AWAITING and self._unread != _READ:
            self._await_next()

    # The calls of the hub.

    @property
    def moved_at(self) -> float:
        """See Registered."""
        return self._moved_at

    def check(self, now: float) -> int:
        """See Registered."""
        transport = self._transport
        if transport is None:
            return 0
        waiting_bytes = transport.get_write_buffer_size()
        if not waiting_bytes:
            self._owed_bytes = 0
        if waiting_bytes and (self._is_stalled(waiting_bytes, now) or self._is_late(waiting_bytes, now)):
            CUT.inc()
            self.cut()
            return 0
        if self._state is _BUSY:
            if self._incoming is not None:
                self._incoming.check(now)
        elif now >= self._deadline and not waiting_bytes:
            self._expire()
        return waiting_bytes

    def retire(self) -> None:
        """See Registered."""
        if self._state is _AWAITING and not self._ahead:
            self._close(is_sending=False)

    def dismiss(self) -> None:
        """See Registered."""
        reply, task = self._reply, self._task
        if self._state is _BUSY and task is not None and reply is not None and reply.is_started:
            reply.is_dismissed = True
            task.cancel()
        elif self._state is not _CLOSING:
            self.cut()

    def cut(self) -> None:
        """See Registered and Line."""
        reply, task = self._reply, self._task
        # A task that has not started sees by itself that it need not: cancelled, it would not even tidy up.
        if self._state is _BUSY and task is not None and reply is not None and reply.is_started and not reply.has_ended:
            task.cancel()
        if self._transport is not None:
            self._state = _CLOSING
            self._is_behind = True
            self._unwatch()
            with suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self._transport.abort()

    # The calls of the reply.

    @property
    def is_behind(self) -> bool:
        """See Line."""
        return self._is_behind

    def own_headers(self) -> str:
        """See Line."""
        incoming = self._incoming
        if self._hub.is_stopping or (incoming is not None and not incoming.body.is_whole):
            self._closes = True
        return f"{self._hub.own_headers}Connection: close\r\n" if self._closes else self._hub.own_headers

    def write(self, data: bytes) -> None:
        """See Line."""
        transport = self._transport
        if transport is not None:
            self._sent_bytes += len(data)
            transport.write(data)
            if transport.is_closing():
                # It found out just now that the client is gone: whoever writes on and on must wait, to be cancelled.
                self._is_behind = True

    def ended(self) -> None:
        """See Line."""
        incoming = self._incoming
        self._reply = self._task = self._incoming = None
        self._release()
        is_sending = incoming is not None and not incoming.body.is_whole
        if incoming is not None and is_sending:
            incoming.fail(refusal(Refusal.REQUEST_MALFORMED, "its reply was sent before its body was read"))
        if self._state is not _BUSY:
            return
        if is_sending or self._closes or self._hub.is_stopping:
            self._close(is_sending=is_sending or bool(self._ahead))
        else:
            self._state = _AWAITING
            self._deadline = self._hub.loop.time() + self._hub.limits.idle_s
            self._await_next()

    async def drained(self) -> None:
        """See Line."""
        while self._is_behind:
            if self._state is _CLOSING or self._state is _CLOSED:
                await asyncio.sleep(0)
                return
            if self._drain is None or self._drain.done():
                self._drain = self._hub.loop.create_future()
            await self._drain

    # A request, from its first byte to its end.

    def _look(self, data: bytes, start: int) -> None:
        """Begins the request that `data` begins with, if its head is whole. The head ends no sooner than at `start`."""
        hub = self._hub
        end = data.find(_HEAD_END, start, hub.limits.head_bytes)
        if end < 0:
            self._await_head(data)
            return
        end += 4
        try:
            request = Received(data[:end], hub.limits, self._peer)
            rest = data[end:]
            if rest and not self._hold(len(rest)):
                raise refusal(Refusal.BODIES_TOO_LARGE)
            if request.length:
                rest = self._meet_body(request, rest)
        except NexusError as error:
            self._refuse(error)
            return
        self._state = _BUSY
        self._is_new = False
        self._ahead = rest
        self._closes = request.is_last
        # What is left of the last reply has the time of this one.
        self._owed_bytes = 0
        reply = self._reply = HttpReply(self, request.method, is_old=request.is_old)
        self._task = hub.at_work[reply] = hub.loop.create_task(self._serve(request, reply))
        if rest or (self._incoming is not None and not self._incoming.wants_more):
            self._pause()
        elif self._unread != _READ:
            self._resume()

    def _await_head(self, data: bytes) -> None:
        hub = self._hub
        if len(data) >= hub.limits.head_bytes:
            self._refuse(refusal(Refusal.HEAD_TOO_LARGE))
            return
        if not (self._ahead or self._is_new):
            self._deadline = hub.loop.time() + hub.limits.head_s
        self._ahead = data
        self._resume()

    def _meet_body(self, request: Received, data: bytes) -> bytes:
        """Takes what came of the body with the head and returns the rest.

        Raises:
            NexusError: a refusal.
        """
        length = request.length
        if 0 < length <= len(data):
            request.whole = data[:length]
            return data[length:]
        body = ChunkedBody() if length == CHUNKED else MeasuredBody(length)
        rest = body.feed(data)
        if body.is_whole:
            request.whole = body.take()
        else:
            incoming = Incoming(body, self._hub.limits, self._ask_told if request.expects else self._resume)
            self._incoming = request.incoming = incoming
        return rest

    def _ask_told(self) -> None:
        """Asks the client that waits for a word before it sends the body."""
        if self._reply is not None and not self._reply.has_begun:
            self.write(CONTINUE)
        self._resume()

    def _take_more(self, data: bytes) -> None:
        """Takes more of the body, and what is ahead of its time."""
        incoming = self._incoming
        if not self._hold(len(data)):
            if incoming is None:
                self.cut()
                return
            incoming.fail(refusal(Refusal.BODIES_TOO_LARGE))
        if incoming is not None:
            data = incoming.feed(data)
        if data:
            self._ahead += data
        if self._ahead or (incoming is not None and not incoming.wants_more and not incoming.body.is_whole):
            self._pause()

    async def _serve(self, request: Received, reply: HttpReply) -> None:
        reply.is_started = True
        try:
            if self._reply is reply and self._state is _BUSY:
                await self._hub.handler(request, reply)
        except asyncio.CancelledError:
            if not reply.has_ended:
                self.cut()
            raise
        except Exception:  # noqa: BLE001 - a handler answers its own errors: whatever this is, it is a defect
            _log.exception("http_handler_failed")
        finally:
            self._hub.finished(reply)
            if self._reply is reply:
                self._unanswered(reply)

    def _unanswered(self, reply: HttpReply) -> None:
        """The handler is done, and its reply is not whole."""
        self._reply = self._task = self._incoming = None
        self._release()
        if self._state is not _BUSY:
            return
        if reply.has_begun:
            _log.error("http_reply_not_ended")
            self.cut()
        else:
            self._refuse(refusal(Refusal.INTERNAL))

    def _await_next(self) -> None:
        """Goes on to the next request; not before the client took enough of its last reply."""
        ahead, self._ahead = self._ahead, b""
        if self._is_behind:
            self._ahead = ahead
            self._pause()
        elif ahead:
            self._look(ahead, 0)
        elif self._unread != _READ:
            self._resume()

    # The end.

    def _refuse(self, error: NexusError) -> None:
        """Answers what cannot be handled, and closes."""
        self._release()
        self.write(self._hub.refused(error))
        self._close(is_sending=True)

    def _close(self, *, is_sending: bool) -> None:
        """Sends what waits, then the end.

        What a client sends to a closed socket has the kernel throw away the reply that is on its way. So one that
        `is_sending` is listened to for a moment.
        """
        transport = self._transport
        self._state = _CLOSING
        self._ahead = b""
        if transport is None or transport.is_closing():
            return
        if not is_sending:
            self._unwatch()
            transport.close()
            return
        self._deadline = self._hub.loop.time() + self._hub.limits.linger_s
        # On asyncio's own loop it fails where the client has reset; then its end is on its way.
        with suppress(OSError):
            transport.write_eof()
        self._resume()

    def _left(self) -> None:
        """The client closed its side, or the connection broke."""
        self._unwatch()
        if self._state is _BUSY:
            DEPARTURES.inc()
            self.cut()
        elif self._transport is not None:
            self._state = _CLOSING
            self._transport.close()

    def _expire(self) -> None:
        """It waited long enough."""
        if self._state is _AWAITING and self._ahead:
            self._refuse(refusal(Refusal.HEAD_TOO_SLOW))
        elif self._state is _AWAITING:
            self._close(is_sending=False)
        elif self._transport is not None:
            self._transport.close()

    def _is_stalled(self, waiting_bytes: int, now: float) -> bool:
        """Whether the client took nothing of what waits for it for too long."""
        moved = self._sent_bytes - waiting_bytes
        if moved != self._moved or not self._moved_at:
            self._moved, self._moved_at = moved, now
        return now - self._moved_at >= self._hub.limits.stall_s

    def _is_late(self, waiting_bytes: int, now: float) -> bool:
        """Whether the client takes the rest of a whole reply too slowly: it is in memory for as long as that takes."""
        if self._state is _BUSY:
            return False
        if not self._owed_bytes:
            self._owed_bytes, self._owed_at = waiting_bytes, now
        limits = self._hub.limits
        return now - self._owed_at >= limits.stall_s + self._owed_bytes / limits.reply_bytes_s

    def _hold(self, size_bytes: int) -> bool:
        """Counts bytes of bodies; whether there is room for them."""
        hub = self._hub
        self._held_bytes += size_bytes
        hub.held_bytes += size_bytes
        return hub.held_bytes <= hub.limits.bodies_bytes

    def _release(self) -> None:
        self._hub.held_bytes -= self._held_bytes
        self._held_bytes = 0

    # Whether the socket is read.

    def _pause(self) -> None:
        transport = self._transport
        if self._unread == _READ and transport is not None and not transport.is_closing():
            transport.pause_reading()
            self._unread = transport.get_extra_info("socket").fileno()
            self._hub.departures.watch(self._unread, self._left)

    def _resume(self) -> None:
        if self._unread != _READ:
            self._unwatch()
            if self._transport is not None:
                self._transport.resume_reading()

    def _unwatch(self) -> None:
        if self._unread != _READ:
            self._hub.departures.forget(self._unread)
            self._unread = _READ
