"""SettingsService over the use cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from settings_service.servicer.convert import config_from_proto, config_to_proto
from settings_service.use_cases.get_config import GetConfig
from settings_service.use_cases.list_providers import ListProviders
from settings_service.use_cases.list_tools import ListTools, ToolState
from settings_service.use_cases.set_tool_state import SetToolState
from settings_service.use_cases.update_config import Update, UpdateConfig
from settings_service.use_cases.watch_config import WatchConfig
from shared.auth.context import current_principal


@dataclass(frozen=True, slots=True)
class SettingsUseCases:
    """What the servicer calls."""

    get_config: GetConfig
    update_config: UpdateConfig
    watch_config: WatchConfig
    list_providers: ListProviders
    list_tools: ListTools
    set_tool_state: SetToolState


class SettingsServicer(settings_pb2_grpc.SettingsServiceServicer):
    """Serves nexus.settings.v1.SettingsService."""

    def __init__(self, use_cases: SettingsUseCases) -> None:
        self._use_cases = use_cases

    async def GetConfig(self, request: settings_pb2.GetConfigRequest, context: Any) -> settings_pb2.GetConfigResponse:
        """Return the configuration."""
        config = await self._use_cases.get_config.run(current_principal())
        return settings_pb2.GetConfigResponse(config=config_to_proto(config))

    async def UpdateConfig(
        self, request: settings_pb2.UpdateConfigRequest, context: Any
    ) -> settings_pb2.UpdateConfigResponse:
        """Change the configuration."""
        update = Update(
            config_from_proto(request.config),
            tuple(request.update_mask.paths),
            request.config.etag,
            request.request_id,
        )
        config = await self._use_cases.update_config.run(current_principal(), update)
        return settings_pb2.UpdateConfigResponse(config=config_to_proto(config))

    async def WatchConfig(
        self, request: settings_pb2.WatchConfigRequest, context: Any
    ) -> AsyncIterator[settings_pb2.WatchConfigResponse]:
        """Stream the configuration."""
        async with aclosing(self._use_cases.watch_config.run(current_principal())) as configs:
            async for config in configs:
                yield settings_pb2.WatchConfigResponse(config=config_to_proto(config))

    async def ListProviders(
        self, request: settings_pb2.ListProvidersRequest, context: Any
    ) -> settings_pb2.ListProvidersResponse:
        """List the providers."""
        return settings_pb2.ListProvidersResponse(
            providers=[
                settings_pb2.ProviderSummary(name=p.name, type=p.type, configured=p.configured, models=p.models)
                for p in await self._use_cases.list_providers.run()
            ]
        )

    async def ListTools(self, request: settings_pb2.ListToolsRequest, context: Any) -> settings_pb2.ListToolsResponse:
        """List the tools with their state."""
        tools = await self._use_cases.list_tools.run(current_principal())
        return settings_pb2.ListToolsResponse(tools=[_tool(t) for t in tools])

    async def SetToolState(
        self, request: settings_pb2.SetToolStateRequest, context: Any
    ) -> settings_pb2.SetToolStateResponse:
        """Enable or disable a tool."""
        tool = await self._use_cases.set_tool_state.run(
            current_principal(), request.name, request.request_id, enabled=request.enabled
        )
        return settings_pb2.SetToolStateResponse(tool=_tool(tool))


def _tool(tool: ToolState) -> settings_pb2.ToolState:
    return settings_pb2.ToolState(name=tool.name, description=tool.description, enabled=tool.enabled)
