"""MCP servers of the official SDK, served over streamable HTTP on a free port of loopback."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

if TYPE_CHECKING:
    from trustme import LeafCert


@dataclass
class ServedMcp:
    """A server that is being served.

    Attributes:
        url: its address.
        place: `host:port` of it.
        requests: method and headers of each request that came, the names in small letters.
    """

    url: str
    place: str
    requests: list[tuple[str, dict[str, str]]]


@asynccontextmanager
async def serving_mcp(
    server: MCPServer[Any], *, json_response: bool = False, port: int = 0, certificate: LeafCert | None = None
) -> AsyncGenerator[ServedMcp, None]:
    """Serve `server` until the block ends, at `port` or a free one, with TLS when there is a `certificate`."""
    listening = socket.create_server(("127.0.0.1", port))
    place = f"127.0.0.1:{listening.getsockname()[1]}"
    served = ServedMcp(f"http://{place}/mcp", place, [])
    # Whatever it is called: the SDK's own check of names is for servers on loopback.
    anyone = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(json_response=json_response, transport_security=anyone)

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            served.requests.append((scope["method"], headers))
        await app(scope, receive, send)

    config = uvicorn.Config(noted, log_config=None, ws="none")
    config.load()
    if certificate is not None:
        config.ssl = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(config.ssl)  # pyright: ignore[reportUnknownMemberType]  # of an SSL package too
    running = uvicorn.Server(config)
    # Not by `serve`, whose end waits for two ticks of a tenth of a second.
    running.lifespan = config.lifespan_class(config)
    await running.startup(sockets=[listening])
    try:
        yield served
    finally:
        for accepting in running.servers:
            accepting.close()
        for connection in list(running.server_state.connections):
            connection.transport.abort()
        answering = [*running.server_state.tasks]
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        await running.lifespan.shutdown()
