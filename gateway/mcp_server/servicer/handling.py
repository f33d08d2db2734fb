"""What is around every handler of MCP: how it is cancelled, and what its client is told of an error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

from mcp.server.context import ServerRequestContext

from gateway.mcp_server.servicer.mcp_errors import mcp_errors

Context: TypeAlias = ServerRequestContext[Any, Any]
_Params = TypeVar("_Params")
_Result = TypeVar("_Result")


def handled(
    handle: Callable[[Context, _Params], Coroutine[Any, Any, _Result]],
) -> Callable[[Context, _Params], Awaitable[_Result]]:
    """Return `handle` so that its errors are those of JSON-RPC, and that its cancellation ends it alone."""

    async def handler(ctx: Context, params: _Params) -> _Result:
        with mcp_errors(ctx.method, ctx.protocol_version):
            return await _apart(handle(ctx, params))

    return handler


async def _apart(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Await `work` in a task of its own.

    The SDK knows its own cancellations by their words. gRPC puts another one in the place of that which ends a call,
    and the SDK would take it for the end of the whole session.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait((task,))
    finally:
        task.cancel()
    return task.result()
