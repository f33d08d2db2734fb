"""Which tools a question needs, for models that cannot say it themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.events import UsageReported
from orchestrator.domain.tools import Tool


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A question to plan for.

    Attributes:
        question: the question.
        tools: the tools that may be called.
        now: the time, in the time zone of the organisation.
        model: `provider/model` that may fill in arguments; empty for the router's chain.
        timeout_s: longest time the planning may take.
        request_id: names the planning, for tracing.
    """

    question: str
    tools: tuple[Tool, ...]
    now: datetime
    model: str
    timeout_s: float
    request_id: str


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A tool to call, with its arguments as one JSON object."""

    tool: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The calls that a question needs, none for small talk, and the model calls that the planning cost."""

    calls: tuple[PlannedCall, ...] = ()
    usage: tuple[UsageReported, ...] = ()


class ToolStrategy(Protocol):
    """Plans tool calls. Abstains when in doubt: a wrong tool is worse than none."""

    async def plan(self, request: PlanRequest) -> Plan:
        """Return the calls to make.

        Raises:
            NexusError: with the router's reason when a model it needs cannot be called.
        """
        ...
