"""How a tool stands with an organisation."""

from __future__ import annotations

from dataclasses import dataclass

from shared.circuit_breaker import Breaker
from tool_executor.domain.tool_decision import ToolDecision
from tool_executor.domain.tool_definition import ToolDefinition


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How often an organisation called a tool.

    Args:
        minute: calls of the last minute.
        day: calls of this day, in UTC.
    """

    minute: int = 0
    day: int = 0


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool with its standing.

    Args:
        definition: what it says of itself.
        decision: whether the caller may use it.
        used: how often the organisation called it.
        breaker: whether the organisation's calls go through.
    """

    definition: ToolDefinition
    decision: ToolDecision
    used: QuotaUse = QuotaUse()
    breaker: Breaker = Breaker.CLOSED
