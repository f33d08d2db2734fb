"""Calls providers over HTTP: pooled connections, deadlines, bounded bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from provider_router.adapters.http.faults import fault, fault_of_status
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.errors import Reason
from shared.clock import Clock
from shared.errors import NexusError

_ERROR_BODY_BYTES = 64 * 1024
# Below the 5 s after which llama.cpp, vLLM and Node close an idle connection, so that a request never meets a
# connection that is being closed.
_KEEP_ALIVE_S = 4.0
_DRAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One request to a provider. Headers hold the key and bodies hold people's texts: neither is ever shown.

    Attributes:
        provider: The provider's name, for errors.
        url: Where to.
        headers: With the key.
        body: JSON; empty for one without a body.
    """

    provider: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


class StreamedBody:
    """The body of an answer that comes piece by piece, under the deadlines of one call."""

    def __init__(self, provider: str, limits: CallLimits) -> None:
        self._provider = provider
        self._idle_s = limits.idle_ms / 1000
        self._loop = asyncio.get_running_loop()
        began = self._loop.time()
        self._end = began + limits.total_ms / 1000
        self._deadline = min(began + limits.first_token_ms / 1000, self._end)
        self._content: aiohttp.StreamReader | None = None

    @property
    def deadline(self) -> float:
        """When the next piece must be there, in the loop's time."""
        return self._deadline

    def attach(self, content: aiohttp.StreamReader) -> None:
        """Sets where to read from."""
        self._content = content

    def progressed(self) -> None:
        """Notes that a piece of the answer came; the next one must come within `idle_ms`."""
        self._deadline = min(self._loop.time() + self._idle_s, self._end)

    async def read(self) -> bytes:
        """The next bytes; empty at the end.

        Raises:
            UpstreamDown: PROVIDER_TIMEOUT, PROVIDER_UNREACHABLE, PROVIDER_BAD_RESPONSE.
        """
        if self._content is None:
            return b""
        async with translated_faults(self._provider, self._deadline):
            return await self._content.readany()

    async def drain(self) -> None:
        """Reads what is left after the answer's end, briefly, so that the connection can be used again."""
        if self._content is None:
            return
        self._deadline = self._loop.time() + _DRAIN_S
        try:
            while await self.read():
                pass
        except NexusError:
            # The answer is complete; only the connection is lost, and it is closed with the body.
            return


class HttpClient:
    """Calls any number of providers over one pool of connections.

    It follows no redirect (a redirect would carry the key elsewhere), keeps no cookies, and uses no proxy from the
    environment. A body that is left before its end closes its connection at once.
    """

    def __init__(self, limits: HttpLimits, clock: Clock) -> None:
        self._limits = limits
        self._call_limits = limits.of_call
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    @property
    def limits(self) -> HttpLimits:
        """The limits of each call."""
        return self._limits

    async def start(self) -> None:
        """Opens the pool. Connections are opened by the calls."""
        connector = aiohttp.TCPConnector(
            limit=0, limit_per_host=self._limits.connections_per_host, keepalive_timeout=_KEEP_ALIVE_S
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect_s),
            trust_env=False,
        )

    async def stop(self) -> None:
        """Closes all connections. Idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @asynccontextmanager
    async def streamed(self, call: HttpCall, limits: CallLimits | None = None) -> AsyncGenerator[StreamedBody, None]:
        """Opens a stream of server-sent events; leaving the block closes the connection unless the body was read.

        `limits` hold instead of the client's own.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        body = StreamedBody(call.provider, limits or self._call_limits)
        async with translated_faults(call.provider, body.deadline):
            response = await self._post(call, accept="text/event-stream")
        try:
            await self._check(call, response, "text/event-stream", body.deadline)
            body.attach(response.content)
            yield body
        finally:
            _let_go(response)

    async def whole(self, call: HttpCall) -> bytes:
        """Posts and returns the JSON body of the answer.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        deadline = asyncio.get_running_loop().time() + self._limits.embed_s
        async with translated_faults(call.provider, deadline):
            response = await self._post(call, accept="application/json")
        try:
            await self._check(call, response, "application/json", deadline)
            async with translated_faults(call.provider, deadline):
                return await self._read_capped(call, response)
        finally:
            _let_go(response)

    async def get(self, call: HttpCall, timeout_s: float) -> None:
        """Asks for `call.url`, without a body, and is content with an answer of status 200, whose body is not read.

        Raises:
            NexusError: With a reason of `domain.errors.Reason`.
        """
        if self._session is None:
            raise _stopping(call.provider)
        deadline = asyncio.get_running_loop().time() + timeout_s
        async with translated_faults(call.provider, deadline):
            response = await self._session.get(call.url, headers=call.headers, allow_redirects=False)
        try:
            if response.status != 200:
                # The body says nothing that is needed here.
                raise fault_of_status(call.provider, response.status, response.headers, b"", self._clock.now())
        finally:
            _let_go(response)

    async def _post(self, call: HttpCall, accept: str) -> aiohttp.ClientResponse:
        if self._session is None:
            raise _stopping(call.provider)
        headers = {
            "Content-Type": "application/json",
            "Accept": accept,
            # Compression would hold tokens back until a block is full.
            "Accept-Encoding": "identity",
            **call.headers,
        }
        return await self._session.post(call.url, data=call.body, headers=headers, allow_redirects=False)

    async def _check(
        self, call: HttpCall, response: aiohttp.ClientResponse, content_type: str, deadline: float
    ) -> None:
        if response.status != 200:
            async with translated_faults(call.provider, deadline):
                body = await response.content.read(_ERROR_BODY_BYTES)
            raise fault_of_status(call.provider, response.status, response.headers, body, self._clock.now())
        if response.content_type != content_type:
            raise fault(call.provider, Reason.PROVIDER_BAD_RESPONSE, detail=f"not {content_type}")

    async def _read_capped(self, call: HttpCall, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        size_bytes = 0
        while part := await response.content.readany():
            parts.append(part)
            size_bytes += len(part)
            if size_bytes > self._limits.body_bytes:
                raise fault(call.provider, Reason.PROVIDER_BAD_RESPONSE, detail="too large")
        return b"".join(parts)


def _stopping(provider: str) -> NexusError:
    return fault(provider, Reason.PROVIDER_UNREACHABLE, detail="the router is stopping")


def _let_go(response: aiohttp.ClientResponse) -> None:
    """Gives the connection back when the body was read to its end, else closes it at once."""
    if response.content.at_eof():
        response.release()
    else:
        response.close()


@asynccontextmanager
async def translated_faults(provider: str, deadline: float) -> AsyncGenerator[None, None]:
    """Turns what the HTTP library raises inside the block, and passing `deadline`, into the router's errors."""
    try:
        async with asyncio.timeout_at(deadline):
            yield
    except aiohttp.ConnectionTimeoutError as error:
        raise fault(provider, Reason.PROVIDER_UNREACHABLE, detail="no connection in time") from error
    except TimeoutError as error:
        raise fault(provider, Reason.PROVIDER_TIMEOUT) from error
    except aiohttp.ClientPayloadError as error:
        raise fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail="it broke off") from error
    except aiohttp.ClientConnectionError as error:
        raise fault(provider, Reason.PROVIDER_UNREACHABLE, detail=_unreachable(error)) from error
    except aiohttp.ClientError as error:
        raise fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail="not HTTP") from error
    except UnicodeError as error:
        # The resolver raises it for a host with an empty or an overlong label.
        raise fault(provider, Reason.PROVIDER_UNREACHABLE, detail="its host name is none") from error


def _unreachable(error: aiohttp.ClientConnectionError) -> str:
    """What kept a connection from coming about or from lasting, without an address; empty where that is not known."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name cannot be resolved"
        case aiohttp.ClientConnectorCertificateError():
            return "its TLS certificate is not trusted"
        case aiohttp.ClientSSLError():
            return "no TLS connection can be made with it"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ConnectionRefusedError):
            return "it refuses connections"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "the connection was lost"
        case _:
            return ""
