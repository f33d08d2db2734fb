"""How often an organisation may call a tool."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.domain.tool_standing import QuotaUse


class CallQuota(Protocol):
    """Counts calls for each organisation, tool, minute and day (UTC). Days survive a restart, minutes do not."""

    async def take(self, org_id: str, tool: ToolDefinition, *, dry_run: bool) -> None:
        """Count one call that is about to run; a refused one is not counted. A dry run is no call of the day.

        Raises:
            QuotaExceeded: TOOL_RATE_LIMITED or TOOL_QUOTA_EXCEEDED, with the time at which there is room again.
            UpstreamDown: when the store is away and the tool has a limit a day.
        """
        ...

    async def used(self, org_id: str, tools: Collection[str]) -> Mapping[str, QuotaUse]:
        """Return how often `org_id` called each of `tools`; one that is missing was not called.

        Raises:
            UpstreamDown: when the store is away.
        """
        ...
