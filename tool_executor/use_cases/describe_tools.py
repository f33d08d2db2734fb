"""Tells how tools stand with a caller."""

from __future__ import annotations

from collections.abc import Sequence

from tool_executor.domain.tool_decision import PolicyQuestion
from tool_executor.domain.tool_definition import ToolDefinition
from tool_executor.domain.tool_standing import ListedTool, QuotaUse
from tool_executor.ports.breaker_board import BreakerBoard
from tool_executor.ports.call_quota import CallQuota
from tool_executor.ports.tool_policy import ToolPolicy


class DescribeTools:
    """Puts together what policy, quota and breakers know of tools."""

    def __init__(self, policy: ToolPolicy, quota: CallQuota, breakers: BreakerBoard) -> None:
        self._policy = policy
        self._quota = quota
        self._breakers = breakers

    async def __call__(self, question: PolicyQuestion, tools: Sequence[ToolDefinition]) -> list[ListedTool]:
        """Return `tools` with their standing, in order.

        Raises:
            UpstreamDown: when it is not known which tools the organisation has switched off, or the store is away.
        """
        decisions = await self._policy.decisions(question, tools)
        org_id = question.principal.org_id
        used = await self._quota.used(org_id, [tool.name for tool in tools])
        return [
            ListedTool(
                tool,
                decision,
                used=used.get(tool.name, QuotaUse()),
                breaker=self._breakers.state(org_id, tool.name),
            )
            for tool, decision in zip(tools, decisions, strict=True)
        ]
