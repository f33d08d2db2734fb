"""McpService."""

from __future__ import annotations

from dataclasses import dataclass

import grpc

from protos.gen.nexus.mcp.v1 import mcp_pb2, mcp_pb2_grpc
from shared.auth.context import current_principal
from tool_executor.ports.mcp_connections import McpConnections
from tool_executor.servicer.mcp_convert import prompt_to_proto, resource_to_proto, server_to_proto, spec_from_proto
from tool_executor.use_cases.add_mcp_server import AddMcpServer
from tool_executor.use_cases.read_mcp_server import ReadMcpServer
from tool_executor.use_cases.remove_mcp_server import RemoveMcpServer
from tool_executor.use_cases.try_mcp_server import TryMcpServer


@dataclass(frozen=True, slots=True)
class McpUseCases:
    """What the servicer calls."""

    add: AddMcpServer
    remove: RemoveMcpServer
    attempt: TryMcpServer
    read: ReadMcpServer
    connections: McpConnections


class McpServicer(mcp_pb2_grpc.McpServiceServicer):
    """Serves the servers of the principal's organisation, and no others."""

    def __init__(self, use_cases: McpUseCases) -> None:
        self._use_cases = use_cases

    async def AddServer(
        self,
        request: mcp_pb2.AddServerRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.AddServerRequest, mcp_pb2.AddServerResponse],
    ) -> mcp_pb2.AddServerResponse:
        """Register a server."""
        view = await self._use_cases.add(current_principal(), spec_from_proto(request.spec), request.request_id)
        return mcp_pb2.AddServerResponse(server=server_to_proto(view))

    async def TestServer(
        self,
        request: mcp_pb2.TestServerRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.TestServerRequest, mcp_pb2.TestServerResponse],
    ) -> mcp_pb2.TestServerResponse:
        """Try a server that is not registered."""
        view = await self._use_cases.attempt(current_principal(), spec_from_proto(request.spec))
        return mcp_pb2.TestServerResponse(server=server_to_proto(view))

    async def RemoveServer(
        self,
        request: mcp_pb2.RemoveServerRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.RemoveServerRequest, mcp_pb2.RemoveServerResponse],
    ) -> mcp_pb2.RemoveServerResponse:
        """Forget a server."""
        await self._use_cases.remove(current_principal(), request.name)
        return mcp_pb2.RemoveServerResponse()

    async def ListServers(
        self,
        request: mcp_pb2.ListServersRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.ListServersRequest, mcp_pb2.ListServersResponse],
    ) -> mcp_pb2.ListServersResponse:
        """Return the servers with their state."""
        views = self._use_cases.connections.views(current_principal().org_id)
        return mcp_pb2.ListServersResponse(servers=[server_to_proto(view) for view in views])

    async def ListResources(
        self,
        request: mcp_pb2.ListResourcesRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.ListResourcesRequest, mcp_pb2.ListResourcesResponse],
    ) -> mcp_pb2.ListResourcesResponse:
        """Return the resources of a server."""
        catalog = self._use_cases.connections.view(current_principal().org_id, request.name).catalog
        return mcp_pb2.ListResourcesResponse(resources=[resource_to_proto(each) for each in catalog.resources])

    async def ReadResource(
        self,
        request: mcp_pb2.ReadResourceRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.ReadResourceRequest, mcp_pb2.ReadResourceResponse],
    ) -> mcp_pb2.ReadResourceResponse:
        """Return what a resource says."""
        said = await self._use_cases.read.resource(current_principal(), request.name, request.uri)
        return mcp_pb2.ReadResourceResponse(
            text=said.text, data=said.data, media_type=said.media_type, truncated=said.is_truncated
        )

    async def ListPrompts(
        self,
        request: mcp_pb2.ListPromptsRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.ListPromptsRequest, mcp_pb2.ListPromptsResponse],
    ) -> mcp_pb2.ListPromptsResponse:
        """Return the prompts of a server."""
        catalog = self._use_cases.connections.view(current_principal().org_id, request.name).catalog
        return mcp_pb2.ListPromptsResponse(prompts=[prompt_to_proto(each) for each in catalog.prompts])

    async def GetPrompt(
        self,
        request: mcp_pb2.GetPromptRequest,
        context: grpc.aio.ServicerContext[mcp_pb2.GetPromptRequest, mcp_pb2.GetPromptResponse],
    ) -> mcp_pb2.GetPromptResponse:
        """Return a prompt with its arguments filled in."""
        messages = await self._use_cases.read.prompt(
            current_principal(), request.name, request.prompt, request.arguments_json
        )
        return mcp_pb2.GetPromptResponse(
            messages=[mcp_pb2.PromptMessage(role=each.role, text=each.text) for each in messages]
        )
