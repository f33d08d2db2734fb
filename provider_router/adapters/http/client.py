"""Calls providers over HTTP/1.1: kept connections, deadlines, bounded bodies. ADR 0012 says why it is our own."""

from __future__ import annotations

import asyncio
import ssl

from provider_router.adapters.http.answer_body import Read, body_reader, read_at_most
from provider_router.adapters.http.answer_parser import AnswerParser
from provider_router.adapters.http.call import HttpCall, HttpFault
from provider_router.adapters.http.connection import Connection
from provider_router.adapters.http.dial import Dialler
from provider_router.adapters.http.faults import fault, fault_of_status
from provider_router.adapters.http.limits import HttpLimits
from provider_router.adapters.http.pool import Pool
from provider_router.adapters.http.request_heads import Origin, RequestHead, RequestHeads
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.errors import Reason
from shared.clock import Clock
from shared.errors import NexusError

_ERROR_BODY_BYTES = 64 * 1024
# The status says most; a caller does not wait for the words of somebody who does not say them.
_ERROR_BODY_S = 2.0
# Stands for words that were not heard. Not empty: an answer that says nothing at all may cost a key (`forbidden`).
_UNHEARD = b"?"
_POOLS_KEPT = 64
_EVENTS = "text/event-stream"
_JSON = "application/json"
_PLAIN_JSON = b"application/json"


class StreamedAnswer:
    """An answer that comes piece by piece. Whoever has one calls `settle` or `close`.

    Attributes:
        read: Gives the next bytes of its body; empty at its end. Raises `HttpFault`.
    """

    __slots__ = ("_connection", "_end", "_idle_s", "_is_open", "_now", "read")

    def __init__(self, connection: Connection, read: Read, idle_s: float, end: float) -> None:
        self.read = read
        self._connection = connection
        self._idle_s = idle_s
        self._end = end
        self._now = asyncio.get_running_loop().time
        self._is_open = True

    def progressed(self) -> None:
        """Notes that a piece of the answer came; the next one must come within the limit of idleness.

        Raises:
            HttpFault: PROVIDER_TIMEOUT, when the whole answer took too long: who always finds a piece never waits.
        """
        now = self._now()
        if now > self._end:
            raise HttpFault(Reason.PROVIDER_TIMEOUT)
        self._connection.deadline = min(now + self._idle_s, self._end)

    def settle(self) -> None:
        """Takes note that no more of it is needed. Its connection may be used again when the rest comes at once."""
        if self._is_open:
            self._is_open = False
            self._connection.settle()

    def close(self) -> None:
        """Closes its connection at once, unless it was read to its end. Idempotent, and nothing after `settle`."""
        if self._is_open:
            self._is_open = False
            self._connection.release()


class HttpClient:
    """Calls any number of providers, over connections that are kept for each address.

    It follows no redirect (a redirect would carry the key elsewhere), keeps no cookies, and uses no proxy. A request
    that may have reached its provider is never sent again, unless it is a GET.

    Args:
        limits: Of each call.
        clock: For dates in answers.
        trust: Whom to trust in TLS; None for the authorities that the machine trusts.
    """

    def __init__(self, limits: HttpLimits, clock: Clock, trust: ssl.SSLContext | None = None) -> None:
        self._limits = limits
        self._call_limits = limits.of_call
        self._clock = clock
        self._heads = RequestHeads()
        self._dialler = Dialler(limits.connect_s, trust)
        self._pools: dict[Origin, Pool] = {}
        self._is_running = False

    @property
    def limits(self) -> HttpLimits:
        """The limits of each call."""
        return self._limits

    async def start(self) -> None:
        """Makes ready. Connections are opened by the calls."""
        self._is_running = True

    async def stop(self) -> None:
        """Closes all connections. Idempotent."""
        self._is_running = False
        for pool in self._pools.values():
            await pool.close()

    async def streamed(self, call: HttpCall, limits: CallLimits | None = None) -> StreamedAnswer:
        """Posts `call` and returns the answer, a stream of server-sent events, of which the head came.

        `limits` hold instead of the client's own.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        held = limits or self._call_limits
        began = asyncio.get_running_loop().time()
        end = began + held.total_ms / 1000
        deadline = min(began + held.first_token_ms / 1000, end)
        connection = await self._asked("POST", call, _EVENTS, deadline)
        read = await self._checked(call, connection, _EVENTS)
        return StreamedAnswer(connection, read, held.idle_ms / 1000, end)

    async def whole(self, call: HttpCall, limits: CallLimits | None = None) -> bytes:
        """Posts `call` and returns the JSON body of the answer.

        It must be there within the total time of `limits`, or the client's own, and may not pause for longer than may
        be between two pieces once it began to come.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        total_s = limits.total_ms / 1000 if limits else self._limits.embed_s
        end = asyncio.get_running_loop().time() + total_s
        connection = await self._asked("POST", call, _JSON, end)
        # Most bodies come with their heads.
        body = _body_at_once(connection, self._limits.body_bytes)
        if body is not None:
            connection.release()
            return body
        connection.idle_s = limits.idle_ms / 1000 if limits else self._limits.idle_s
        read = await self._checked(call, connection, _JSON)
        try:
            body, is_all = await read_at_most(read, self._limits.body_bytes)
        except HttpFault as error:
            raise error.of(call.provider) from error
        finally:
            connection.release()
        if not is_all:
            raise fault(call.provider, Reason.PROVIDER_BAD_RESPONSE, detail="too large")
        return body

    async def get(self, call: HttpCall, timeout_s: float) -> None:
        """Asks for `call.url`, without a body, and is content with an answer of status 200, whose body is not read.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        connection = await self._asked("GET", call, _JSON, deadline)
        answer = connection.answer
        # The body says nothing that is needed here.
        error = None if answer.status == 200 else self._error_of(call, answer, b"")
        connection.settle()
        if error is not None:
            raise error

    async def _asked(self, method: str, call: HttpCall, accept: str, deadline: float) -> Connection:
        """Sends `call` and returns its connection, on which the head of the answer came."""
        if not self._is_running:
            raise fault(call.provider, Reason.PROVIDER_UNREACHABLE, detail="the router is stopping")
        try:
            head = self._head(method, call, accept)
            pool = self._pools.get(head.origin) or self._pool(head.origin)
            try:
                return await _sent(pool, head, call.body, deadline)
            except HttpFault as error:
                if not error.is_stale:
                    raise
                # The provider gave up on its idle connections, most likely on all of them.
                pool.drop_rested()
                if not head.is_idempotent:
                    raise
                return await _sent(pool, head, call.body, deadline)
        except HttpFault as error:
            raise error.of(call.provider) from error

    def _head(self, method: str, call: HttpCall, accept: str) -> RequestHead:
        try:
            return self._heads.of(method, call, accept)
        except UnicodeError as error:
            raise HttpFault(Reason.PROVIDER_UNREACHABLE, "its host name is none") from error
        except ValueError as error:
            raise HttpFault(Reason.PROVIDER_UNREACHABLE, "its address or its headers cannot be sent") from error

    def _pool(self, origin: Origin) -> Pool:
        if len(self._pools) >= _POOLS_KEPT:
            self._pools = {at: each for at, each in self._pools.items() if not each.is_empty}
        size, line = self._limits.connections_per_host, self._limits.waiting_per_host
        pool = self._pools[origin] = Pool(origin, self._dialler, size, line)
        return pool

    async def _checked(self, call: HttpCall, connection: Connection, content_type: str) -> Read:
        """Returns what reads the body of a good answer; ends the call on its connection for any other."""
        try:
            return await self._body_of(call, connection, content_type)
        except HttpFault as error:
            connection.release()
            raise error.of(call.provider) from error
        except BaseException:
            connection.release()
            raise

    async def _body_of(self, call: HttpCall, connection: Connection, content_type: str) -> Read:
        answer = connection.answer
        if answer.status != 200:
            raise self._error_of(call, answer, await _error_body(connection))
        if answer.header(b"content-type").partition(";")[0].rstrip().lower() != content_type:
            raise HttpFault(Reason.PROVIDER_BAD_RESPONSE, f"not {content_type}")
        return body_reader(connection)

    def _error_of(self, call: HttpCall, answer: AnswerParser, body: bytes) -> NexusError:
        headers = {"Retry-After": answer.header(b"retry-after")}
        return fault_of_status(call.provider, answer.status, headers, body, self._clock.now())


def _body_at_once(connection: Connection, most_bytes: int) -> bytes | None:
    """The body of an answer that is good in the plainest way and there already; None for any other."""
    answer = connection.answer
    if not answer.is_complete or answer.status != 200 or answer.size_bytes > most_bytes:
        return None
    headers = answer.headers
    if headers.get(b"content-type") != _PLAIN_JSON or b"content-encoding" in headers:
        return None
    return answer.take()


async def _sent(pool: Pool, head: RequestHead, body: bytes, deadline: float) -> Connection:
    connection = pool.rested() or await _leased(pool, deadline)
    try:
        await connection.ask(head.with_length(len(body)), body, deadline)
    except BaseException:
        connection.close()
        raise
    return connection


async def _leased(pool: Pool, deadline: float) -> Connection:
    try:
        async with asyncio.timeout_at(deadline):
            return await pool.lease()
    except TimeoutError as error:
        raise HttpFault(Reason.PROVIDER_TIMEOUT) from error


async def _error_body(connection: Connection) -> bytes:
    """The start of what came with an error, `_UNHEARD` where it cannot be read."""
    connection.deadline = min(connection.deadline, asyncio.get_running_loop().time() + _ERROR_BODY_S)
    try:
        return (await read_at_most(body_reader(connection), _ERROR_BODY_BYTES))[0]
    except HttpFault:
        return _UNHEARD
