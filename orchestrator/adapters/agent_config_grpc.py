"""The agents' configuration as the settings service has it."""

from __future__ import annotations

import grpc

from orchestrator.domain.agent_config import AgentConfig
from protos.gen.nexus.settings.v1 import settings_pb2 as pb
from protos.gen.nexus.settings.v1 import settings_pb2_grpc
from shared.auth.context import acting_as, current_principal
from shared.auth.principal import settings_reader
from shared.client import translated_errors

TIMEOUT_S = 5.0


class GrpcAgentConfig:
    """`AgentConfigSource` over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = settings_pb2_grpc.SettingsServiceStub(channel)

    async def agent_config(self) -> AgentConfig:
        """See `AgentConfigSource.agent_config`."""
        with acting_as(settings_reader("orchestrator", current_principal().org_id)):
            async with translated_errors("settings"):
                response = await self._stub.GetConfig(pb.GetConfigRequest(), timeout=TIMEOUT_S)
        stored = response.config.agent
        defaults = AgentConfig()
        return AgentConfig(
            default_model=stored.default_model,
            max_steps=stored.max_steps or defaults.max_steps,
            max_tool_calls=stored.max_tool_calls or defaults.max_tool_calls,
            timeout_s=float(stored.timeout_s) or defaults.timeout_s,
            time_zone=stored.time_zone or defaults.time_zone,
        )
