"""What callers may do before anybody knows who they are: ask for health and reflection, a few at a time and briefly.

Without a bound, streams that cost their opener nothing would fill the memory of every service.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc

MOST_CALLS = 64
MOST_REQUEST_BYTES = 4096
LONGEST_CALL_S = 60.0
_Context = grpc.aio.ServicerContext[Any, Any]


class Lobby:
    """Bounds the calls of strangers. The mesh's own unix sockets are private and always let in."""

    def __init__(self) -> None:
        self._calls = 0

    def wrap(self, handler: Any) -> Any:
        """Return the handler of a method without permission so that it takes at most `MOST_CALLS` calls at once."""
        decode = handler.request_deserializer

        # As in the guard, a request is read only after its caller was let in.
        async def unary(_: object, context: _Context) -> Any:
            async with self._place(context):
                return await handler.unary_unary(decode(await _read(context)), context)

        async def writing(_: object, context: _Context) -> None:
            async with self._place(context):
                await handler.unary_stream(decode(await _read(context)), context)

        async def streaming(requests: Any, context: _Context) -> None:
            async with self._place(context), aclosing(handler.stream_stream(requests, context)) as responses:
                async for response in responses:
                    await context.write(response)

        single: Any = grpc.stream_unary_rpc_method_handler
        many: Any = grpc.stream_stream_rpc_method_handler
        if handler.request_streaming:
            return many(streaming, decode, handler.response_serializer)
        if handler.response_streaming:
            return many(writing, None, handler.response_serializer)
        return single(unary, None, handler.response_serializer)

    @asynccontextmanager
    async def _place(self, context: _Context) -> AsyncGenerator[None, None]:
        if context.peer().startswith("unix:"):
            yield
            return
        if self._calls >= MOST_CALLS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Too many calls without a key at once.")
        self._calls += 1
        try:
            # A place that is held for ever is a place taken from everybody: who watches health calls again.
            async with asyncio.timeout(LONGEST_CALL_S):
                yield
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "A call without a key may not take this long.")
        finally:
            self._calls -= 1


async def _read(context: _Context) -> bytes:
    """Return the bytes of the call's one short request."""
    raw: Any = await context.read()
    if not isinstance(raw, bytes) or len(raw) > MOST_REQUEST_BYTES:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "The request is missing or too long.")
    return raw
