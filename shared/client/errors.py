"""Failed calls as errors of the taxonomy."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import grpc

from shared.errors.grpc_status import error_from_call


@asynccontextmanager
async def translated_errors(peer: str) -> AsyncGenerator[None, None]:
    """Turn a failed call to the service `peer` inside the block into the taxonomy's error, its reason kept."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_from_call(error, peer) from error
