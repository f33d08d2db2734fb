"""What an organisation has set for its tools."""

from __future__ import annotations

from typing import Protocol

from shared.auth.principal import Principal
from tool_executor.domain.tool_decision import ToolRules


class ToolSettings(Protocol):
    """Knows which tools are off and what agents and channels are narrowed to, per organisation."""

    async def rules(self, principal: Principal) -> ToolRules:
        """Return the rules of `principal`'s organisation; a change shows within a second.

        Raises:
            UpstreamDown: when they are not known and cannot be found out; nothing may run then.
        """
        ...
