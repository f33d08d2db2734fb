"""Connects to MCP servers with the official SDK: over streamable HTTP, or to a program in the sandbox."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

import httpx2
from mcp.client import Client, Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import Implementation
from pydantic import ValidationError

from shared.auth.principal import process_runner
from tool_executor.adapters.mcp.connection import SdkConnection
from tool_executor.adapters.mcp.http_guard import AllowedNetwork, GuardedTransport
from tool_executor.adapters.mcp.limits import McpLimits, McpSurroundings
from tool_executor.adapters.mcp.stdio_sandbox import SandboxProcess
from tool_executor.adapters.mcp.watch import Watch, watched
from tool_executor.domain.mcp_catalog import plain
from tool_executor.domain.mcp_server import HttpTransport, McpFailure, ServerSpec

_VERSION = "0.1.0"
_DETAIL_CHARS = 2_000
_LEAST_SECRET_CHARS = 4


class SdkMcpConnector:
    """Opens connections; see the port.

    Servers get no capability of this side: what they ask of it (sampling, elicitation, roots) the SDK refuses.
    """

    def __init__(self, surroundings: McpSurroundings, limits: McpLimits) -> None:
        self._around = surroundings
        self._limits = limits
        self._trusted = ssl.create_default_context()
        if surroundings.ca_file is not None:
            self._trusted.load_verify_locations(surroundings.ca_file)
        for name in ("mcp.client", "mcp.shared", "client"):
            # They write what servers send into the log.
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @asynccontextmanager
    async def connect(self, org_id: str, spec: ServerSpec) -> AsyncGenerator[SdkConnection, None]:
        """Connect to a server; see the port.

        Raises:
            McpFailure: as the port says.
        """
        watch = Watch(self._limits, self._around.monotonic)
        runner = process_runner("tools", org_id)
        process = SandboxProcess(self._around.sandbox, runner, self._limits, watch)
        inside: Exception | None = None
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._limits.connect_s):
                    transport = await self._transport(stack, spec, watch, process)
                    client = await stack.enter_async_context(_client(transport, watch, self._limits))
                connection = SdkConnection(client, watch, self._limits)
                await stack.enter_async_context(connection.listening())
                try:
                    yield connection
                except Exception as error:
                    inside = error
                    raise
        except Exception as error:
            why = inside or McpFailure(watch.why_ended or _why(error))
            if isinstance(why, McpFailure):
                raise McpFailure(why.message, why.detail or _without(process.complaints, spec)) from error
            raise why from error

    async def _transport(
        self, stack: AsyncExitStack, spec: ServerSpec, watch: Watch, process: SandboxProcess
    ) -> AbstractAsyncContextManager[Any]:
        if not isinstance(spec.transport, HttpTransport):
            return process.running(spec.transport)
        network = AllowedNetwork(self._around.lookup, self._around.private_hosts)
        guarded = GuardedTransport(network, self._trusted, self._limits, watch)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(
                transport=guarded,
                headers={
                    **{each.name: each.value for each in spec.transport.headers},
                    "accept-encoding": "identity",
                    "user-agent": f"nexus/{_VERSION}",
                },
                trust_env=False,
                cookies=None,
            )
        )
        return streamable_http_client(
            spec.transport.url, http_client=client, max_sse_event_size=self._limits.message_bytes
        )


def _client(transport: AbstractAsyncContextManager[Any], watch: Watch, limits: McpLimits) -> Client:
    return Client(
        cast("Transport", watched(transport, watch)),
        read_timeout_seconds=limits.list_s,
        client_info=Implementation(name="nexus", version=_VERSION),
        cache=None,
    )


def _why(error: Exception) -> str:
    """Return what kept a connection from coming about or broke it, without anything that is secret."""
    for leaf in _leaves(error):
        match leaf:
            case httpx2.TimeoutException() | TimeoutError():
                return "it does not answer in time"
            case httpx2.TransportError() | McpFailure():
                return plain(str(leaf), 200)
            case MCPError():
                return f"it refuses: {plain(leaf.message, 200)}"
            case ValidationError() | RuntimeError() | ValueError():
                return "it does not keep to the protocol"
            case _:
                continue
    return "the connection broke"


def _leaves(error: Exception) -> Iterator[Exception]:
    if isinstance(error, ExceptionGroup):
        for inner in cast("ExceptionGroup[Exception]", error).exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _without(text: str, spec: ServerSpec) -> str:
    """Return `text` without the values of the server's secrets."""
    for secret in sorted(spec.secrets, key=lambda each: -len(each.value)):
        if len(secret.value) >= _LEAST_SECRET_CHARS:
            text = text.replace(secret.value, "***")
    return plain(text.strip()[-_DETAIL_CHARS:])
