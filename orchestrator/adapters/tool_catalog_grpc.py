"""The tools as the tool executor lists them."""

from __future__ import annotations

import grpc

from orchestrator.domain.tools import Tool
from protos.gen.nexus.tools.v1 import tools_pb2 as pb
from protos.gen.nexus.tools.v1 import tools_pb2_grpc
from shared.client import translated_errors

TIMEOUT_S = 5.0
PAGE = 100
MOST_TOOLS = 128
"""More are not offered to a model: the router takes no more."""


class GrpcToolCatalog:
    """`ToolCatalog` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = tools_pb2_grpc.ToolServiceStub(channel)

    async def tools(self) -> tuple[Tool, ...]:
        """See `ToolCatalog.tools`."""
        found: list[Tool] = []
        token = ""
        while len(found) < MOST_TOOLS:
            request = pb.ListToolsRequest(enabled_only=True, page_size=PAGE, page_token=token)
            async with translated_errors("tools"):
                response = await self._stub.ListTools(request, timeout=TIMEOUT_S)
            found.extend(_tool(tool) for tool in response.tools if tool.enabled)
            token = response.next_page_token
            if not token:
                break
        return tuple(found[:MOST_TOOLS])


def _tool(tool: pb.Tool) -> Tool:
    return Tool(
        name=tool.name,
        description=tool.description,
        input_json_schema=tool.input_json_schema,
        timeout_s=tool.timeout.ToTimedelta().total_seconds(),
        examples=tuple(tool.examples),
    )
