"""A configuration source that asks at most once a second."""

from __future__ import annotations

from orchestrator.adapters.remembered import Remembered
from orchestrator.domain.agent_config import AgentConfig
from orchestrator.ports.agent_config import AgentConfigSource
from shared.clock import Clock


class RememberedAgentConfig:
    """Decorates an `AgentConfigSource`."""

    def __init__(self, source: AgentConfigSource, clock: Clock) -> None:
        self._value = Remembered(source.agent_config, clock)

    async def agent_config(self) -> AgentConfig:
        """See `AgentConfigSource.agent_config`."""
        return await self._value.get()
