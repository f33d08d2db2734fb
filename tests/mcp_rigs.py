"""MCP servers for tests: a good one of the SDK, and bad ones written by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

PNG = bytes.fromhex("89504e470d0a1a0a") + b"not really a picture"


def good_server(cancelled: asyncio.Event | None = None) -> MCPServer[Any]:
    """Return a server with a tool of each kind, a resource and a prompt."""
    server: MCPServer[Any] = MCPServer("good", version="1.2.3")

    @server.tool()
    def addNumbers(a: int, b: int) -> int:
        """Adds two numbers."""
        return a + b

    @server.tool(structured_output=False)
    def draw() -> list[Any]:
        """Draws."""
        return ["here it is", Image(data=PNG, format="png")]

    @server.tool()
    def fail() -> str:
        """Fails."""
        raise ToolError("the disk is full")

    @server.tool()
    async def hang() -> str:
        """Hangs."""
        try:
            await asyncio.sleep(60)
        finally:
            if cancelled is not None:
                cancelled.set()
        return ""

    @server.tool()
    async def grow(context: Context) -> str:
        """Gets itself a sister."""

        @server.tool()
        def sister() -> str:
            """Is there now."""
            return "hello"

        await context.notify_tools_changed()
        return "grown"

    @server.resource("text://hello")
    def hello() -> str:
        """Says hello."""
        return "hello"

    @server.prompt()
    def greet(name: str) -> str:
        """Greets."""
        return f"Greet {name}."

    return server


Reply = Callable[[str, dict[str, Any]], Awaitable[Any]]
"""Of a method and its parameters makes the result; bytes are the whole HTTP answer."""
HELLO = {
    "protocolVersion": "2025-06-18",
    "serverInfo": {"name": "bad", "version": "0"},
}


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def bad_server(reply: Reply, stream: bytes = b"", **capabilities: Any) -> AsyncGenerator[str, None]:
    """Serve `reply` as an MCP server of the time before 2026, over HTTP by hand; give its `host:port`.

    `stream` is the whole answer to who listens for what the server says of itself.
    """
    hello = HELLO | {"capabilities": {"tools": {"listChanged": True}, **capabilities}}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
            message = json.loads(await reader.readexactly(size) or b"{}")
            listens = stream and head.startswith("get")
            writer.write(stream if listens else await _answered(reply, hello, head, message))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _answered(reply: Reply, hello: dict[str, Any], head: str, message: dict[str, Any]) -> bytes:
    method = message.get("method", "")
    if not head.startswith("post"):
        return answer(b"", status="405 Method Not Allowed")
    if "id" not in message or not method:
        return answer(b"", status="202 Accepted")
    if method == "server/discover":
        error = {"code": -32601, "message": "what is that?"}
        said = json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode()
        return answer(said, "content-type: application/json")
    result = hello if method == "initialize" else await reply(method, message.get("params") or {})
    if isinstance(result, bytes):
        return result.replace(b'"ID"', str(message["id"]).encode())
    said = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
    return answer(said, "content-type: application/json", "mcp-session-id: session-1")
