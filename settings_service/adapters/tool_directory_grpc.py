"""The tools, asked of the tool executor."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import grpc

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from settings_service.ports.tool_directory import ToolSummary
from shared.client import translated_errors

_DEADLINE_S = 5


class GrpcToolDirectory:
    """Asks ToolService.ListTools, page by page."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = tools_pb2_grpc.ToolServiceStub(channel)

    async def list(self) -> Sequence[ToolSummary]:
        """Return the tools, by name."""
        found: builtins.list[ToolSummary] = []
        token = ""
        while True:
            async with translated_errors("tools"):
                request = tools_pb2.ListToolsRequest(page_size=500, page_token=token)
                reply = await self._stub.ListTools(request, timeout=_DEADLINE_S)
            found += [ToolSummary(t.name, t.description) for t in reply.tools]
            token = reply.next_page_token
            if not token:
                return found
