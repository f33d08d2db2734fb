"""Watches what comes in over a connection: counts it, notices changes, and ends a connection that is a flood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import Context
from types import TracebackType
from typing import Any, Self

import anyio
from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest

from tool_executor.adapters.mcp.limits import McpLimits

_LISTS = frozenset(f"notifications/{kind}/list_changed" for kind in ("tools", "resources", "prompts"))
# What the SDK needs to see; the rest, such as log messages, is let go before it costs anything.
NEEDED = frozenset({"notifications/progress", "notifications/cancelled", "notifications/subscriptions/acknowledged"})
_MOST_VIOLATIONS = 20


class Watch:
    """What is known of a connection while it stands.

    Args:
        limits: what is let through.
        monotonic: tells the time in seconds.
    """

    def __init__(self, limits: McpLimits, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._window_began = monotonic()
        self._messages = self._requests = self._bytes = self._violations = 0
        self.why_ended = ""
        self.has_changed = False
        self.news = asyncio.Event()

    def end(self, why: str) -> None:
        """Note that the connection is over; the first reason stays."""
        self.why_ended = self.why_ended or why
        self.news.set()

    def change(self) -> None:
        """Note that the server's lists have changed."""
        self.has_changed = True
        self.news.set()

    def take_bytes(self, count: int) -> None:
        """Count bytes that came in; too many of them end the connection."""
        self._slide()
        self._bytes += count
        if self._bytes > self._limits.window_bytes:
            self.end("it sends too much")

    def take(self, item: SessionMessage | Exception) -> bool:
        """Count a message that came in, and return whether it goes on to the session."""
        self._slide()
        self._messages += 1
        if isinstance(item, Exception):
            self._violations += 1
            if self._violations > _MOST_VIOLATIONS:
                self.end("it does not keep to the protocol")
            return False
        message = item.message
        if isinstance(message, JSONRPCRequest):
            self._requests += 1
        if self._messages > self._limits.window_messages or self._requests > self._limits.window_requests:
            self.end("it floods the connection with messages")
        if isinstance(message, JSONRPCNotification):
            if message.method in _LISTS:
                self.change()
            return message.method in NEEDED
        return True

    def _slide(self) -> None:
        now = self._monotonic()
        if now - self._window_began > self._limits.window_s:
            self._window_began = now
            self._messages = self._requests = self._bytes = 0


class WatchedStream:
    """The stream of incoming messages, seen by a watch on its way to the session."""

    def __init__(self, inner: Any, watch: Watch) -> None:
        self._inner = inner
        self._watch = watch

    @property
    def last_context(self) -> Context | None:
        """The context in which the last message was sent; the SDK asks for it."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """Return the next message that goes on.

        Raises:
            EndOfStream: when there is none any more.
        """
        while not self._watch.why_ended:
            try:
                item: SessionMessage | Exception = await self._inner.receive()
            except (anyio.EndOfStream, anyio.ClosedResourceError):
                self._watch.end("it ended the connection")
                break
            if self._watch.take(item):
                return item
        raise anyio.EndOfStream

    async def aclose(self) -> None:
        """Close the stream."""
        await self._inner.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> bool | None:
        await self.aclose()
        return None


@asynccontextmanager
async def watched(transport: Transport, watch: Watch) -> AsyncGenerator[tuple[WatchedStream, Any], None]:
    """Give the streams of `transport`, the incoming one seen by `watch`."""
    async with transport as (incoming, outgoing):
        yield WatchedStream(incoming, watch), outgoing
