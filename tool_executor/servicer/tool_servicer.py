"""ToolService."""

from __future__ import annotations

import grpc

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.context import current_principal
from tool_executor.domain.tool_call import CallOrigin
from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.servicer.convert import (
    after_of,
    call_from_proto,
    found_to_proto,
    page_token,
    reloaded_to_proto,
    result_to_proto,
    tool_to_proto,
)
from tool_executor.use_cases.execute_tool import ExecuteTool
from tool_executor.use_cases.get_tool import GetTool
from tool_executor.use_cases.list_tools import ListTools
from tool_executor.use_cases.reload_tools import ReloadTools
from tool_executor.use_cases.search_tools import SearchTools

_PAGE_SIZE = 100
_FOUND = 8


class ToolServicer(tools_pb2_grpc.ToolServiceServicer):
    """Serves tools to the principal of each call."""

    def __init__(
        self,
        list_tools: ListTools,
        get_tool: GetTool,
        search_tools: SearchTools,
        reload_tools: ReloadTools,
        execute_tool: ExecuteTool,
    ) -> None:
        self._list_tools = list_tools
        self._get_tool = get_tool
        self._search_tools = search_tools
        self._reload_tools = reload_tools
        self._execute_tool = execute_tool

    async def ListTools(
        self,
        request: tools_pb2.ListToolsRequest,
        context: grpc.aio.ServicerContext[tools_pb2.ListToolsRequest, tools_pb2.ListToolsResponse],
    ) -> tools_pb2.ListToolsResponse:
        """Return a page of tools with their state."""
        page = await self._list_tools(
            PolicyQuestion(current_principal(), CallOrigin(request.agent, request.channel)),
            enabled_only=request.enabled_only,
            after=after_of(request.page_token),
            page_size=request.page_size or _PAGE_SIZE,
        )
        return tools_pb2.ListToolsResponse(
            tools=[tool_to_proto(tool) for tool in page.tools], next_page_token=page_token(page.next_after)
        )

    async def GetTool(
        self,
        request: tools_pb2.GetToolRequest,
        context: grpc.aio.ServicerContext[tools_pb2.GetToolRequest, tools_pb2.GetToolResponse],
    ) -> tools_pb2.GetToolResponse:
        """Return one tool with its state."""
        tool = await self._get_tool(PolicyQuestion(current_principal()), request.name)
        return tools_pb2.GetToolResponse(tool=tool_to_proto(tool))

    async def SearchTools(
        self,
        request: tools_pb2.SearchToolsRequest,
        context: grpc.aio.ServicerContext[tools_pb2.SearchToolsRequest, tools_pb2.SearchToolsResponse],
    ) -> tools_pb2.SearchToolsResponse:
        """Return the tools that fit a question best."""
        question = PolicyQuestion(current_principal(), CallOrigin(request.agent, request.channel))
        found = await self._search_tools(question, request.query, request.limit or _FOUND)
        return tools_pb2.SearchToolsResponse(tools=[found_to_proto(each) for each in found])

    async def ReloadTools(
        self,
        request: tools_pb2.ReloadToolsRequest,
        context: grpc.aio.ServicerContext[tools_pb2.ReloadToolsRequest, tools_pb2.ReloadToolsResponse],
    ) -> tools_pb2.ReloadToolsResponse:
        """Ask every source of tools anew and return what changed."""
        return reloaded_to_proto(await self._reload_tools(current_principal().org_id))

    async def ExecuteTool(
        self,
        request: tools_pb2.ExecuteToolRequest,
        context: grpc.aio.ServicerContext[tools_pb2.ExecuteToolRequest, tools_pb2.ExecuteToolResponse],
    ) -> tools_pb2.ExecuteToolResponse:
        """Run a tool and return how that went."""
        result = await self._execute_tool(current_principal(), call_from_proto(request))
        return tools_pb2.ExecuteToolResponse(result=result_to_proto(result))
