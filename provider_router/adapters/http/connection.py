"""One connection to a provider, and the call that is on it."""

from __future__ import annotations

import asyncio
import select
from enum import Enum, auto
from typing import Protocol, cast

from provider_router.adapters.http.answer_parser import AnswerParser, MalformedHttpError
from provider_router.adapters.http.call import HttpFault
from provider_router.domain.errors import Reason

# Below the 5 s after which llama.cpp, vLLM and Node close an idle connection, so that a request hardly ever meets a
# connection that is being closed.
_KEEP_ALIVE_S = 4.0
# What may come after the dialect's last event, so that the connection can be used again.
_SETTLE_S = 0.05
_SETTLE_CAP_BYTES = 64 * 1024
_TICK_S = 0.001
_UNREAD_CAP_BYTES = 256 * 1024
_WRITE_BYTES = 64 * 1024


class ConnectionOwner(Protocol):
    """Who is told what becomes of a connection."""

    def rests(self, connection: Connection) -> None:
        """It has no call and may have another one."""
        ...

    def lost(self, connection: Connection) -> None:
        """It is closed."""
        ...


class _State(Enum):
    RESTING = auto()
    ASKED = auto()
    SETTLING = auto()
    CLOSED = auto()


class Connection(asyncio.Protocol):
    """Carries one call after the other; one task at a time asks and reads.

    It has one timer, which is set again only when it would be too late; and reads no more from its socket while more
    than 256 KiB wait for the reader.

    Attributes:
        answer: What came; of the call that was asked last.
        deadline: Until when the reader waits, in the loop's time.
        idle_s: How long the reader of a body waits for its next bytes, within the deadline; 0 for as long as that is.
    """

    def __init__(self, owner: ConnectionOwner) -> None:
        self.deadline: float = 0.0
        self.idle_s: float = 0.0
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._state = _State.RESTING
        self._is_used = False
        self._fault: HttpFault | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._is_reading = True
        self._can_write = True
        self._is_sent = True
        self._settled_bytes = 0
        self._pending = select.poll()

    @property
    def is_usable(self) -> bool:
        """Whether a call may be sent on it."""
        transport = self._transport
        return self._state is _State.RESTING and transport is not None and not transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came that the loop has not seen yet, such as the provider's end of the connection.

        A loop that was busy would else send a request to somebody who left; a POST that was sent is never sent again.
        """
        return not self._pending.poll(0)

    async def ask(self, head: bytes, body: bytes, deadline: float) -> None:
        """Sends a request and waits for the head of its answer; a small request goes out in one write.

        Raises:
            HttpFault: No answer came by `deadline`, or what came was none.
        """
        answer, transport = self.answer, self._transport
        if transport is None:
            raise _lost()
        self._state = _State.ASKED
        self.deadline = deadline
        self.idle_s = 0.0
        if len(body) <= _WRITE_BYTES:
            transport.write(head + body)
        else:
            transport.write(head)
            await self._write(transport, body)
        while not answer.status:
            await self._news()

    async def read(self) -> bytes:
        """The next bytes of the body; empty at its end.

        Raises:
            HttpFault: None came by `deadline` or within `idle_s`, or the answer broke off.
        """
        answer = self.answer
        while not answer.size_bytes:
            if answer.is_complete:
                return b""
            await self._news(self.idle_s)
        data = answer.take()
        if not self._is_reading:
            self._resume()
        return data

    def check_time(self) -> None:
        """Raises HttpFault, PROVIDER_TIMEOUT, after `deadline`."""
        if self.deadline <= self._loop.time():
            raise HttpFault(Reason.PROVIDER_TIMEOUT)

    def release(self) -> None:
        """Ends the call: what has its whole answer may have another call, what has not is closed at once."""
        if self._state is not _State.ASKED:
            return
        if self.answer.is_complete:
            self._rest()
        else:
            self.close()

    def settle(self) -> None:
        """Ends the call of which the reader needs no more; what is left of its answer may still come, for a moment."""
        if self._state is not _State.ASKED:
            return
        if self.answer.is_complete:
            self._rest()
            return
        self._state = _State.SETTLING
        self._settled_bytes = 0
        self.answer.take()
        self._resume()
        self.deadline = self._loop.time() + _SETTLE_S
        self._set_timer(self.deadline)

    def close(self) -> None:
        """Closes it at once, whatever is on it. Idempotent."""
        if self._state is _State.ASKED and self._fault is None:
            self._fault = _lost()
        self._state = _State.CLOSED
        if self._transport is not None:
            self._transport.abort()

    # The calls of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self.answer = AnswerParser()
        self._transport = cast("asyncio.Transport", transport)
        self._pending.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        state = self._state
        if state is _State.ASKED:
            if self._takes(data) and self.answer.size_bytes > _UNREAD_CAP_BYTES:
                self._pause()
            waiter = self._waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        elif state is _State.SETTLING:
            if self._takes(data):
                self._drop(len(data))
        elif state is _State.RESTING:
            # Nobody asked, so it can be no answer: whatever it is, the next call must not take it for one.
            self.close()

    def eof_received(self) -> None:
        """The provider closed its side; what it did not take of a request is of no use to it."""
        if not self._can_write and self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        state, self._state = self._state, _State.CLOSED
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        is_whole = self.answer.end()
        if state is _State.ASKED and self._fault is None and (exc is not None or not is_whole):
            self._fault = self._loss(exc)
        self._wake()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        """The provider takes bytes more slowly than they are written."""
        self._can_write = False

    def resume_writing(self) -> None:
        """It took them."""
        self._can_write = True
        self._wake()

    # What is behind them.

    def _takes(self, data: bytes) -> bool:
        try:
            self.answer.feed(data)
        except MalformedHttpError:
            self._fault = HttpFault(Reason.PROVIDER_BAD_RESPONSE, "not HTTP")
            self.close()
            return False
        return True

    def _drop(self, size_bytes: int) -> None:
        self.answer.take()
        self._settled_bytes += size_bytes
        if self.answer.is_complete:
            self._rest()
        elif self._settled_bytes > _SETTLE_CAP_BYTES:
            self.close()

    def _rest(self) -> None:
        """Has no call any more. Goes to its owner, unless it cannot be told where the next answer would begin."""
        if not (self.answer.is_reusable and self._is_sent and self._can_write):
            self.close()
            return
        self._state = _State.RESTING
        self._is_used = True
        # What was not read.
        self.answer.expect()
        if not self._is_reading:
            self._resume()
        self.deadline = self._loop.time() + _KEEP_ALIVE_S
        if self._timer is None or self._timer_at > self.deadline:
            self._set_timer(self.deadline)
        self._owner.rests(self)

    def _loss(self, exc: Exception | None) -> HttpFault:
        if self.answer.status and exc is None:
            return HttpFault(Reason.PROVIDER_BAD_RESPONSE, "it broke off")
        return _lost(is_stale=self._is_used and self.answer.is_untouched)

    async def _write(self, transport: asyncio.Transport, body: bytes) -> None:
        """Writes piece by piece, so that no more of it than a piece waits in memory; stops when the answer is there."""
        view = memoryview(body)
        self._is_sent = False
        for start in range(0, len(body), _WRITE_BYTES):
            while not self._can_write:
                if self.answer.status:
                    return
                await self._news()
            transport.write(view[start : start + _WRITE_BYTES])
        self._is_sent = True

    async def _news(self, idle_s: float = 0.0) -> None:
        """Waits until something happened; with `idle_s` for no longer than that."""
        if self._fault is not None:
            raise self._fault.again()
        end = self.deadline
        if idle_s:
            self.deadline = min(self._loop.time() + idle_s, end)
        self.check_time()
        self._waiter = self._loop.create_future()
        if self._timer is None or self._timer_at > self.deadline:
            self._set_timer(self.deadline)
        try:
            # Not by a name of its own: it would keep a fault whose stack keeps it.
            await self._waiter
        finally:
            self._waiter, self.deadline = None, end

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pause(self) -> None:
        if self._is_reading and self._transport is not None:
            self._is_reading = False
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._is_reading and self._transport is not None and not self._transport.is_closing():
            self._is_reading = True
            self._transport.resume_reading()

    def _set_timer(self, at: float) -> None:
        """Sees to it that the timer goes off at `at` or before; one that goes off too early is set again then."""
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._expired)

    def _expired(self) -> None:
        self._timer = None
        if self.deadline - self._loop.time() > _TICK_S:
            self._set_timer(self.deadline)
        elif self._state is not _State.ASKED:
            # It rested long enough, or its answer did not come to its end.
            self.close()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(HttpFault(Reason.PROVIDER_TIMEOUT))


def _lost(*, is_stale: bool = False) -> HttpFault:
    return HttpFault(Reason.PROVIDER_UNREACHABLE, "the connection was lost", is_stale=is_stale)
