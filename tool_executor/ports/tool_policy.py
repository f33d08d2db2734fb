"""Who may call which tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tool_executor.domain.tool_decision import PolicyQuestion, ToolDecision
from tool_executor.domain.tool_definition import ToolDefinition


class ToolPolicy(Protocol):
    """Decides on calls: the organisation's switches first, then permissions, scopes, and the policies."""

    async def decisions(self, question: PolicyQuestion, tools: Sequence[ToolDefinition]) -> Sequence[ToolDecision]:
        """Return a decision for each of `tools`, in their order. A changed setting or policy shows within a second.

        Raises:
            UpstreamDown: TOOL_POLICY_UNKNOWN, when it is not known what the organisation has set; nothing may run then.
        """
        ...
