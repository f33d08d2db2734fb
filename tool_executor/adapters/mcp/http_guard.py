"""HTTP for the SDK that reaches no address but allowed ones, unpacks nothing, and takes no more than its limits."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Container, Iterable
from typing import Any, cast

import anyio
import httpcore2
import httpx2

from shared.net.address_rules import Reach, is_public, reach_of
from shared.net.lookup import Lookup
from tool_executor.adapters.mcp.answers import whole_body, whole_events
from tool_executor.adapters.mcp.limits import McpLimits
from tool_executor.adapters.mcp.watch import Watch
from tool_executor.domain.mcp_spec_rules import place_of

_CONNECTIONS = 32
_IDLE_S = 60.0
_CONNECT_S = 10.0
_WRITE_S = 30.0
_LEAVE_S = 3.0
# Longer than any call: what is still open then was given up long ago.
_ANSWER_S = 330.0
_ENCODING = "utf-8"
# One text for both, or it would tell which names of the network here lead anywhere.
_NOWHERE = "its host name leads to no address that is allowed"


def _is_anybodys(address: str) -> bool:
    return reach_of(address) is not Reach.NEVER


class _NowhereError(httpcore2.ConnectError):
    """There is no address to connect to; the text says why."""


class AllowedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to an address from the very answer that was checked.

    A name with any address that is not allowed is refused: all but public ones, and where the installation allows
    private ones all but those at which nobody serves others.

    Args:
        lookup: how it finds addresses.
        private_hosts: `host:port` at which private addresses are allowed.
    """

    def __init__(self, lookup: Lookup, private_hosts: Container[str]) -> None:
        self._lookup = lookup
        self._private_hosts = private_hosts
        self._network = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address that answers.

        Raises:
            ConnectError: when none does, or one of them is not allowed.
        """
        refusal: Exception = _NowhereError(_NOWHERE)
        for address in await self._addresses(host, port, timeout):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                refusal = error
        raise refusal

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

    async def _addresses(self, host: str, port: int, longest_s: float | None) -> list[str]:
        try:
            with anyio.fail_after(longest_s):
                found = await self._lookup(host, port, cast("Any", 0))
        except (OSError, UnicodeError) as error:
            raise _NowhereError(_NOWHERE) from error
        addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
        # By what is connected to and not by the URL: others might read that in another way.
        place = place_of(host, port)
        allows = _is_anybodys if place in self._private_hosts else is_public
        if not all(map(allows, addresses)):
            raise _NowhereError(_NOWHERE)
        return addresses


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends requests over an allowed network.

    Args:
        network: makes the connections.
        trusted: the certificate authorities to trust.
        limits: how large an answer may be.
        watch: counts bytes.
    """

    def __init__(self, network: AllowedNetwork, trusted: ssl.SSLContext, limits: McpLimits, watch: Watch) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trusted,
            max_connections=_CONNECTIONS,
            keepalive_expiry=_IDLE_S,
            network_backend=network,
        )
        self._limits = limits
        self._watch = watch

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send `request` and return the answer, whose body is read later.

        Raises:
            TransportError: when that fails, or the answer is packed.
        """
        url = request.url
        try:
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions={**request.extensions, "timeout": _timeouts(request.method)},
                )
            )
        except _FAULTS as error:
            raise _translated(error) from error
        body = _Body(answer, self._watch, self._limits.message_bytes)
        response = httpx2.Response(answer.status, headers=answer.headers, stream=body)
        try:
            body.is_stream = _is_stream(response)
        except httpx2.TransportError:
            await body.aclose()
            raise
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()


_FAULTS = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.UnsupportedProtocol)


def _is_stream(response: httpx2.Response) -> bool:
    """Return whether the body is a stream of events, which has no end.

    Raises:
        TransportError: when it is packed, or in an encoding in which nothing can be counted.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise httpx2.RemoteProtocolError("its answer is packed, which was not asked for")
    if (response.charset_encoding or _ENCODING).lower() != _ENCODING:
        raise httpx2.RemoteProtocolError("its answer is not in UTF-8")
    return response.is_success and response.headers.get("content-type", "").lower().startswith("text/event-stream")


class _Body(httpx2.AsyncByteStream):
    """The body of an answer; it or each of its events has at most `most` bytes."""

    def __init__(self, answer: httpcore2.Response, watch: Watch, most: int) -> None:
        self._answer = answer
        self._watch = watch
        self._most = most
        self.is_stream = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = whole_events if self.is_stream else whole_body
        try:
            async for piece in pieces(self._chunks(), self._most):
                yield piece
        except _FAULTS as error:
            raise _translated(error) from error

    async def _chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            self._watch.take_bytes(len(chunk))
            if self._watch.why_ended:
                raise httpx2.RemoteProtocolError("its answer is too large")
            yield chunk

    async def aclose(self) -> None:
        """Give the connection back."""
        await self._answer.aclose()


def _timeouts(method: str) -> dict[str, float | None]:
    read = {"GET": None, "DELETE": _LEAVE_S}.get(method, _ANSWER_S)
    return {"connect": _CONNECT_S, "write": _WRITE_S, "pool": _CONNECT_S, "read": read}


def _translated(error: Exception) -> httpx2.TransportError:
    """Return the error that the SDK and its HTTP client know."""
    if isinstance(error, httpcore2.TimeoutException):
        return httpx2.ConnectTimeout("no answer in time")
    if isinstance(error, httpcore2.ConnectError):
        is_tls = isinstance(error.__context__, ssl.SSLError)
        why = "no TLS connection can be made with it" if is_tls else "it takes no connection"
        return httpx2.ConnectError(str(error) if isinstance(error, _NowhereError) else why)
    if isinstance(error, httpcore2.NetworkError):
        return httpx2.ReadError("the connection was lost")
    return httpx2.RemoteProtocolError("it does not speak HTTP as it should")
