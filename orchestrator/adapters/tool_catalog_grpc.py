"""The tools as the tool executor lists them."""

from __future__ import annotations

import grpc

from orchestrator.domain.tools import Origin, Tool
from protos.gen.nexus.tools.v1 import tools_pb2 as pb
from protos.gen.nexus.tools.v1 import tools_pb2_grpc
from shared.client import translated_errors

TIMEOUT_S = 5.0
PAGE = 500
MOST_TOOLS = 512
"""More are not listed; a search finds them all the same."""
MOST_QUERY_CHARS = 4096


class GrpcToolCatalog:
    """`ToolCatalog` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = tools_pb2_grpc.ToolServiceStub(channel)

    async def tools(self, origin: Origin) -> tuple[Tool, ...]:
        """See `ToolCatalog.tools`."""
        found: list[Tool] = []
        token = ""
        while len(found) < MOST_TOOLS:
            request = pb.ListToolsRequest(
                enabled_only=True, page_size=PAGE, page_token=token, agent=origin.agent, channel=origin.channel
            )
            async with translated_errors("tools"):
                response = await self._stub.ListTools(request, timeout=TIMEOUT_S)
            found.extend(_tool(tool) for tool in response.tools if tool.enabled and tool.allowed)
            token = response.next_page_token
            if not token:
                break
        return tuple(found[:MOST_TOOLS])

    async def fitting(self, origin: Origin, question: str, most: int) -> tuple[Tool, ...]:
        """See `ToolCatalog.fitting`."""
        request = pb.SearchToolsRequest(
            query=question[:MOST_QUERY_CHARS], limit=most, agent=origin.agent, channel=origin.channel
        )
        async with translated_errors("tools"):
            response = await self._stub.SearchTools(request, timeout=TIMEOUT_S)
        return tuple(_tool(found.tool) for found in response.tools if found.tool.enabled and found.tool.allowed)


def _tool(tool: pb.Tool) -> Tool:
    return Tool(
        name=tool.name,
        description=tool.description,
        input_json_schema=tool.input_json_schema,
        timeout_s=tool.timeout.ToTimedelta().total_seconds(),
        examples=tuple(tool.examples),
    )
