"""A collector that takes spans and forgets them: `python -m benchmarks.gateway.otlp_sink PORT`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc

_SERVICE, _METHOD = "opentelemetry.proto.collector.trace.v1.TraceService", "Export"


async def _take(_request: bytes, _context: object) -> bytes:
    return b""


async def _serve(port: int) -> None:
    server = grpc.aio.server()
    library: Any = grpc
    handler = library.unary_unary_rpc_method_handler(_take)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {_METHOD: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
