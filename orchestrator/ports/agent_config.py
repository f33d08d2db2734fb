"""How an organisation wants its agents to run."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.agent_config import AgentConfig


class AgentConfigSource(Protocol):
    """Reads the configuration of the organisation at work."""

    async def agent_config(self) -> AgentConfig:
        """Return the configuration, defaults filled in. At most a second old.

        Raises:
            UpstreamDown: when the settings service does not answer.
        """
        ...
