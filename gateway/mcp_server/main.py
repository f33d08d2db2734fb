"""Composition root: the only place where the MCP server is wired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.mcp_server.adapters.agent_grpc import GrpcAgent
from gateway.mcp_server.adapters.artifact_shelf_grpc import GrpcArtifactShelf
from gateway.mcp_server.adapters.tool_catalogue_grpc import GrpcToolCatalogue
from gateway.mcp_server.servicer.edge import McpEdge
from gateway.mcp_server.settings import Settings
from gateway.mcp_server.use_cases.ask_agent import AskAgent
from gateway.mcp_server.use_cases.list_artifacts import ListArtifacts
from gateway.mcp_server.use_cases.list_tools import ListTools
from gateway.mcp_server.use_cases.read_artifact import ReadArtifact
from gateway.mcp_server.use_cases.show_pictures import ShowPictures
from shared.server import Dependencies, Service

if TYPE_CHECKING:
    from gateway.mcp_server.servicer.endpoint import Endpoint


def build(settings: Settings, deps: Dependencies) -> Service:
    """Return the MCP server as `settings` describe it, not started."""
    tools = deps.channel(settings.tools_address)
    catalogue = GrpcToolCatalogue(tools, settings.tool_timeout_s)
    shelf = GrpcArtifactShelf(tools)
    ask_agent = AskAgent(GrpcAgent(deps.channel(settings.orchestrator_address)), shelf, deps.clock)
    edge_settings = settings.edge

    def endpoint() -> Endpoint:
        # Imported with the first caller: see its docstring.
        from gateway.mcp_server.servicer.endpoint import Endpoint
        from gateway.mcp_server.servicer.protocol import UseCases

        read_artifact = ReadArtifact(shelf)
        use_cases = UseCases(
            list_tools=ListTools(catalogue),
            catalogue=catalogue,
            ask_agent=ask_agent,
            list_artifacts=ListArtifacts(shelf),
            read_artifact=read_artifact,
            show_pictures=ShowPictures(read_artifact),
        )
        return Endpoint(use_cases, edge_settings, deps.new_id)

    return Service(name="mcp", registrations=[], stop=ask_agent.settle, edges=[McpEdge(edge_settings, endpoint)])
