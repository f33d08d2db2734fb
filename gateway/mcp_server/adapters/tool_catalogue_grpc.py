"""Tools through the tool executor."""

from __future__ import annotations

import grpc

from gateway.mcp_server.domain.artifact import Artifact
from gateway.mcp_server.domain.offer import Offer, OfferPage, SideEffect
from gateway.mcp_server.domain.tool_outcome import ToolOutcome
from gateway.mcp_server.ports.tool_catalogue import ToolRequest
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.client import translated_errors

CHANNEL = "mcp"
"""What scopes of tools call the way that these calls come."""
_PAGE = 100
_SIDE_EFFECTS = {
    tools_pb2.SIDE_EFFECT_READ: SideEffect.READ,
    tools_pb2.SIDE_EFFECT_WRITE: SideEffect.WRITE,
    tools_pb2.SIDE_EFFECT_EXTERNAL: SideEffect.EXTERNAL,
}


class GrpcToolCatalogue:
    """`ToolCatalogue` over one channel, which carries the current principal.

    Args:
        channel: To the tool executor.
        timeout_s: Longest time of a call; each tool has a shorter one of its own.
    """

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._stub = tools_pb2_grpc.ToolServiceStub(channel)
        self._timeout_s = timeout_s

    async def page(self, token: str) -> OfferPage:
        """See `ToolCatalogue.page`."""
        request = tools_pb2.ListToolsRequest(enabled_only=True, page_size=_PAGE, page_token=token, channel=CHANNEL)
        async with translated_errors("tools"):
            reply: tools_pb2.ListToolsResponse = await self._stub.ListTools(request)
        offers = tuple(_offer(tool) for tool in reply.tools if tool.enabled and tool.allowed)
        return OfferPage(offers, reply.next_page_token)

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """See `ToolCatalogue.run`."""
        proto = tools_pb2.ExecuteToolRequest(
            name=request.name,
            arguments_json=request.arguments_json,
            request_id=request.request_id,
            conversation_id=request.workspace,
            channel=CHANNEL,
        )
        async with translated_errors("tools"):
            reply: tools_pb2.ExecuteToolResponse = await self._stub.ExecuteTool(proto, timeout=self._timeout_s)
        result = reply.result
        return ToolOutcome(
            is_ok=result.status == tools_pb2.TOOL_STATUS_OK,
            output_json=result.output_json,
            summary=result.summary,
            reason=result.error_reason,
            is_cut=result.truncated,
            artifacts=tuple(_artifact(handle) for handle in result.artifacts),
        )


def _offer(tool: tools_pb2.Tool) -> Offer:
    # What is not known is taken for the worst.
    effect = _SIDE_EFFECTS.get(tool.side_effect, SideEffect.PAYMENT)
    return Offer(tool.name, tool.description, tool.input_json_schema, tool.output_json_schema, effect)


def _artifact(handle: tools_pb2.ArtifactHandle) -> Artifact:
    return Artifact(handle.artifact_id, handle.name, handle.media_type, handle.size_bytes)
