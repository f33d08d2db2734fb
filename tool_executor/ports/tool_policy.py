"""Which tools an organisation has switched off."""

from __future__ import annotations

from typing import Protocol

from shared.auth.principal import Principal


class ToolPolicy(Protocol):
    """Knows which tools are off, per organisation."""

    async def disabled_tools(self, principal: Principal) -> frozenset[str]:
        """Return the names of the tools that are off for `principal`'s organisation; a change shows within a second.

        Raises:
            UpstreamDown: when that is not known and cannot be found out; nothing may run then.
        """
        ...
